"""Pooling: the largest, the smallest of each window."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..functional import Padding1, Padding2, Padding3, Size1, Size2, Size3
from .module import Module

__all__ = ["MaxPool1d", "MaxPool2d", "MaxPool3d", "MinPool1d", "MinPool2d", "MinPool3d"]


class MaxPool1d(Module):
    """Maximum of each window along one axis; see :func:`gpucnn.functional.max_pool1d`.

    Parameters
    ----------
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
    dilation : int or (int,)
    return_indices : bool
        Also return where each maximum lies.
    ceil_mode : bool
        Round the number of windows up.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool1d(3, 2, 1)(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size1,
        stride: Size1 | None = None,
        padding: Padding1 = 0,
        dilation: Size1 = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, p)."""
        return F.max_pool1d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)


class MaxPool2d(Module):
    """Maximum of each window; see :func:`gpucnn.functional.max_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    dilation : int or (int, int)
    return_indices : bool
        Also return where each maximum lies.
    ceil_mode : bool
        Round the number of windows up.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool2d(3, 2, 1)(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size2,
        stride: Size2 | None = None,
        padding: Padding2 = 0,
        dilation: Size2 = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, p, q)."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)


class MaxPool3d(Module):
    """Maximum of each window of a volume; see :func:`gpucnn.functional.max_pool3d`.

    Parameters
    ----------
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
    dilation : int or (int, int, int)
    return_indices : bool
        Also return where each maximum lies.
    ceil_mode : bool
        Round the number of windows up.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool3d(3, 2, 1)(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size3,
        stride: Size3 | None = None,
        padding: Padding3 = 0,
        dilation: Size3 = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, o, p, q)."""
        return F.max_pool3d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)


class MinPool1d(Module):
    """Minimum of each window along one axis; see :func:`gpucnn.functional.min_pool1d`.

    Parameters
    ----------
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
    dilation : int or (int,)
    ceil_mode : bool
        Round the number of windows up.

    Examples
    --------
    >>> import numpy as np
    >>> MinPool1d(3, 2, 1)(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size1,
        stride: Size1 | None = None,
        padding: Padding1 = 0,
        dilation: Size1 = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, p)."""
        return F.min_pool1d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class MinPool2d(Module):
    """Minimum of each window; see :func:`gpucnn.functional.min_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    dilation : int or (int, int)
    ceil_mode : bool
        Round the number of windows up.

    Examples
    --------
    >>> import numpy as np
    >>> MinPool2d(3, 2, 1)(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size2,
        stride: Size2 | None = None,
        padding: Padding2 = 0,
        dilation: Size2 = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, p, q)."""
        return F.min_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class MinPool3d(Module):
    """Minimum of each window of a volume; see :func:`gpucnn.functional.min_pool3d`.

    Parameters
    ----------
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
    dilation : int or (int, int, int)
    ceil_mode : bool
        Round the number of windows up.

    Examples
    --------
    >>> import numpy as np
    >>> MinPool3d(3, 2, 1)(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size3,
        stride: Size3 | None = None,
        padding: Padding3 = 0,
        dilation: Size3 = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, o, p, q)."""
        return F.min_pool3d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
