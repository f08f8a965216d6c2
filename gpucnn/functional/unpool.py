"""The way back from a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..ops import MaxUnpool
from ..ops.window import require_axes
from .base import Size1, Size2, Size3, T, apply_op, known, of_axes

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]


def _unpool(
    op: str, x: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Sequence[int] | None, axes: int
) -> Any:
    spec = known(x)
    require_axes(op, spec, axes)
    kernel = of_axes(op, "kernel_size", kernel_size, axes)
    strides = kernel if stride is None else of_axes(op, "stride", stride, axes)
    pads = of_axes(op, "padding", padding, axes)
    sizes = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(spec.shape[2:], strides, pads, kernel))
    if output_size is not None:
        wanted = of_axes(op, "output_size", tuple(output_size)[-axes:] if len(output_size) == axes + 2 else tuple(output_size), axes)
        if any(abs(w - n) >= s for w, n, s in zip(wanted, sizes, strides)):
            least, most = (tuple(n + by * (s - 1) for n, s in zip(sizes, strides)) for by in (-1, 1))
            raise ShapeError(f"{op}: output_size must lie between {least} and {most} for these windows, got {wanted}")
        sizes = wanted
    return apply_op(MaxUnpool(sizes), x, indices)[0]


def max_unpool1d(
    x: T,
    indices: Any,
    kernel_size: Size1,
    stride: Size1 | None = None,
    padding: Size1 = 0,
    output_size: Sequence[int] | None = None,
) -> T:
    """Put each value back where :func:`max_pool1d` found it, with zeros around.

    Parameters
    ----------
    x : array, (n, c, l), any number type
    indices : array, shape of x, whole numbers
        Flat indices into a row of the result, as :func:`max_pool1d` returns them. −1, which a window in the padding alone has, is no
        place.
    kernel_size : int or (int,)
        Of the pool, pixels.
    stride : int or (int,), optional
        Of the pool, pixels; the kernel size where absent.
    padding : int or (int,)
        Of the pool, pixels.
    output_size : sequence of int, optional
        Of the row, or of the whole result, where several sizes are pooled to that of x.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        ``(in − 1)·stride − 2·padding + kernel`` along each axis, unless told; 0 where nothing was put.

    Raises
    ------
    ShapeError
        x does not have three axes, shapes differ, output_size cannot be pooled to the size of x, or an index leads out of the row:
        nothing is ever written there.

    Notes
    -----
    PyTorch ``max_unpool1d``, ONNX ``MaxUnpool`` (whose indices count through the whole array). Where several values have one place, as
    from windows that overlap, the last one in C order is kept; PyTorch leaves that open.

    Examples
    --------
    >>> import numpy as np
    >>> max_unpool1d(np.float32([[[5, 4]]]), np.array([[[1, 3]]]), 2)
    array([[[0., 5., 0., 4.]]], dtype=float32)
    """
    y: T = _unpool("max_unpool1d", x, indices, kernel_size, stride, padding, output_size, 1)
    return y


def max_unpool2d(
    x: T,
    indices: Any,
    kernel_size: Size2,
    stride: Size2 | None = None,
    padding: Size2 = 0,
    output_size: Sequence[int] | None = None,
) -> T:
    """Put each value back where :func:`max_pool2d` found it, with zeros around.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type
    indices : array, shape of x, whole numbers
        Flat indices into a plane of the result, as :func:`max_pool2d` returns them. −1, which a window in the padding alone has, is no
        place.
    kernel_size : int or (int, int)
        Of the pool, pixels.
    stride : int or (int, int), optional
        Of the pool, pixels; the kernel size where absent.
    padding : int or (int, int)
        Of the pool, pixels.
    output_size : sequence of int, optional
        Of the plane, or of the whole result, where several sizes are pooled to that of x.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        ``(in − 1)·stride − 2·padding + kernel`` along each axis, unless told; 0 where nothing was put.

    Raises
    ------
    ShapeError
        x does not have four axes, shapes differ, output_size cannot be pooled to the size of x, or an index leads out of the plane:
        nothing is ever written there.

    Notes
    -----
    PyTorch ``max_unpool2d``, ONNX ``MaxUnpool`` (whose indices count through the whole array). Where several values have one place, as
    from windows that overlap, the last one in C order is kept; PyTorch leaves that open.

    Examples
    --------
    >>> import numpy as np
    >>> from gpucnn.functional import max_pool2d
    >>> x = np.float32([[[[1, 5], [2, 4]]]])
    >>> max_unpool2d(*max_pool2d(x, 2, return_indices=True), 2)
    array([[[[0., 5.],
             [0., 0.]]]], dtype=float32)
    """
    y: T = _unpool("max_unpool2d", x, indices, kernel_size, stride, padding, output_size, 2)
    return y


def max_unpool3d(
    x: T,
    indices: Any,
    kernel_size: Size3,
    stride: Size3 | None = None,
    padding: Size3 = 0,
    output_size: Sequence[int] | None = None,
) -> T:
    """Put each value back where :func:`max_pool3d` found it, with zeros around.

    Parameters
    ----------
    x : array, (n, c, d, h, w), any number type
    indices : array, shape of x, whole numbers
        Flat indices into a volume of the result, as :func:`max_pool3d` returns them. −1, which a window in the padding alone has, is no
        place.
    kernel_size : int or (int, int, int)
        Of the pool, pixels.
    stride : int or (int, int, int), optional
        Of the pool, pixels; the kernel size where absent.
    padding : int or (int, int, int)
        Of the pool, pixels.
    output_size : sequence of int, optional
        Of the volume, or of the whole result, where several sizes are pooled to that of x.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        ``(in − 1)·stride − 2·padding + kernel`` along each axis, unless told; 0 where nothing was put.

    Raises
    ------
    ShapeError
        x does not have five axes, shapes differ, output_size cannot be pooled to the size of x, or an index leads out of the volume:
        nothing is ever written there.

    Notes
    -----
    PyTorch ``max_unpool3d``, ONNX ``MaxUnpool`` (whose indices count through the whole array). Where several values have one place, as
    from windows that overlap, the last one in C order is kept; PyTorch leaves that open.

    Examples
    --------
    >>> import numpy as np
    >>> max_unpool3d(np.full((1, 1, 1, 1, 1), 5.0), np.full((1, 1, 1, 1, 1), 3), (1, 2, 2))
    array([[[[[0., 0.],
              [0., 5.]]]]])
    """
    y: T = _unpool("max_unpool3d", x, indices, kernel_size, stride, padding, output_size, 3)
    return y
