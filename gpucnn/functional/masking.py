"""What is left of x in a triangle of its matrices, or at its maximum."""

from __future__ import annotations

from ..ops import Hardmax, Trilu
from .base import T, apply_op, whole

__all__ = ["hardmax", "tril", "triu"]


def hardmax(x: T, dim: int) -> T:
    """Return 1 where along ``dim`` the largest element lies, and 0 elsewhere.

    Parameters
    ----------
    x : array, any shape but (), floating point
    dim : int

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point, or has no such axis.

    Notes
    -----
    Of equal elements the first; the first NaN where there is one. ONNX ``Hardmax``.

    Examples
    --------
    >>> import numpy as np
    >>> hardmax(np.float32([[1, 3, 3], [5, 4, 0]]), 1)
    array([[0., 1., 0.],
           [1., 0., 0.]], dtype=float32)
    """
    y: T = apply_op(Hardmax(whole("hardmax", "dim", dim)), x)[0]
    return y


def triu(x: T, diagonal: int = 0) -> T:
    """Keep the upper triangle of each matrix, with 0 below.

    Parameters
    ----------
    x : array, (…, m, n)
    diagonal : int
        The lowest diagonal that is kept: 0 begins at the first element, k > 0 k columns to the right, k < 0 −k rows below.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x has fewer than two axes.

    Notes
    -----
    ``x[i, j]`` where ``j − i ≥ diagonal``. PyTorch ``triu``, ONNX ``Trilu`` with ``upper`` 1.

    Examples
    --------
    >>> import numpy as np
    >>> triu(np.array([[1, 2, 3], [4, 5, 6]]))
    array([[1, 2, 3],
           [0, 5, 6]])
    """
    y: T = apply_op(Trilu(whole("triu", "diagonal", diagonal), True), x)[0]
    return y


def tril(x: T, diagonal: int = 0) -> T:
    """Keep the lower triangle of each matrix, with 0 above.

    Parameters
    ----------
    x : array, (…, m, n)
    diagonal : int
        The highest diagonal that is kept: 0 begins at the first element, k > 0 k columns to the right, k < 0 −k rows below.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x has fewer than two axes.

    Notes
    -----
    ``x[i, j]`` where ``j − i ≤ diagonal``. PyTorch ``tril``, ONNX ``Trilu`` with ``upper`` 0.

    Examples
    --------
    >>> import numpy as np
    >>> tril(np.array([[1, 2, 3], [4, 5, 6]]))
    array([[1, 0, 0],
           [4, 5, 0]])
    """
    y: T = apply_op(Trilu(whole("tril", "diagonal", diagonal), False), x)[0]
    return y
