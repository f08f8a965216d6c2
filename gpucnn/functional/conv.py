"""Convolution."""

from __future__ import annotations

from typing import Any

from ..ops import Conv
from .base import Padding2, Size2, T, apply_op, padding_of, pair, whole

__all__ = ["conv2d"]


def conv2d(
    x: T,
    weight: Any,
    bias: Any = None,
    stride: Size2 = 1,
    padding: Padding2 = 0,
    dilation: Size2 = 1,
    groups: int = 1,
) -> T:
    """Cross-correlate a batch of images with a set of kernels.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    weight : array, (k, c/groups, r, s), dtype of x
        The kernel is not flipped.
    bias : array, (k,), dtype of x, optional
    stride : int or (int, int)
        Pixels between windows.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Zeros around the image. ``"same"`` gives ``ceil(in/stride)`` outputs, the odd pixel at the end, for any stride
        (PyTorch allows it for stride 1 only).
    dilation : int or (int, int)
        Pixels between the elements of a kernel.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).

    Returns
    -------
    array, (n, k, p, q), dtype of x
        ``p = floor((h + top + bottom − dilation·(r−1) − 1)/stride) + 1``, and q likewise.

    Raises
    ------
    ShapeError
        Channels, groups, dtypes or ranks do not fit, or the kernel is larger than the padded image.

    Notes
    -----
    ``y[n, k, p, q] = bias[k] + Σ_{c, r, s} x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] · weight[k, c, r, s]``;
    PyTorch ``conv2d``, ONNX ``Conv``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> conv2d(x, np.ones((1, 1, 3, 3), np.float32))[0, 0]
    array([[45., 54.],
           [81., 90.]], dtype=float32)
    """
    strides, dilations = pair("conv2d", "stride", stride), pair("conv2d", "dilation", dilation)
    op = Conv(strides, padding_of("conv2d", padding), dilations, whole("conv2d", "groups", groups))
    y: T = apply_op(op, x, weight, bias)[0]
    return y
