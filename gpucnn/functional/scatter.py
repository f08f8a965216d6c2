"""Elements put at places that another array names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops import ScatterElements, ScatterND, number_as
from ..spec import shape_text
from .base import apply_op, dtype_of, shape_of, whole
from .comparison import eq, where
from .elementwise import div, floor_divide
from .moving import narrow

__all__ = ["scatter", "scatter_add", "scatter_nd", "scatter_reduce"]

_IDENTITY = {"sum": 0.0, "prod": 1.0, "mean": 0.0, "amax": -np.inf, "amin": np.inf}
"""By reduction: what changes nothing."""


def _source(op: str, x: Any, index: Any, src: Any) -> Any:
    """The part of ``src`` that has an index; a number stands for an array of it."""
    shape = shape_of(index)
    if isinstance(src, (int, float)):
        return np.broadcast_to(number_as(op, src, dtype_of(x)), shape)
    given = shape_of(src)
    if len(given) != len(shape) or any(n < i for n, i in zip(given, shape)):
        raise ShapeError(f"{op}: index must not be larger than src, got index {shape_text(shape)} and src {shape_text(given)}")
    for axis, n in enumerate(shape):
        src = src if given[axis] == n else narrow(src, axis, 0, n)
    return src


def scatter(x: Any, dim: int, index: Any, src: Any) -> Any:
    """Put single elements into x: along ``dim`` at the place that ``index`` names, on the other axes at their own.

    Parameters
    ----------
    x : array, any shape but ()
    dim : int
    index : array, integers, as many axes as x
        Along other axes no larger than x. Negative ones count from the end (PyTorch refuses them).
    src : array, dtype of x, no smaller than ``index``; or number
        Elements beyond ``index`` are not used.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        The shapes do not fit, or an index is out of range; in a planned net that is found when it runs.

    Notes
    -----
    ``y[i, index[i, j]] = src[i, j]`` for ``dim`` 1. Of several elements at one place the last in C order stays (PyTorch leaves that open).
    PyTorch ``scatter``, ONNX ``ScatterElements``.

    Examples
    --------
    >>> import numpy as np
    >>> scatter(np.zeros((2, 3), int), 1, np.array([[2], [0]]), np.array([[5], [7]]))
    array([[0, 0, 5],
           [7, 0, 0]])
    """
    return apply_op(ScatterElements(whole("scatter", "dim", dim)), x, index, _source("scatter", x, index, src))[0]


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    """Add single elements to x: along ``dim`` at the place that ``index`` names, on the other axes at their own.

    Parameters
    ----------
    x : array, any shape but (), numbers
    dim : int
    index : array, integers, as many axes as x
        As of :func:`scatter`.
    src : array, dtype of x, no smaller than ``index``; or number

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        As of :func:`scatter`.

    Notes
    -----
    Added in C order of ``src``, so that the bits are the same each time. PyTorch ``scatter_add``, ONNX ``ScatterElements`` with
    ``reduction="add"``.

    Examples
    --------
    >>> import numpy as np
    >>> scatter_add(np.zeros(3, int), 0, np.array([2, 0, 2]), np.array([1, 2, 3]))
    array([2, 0, 4])
    """
    return apply_op(ScatterElements(whole("scatter_add", "dim", dim), "sum"), x, index, _source("scatter_add", x, index, src))[0]


def scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """Combine elements of x with others: along ``dim`` at the place that ``index`` names, on the other axes at their own.

    Parameters
    ----------
    x : array, any shape but (), numbers
    dim : int
    index : array, integers, as many axes as x
        As of :func:`scatter`.
    src : array, dtype of x, no smaller than ``index``; or number
    reduce : {"sum", "prod", "mean", "amax", "amin"}
    include_self : bool
        Whether x's own element takes part where others come; one that none comes to stays in any case.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        As of :func:`scatter`, or there is no such reduction.

    Notes
    -----
    A mean is the sum divided by the number of elements; of integers, rounded down. PyTorch ``scatter_reduce``; ONNX ``ScatterElements``
    with ``reduction``.

    Examples
    --------
    >>> import numpy as np
    >>> scatter_reduce(np.array([1, 2, 3]), 0, np.array([0, 0, 2]), np.array([5, 4, 1]), "amax")
    array([5, 2, 3])
    >>> scatter_reduce(np.float32([9, 9]), 0, np.array([0, 0]), np.float32([1, 2]), "mean", include_self=False)
    array([1.5, 9. ], dtype=float32)
    """
    at, dtype = whole("scatter_reduce", "dim", dim), dtype_of(x)
    if reduce not in _IDENTITY:
        raise ShapeError(f"scatter_reduce: reduce must be one of {', '.join(_IDENTITY)}, got {reduce!r}")
    if dtype.kind not in "fiu":
        raise ShapeError(f"scatter_reduce: x must hold numbers, got {dtype}; convert it with gpucnn.functional.cast")
    src = _source("scatter_reduce", x, index, src)
    start = x
    if not include_self:
        nothing = _IDENTITY[reduce]
        if dtype.kind in "iu" and not np.isfinite(nothing):
            nothing = np.iinfo(dtype).min if nothing < 0 else np.iinfo(dtype).max
        start = scatter(x, at, index, nothing)
    if reduce != "mean":
        return apply_op(ScatterElements(at, reduce), start, index, src)[0]
    total = apply_op(ScatterElements(at, "sum"), start, index, src)[0]
    count = scatter_add(np.full(shape_of(x), int(include_self), dtype), at, index, 1)
    if not include_self:
        count = where(eq(count, 0), 1, count)
    return div(total, count) if dtype.kind == "f" else floor_divide(total, count)


def scatter_nd(x: Any, indices: Any, updates: Any, reduction: str = "none") -> Any:
    """Put elements or slices into x, or combine them with what is there, at places that are named by whole indices.

    Parameters
    ----------
    x : array, any shape but ()
    indices : array, (…, k), integers
        Each row an index of the first k axes of x. Negative ones count from the end.
    updates : array, (…, *x.shape[k:]), dtype of x
    reduction : {"none", "sum", "prod", "amax", "amin"}
        ``"none"`` puts them there: of several at one place the last one stays.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        The shapes do not fit, or an index is out of range; in a planned net that is found when it runs.

    Notes
    -----
    ``y[tuple(indices[i])] = updates[i]``. ONNX ``ScatterND``; PyTorch ``index_put`` takes one array an axis.

    Examples
    --------
    >>> import numpy as np
    >>> scatter_nd(np.zeros((2, 3), int), np.array([[0, 1], [1, -1]]), np.array([5, 7]))
    array([[0, 5, 0],
           [0, 0, 7]])
    """
    return apply_op(ScatterND(reduction), x, indices, updates)[0]
