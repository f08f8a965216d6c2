"""Pooling: the mean, the Lp norm of each window."""

from __future__ import annotations

from ..ops import AvgPool, LpPool
from .base import Padding1, Padding2, Padding3, Size1, Size2, Size3, T, apply_op, number, whole, windows_of

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d"]


def avg_pool1d(
    x: T,
    kernel_size: Size1,
    stride: Size1 | None = None,
    padding: Padding1 = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> T:
    """Take the mean of each window along one axis.

    Parameters
    ----------
    x : array, (n, c, l), floating point
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
        Zeros around the image.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the padding is never counted.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor. True as in PyTorch (ONNX's default is 0).

    Returns
    -------
    array, (n, c, p), dtype of x
        Sizes as for :func:`max_pool1d`.

    Raises
    ------
    ShapeError
        x does not have three axes, or the window is larger than the padded image.

    Notes
    -----
    ``Σ x / divisor`` with the divisor of each window that ``count_include_pad`` says; PyTorch ``avg_pool1d``, ONNX ``AveragePool``.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool1d(np.float32([[[1, 5, 2, 4]]]), 2)
    array([[[3., 3.]]], dtype=float32)
    """
    windows = windows_of("avg_pool1d", kernel_size, stride, padding, 1, 1)
    y: T = apply_op(AvgPool(**windows, ceil_mode=bool(ceil_mode), count_include_pad=bool(count_include_pad)), x)[0]
    return y


def avg_pool2d(
    x: T,
    kernel_size: Size2,
    stride: Size2 | None = None,
    padding: Padding2 = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> T:
    """Take the mean of each window.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Zeros around the image.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the padding is never counted.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor. True as in PyTorch (ONNX's default is 0).
    divisor_override : int, optional
        Divide by this instead.

    Returns
    -------
    array, (n, c, p, q), dtype of x
        Sizes as for :func:`max_pool2d`.

    Raises
    ------
    ShapeError
        x does not have four axes, an argument is no whole number, or the window is larger than the padded image.

    Notes
    -----
    ``Σ x / divisor`` with the divisor of each window that ``count_include_pad`` and ``divisor_override`` say; PyTorch ``avg_pool2d``,
    ONNX ``AveragePool``.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """
    divisor = None if divisor_override is None else whole("avg_pool2d", "divisor_override", divisor_override)
    windows = windows_of("avg_pool2d", kernel_size, stride, padding, 1, 2)
    op = AvgPool(**windows, ceil_mode=bool(ceil_mode), count_include_pad=bool(count_include_pad), divisor_override=divisor)
    y: T = apply_op(op, x)[0]
    return y


def avg_pool3d(
    x: T,
    kernel_size: Size3,
    stride: Size3 | None = None,
    padding: Padding3 = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> T:
    """Take the mean of each window of a volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), floating point
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
        Zeros around the image.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the padding is never counted.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor. True as in PyTorch (ONNX's default is 0).
    divisor_override : int, optional
        Divide by this instead.

    Returns
    -------
    array, (n, c, o, p, q), dtype of x
        Sizes as for :func:`max_pool3d`.

    Raises
    ------
    ShapeError
        x does not have five axes, an argument is no whole number, or the window is larger than the padded image.

    Notes
    -----
    ``Σ x / divisor`` with the divisor of each window that ``count_include_pad`` and ``divisor_override`` say; PyTorch ``avg_pool3d``,
    ONNX ``AveragePool``.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool3d(np.arange(16, dtype=np.float32).reshape(1, 1, 2, 2, 4), 2)
    array([[[[[6.5, 8.5]]]]], dtype=float32)
    """
    divisor = None if divisor_override is None else whole("avg_pool3d", "divisor_override", divisor_override)
    windows = windows_of("avg_pool3d", kernel_size, stride, padding, 1, 3)
    op = AvgPool(**windows, ceil_mode=bool(ceil_mode), count_include_pad=bool(count_include_pad), divisor_override=divisor)
    y: T = apply_op(op, x)[0]
    return y


def lp_pool1d(
    x: T,
    norm_type: float,
    kernel_size: Size1,
    stride: Size1 | None = None,
    ceil_mode: bool = False,
    padding: Padding1 = 0,
    dilation: Size1 = 1,
) -> T:
    """Take the Lp norm of each window along one axis.

    Parameters
    ----------
    x : array, (n, c, l), floating point
    norm_type : float
        p, above 0 and finite.
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the input adds nothing.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
        Zeros around the image.
    dilation : int or (int,)
        Pixels between the elements of a window.

    Returns
    -------
    array, (n, c, p), dtype of x
        Sizes as for :func:`max_pool1d`.

    Raises
    ------
    ShapeError
        x does not have three axes, p is not above 0, or the window is larger than the padded image.

    Notes
    -----
    ``(Σ |x|^p)^(1/p)``; ONNX ``LpPool``. PyTorch ``lp_pool1d``, which has neither padding nor dilation, adds ``x^p`` with its sign:
    they agree for even p, and for odd ones where no x is negative. Nothing overflows on the way: the largest value of a window is taken
    out of the sum.

    Examples
    --------
    >>> import numpy as np
    >>> lp_pool1d(np.float32([[[3, -4, 0, 2]]]), 2, 2)
    array([[[5., 2.]]], dtype=float32)
    """
    windows = windows_of("lp_pool1d", kernel_size, stride, padding, dilation, 1)
    y: T = apply_op(LpPool(**windows, ceil_mode=bool(ceil_mode), p=number("lp_pool1d", "norm_type", norm_type)), x)[0]
    return y


def lp_pool2d(
    x: T,
    norm_type: float,
    kernel_size: Size2,
    stride: Size2 | None = None,
    ceil_mode: bool = False,
    padding: Padding2 = 0,
    dilation: Size2 = 1,
) -> T:
    """Take the Lp norm of each window.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    norm_type : float
        p, above 0 and finite.
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the input adds nothing.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Zeros around the image.
    dilation : int or (int, int)
        Pixels between the elements of a window.

    Returns
    -------
    array, (n, c, p, q), dtype of x
        Sizes as for :func:`max_pool2d`.

    Raises
    ------
    ShapeError
        x does not have four axes, p is not above 0, or the window is larger than the padded image.

    Notes
    -----
    ``(Σ |x|^p)^(1/p)``; ONNX ``LpPool``. PyTorch ``lp_pool2d``, which has neither padding nor dilation, adds ``x^p`` with its sign:
    they agree for even p, and for odd ones where no x is negative. Nothing overflows on the way: the largest value of a window is taken
    out of the sum.

    Examples
    --------
    >>> import numpy as np
    >>> lp_pool2d(np.float32([[[[3, 0, 1, 1], [0, -4, 1, 1]]]]), 2, 2)
    array([[[[5., 2.]]]], dtype=float32)
    """
    windows = windows_of("lp_pool2d", kernel_size, stride, padding, dilation, 2)
    y: T = apply_op(LpPool(**windows, ceil_mode=bool(ceil_mode), p=number("lp_pool2d", "norm_type", norm_type)), x)[0]
    return y


def lp_pool3d(
    x: T,
    norm_type: float,
    kernel_size: Size3,
    stride: Size3 | None = None,
    ceil_mode: bool = False,
    padding: Padding3 = 0,
    dilation: Size3 = 1,
) -> T:
    """Take the Lp norm of each window of a volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), floating point
    norm_type : float
        p, above 0 and finite.
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the input adds nothing.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
        Zeros around the image.
    dilation : int or (int, int, int)
        Pixels between the elements of a window.

    Returns
    -------
    array, (n, c, o, p, q), dtype of x
        Sizes as for :func:`max_pool3d`.

    Raises
    ------
    ShapeError
        x does not have five axes, p is not above 0, or the window is larger than the padded image.

    Notes
    -----
    ``(Σ |x|^p)^(1/p)``; ONNX ``LpPool``. PyTorch ``lp_pool3d``, which has neither padding nor dilation, adds ``x^p`` with its sign:
    they agree for even p, and for odd ones where no x is negative. Nothing overflows on the way: the largest value of a window is taken
    out of the sum.

    Examples
    --------
    >>> import numpy as np
    >>> lp_pool3d(np.ones((1, 1, 2, 2, 4), np.float32), 1, 2)
    array([[[[[8., 8.]]]]], dtype=float32)
    """
    windows = windows_of("lp_pool3d", kernel_size, stride, padding, dilation, 3)
    y: T = apply_op(LpPool(**windows, ceil_mode=bool(ceil_mode), p=number("lp_pool3d", "norm_type", norm_type)), x)[0]
    return y
