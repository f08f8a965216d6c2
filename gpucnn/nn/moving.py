"""Layers whose channels change places."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["ChannelShuffle"]


class ChannelShuffle(Module):
    """Channels dealt out over the groups; see :func:`gpucnn.functional.channel_shuffle`.

    Parameters
    ----------
    groups : int

    Examples
    --------
    >>> import numpy as np
    >>> ChannelShuffle(2)(np.arange(4).reshape(1, 4, 1)).ravel()
    array([0, 2, 1, 3])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.channel_shuffle(x, self.groups)
