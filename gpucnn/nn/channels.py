"""Layers whose channels change places."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle"]


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


class PixelShuffle(Module):
    """Channels laid out as pixels; see :func:`gpucnn.functional.pixel_shuffle`.

    Parameters
    ----------
    upscale_factor : int

    Examples
    --------
    >>> import numpy as np
    >>> PixelShuffle(2)(np.zeros((1, 12, 5, 5), np.float32)).shape
    (1, 3, 10, 10)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, x: Any) -> Any:
        """(…, c·r², h, w) to (…, c, h·r, w·r)."""
        return F.pixel_shuffle(x, self.upscale_factor)


class PixelUnshuffle(Module):
    """Pixels laid out as channels; see :func:`gpucnn.functional.pixel_unshuffle`.

    Parameters
    ----------
    downscale_factor : int

    Examples
    --------
    >>> import numpy as np
    >>> PixelUnshuffle(2)(np.zeros((1, 3, 10, 10), np.float32)).shape
    (1, 12, 5, 5)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, x: Any) -> Any:
        """(…, c, h·r, w·r) to (…, c·r², h, w)."""
        return F.pixel_unshuffle(x, self.downscale_factor)
