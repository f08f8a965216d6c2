"""Adaptive pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool, Op
from ..ops.window import require_axes
from .base import T, apply_op, known, of_axes

__all__ = [
    "Adaptive1", "Adaptive2", "Adaptive3",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
]  # fmt: skip

Adaptive1 = int | None | tuple[int | None]
Adaptive2 = int | None | tuple[int | None, int | None]
Adaptive3 = int | None | tuple[int | None, int | None, int | None]


def _sizes(op: str, x: Any, output_size: Any, axes: int) -> tuple[int, ...]:
    """Windows along each axis; None keeps the size of x."""
    spec = known(x)
    require_axes(op, spec, axes)
    items = (output_size,) * axes if output_size is None else output_size
    if isinstance(items, Sequence) and len(items) == axes:
        items = tuple(n if s is None else s for s, n in zip(items, spec.shape[2:]))
    return of_axes(op, "output_size", items, axes)


def _kernel(x: Any, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The size that all windows share, where they do and do not overlap."""
    shape = known(x).shape[2:]
    if 0 in shape or min(sizes) < 1 or any(n % p for n, p in zip(shape, sizes)):
        return None
    return tuple(n // p for n, p in zip(shape, sizes))


def _adaptive_avg(op: str, x: Any, output_size: Any, axes: int) -> Any:
    sizes = _sizes(op, x, output_size, axes)
    kernel = _kernel(x, sizes)
    if kernel is None:
        return apply_op(AdaptiveAvgPool(sizes), x)[0]
    return apply_op(GlobalAvgPool() if set(sizes) == {1} else AvgPool(kernel, kernel, ((0, 0),) * axes), x)[0]


def _adaptive_max(op: str, x: Any, output_size: Any, return_indices: bool, axes: int) -> Any:
    sizes = _sizes(op, x, output_size, axes)
    kernel = _kernel(x, sizes)
    made: Op
    if kernel is None:
        made = AdaptiveMaxPool(sizes, bool(return_indices))
    elif set(sizes) == {1} and not return_indices:
        made = GlobalMaxPool()
    else:
        made = MaxPool(kernel, kernel, ((0, 0),) * axes, (1,) * axes, return_indices=bool(return_indices))
    outputs = apply_op(made, x)
    return outputs if return_indices else outputs[0]


def adaptive_avg_pool1d(x: T, output_size: Adaptive1) -> T:
    """Take the mean over windows that cover an axis, whatever its size.

    Parameters
    ----------
    x : array, (n, c, l), floating point
    output_size : int, None or (int or None,)
        Windows along each axis; None keeps the size of x.

    Returns
    -------
    array, (n, c, *output_size), dtype of x

    Raises
    ------
    ShapeError
        x does not have three axes or no pixel, or a size is below 1.

    Notes
    -----
    PyTorch ``adaptive_avg_pool1d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``, in whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool1d(np.float32([[[1, 2, 3]]]), 2)
    array([[[1.5, 2.5]]], dtype=float32)
    """
    y: T = _adaptive_avg("adaptive_avg_pool1d", x, output_size, 1)
    return y


def adaptive_avg_pool2d(x: T, output_size: Adaptive2) -> T:
    """Take the mean over windows that cover the map, whatever its size.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    output_size : int, None or (int or None, int or None)
        Windows along each axis; None keeps the size of x.

    Returns
    -------
    array, (n, c, *output_size), dtype of x

    Raises
    ------
    ShapeError
        x does not have four axes or no pixel, or a size is below 1.

    Notes
    -----
    PyTorch ``adaptive_avg_pool2d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``, in whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.float32([[[[1, 2, 3]]]]), (None, 2))
    array([[[[1.5, 2.5]]]], dtype=float32)
    """
    y: T = _adaptive_avg("adaptive_avg_pool2d", x, output_size, 2)
    return y


def adaptive_avg_pool3d(x: T, output_size: Adaptive3) -> T:
    """Take the mean over windows that cover a volume, whatever its size.

    Parameters
    ----------
    x : array, (n, c, d, h, w), floating point
    output_size : int, None or a sequence of three of them
        Windows along each axis; None keeps the size of x.

    Returns
    -------
    array, (n, c, *output_size), dtype of x

    Raises
    ------
    ShapeError
        x does not have five axes or no pixel, or a size is below 1.

    Notes
    -----
    PyTorch ``adaptive_avg_pool3d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``, in whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool3d(np.float32([[[[[1, 2, 3]]]]]), (1, 1, 2))
    array([[[[[1.5, 2.5]]]]], dtype=float32)
    """
    y: T = _adaptive_avg("adaptive_avg_pool3d", x, output_size, 3)
    return y


def adaptive_max_pool1d(x: T, output_size: Adaptive1, return_indices: bool = False) -> Any:
    """Take the maximum over windows that cover an axis, whatever its size.

    Parameters
    ----------
    x : array, (n, c, l), any number type
    output_size : int, None or (int or None,)
        Windows along each axis; None keeps the size of x.
    return_indices : bool
        Also return where each maximum lies.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        NaN in a window gives NaN.
    array, (n, c, *output_size), int64
        Only with ``return_indices``: flat index into the row of l.

    Raises
    ------
    ShapeError
        x does not have three axes or no pixel, or a size is below 1.

    Notes
    -----
    PyTorch ``adaptive_max_pool1d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``, in whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool1d(np.float32([[[1, 2, 3]]]), 2)
    array([[[2., 3.]]], dtype=float32)
    """
    return _adaptive_max("adaptive_max_pool1d", x, output_size, return_indices, 1)


def adaptive_max_pool2d(x: T, output_size: Adaptive2, return_indices: bool = False) -> Any:
    """Take the maximum over windows that cover the map, whatever its size.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type
    output_size : int, None or (int or None, int or None)
        Windows along each axis; None keeps the size of x.
    return_indices : bool
        Also return where each maximum lies.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        NaN in a window gives NaN.
    array, (n, c, *output_size), int64
        Only with ``return_indices``: flat index into the h·w plane.

    Raises
    ------
    ShapeError
        x does not have four axes or no pixel, or a size is below 1.

    Notes
    -----
    PyTorch ``adaptive_max_pool2d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``, in whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool2d(np.float32([[[[1, 2, 3]]]]), (None, 2), return_indices=True)
    (array([[[[2., 3.]]]], dtype=float32), array([[[[1, 2]]]]))
    """
    return _adaptive_max("adaptive_max_pool2d", x, output_size, return_indices, 2)


def adaptive_max_pool3d(x: T, output_size: Adaptive3, return_indices: bool = False) -> Any:
    """Take the maximum over windows that cover a volume, whatever its size.

    Parameters
    ----------
    x : array, (n, c, d, h, w), any number type
    output_size : int, None or a sequence of three of them
        Windows along each axis; None keeps the size of x.
    return_indices : bool
        Also return where each maximum lies.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        NaN in a window gives NaN.
    array, (n, c, *output_size), int64
        Only with ``return_indices``: flat index into the d·h·w volume.

    Raises
    ------
    ShapeError
        x does not have five axes or no pixel, or a size is below 1.

    Notes
    -----
    PyTorch ``adaptive_max_pool3d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``, in whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool3d(np.float32([[[[[1, 2, 3]]]]]), (1, 1, 2))
    array([[[[[2., 3.]]]]], dtype=float32)
    """
    return _adaptive_max("adaptive_max_pool3d", x, output_size, return_indices, 3)
