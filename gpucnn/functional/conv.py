"""Convolution of lines, images and volumes."""

from __future__ import annotations

from typing import Any

from ..ops import Conv
from .base import Padding1, Padding2, Padding3, Size1, Size2, Size3, T, apply_op, of_axes, padding_of, whole

__all__ = ["conv1d", "conv2d", "conv3d"]


def _conv(axes: int, x: T, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> T:
    name = f"conv{axes}d"
    strides, dilations = of_axes(name, "stride", stride, axes), of_axes(name, "dilation", dilation, axes)
    op = Conv(strides, padding_of(name, padding, axes), dilations, whole(name, "groups", groups))
    y: T = apply_op(op, x, weight, bias)[0]
    return y


def conv1d(
    x: T,
    weight: Any,
    bias: Any = None,
    stride: Size1 = 1,
    padding: Padding1 = 0,
    dilation: Size1 = 1,
    groups: int = 1,
) -> T:
    """Cross-correlate a batch of lines with a set of kernels.

    Parameters
    ----------
    x : array, (n, c, l), floating point
    weight : array, (k, c/groups, s), dtype of x
        The kernel is not flipped.
    bias : array, (k,), dtype of x, optional
    stride, dilation : int or (int,)
        Places between windows, and between the elements of a kernel.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
        Zeros around the line, as in :func:`conv2d`.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).

    Returns
    -------
    array, (n, k, q), dtype of x
        ``q = floor((l + before + after − dilation·(s−1) − 1)/stride) + 1``.

    Raises
    ------
    ShapeError
        Channels, groups, dtypes or ranks do not fit, or the kernel is longer than the padded line.

    Notes
    -----
    ``y[n, k, q] = bias[k] + Σ_{c, s} x[n, c, q·stride + s·dilation − before] · weight[k, c, s]``; PyTorch ``conv1d``, ONNX ``Conv``.

    Examples
    --------
    >>> import numpy as np
    >>> conv1d(np.float32([[[1, 2, 3, 4]]]), np.float32([[[1, 10]]]))
    array([[[21., 32., 43.]]], dtype=float32)
    """
    return _conv(1, x, weight, bias, stride, padding, dilation, groups)


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
    return _conv(2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(
    x: T,
    weight: Any,
    bias: Any = None,
    stride: Size3 = 1,
    padding: Padding3 = 0,
    dilation: Size3 = 1,
    groups: int = 1,
) -> T:
    """Cross-correlate a batch of volumes with a set of kernels.

    Parameters
    ----------
    x : array, (n, c, d, h, w), floating point
    weight : array, (k, c/groups, t, r, s), dtype of x
        The kernel is not flipped.
    bias : array, (k,), dtype of x, optional
    stride, dilation : int or (int, int, int)
        Voxels between windows, and between the elements of a kernel.
    padding : int, (int, int, int), ((front, back), (top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Zeros around the volume, as in :func:`conv2d`.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).

    Returns
    -------
    array, (n, k, o, p, q), dtype of x
        ``o = floor((d + front + back − dilation·(t−1) − 1)/stride) + 1``, and p and q likewise.

    Raises
    ------
    ShapeError
        Channels, groups, dtypes or ranks do not fit, or the kernel is larger than the padded volume.

    Notes
    -----
    The sum of :func:`conv2d` with one axis more; PyTorch ``conv3d``, ONNX ``Conv``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 2, 2)
    >>> conv3d(x, np.ones((1, 1, 2, 1, 2), np.float32)).ravel()
    array([10., 18.], dtype=float32)
    """
    return _conv(3, x, weight, bias, stride, padding, dilation, groups)
