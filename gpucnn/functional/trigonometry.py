"""Angles and hyperbolic functions, element by element."""

from __future__ import annotations

from typing import Any

from ..ops import Unary
from .base import T, apply_op
from .elementwise import binary

__all__ = ["acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "sin", "sinh", "tan"]


def sin(x: T) -> T:
    """Return the sine of x, in radians, element by element.

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
    PyTorch ``sin``, ONNX ``Sin``.

    Examples
    --------
    >>> import numpy as np
    >>> sin(np.float32([0, 1])).round(4)
    array([0.    , 0.8415], dtype=float32)
    """
    y: T = apply_op(Unary("sin"), x)[0]
    return y


def cos(x: T) -> T:
    """Return the cosine of x, in radians, element by element.

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
    PyTorch ``cos``, ONNX ``Cos``.

    Examples
    --------
    >>> import numpy as np
    >>> cos(np.float32([0, 1])).round(4)
    array([1.    , 0.5403], dtype=float32)
    """
    y: T = apply_op(Unary("cos"), x)[0]
    return y


def tan(x: T) -> T:
    """Return the tangent of x, in radians, element by element.

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
    PyTorch ``tan``, ONNX ``Tan``.

    Examples
    --------
    >>> import numpy as np
    >>> tan(np.float32([0, 1])).round(4)
    array([0.    , 1.5574], dtype=float32)
    """
    y: T = apply_op(Unary("tan"), x)[0]
    return y


def asin(x: T) -> T:
    """Return the angle in radians, from −π/2 to π/2, whose sine is x, element by element.

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
    NaN outside [−1, 1]. PyTorch ``asin``, ONNX ``Asin``.

    Examples
    --------
    >>> import numpy as np
    >>> asin(np.float32([0, 1])).round(4)
    array([0.    , 1.5708], dtype=float32)
    """
    y: T = apply_op(Unary("asin"), x)[0]
    return y


def acos(x: T) -> T:
    """Return the angle in radians, from 0 to π, whose cosine is x, element by element.

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
    NaN outside [−1, 1]. PyTorch ``acos``, ONNX ``Acos``.

    Examples
    --------
    >>> import numpy as np
    >>> acos(np.float32([0, 1])).round(4)
    array([1.5708, 0.    ], dtype=float32)
    """
    y: T = apply_op(Unary("acos"), x)[0]
    return y


def atan(x: T) -> T:
    """Return the angle in radians, from −π/2 to π/2, whose tangent is x, element by element.

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
    PyTorch ``atan``, ONNX ``Atan``.

    Examples
    --------
    >>> import numpy as np
    >>> atan(np.float32([0, 1])).round(4)
    array([0.    , 0.7854], dtype=float32)
    """
    y: T = apply_op(Unary("atan"), x)[0]
    return y


def sinh(x: T) -> T:
    """Return the hyperbolic sine of x, element by element.

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
    PyTorch ``sinh``, ONNX ``Sinh``. The tangent, :func:`~gpucnn.functional.tanh`, is an activation.

    Examples
    --------
    >>> import numpy as np
    >>> sinh(np.float32([0, 1])).round(4)
    array([0.    , 1.1752], dtype=float32)
    """
    y: T = apply_op(Unary("sinh"), x)[0]
    return y


def cosh(x: T) -> T:
    """Return the hyperbolic cosine of x, element by element.

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
    PyTorch ``cosh``, ONNX ``Cosh``.

    Examples
    --------
    >>> import numpy as np
    >>> cosh(np.float32([0, 1])).round(4)
    array([1.    , 1.5431], dtype=float32)
    """
    y: T = apply_op(Unary("cosh"), x)[0]
    return y


def asinh(x: T) -> T:
    """Return the number whose hyperbolic sine is x, element by element.

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
    PyTorch ``asinh``, ONNX ``Asinh``.

    Examples
    --------
    >>> import numpy as np
    >>> asinh(np.float32([0, 1])).round(4)
    array([0.    , 0.8814], dtype=float32)
    """
    y: T = apply_op(Unary("asinh"), x)[0]
    return y


def acosh(x: T) -> T:
    """Return the number from 0 on whose hyperbolic cosine is x, element by element.

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
    NaN below 1. PyTorch ``acosh``, ONNX ``Acosh``.

    Examples
    --------
    >>> import numpy as np
    >>> acosh(np.float32([1, 2])).round(4)
    array([0.   , 1.317], dtype=float32)
    """
    y: T = apply_op(Unary("acosh"), x)[0]
    return y


def atanh(x: T) -> T:
    """Return the number whose hyperbolic tangent is x, element by element.

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
    NaN outside [−1, 1], ±Inf at its ends. PyTorch ``atanh``, ONNX ``Atanh``.

    Examples
    --------
    >>> import numpy as np
    >>> atanh(np.float32([0, 0.5])).round(4)
    array([0.    , 0.5493], dtype=float32)
    """
    y: T = apply_op(Unary("atanh"), x)[0]
    return y


def atan2(x: Any, y: Any) -> Any:
    """Return the angle in radians, from −π to π, of the point with height x above the distance y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, floating point of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the dtypes differ or are not floating point.

    Notes
    -----
    The quotient x/y has this tangent; the signs of both give the quadrant. PyTorch ``atan2``.

    Examples
    --------
    >>> import numpy as np
    >>> atan2(np.float32([1, 1]), np.float32([1, -1])).round(4)
    array([0.7854, 2.3562], dtype=float32)
    """
    return binary("atan2", x, y)
