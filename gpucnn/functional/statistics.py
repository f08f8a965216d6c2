"""Variances, norms and the like along axes."""

from __future__ import annotations

from ..errors import ShapeError
from ..spec import shape_text
from .base import Dims, T, dtype_of, number, reduce, shape_of

__all__ = ["logsumexp", "norm", "std", "var", "vector_norm"]


def var(x: T, dim: Dims = None, *, correction: float = 1, keepdim: bool = False) -> T:
    """Take the variance along some axes.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    correction : float
        Subtracted from the count N in the divisor: 1 for a sample, 0 for a population.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, dtype of x
        NaN where there are too few elements.

    Raises
    ------
    ShapeError
        x is not floating point, has no such axis, or one is named twice.

    Notes
    -----
    ``Σ(x − mean)²/max(0, N − correction)``; PyTorch ``var``, NumPy ``var`` with ``ddof`` (whose default is 0).

    Examples
    --------
    >>> import numpy as np
    >>> var(np.float32([1, 2, 3, 6]))
    array(4.6666665, dtype=float32)
    """
    y: T = reduce("var", x, dim, keepdim, correction=number("var", "correction", correction))
    return y


def std(x: T, dim: Dims = None, *, correction: float = 1, keepdim: bool = False) -> T:
    """Take the standard deviation along some axes: the square root of :func:`var`.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    correction : float
        Subtracted from the count in the divisor: 1 for a sample, 0 for a population.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, dtype of x

    Raises
    ------
    ShapeError
        x is not floating point, has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``std``.

    Examples
    --------
    >>> import numpy as np
    >>> std(np.float32([1, 3]), correction=0)
    array(1., dtype=float32)
    """
    y: T = reduce("std", x, dim, keepdim, correction=number("std", "correction", correction))
    return y


def logsumexp(x: T, dim: Dims, keepdim: bool = False) -> T:
    """Take the logarithm of the sum of exponentials along some axes; no finite x overflows.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int or sequence of int
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, dtype of x

    Raises
    ------
    ShapeError
        x has no such axis, or one is named twice.

    Notes
    -----
    ``m + log Σ exp(x − m)`` with m the maximum; PyTorch ``logsumexp``, ONNX ``ReduceLogSumExp``.

    Examples
    --------
    >>> import numpy as np
    >>> logsumexp(np.float32([1000, 1000]), 0)
    array(1000.6932, dtype=float32)
    """
    y: T = reduce("logsumexp", x, dim, keepdim)
    return y


def vector_norm(x: T, ord: float = 2, dim: Dims = None, keepdim: bool = False) -> T:
    """Take the norm of the elements along some axes, as of one vector.

    Parameters
    ----------
    x : array, any shape, floating point
    ord : float
        p: 1 adds up ``|x|``, 2 is Euclid's, ±inf the largest and smallest ``|x|``, 0 counts what is not 0.
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, dtype of x

    Raises
    ------
    ShapeError
        x is not floating point, has no such axis, or one is named twice.

    Notes
    -----
    ``(Σ|x|ᵖ)^(1/p)``; PyTorch ``linalg.vector_norm``, ONNX ``ReduceL1`` and ``ReduceL2``.

    Examples
    --------
    >>> import numpy as np
    >>> vector_norm(np.float32([3, -4]))
    array(5., dtype=float32)
    """
    if dtype_of(x).kind != "f":
        raise ShapeError(f"vector_norm: x must be floating point, got {dtype_of(x)} (x {shape_text(shape_of(x))})")
    y: T = reduce("norm", x, dim, keepdim, p=number("norm", "the order", ord))
    return y


def norm(x: T, p: float = 2, dim: Dims = None, keepdim: bool = False) -> T:
    """Take the norm of the elements along some axes, as :func:`vector_norm` does.

    Parameters
    ----------
    x : array, any shape, floating point
    p : float
    dim : int or sequence of int, optional
        All axes if not given, or empty.
    keepdim : bool
        Whether the axes stay, of size 1.

    Returns
    -------
    array, shape of x without ``dim``, dtype of x

    Raises
    ------
    ShapeError
        x is not floating point, has no such axis, or one is named twice.

    Notes
    -----
    ``(Σ|x|ᵖ)^(1/p)``; PyTorch ``norm`` with a number for p (its norms of matrices are not there).

    Examples
    --------
    >>> import numpy as np
    >>> norm(np.float32([[1, -2], [3, 4]]), 1, dim=1)
    array([3., 7.], dtype=float32)
    """
    return vector_norm(x, p, dim, keepdim)
