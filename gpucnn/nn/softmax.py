"""Scores to probabilities."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["LogSoftmax", "Softmax", "Softmin"]


class Softmax(Module):
    """Scores to probabilities along ``dim``; see :func:`gpucnn.functional.softmax`.

    Parameters
    ----------
    dim : int

    Examples
    --------
    >>> import numpy as np
    >>> Softmax(0)(np.float32([2.5, 1.8, 0.2])).round(4)
    array([0.6262, 0.311 , 0.0628], dtype=float32)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.softmax(x, self.dim)


class LogSoftmax(Module):
    """Scores to logarithms of probabilities along ``dim``; see :func:`gpucnn.functional.log_softmax`.

    Parameters
    ----------
    dim : int

    Examples
    --------
    >>> import numpy as np
    >>> LogSoftmax(0)(np.float32([0, 1000]))
    array([-1000.,     0.], dtype=float32)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.log_softmax(x, self.dim)


class Softmin(Module):
    """Softmax of ``−x`` along ``dim``; see :func:`gpucnn.functional.softmin`.

    Parameters
    ----------
    dim : int

    Examples
    --------
    >>> import numpy as np
    >>> Softmin(0)(np.float32([-2.5, -1.8, -0.2])).round(4)
    array([0.6262, 0.311 , 0.0628], dtype=float32)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.softmin(x, self.dim)
