"""Pooling: the mean, the Lp norm of each window."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..functional import Padding1, Padding2, Padding3, Size1, Size2, Size3
from .module import Module

__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d"]


class AvgPool1d(Module):
    """Mean of each window along one axis; see :func:`gpucnn.functional.avg_pool1d`.

    Parameters
    ----------
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
    ceil_mode : bool
        Round the number of windows up.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool1d(2)(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size1,
        stride: Size1 | None = None,
        padding: Padding1 = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.ceil_mode = kernel_size, stride, padding, ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, p)."""
        return F.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(Module):
    """Mean of each window; see :func:`gpucnn.functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    ceil_mode : bool
        Round the number of windows up.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor.
    divisor_override : int, optional
        Divide by this instead.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool2d(2)(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size2,
        stride: Size2 | None = None,
        padding: Padding2 = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.ceil_mode = kernel_size, stride, padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, p, q)."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)


class AvgPool3d(Module):
    """Mean of each window of a volume; see :func:`gpucnn.functional.avg_pool3d`.

    Parameters
    ----------
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
    ceil_mode : bool
        Round the number of windows up.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor.
    divisor_override : int, optional
        Divide by this instead.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool3d(2)(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 3, 3, 3)
    """

    def __init__(
        self,
        kernel_size: Size3,
        stride: Size3 | None = None,
        padding: Padding3 = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.ceil_mode = kernel_size, stride, padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, o, p, q)."""
        return F.avg_pool3d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)


class LPPool1d(Module):
    """Lp norm of each window along one axis; see :func:`gpucnn.functional.lp_pool1d`.

    Parameters
    ----------
    norm_type : float
        p, above 0 and finite.
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    ceil_mode : bool
        Round the number of windows up.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
    dilation : int or (int,)

    Examples
    --------
    >>> import numpy as np
    >>> LPPool1d(2, 3, 2)(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 2)
    """

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size1,
        stride: Size1 | None = None,
        ceil_mode: bool = False,
        padding: Padding1 = 0,
        dilation: Size1 = 1,
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode
        self.padding, self.dilation = padding, dilation

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, p)."""
        return F.lp_pool1d(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode, self.padding, self.dilation)


class LPPool2d(Module):
    """Lp norm of each window; see :func:`gpucnn.functional.lp_pool2d`.

    Parameters
    ----------
    norm_type : float
        p, above 0 and finite.
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    ceil_mode : bool
        Round the number of windows up.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    dilation : int or (int, int)

    Examples
    --------
    >>> import numpy as np
    >>> LPPool2d(2, 3, 2)(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 2, 2)
    """

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size2,
        stride: Size2 | None = None,
        ceil_mode: bool = False,
        padding: Padding2 = 0,
        dilation: Size2 = 1,
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode
        self.padding, self.dilation = padding, dilation

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, p, q)."""
        return F.lp_pool2d(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode, self.padding, self.dilation)


class LPPool3d(Module):
    """Lp norm of each window of a volume; see :func:`gpucnn.functional.lp_pool3d`.

    Parameters
    ----------
    norm_type : float
        p, above 0 and finite.
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    ceil_mode : bool
        Round the number of windows up.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
    dilation : int or (int, int, int)

    Examples
    --------
    >>> import numpy as np
    >>> LPPool3d(2, 3, 2)(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 2, 2, 2)
    """

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size3,
        stride: Size3 | None = None,
        ceil_mode: bool = False,
        padding: Padding3 = 0,
        dilation: Size3 = 1,
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode
        self.padding, self.dilation = padding, dilation

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, o, p, q)."""
        return F.lp_pool3d(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode, self.padding, self.dilation)
