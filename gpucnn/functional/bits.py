"""Bits of whole numbers, element by element."""

from __future__ import annotations

from typing import Any

from ..ops import Unary
from .base import T, apply_op
from .elementwise import binary

__all__ = ["bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor"]


def bitwise_and(x: Any, y: Any) -> Any:
    """Return the bits that both x and y have, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, integers or bool of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the dtypes differ, or are floating point.

    Notes
    -----
    PyTorch ``bitwise_and``, ONNX ``BitwiseAnd``.

    Examples
    --------
    >>> import numpy as np
    >>> bitwise_and(np.array([6, 5]), 3)
    array([2, 1])
    """
    return binary("bitwise_and", x, y)


def bitwise_or(x: Any, y: Any) -> Any:
    """Return the bits that x or y has, or both, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, integers or bool of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the dtypes differ, or are floating point.

    Notes
    -----
    PyTorch ``bitwise_or``, ONNX ``BitwiseOr``.

    Examples
    --------
    >>> import numpy as np
    >>> bitwise_or(np.array([6, 5]), 3)
    array([7, 7])
    """
    return binary("bitwise_or", x, y)


def bitwise_xor(x: Any, y: Any) -> Any:
    """Return the bits that one of x and y has and the other has not, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, integers or bool of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the dtypes differ, or are floating point.

    Notes
    -----
    PyTorch ``bitwise_xor``, ONNX ``BitwiseXor``.

    Examples
    --------
    >>> import numpy as np
    >>> bitwise_xor(np.array([6, 5]), 3)
    array([5, 6])
    """
    return binary("bitwise_xor", x, y)


def bitwise_not(x: T) -> T:
    """Return the bits that x has not, element by element.

    Parameters
    ----------
    x : array, any shape, integers or bool

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is floating point.

    Notes
    -----
    PyTorch ``bitwise_not``, ONNX ``BitwiseNot``.

    Examples
    --------
    >>> import numpy as np
    >>> bitwise_not(np.array([0, 5]))
    array([-1, -6])
    """
    y: T = apply_op(Unary("bitwise_not"), x)[0]
    return y


def bitwise_left_shift(x: Any, y: Any) -> Any:
    """Shift the bits of x to the left by y places, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, integers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the dtypes differ, or are floating point.

    Notes
    -----
    ``x·2^y``, of which the type keeps the low bits. A y below 0, or no smaller than the number of bits, gives 0 (PyTorch leaves that open).
    PyTorch ``bitwise_left_shift``, ONNX ``BitShift``.

    Examples
    --------
    >>> import numpy as np
    >>> bitwise_left_shift(np.array([1, 5]), 2)
    array([ 4, 20])
    """
    return binary("bitwise_left_shift", x, y)


def bitwise_right_shift(x: Any, y: Any) -> Any:
    """Shift the bits of x to the right by y places, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, integers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the dtypes differ, or are floating point.

    Notes
    -----
    ``x/2^y``, rounded down: copies of the sign come in. A y below 0, or no smaller than the number of bits, gives 0, or −1 for an x below 0
    (PyTorch leaves that open). PyTorch ``bitwise_right_shift``, ONNX ``BitShift``.

    Examples
    --------
    >>> import numpy as np
    >>> bitwise_right_shift(np.array([20, -5]), 2)
    array([ 5, -2])
    """
    return binary("bitwise_right_shift", x, y)
