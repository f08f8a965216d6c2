"""Pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import Value
from ..ops import AdaptiveAvgPool, AvgPool, GlobalAvgPool, MaxPool, MinPool
from .base import Padding2, Size2, T, apply_op, padding_of, pair, whole

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "global_avg_pool2d", "max_pool2d", "min_pool2d"]


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
        ``p = floor((h + top + bottom − dilation·(kernel−1) − 1)/stride) + 1``. NaN in a window gives NaN.
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
    kernel = pair("max_pool2d", "kernel_size", kernel_size)
    strides = kernel if stride is None else pair("max_pool2d", "stride", stride)
    dilations = pair("max_pool2d", "dilation", dilation)
    outputs = apply_op(MaxPool(kernel, strides, padding_of("max_pool2d", padding), dilations, bool(ceil_mode), bool(return_indices)), x)
    return outputs if return_indices else outputs[0]


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
        Sizes as for :func:`max_pool2d`. NaN in a window gives NaN.

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
    kernel = pair("min_pool2d", "kernel_size", kernel_size)
    strides = kernel if stride is None else pair("min_pool2d", "stride", stride)
    dilations = pair("min_pool2d", "dilation", dilation)
    y: T = apply_op(MinPool(kernel, strides, padding_of("min_pool2d", padding), dilations, bool(ceil_mode)), x)[0]
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
        x does not have four axes, or the window is larger than the padded image.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """
    kernel = pair("avg_pool2d", "kernel_size", kernel_size)
    strides = kernel if stride is None else pair("avg_pool2d", "stride", stride)
    pads = padding_of("avg_pool2d", padding)
    if divisor_override is not None:
        divisor_override = whole("avg_pool2d", "divisor_override", divisor_override)
    y: T = apply_op(AvgPool(kernel, strides, pads, bool(ceil_mode), bool(count_include_pad), divisor_override), x)[0]
    return y


def global_avg_pool2d(x: T) -> T:
    """Take the mean of each channel's map: (n, c, h, w) to (n, c, 1, 1), floating point. ONNX ``GlobalAveragePool``."""
    y: T = apply_op(GlobalAvgPool(), x)[0]
    return y


def adaptive_avg_pool2d(x: T, output_size: Size2) -> T:
    """Take the mean over a grid of windows that cover the map, whatever its size.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    output_size : int or (int, int)
        Windows along each axis.

    Returns
    -------
    array, (n, c, *output_size), dtype of x

    Notes
    -----
    PyTorch ``adaptive_avg_pool2d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.float32([[[[1, 2, 3]]]]), (1, 2))
    array([[[[1.5, 2.5]]]], dtype=float32)
    """
    size = pair("adaptive_avg_pool2d", "output_size", output_size)
    if not isinstance(x, Value):
        x = np.asarray(x)
    if len(x.shape) == 4 and 0 not in x.shape[2:]:
        h, w = x.shape[2:]
        if size == (1, 1):
            return global_avg_pool2d(x)
        if min(size) > 0 and h % size[0] == 0 and w % size[1] == 0:  # windows of one size that do not overlap
            kernel = (h // size[0], w // size[1])
            return avg_pool2d(x, kernel, kernel)
    y: T = apply_op(AdaptiveAvgPool(size), x)[0]
    return y
