"""The way back from a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional as F
from ..functional import Size1, Size2, Size3
from .module import Module

__all__ = ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]


class MaxUnpool1d(Module):
    """Values put back where a pool found them; see :func:`gpucnn.functional.max_unpool1d`.

    Parameters
    ----------
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    padding : int or (int,)
        Of the pool, pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from gpucnn import nn
    >>> y, indices = nn.MaxPool1d(2, return_indices=True)(np.zeros((2, 3, 6), np.float32))
    >>> nn.MaxUnpool1d(2)(y, indices).shape
    (2, 3, 6)
    """

    def __init__(self, kernel_size: Size1, stride: Size1 | None = None, padding: Size1 = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Any, indices: Any, output_size: Sequence[int] | None = None) -> Any:
        """(n, c, l) and its indices to (n, c, *output_size)."""
        return F.max_unpool1d(x, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(Module):
    """Values put back where a pool found them; see :func:`gpucnn.functional.max_unpool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int or (int, int)
        Of the pool, pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from gpucnn import nn
    >>> y, indices = nn.MaxPool2d(2, return_indices=True)(np.zeros((2, 3, 6, 6), np.float32))
    >>> nn.MaxUnpool2d(2)(y, indices).shape
    (2, 3, 6, 6)
    """

    def __init__(self, kernel_size: Size2, stride: Size2 | None = None, padding: Size2 = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Any, indices: Any, output_size: Sequence[int] | None = None) -> Any:
        """(n, c, h, w) and its indices to (n, c, *output_size)."""
        return F.max_unpool2d(x, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(Module):
    """Values put back where a pool found them; see :func:`gpucnn.functional.max_unpool3d`.

    Parameters
    ----------
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int or (int, int, int)
        Of the pool, pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from gpucnn import nn
    >>> y, indices = nn.MaxPool3d(2, return_indices=True)(np.zeros((2, 3, 6, 6, 6), np.float32))
    >>> nn.MaxUnpool3d(2)(y, indices).shape
    (2, 3, 6, 6, 6)
    """

    def __init__(self, kernel_size: Size3, stride: Size3 | None = None, padding: Size3 = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Any, indices: Any, output_size: Sequence[int] | None = None) -> Any:
        """(n, c, d, h, w) and its indices to (n, c, *output_size)."""
        return F.max_unpool3d(x, indices, self.kernel_size, self.stride, self.padding, output_size)
