"""Signs and whole numbers, element by element."""

from __future__ import annotations

from ..ops import Unary
from .base import T, apply_op

__all__ = ["abs", "ceil", "floor", "neg", "round", "sign", "trunc"]


def neg(x: T) -> T:
    """Return ``−x``, element by element.

    Parameters
    ----------
    x : array, any shape, numbers

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is bool.

    Notes
    -----
    An unsigned integer wraps around. PyTorch ``neg``, ONNX ``Neg``.

    Examples
    --------
    >>> import numpy as np
    >>> neg(np.float32([1, -2]))
    array([-1.,  2.], dtype=float32)
    """
    y: T = apply_op(Unary("neg"), x)[0]
    return y


def abs(x: T) -> T:
    """Return the magnitude of x, element by element.

    Parameters
    ----------
    x : array, any shape, numbers

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is bool.

    Notes
    -----
    PyTorch ``abs``, ONNX ``Abs``.

    Examples
    --------
    >>> import numpy as np
    >>> abs(np.float32([1, -2]))
    array([1., 2.], dtype=float32)
    """
    y: T = apply_op(Unary("abs"), x)[0]
    return y


def sign(x: T) -> T:
    """Return −1, 0 or 1: the sign of x, element by element.

    Parameters
    ----------
    x : array, any shape, numbers

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is bool.

    Notes
    -----
    NaN stays NaN, as in NumPy. PyTorch ``sign``, ONNX ``Sign``.

    Examples
    --------
    >>> import numpy as np
    >>> sign(np.float32([3, -2, 0]))
    array([ 1., -1.,  0.], dtype=float32)
    """
    y: T = apply_op(Unary("sign"), x)[0]
    return y


def floor(x: T) -> T:
    """Return the largest whole number that is not above x, element by element.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``floor``, ONNX ``Floor``.

    Examples
    --------
    >>> import numpy as np
    >>> floor(np.float32([1.5, -1.5]))
    array([ 1., -2.], dtype=float32)
    """
    y: T = apply_op(Unary("floor"), x)[0]
    return y


def ceil(x: T) -> T:
    """Return the smallest whole number that is not below x, element by element.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``ceil``, ONNX ``Ceil``.

    Examples
    --------
    >>> import numpy as np
    >>> ceil(np.float32([1.5, -1.5]))
    array([ 2., -1.], dtype=float32)
    """
    y: T = apply_op(Unary("ceil"), x)[0]
    return y


def round(x: T) -> T:
    """Return the nearest whole number, of two the even one, element by element.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``round`` without ``decimals``, ONNX ``Round``.

    Examples
    --------
    >>> import numpy as np
    >>> round(np.float32([0.5, 1.5, -1.2]))
    array([ 0.,  2., -1.], dtype=float32)
    """
    y: T = apply_op(Unary("round"), x)[0]
    return y


def trunc(x: T) -> T:
    """Return x without its fraction: the next whole number towards 0, element by element.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``trunc``. ONNX has no operator for it.

    Examples
    --------
    >>> import numpy as np
    >>> trunc(np.float32([1.5, -1.5]))
    array([ 1., -1.], dtype=float32)
    """
    y: T = apply_op(Unary("trunc"), x)[0]
    return y
