"""Ranking."""

from __future__ import annotations

from typing import Any

from ..ops import ArgReduce, Flatten, Reshape, TopK
from ..ops.base import normalise_dim
from .base import T, apply_op, shape_of, whole

__all__ = ["argmax", "argmin", "argsort", "sort", "topk"]


def topk(x: T, k: int, dim: int = -1, largest: bool = True) -> tuple[T, T]:
    """Find the largest values along ``dim`` and where they lie, best first.

    Parameters
    ----------
    x : array, any shape but (), any number type
    k : int
        How many, from 0 to the size of x along ``dim``.
    dim : int
    largest : bool
        False finds the smallest.

    Returns
    -------
    array, shape of x with k along ``dim``, dtype of x
        Values in falling order; rising for the smallest.
    array, same shape, int64
        Their indices along ``dim``.

    Raises
    ------
    ShapeError
        k is above the size of x along ``dim``, or x has no such axis.

    Notes
    -----
    Of equal values the lower index comes first. NaN counts as above +inf: first among the largest, last among the smallest.
    PyTorch ``topk`` (which leaves the order of equal values open), ONNX ``TopK``.

    Examples
    --------
    >>> import numpy as np
    >>> topk(np.float32([0.1, 0.7, 0.2]), 2)
    (array([0.7, 0.2], dtype=float32), array([1, 2]))
    """
    values, places = apply_op(TopK(whole("topk", "k", k), whole("topk", "dim", dim), bool(largest)), x)
    return values, places


def _argreduce(kind: str, x: Any, dim: int | None, keepdim: bool) -> Any:
    if dim is not None:
        return apply_op(ArgReduce(kind, whole(kind, "dim", dim), bool(keepdim)), x)[0]
    shape = shape_of(x)
    row = apply_op(Flatten(0), x)[0]
    return apply_op(Reshape((1,) * len(shape) if keepdim else ()), apply_op(ArgReduce(kind, 0), row)[0])[0]


def argmax(x: T, dim: int | None = None, keepdim: bool = False) -> T:
    """Find where along ``dim`` the largest element lies.

    Parameters
    ----------
    x : array, any shape, any number type
    dim : int, optional
        Without it x is searched as one row, in NCHW order.
    keepdim : bool
        Whether the axis stays, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, int64
        Of equal elements the first; the first NaN where there is one.

    Raises
    ------
    ShapeError
        The axis is empty, or x has no such axis.

    Notes
    -----
    PyTorch ``argmax``, ONNX ``ArgMax``.

    Examples
    --------
    >>> import numpy as np
    >>> argmax(np.float32([[1, 3, 3], [5, 4, 0]]), 1)
    array([1, 0])
    """
    y: T = _argreduce("argmax", x, dim, keepdim)
    return y


def argmin(x: T, dim: int | None = None, keepdim: bool = False) -> T:
    """Find where along ``dim`` the smallest element lies.

    Parameters
    ----------
    x : array, any shape, any number type
    dim : int, optional
        Without it x is searched as one row, in NCHW order.
    keepdim : bool
        Whether the axis stays, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, int64
        Of equal elements the first; the first NaN where there is one.

    Raises
    ------
    ShapeError
        The axis is empty, or x has no such axis.

    Notes
    -----
    PyTorch ``argmin``, ONNX ``ArgMin``.

    Examples
    --------
    >>> import numpy as np
    >>> argmin(np.float32([[1, 3, 3], [5, 4, 0]]), 1)
    array([0, 2])
    """
    y: T = _argreduce("argmin", x, dim, keepdim)
    return y


def sort(x: T, dim: int = -1, descending: bool = False) -> tuple[T, T]:
    """Sort the elements along ``dim``.

    Parameters
    ----------
    x : array, any shape but (), any number type
    dim : int
    descending : bool
        The largest first.

    Returns
    -------
    array, shape and dtype of x
        Values in order. NaN counts as above +inf.
    array, shape of x, int64
        Where each of them was; equal ones stay in their order.

    Raises
    ------
    ShapeError
        x has no such axis.

    Notes
    -----
    PyTorch ``sort`` with ``stable``; recorded as :func:`topk` of all.

    Examples
    --------
    >>> import numpy as np
    >>> sort(np.float32([3, 1, 2]))
    (array([1., 2., 3.], dtype=float32), array([1, 2, 0]))
    """
    shape, dim = shape_of(x), whole("sort", "dim", dim)
    values, places = apply_op(TopK(shape[normalise_dim("sort", dim, len(shape))], dim, bool(descending)), x)
    return values, places


def argsort(x: T, dim: int = -1, descending: bool = False) -> T:
    """Find the order in which the elements along ``dim`` are sorted.

    Parameters
    ----------
    x : array, any shape but (), any number type
    dim : int
    descending : bool
        The largest first.

    Returns
    -------
    array, shape of x, int64
        The second result of :func:`sort`.

    Raises
    ------
    ShapeError
        x has no such axis.

    Notes
    -----
    PyTorch ``argsort`` with ``stable``.

    Examples
    --------
    >>> import numpy as np
    >>> argsort(np.float32([3, 1, 2]), descending=True)
    array([0, 2, 1])
    """
    return sort(x, dim, descending)[1]
