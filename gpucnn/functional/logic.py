"""Logic, element by element."""

from __future__ import annotations

from typing import Any

from ..ops import Unary
from .base import T, apply_op
from .elementwise import binary

__all__ = ["logical_and", "logical_not", "logical_or", "logical_xor"]


def logical_and(x: Any, y: Any) -> Any:
    """Return whether both x and y hold, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, bool or numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, bool, the broadcast shape

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    Of numbers, all but 0 holds. PyTorch ``logical_and``, ONNX ``And``.

    Examples
    --------
    >>> import numpy as np
    >>> logical_and(np.array([True, True, False]), np.array([True, False, False]))
    array([ True, False, False])
    """
    return binary("logical_and", x, y)


def logical_or(x: Any, y: Any) -> Any:
    """Return whether x or y holds, or both, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, bool or numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, bool, the broadcast shape

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    Of numbers, all but 0 holds. PyTorch ``logical_or``, ONNX ``Or``.

    Examples
    --------
    >>> import numpy as np
    >>> logical_or(np.array([True, True, False]), np.array([True, False, False]))
    array([ True,  True, False])
    """
    return binary("logical_or", x, y)


def logical_xor(x: Any, y: Any) -> Any:
    """Return whether one of x and y holds and the other does not, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, bool or numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, bool, the broadcast shape

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    Of numbers, all but 0 holds. PyTorch ``logical_xor``, ONNX ``Xor``.

    Examples
    --------
    >>> import numpy as np
    >>> logical_xor(np.array([True, True, False]), np.array([True, False, False]))
    array([False,  True, False])
    """
    return binary("logical_xor", x, y)


def logical_not(x: T) -> T:
    """Return whether x does not hold, element by element.

    Parameters
    ----------
    x : array, any shape, bool or numbers

    Returns
    -------
    array, bool, shape of x

    Raises
    ------
    GpucnnError
        x belongs to another recording.

    Notes
    -----
    Of numbers, all but 0 holds. PyTorch ``logical_not``, ONNX ``Not``.

    Examples
    --------
    >>> import numpy as np
    >>> logical_not(np.array([True, False]))
    array([False,  True])
    """
    y: T = apply_op(Unary("logical_not"), x)[0]
    return y
