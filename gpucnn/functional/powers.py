"""Roots, powers and logarithms, element by element."""

from __future__ import annotations

from ..ops import Unary
from .base import T, apply_op

__all__ = ["exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "reciprocal", "rsqrt", "sqrt", "square"]


def square(x: T) -> T:
    """Return ``x²``, element by element.

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
    PyTorch ``square``.

    Examples
    --------
    >>> import numpy as np
    >>> square(np.float32([3, -2]))
    array([9., 4.], dtype=float32)
    """
    y: T = apply_op(Unary("square"), x)[0]
    return y


def sqrt(x: T) -> T:
    """Return the square root of x, element by element.

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
    NaN below 0. PyTorch ``sqrt``, ONNX ``Sqrt``.

    Examples
    --------
    >>> import numpy as np
    >>> sqrt(np.float32([4, 2])).round(4)
    array([2.    , 1.4142], dtype=float32)
    """
    y: T = apply_op(Unary("sqrt"), x)[0]
    return y


def rsqrt(x: T) -> T:
    """Return ``1/sqrt(x)``, element by element.

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
    NaN below 0, ±Inf at ±0. PyTorch ``rsqrt``.

    Examples
    --------
    >>> import numpy as np
    >>> rsqrt(np.float32([4, 0.25]))
    array([0.5, 2. ], dtype=float32)
    """
    y: T = apply_op(Unary("rsqrt"), x)[0]
    return y


def reciprocal(x: T) -> T:
    """Return ``1/x``, element by element.

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
    ±Inf at ±0. PyTorch ``reciprocal``, ONNX ``Reciprocal``.

    Examples
    --------
    >>> import numpy as np
    >>> reciprocal(np.float32([4, -0.5]))
    array([ 0.25, -2.  ], dtype=float32)
    """
    y: T = apply_op(Unary("reciprocal"), x)[0]
    return y


def exp(x: T) -> T:
    """Return e to the power of x, element by element.

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
    PyTorch ``exp``, ONNX ``Exp``.

    Examples
    --------
    >>> import numpy as np
    >>> exp(np.float32([0, 1])).round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    y: T = apply_op(Unary("exp"), x)[0]
    return y


def exp2(x: T) -> T:
    """Return 2 to the power of x, element by element.

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
    PyTorch ``exp2``.

    Examples
    --------
    >>> import numpy as np
    >>> exp2(np.float32([3, -1])).round(4)
    array([8. , 0.5], dtype=float32)
    """
    y: T = apply_op(Unary("exp2"), x)[0]
    return y


def expm1(x: T) -> T:
    """Return ``exp(x) − 1``, precise near 0, element by element.

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
    PyTorch ``expm1``.

    Examples
    --------
    >>> import numpy as np
    >>> expm1(np.float64([1e-10]))
    array([1.e-10])
    """
    y: T = apply_op(Unary("expm1"), x)[0]
    return y


def log(x: T) -> T:
    """Return the natural logarithm of x, element by element.

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
    NaN below 0, −Inf at 0. PyTorch ``log``, ONNX ``Log``.

    Examples
    --------
    >>> import numpy as np
    >>> log(np.float32([1, 2])).round(4)
    array([0.    , 0.6931], dtype=float32)
    """
    y: T = apply_op(Unary("log"), x)[0]
    return y


def log2(x: T) -> T:
    """Return the logarithm of x to base 2, element by element.

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
    NaN below 0, −Inf at 0. PyTorch ``log2``.

    Examples
    --------
    >>> import numpy as np
    >>> log2(np.float32([8, 0.5])).round(4)
    array([ 3., -1.], dtype=float32)
    """
    y: T = apply_op(Unary("log2"), x)[0]
    return y


def log10(x: T) -> T:
    """Return the logarithm of x to base 10, element by element.

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
    NaN below 0, −Inf at 0. PyTorch ``log10``.

    Examples
    --------
    >>> import numpy as np
    >>> log10(np.float32([1000, 0.1])).round(4)
    array([ 3., -1.], dtype=float32)
    """
    y: T = apply_op(Unary("log10"), x)[0]
    return y


def log1p(x: T) -> T:
    """Return ``log(1 + x)``, precise near 0, element by element.

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
    NaN below −1, −Inf at −1. PyTorch ``log1p``.

    Examples
    --------
    >>> import numpy as np
    >>> log1p(np.float64([1e-10]))
    array([1.e-10])
    """
    y: T = apply_op(Unary("log1p"), x)[0]
    return y
