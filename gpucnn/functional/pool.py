"""Pooling: the largest, the smallest of each window."""

from __future__ import annotations

from typing import Any

from ..ops import MaxPool, MinPool
from .base import Padding1, Padding2, Padding3, Size1, Size2, Size3, T, apply_op, windows_of

__all__ = ["max_pool1d", "max_pool2d", "max_pool3d", "min_pool1d", "min_pool2d", "min_pool3d"]


def max_pool1d(
    x: T,
    kernel_size: Size1,
    stride: Size1 | None = None,
    padding: Padding1 = 0,
    dilation: Size1 = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the maximum of each window along one axis.

    Parameters
    ----------
    x : array, (n, c, l), any number type
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
        Counts as −inf.
    dilation : int or (int,)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.
    return_indices : bool
        Also return where each maximum lies.

    Returns
    -------
    array, (n, c, p), dtype of x
        ``p = floor((l + before + after − dilation·(kernel−1) − 1)/stride) + 1``. NaN in a window gives NaN.
    array, (n, c, p), int64
        Only with ``return_indices``: flat index into the row of l, −1 where a window lies in the padding alone.

    Raises
    ------
    ShapeError
        x does not have three axes, or the window is larger than the padded image.

    Notes
    -----
    PyTorch ``max_pool1d`` (which refuses a padding above half the kernel; here it is allowed, as in ONNX ``MaxPool``).

    Examples
    --------
    >>> import numpy as np
    >>> max_pool1d(np.float32([[[1, 5, 2, 4]]]), 2)
    array([[[5., 4.]]], dtype=float32)
    """
    windows = windows_of("max_pool1d", kernel_size, stride, padding, dilation, 1)
    outputs = apply_op(MaxPool(**windows, ceil_mode=bool(ceil_mode), return_indices=bool(return_indices)), x)
    return outputs if return_indices else outputs[0]


def max_pool2d(
    x: T,
    kernel_size: Size2,
    stride: Size2 | None = None,
    padding: Padding2 = 0,
    dilation: Size2 = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the maximum of each window.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Counts as −inf.
    dilation : int or (int, int)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.
    return_indices : bool
        Also return where each maximum lies.

    Returns
    -------
    array, (n, c, p, q), dtype of x
        ``p = floor((h + top + bottom − dilation·(kernel−1) − 1)/stride) + 1``, and q likewise. NaN in a window gives NaN.
    array, (n, c, p, q), int64
        Only with ``return_indices``: flat index into the h·w plane, −1 where a window lies in the padding alone.

    Raises
    ------
    ShapeError
        x does not have four axes, or the window is larger than the padded image.

    Notes
    -----
    PyTorch ``max_pool2d`` (which refuses a padding above half the kernel; here it is allowed, as in ONNX ``MaxPool``).

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    windows = windows_of("max_pool2d", kernel_size, stride, padding, dilation, 2)
    outputs = apply_op(MaxPool(**windows, ceil_mode=bool(ceil_mode), return_indices=bool(return_indices)), x)
    return outputs if return_indices else outputs[0]


def max_pool3d(
    x: T,
    kernel_size: Size3,
    stride: Size3 | None = None,
    padding: Padding3 = 0,
    dilation: Size3 = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the maximum of each window of a volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), any number type
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
        Counts as −inf.
    dilation : int or (int, int, int)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.
    return_indices : bool
        Also return where each maximum lies.

    Returns
    -------
    array, (n, c, o, p, q), dtype of x
        ``o = floor((d + front + back − dilation·(kernel−1) − 1)/stride) + 1``, and p, q likewise. NaN in a window gives NaN.
    array, (n, c, o, p, q), int64
        Only with ``return_indices``: flat index into the d·h·w volume, −1 where a window lies in the padding alone.

    Raises
    ------
    ShapeError
        x does not have five axes, or the window is larger than the padded image.

    Notes
    -----
    PyTorch ``max_pool3d`` (which refuses a padding above half the kernel; here it is allowed, as in ONNX ``MaxPool``).

    Examples
    --------
    >>> import numpy as np
    >>> max_pool3d(np.arange(16, dtype=np.float32).reshape(1, 1, 2, 2, 4), 2)
    array([[[[[13., 15.]]]]], dtype=float32)
    """
    windows = windows_of("max_pool3d", kernel_size, stride, padding, dilation, 3)
    outputs = apply_op(MaxPool(**windows, ceil_mode=bool(ceil_mode), return_indices=bool(return_indices)), x)
    return outputs if return_indices else outputs[0]


def min_pool1d(
    x: T,
    kernel_size: Size1,
    stride: Size1 | None = None,
    padding: Padding1 = 0,
    dilation: Size1 = 1,
    ceil_mode: bool = False,
) -> T:
    """Take the minimum of each window along one axis: ``−max_pool1d(−x)``.

    Parameters
    ----------
    x : array, (n, c, l), any number type
    kernel_size : int or (int,)
        Pixels.
    stride : int or (int,), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
        Counts as +inf.
    dilation : int or (int,)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.

    Returns
    -------
    array, (n, c, p), dtype of x
        ``p = floor((l + before + after − dilation·(kernel−1) − 1)/stride) + 1``. NaN in a window gives NaN.

    Raises
    ------
    ShapeError
        x does not have three axes, or the window is larger than the padded image.

    Notes
    -----
    Neither PyTorch nor ONNX has it. Integers are compared as they are, so that unsigned ones work too.

    Examples
    --------
    >>> import numpy as np
    >>> min_pool1d(np.float32([[[1, 5, 2, 4]]]), 2)
    array([[[1., 2.]]], dtype=float32)
    """
    windows = windows_of("min_pool1d", kernel_size, stride, padding, dilation, 1)
    y: T = apply_op(MinPool(**windows, ceil_mode=bool(ceil_mode)), x)[0]
    return y


def min_pool2d(
    x: T,
    kernel_size: Size2,
    stride: Size2 | None = None,
    padding: Padding2 = 0,
    dilation: Size2 = 1,
    ceil_mode: bool = False,
) -> T:
    """Take the minimum of each window: ``−max_pool2d(−x)``.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Counts as +inf.
    dilation : int or (int, int)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.

    Returns
    -------
    array, (n, c, p, q), dtype of x
        ``p = floor((h + top + bottom − dilation·(kernel−1) − 1)/stride) + 1``, and q likewise. NaN in a window gives NaN.

    Raises
    ------
    ShapeError
        x does not have four axes, or the window is larger than the padded image.

    Notes
    -----
    Neither PyTorch nor ONNX has it. Integers are compared as they are, so that unsigned ones work too.

    Examples
    --------
    >>> import numpy as np
    >>> min_pool2d(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 0.,  2.],
           [ 8., 10.]], dtype=float32)
    """
    windows = windows_of("min_pool2d", kernel_size, stride, padding, dilation, 2)
    y: T = apply_op(MinPool(**windows, ceil_mode=bool(ceil_mode)), x)[0]
    return y


def min_pool3d(
    x: T,
    kernel_size: Size3,
    stride: Size3 | None = None,
    padding: Padding3 = 0,
    dilation: Size3 = 1,
    ceil_mode: bool = False,
) -> T:
    """Take the minimum of each window of a volume: ``−max_pool3d(−x)``.

    Parameters
    ----------
    x : array, (n, c, d, h, w), any number type
    kernel_size : int or (int, int, int)
        Pixels.
    stride : int or (int, int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int, int), a pair of ints for each axis, or {"same", "same_lower", "valid"}
        Counts as +inf.
    dilation : int or (int, int, int)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.

    Returns
    -------
    array, (n, c, o, p, q), dtype of x
        ``o = floor((d + front + back − dilation·(kernel−1) − 1)/stride) + 1``, and p, q likewise. NaN in a window gives NaN.

    Raises
    ------
    ShapeError
        x does not have five axes, or the window is larger than the padded image.

    Notes
    -----
    Neither PyTorch nor ONNX has it. Integers are compared as they are, so that unsigned ones work too.

    Examples
    --------
    >>> import numpy as np
    >>> min_pool3d(np.arange(16, dtype=np.float32).reshape(1, 1, 2, 2, 4), 2)
    array([[[[[0., 2.]]]]], dtype=float32)
    """
    windows = windows_of("min_pool3d", kernel_size, stride, padding, dilation, 3)
    y: T = apply_op(MinPool(**windows, ceil_mode=bool(ceil_mode)), x)[0]
    return y
