"""Transposed convolution of lines, images and volumes. Argument order is PyTorch's: groups come before dilation here."""

from __future__ import annotations

from typing import Any

from ..ops import ConvTranspose
from .base import Padding1, Padding2, Padding3, Size1, Size2, Size3, T, apply_op, of_axes, padding_of, whole

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def _conv_transpose(
    axes: int, x: T, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: Any, dilation: Any
) -> T:
    name = f"conv_transpose{axes}d"
    op = ConvTranspose(
        of_axes(name, "stride", stride, axes),
        padding_of(name, padding, axes),
        of_axes(name, "dilation", dilation, axes),
        whole(name, "groups", groups),
        of_axes(name, "output_padding", output_padding, axes),
    )
    y: T = apply_op(op, x, weight, bias)[0]
    return y


def conv_transpose1d(
    x: T,
    weight: Any,
    bias: Any = None,
    stride: Size1 = 1,
    padding: Padding1 = 0,
    output_padding: Size1 = 0,
    groups: int = 1,
    dilation: Size1 = 1,
) -> T:
    """Add up kernels, one for every place of a batch of lines, times what is there.

    Parameters
    ----------
    x : array, (n, c, l), floating point
    weight : array, (c, k/groups, s), dtype of x
    bias : array, (k,), dtype of x, optional
    stride, dilation : int or (int,)
        Places between the kernels, and between the elements of one.
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
        Places cut off the result, as in :func:`conv_transpose2d`.
    output_padding : int or (int,)
        Places added at the end; below stride or dilation.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).

    Returns
    -------
    array, (n, k, q), dtype of x
        ``q = (l − 1)·stride + dilation·(s−1) + 1 + output_padding − before − after``.

    Raises
    ------
    ShapeError
        Channels, groups, dtypes or ranks do not fit, output_padding is too large, or nothing is left of the result.

    Notes
    -----
    ``y[n, k, l·stride + s·dilation − before] += Σ_c x[n, c, l] · weight[c, k, s]``; PyTorch ``conv_transpose1d``, ONNX ``ConvTranspose``.

    Examples
    --------
    >>> import numpy as np
    >>> conv_transpose1d(np.float32([[[1, 2]]]), np.float32([[[1, 10, 100]]]), stride=2)
    array([[[  1.,  10., 102.,  20., 200.]]], dtype=float32)
    """
    return _conv_transpose(1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: T,
    weight: Any,
    bias: Any = None,
    stride: Size2 = 1,
    padding: Padding2 = 0,
    output_padding: Size2 = 0,
    groups: int = 1,
    dilation: Size2 = 1,
) -> T:
    """Add up kernels, one for every pixel of a batch of images, times what is there: the adjoint of :func:`conv2d`.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    weight : array, (c, k/groups, r, s), dtype of x
    bias : array, (k,), dtype of x, optional
    stride : int or (int, int)
        Pixels between the kernels.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Pixels cut off the result: the zeros that the convolution adds. ``"same"`` leaves ``in·stride`` of them, the odd one cut off at
        the end.
    output_padding : int or (int, int)
        Pixels added at the bottom and the right; below stride or dilation.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).
    dilation : int or (int, int)
        Pixels between the elements of a kernel.

    Returns
    -------
    array, (n, k, p, q), dtype of x
        ``p = (h − 1)·stride + dilation·(r−1) + 1 + output_padding − top − bottom``, and q likewise.

    Raises
    ------
    ShapeError
        Channels, groups, dtypes or ranks do not fit, output_padding is too large, or nothing is left of the result.

    Notes
    -----
    ``y[n, k, h·stride + r·dilation − top, w·stride + s·dilation − left] += Σ_c x[n, c, h, w] · weight[c, k, r, s]``, and the bias once;
    PyTorch ``conv_transpose2d``, ONNX ``ConvTranspose``. Dumoulin, Visin, A guide to convolution arithmetic for deep learning (2016), 4.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.float32([[[[1, 2], [3, 4]]]])
    >>> conv_transpose2d(x, np.ones((1, 1, 2, 2), np.float32))[0, 0]
    array([[ 1.,  3.,  2.],
           [ 4., 10.,  6.],
           [ 3.,  7.,  4.]], dtype=float32)
    """
    return _conv_transpose(2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: T,
    weight: Any,
    bias: Any = None,
    stride: Size3 = 1,
    padding: Padding3 = 0,
    output_padding: Size3 = 0,
    groups: int = 1,
    dilation: Size3 = 1,
) -> T:
    """Add up kernels, one for every voxel of a batch of volumes, times what is there.

    Parameters
    ----------
    x : array, (n, c, d, h, w), floating point
    weight : array, (c, k/groups, t, r, s), dtype of x
    bias : array, (k,), dtype of x, optional
    stride, dilation : int or (int, int, int)
        Voxels between the kernels, and between the elements of one.
    padding : int, (int, int, int), ((front, back), (top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Voxels cut off the result, as in :func:`conv_transpose2d`.
    output_padding : int or (int, int, int)
        Voxels added behind the last; below stride or dilation.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).

    Returns
    -------
    array, (n, k, o, p, q), dtype of x
        ``o = (d − 1)·stride + dilation·(t−1) + 1 + output_padding − front − back``, and p and q likewise.

    Raises
    ------
    ShapeError
        Channels, groups, dtypes or ranks do not fit, output_padding is too large, or nothing is left of the result.

    Notes
    -----
    The sum of :func:`conv_transpose2d` with one axis more; PyTorch ``conv_transpose3d``, ONNX ``ConvTranspose``.

    Examples
    --------
    >>> import numpy as np
    >>> conv_transpose3d(np.ones((1, 1, 1, 1, 2), np.float32), np.float32([[[[[1]], [[5]]]]])).ravel()
    array([1., 1., 5., 5.], dtype=float32)
    """
    return _conv_transpose(3, x, weight, bias, stride, padding, output_padding, groups, dilation)
