"""Sums and choices along axes. (Inside this file ``sum``, ``any`` and ``all`` are its own.)"""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..ops import CumSum, Flatten, GlobalAvgPool, Reduce
from ..spec import shape_text
from .base import Dims, T, apply_op, dims_of, dtype_name, dtype_of, reduce, shape_of, whole

__all__ = ["all", "amax", "amin", "any", "cumsum", "mean", "prod", "sum"]


def _not_empty(kind: str, x: Any, dim: Dims) -> None:
    shape = shape_of(x)
    if 0 in (shape[a] for a in Reduce(kind, dims_of(kind, dim)).axes(len(shape))):
        raise ShapeError(f"{kind}: there is no element to choose along an axis of size 0 (x {shape_text(shape)})")


def _summed(kind: str, x: Any, dtype: Any) -> str | None:
    """Integers and bools are added up in int64 unless told, as in PyTorch."""
    if dtype is not None:
        return dtype_name(kind, dtype)
    return None if dtype_of(x).kind == "f" else "int64"


def sum(x: T, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> T:
    """Add up the elements along some axes.

    Parameters
    ----------
    x : array, any shape
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.
    dtype : str or numpy.dtype, optional
        To convert to before adding; if not given, int64 for integers and bools, else that of x.

    Returns
    -------
    array, shape of x without ``dim``
        0 where there is nothing to add.

    Raises
    ------
    ShapeError
        x has no such axis, or one is named twice.

    Notes
    -----
    Sums of float16 are kept in float32. PyTorch ``sum``; ONNX ``ReduceSum`` (which keeps the type of integers: that is the op's default).

    Examples
    --------
    >>> import numpy as np
    >>> sum(np.float32([[1, 2], [3, 4]]), 1)
    array([3., 7.], dtype=float32)
    """
    y: T = reduce("sum", x, dim, keepdim, dtype=_summed("sum", x, dtype))
    return y


def mean(x: T, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> T:
    """Take the mean along some axes.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.
    dtype : str or numpy.dtype, optional
        To convert to before.

    Returns
    -------
    array, shape of x without ``dim``
        NaN where there is nothing to take the mean of.

    Raises
    ------
    ShapeError
        x is not floating point and no ``dtype`` is given, x has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``mean``, ONNX ``ReduceMean``. The mean of each map of (n, c, h, w) is recorded as global average pooling, which every
    backend does fast.

    Examples
    --------
    >>> import numpy as np
    >>> mean(np.float32([[1, 2], [3, 5]]), 0)
    array([2. , 3.5], dtype=float32)
    """
    shape, dims = shape_of(x), dims_of("mean", dim)
    if dtype is None and dtype_of(x).kind != "f":
        raise ShapeError(f"mean: x must be floating point, got {dtype_of(x)}; say in which dtype to compute (x {shape_text(shape)})")
    if dtype is None and len(shape) == 4 and 0 not in shape[2:] and sorted(d + 4 if d < 0 else d for d in dims) == [2, 3]:
        pooled = apply_op(GlobalAvgPool(), x)[0]
        y: T = pooled if keepdim else apply_op(Flatten(1), pooled)[0]
        return y
    made: T = reduce("mean", x, dim, keepdim, dtype=None if dtype is None else dtype_name("mean", dtype))
    return made


def prod(x: T, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> T:
    """Multiply the elements along some axes.

    Parameters
    ----------
    x : array, any shape
    dim : int or sequence of int, optional
        All axes if not given, or empty. (PyTorch takes one.)
    keepdim : bool
        Whether the axes stay, of size 1.
    dtype : str or numpy.dtype, optional
        To convert to before; if not given, int64 for integers and bools, else that of x.

    Returns
    -------
    array, shape of x without ``dim``
        1 where there is nothing to multiply.

    Raises
    ------
    ShapeError
        x has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``prod``, ONNX ``ReduceProd``.

    Examples
    --------
    >>> import numpy as np
    >>> prod(np.array([[1, 2], [3, 4]]), 1)
    array([ 2, 12])
    """
    y: T = reduce("prod", x, dim, keepdim, dtype=_summed("prod", x, dtype))
    return y


def amax(x: T, dim: Dims = None, keepdim: bool = False) -> T:
    """Take the largest element along some axes.

    Parameters
    ----------
    x : array, any shape
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, dtype of x
        NaN where there is one.

    Raises
    ------
    ShapeError
        An axis is empty, x has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``amax``, ONNX ``ReduceMax``.

    Examples
    --------
    >>> import numpy as np
    >>> amax(np.array([[1, 2], [4, 3]]), 1)
    array([2, 4])
    """
    _not_empty("amax", x, dim)
    y: T = reduce("amax", x, dim, keepdim)
    return y


def amin(x: T, dim: Dims = None, keepdim: bool = False) -> T:
    """Take the smallest element along some axes.

    Parameters
    ----------
    x : array, any shape
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, dtype of x
        NaN where there is one.

    Raises
    ------
    ShapeError
        An axis is empty, x has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``amin``, ONNX ``ReduceMin``.

    Examples
    --------
    >>> import numpy as np
    >>> amin(np.array([[1, 2], [4, 3]]), 0)
    array([1, 2])
    """
    _not_empty("amin", x, dim)
    y: T = reduce("amin", x, dim, keepdim)
    return y


def any(x: T, dim: Dims = None, keepdim: bool = False) -> T:
    """Say whether an element along some axes is not 0.

    Parameters
    ----------
    x : array, any shape
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, bool
        NaN is not 0; of nothing it is False.

    Raises
    ------
    ShapeError
        x has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``any``.

    Examples
    --------
    >>> import numpy as np
    >>> any(np.array([[0, 1], [0, 0]]), 1)
    array([ True, False])
    """
    y: T = reduce("any", x, dim, keepdim)
    return y


def all(x: T, dim: Dims = None, keepdim: bool = False) -> T:
    """Say whether no element along some axes is 0.

    Parameters
    ----------
    x : array, any shape
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, bool
        NaN is not 0; of nothing it is True.

    Raises
    ------
    ShapeError
        x has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``all``.

    Examples
    --------
    >>> import numpy as np
    >>> all(np.array([[0, 1], [2, 1]]), 1)
    array([False,  True])
    """
    y: T = reduce("all", x, dim, keepdim)
    return y


def cumsum(x: T, dim: int, *, dtype: Any = None) -> T:
    """Add to each element all before it along ``dim``.

    Parameters
    ----------
    x : array, any shape but ()
    dim : int
    dtype : str or numpy.dtype, optional
        To convert to before; if not given, int64 for integers and bools, else that of x.

    Returns
    -------
    array, shape of x

    Raises
    ------
    ShapeError
        x has no such axis.

    Notes
    -----
    PyTorch ``cumsum``; ONNX ``CumSum``, whose ``exclusive`` and ``reverse`` the op has.

    Examples
    --------
    >>> import numpy as np
    >>> cumsum(np.float32([1, 2, 3]), 0)
    array([1., 3., 6.], dtype=float32)
    """
    y: T = apply_op(CumSum(whole("cumsum", "dim", dim), dtype=_summed("cumsum", x, dtype)), x)[0]
    return y
