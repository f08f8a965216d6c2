"""Comparison and choice, element by element."""

from __future__ import annotations

from typing import Any

from ..ops import Unary, Where
from .base import T, apply_op
from .elementwise import alike, binary

__all__ = ["eq", "ge", "gt", "isfinite", "isinf", "isnan", "le", "lt", "ne", "where"]


def eq(x: Any, y: Any) -> Any:
    """Return whether x equals y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, anything of one dtype
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
    NaN equals nothing. PyTorch ``eq``, ONNX ``Equal``.

    Examples
    --------
    >>> import numpy as np
    >>> eq(np.float32([1, 2, 3]), 2)
    array([False,  True, False])
    """
    return binary("eq", x, y)


def ne(x: Any, y: Any) -> Any:
    """Return whether x differs from y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, anything of one dtype
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
    NaN differs from everything. PyTorch ``ne``; ONNX ``Equal``, then ``Not``.

    Examples
    --------
    >>> import numpy as np
    >>> ne(np.float32([1, 2, 3]), 2)
    array([ True, False,  True])
    """
    return binary("ne", x, y)


def lt(x: Any, y: Any) -> Any:
    """Return whether x is below y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, anything of one dtype
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
    PyTorch ``lt``, ONNX ``Less``.

    Examples
    --------
    >>> import numpy as np
    >>> lt(np.float32([1, 2, 3]), 2)
    array([ True, False, False])
    """
    return binary("lt", x, y)


def le(x: Any, y: Any) -> Any:
    """Return whether x is below or equal to y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, anything of one dtype
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
    PyTorch ``le``, ONNX ``LessOrEqual``.

    Examples
    --------
    >>> import numpy as np
    >>> le(np.float32([1, 2, 3]), 2)
    array([ True,  True, False])
    """
    return binary("le", x, y)


def gt(x: Any, y: Any) -> Any:
    """Return whether x is above y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, anything of one dtype
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
    PyTorch ``gt``, ONNX ``Greater``.

    Examples
    --------
    >>> import numpy as np
    >>> gt(np.float32([1, 2, 3]), 2)
    array([False, False,  True])
    """
    return binary("gt", x, y)


def ge(x: Any, y: Any) -> Any:
    """Return whether x is above or equal to y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, anything of one dtype
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
    PyTorch ``ge``, ONNX ``GreaterOrEqual``.

    Examples
    --------
    >>> import numpy as np
    >>> ge(np.float32([1, 2, 3]), 2)
    array([False,  True,  True])
    """
    return binary("ge", x, y)


def isnan(x: T) -> T:
    """Return whether x is NaN, element by element.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, bool, shape of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``isnan``, ONNX ``IsNaN``.

    Examples
    --------
    >>> import numpy as np
    >>> isnan(np.float32([1, np.nan]))
    array([False,  True])
    """
    y: T = apply_op(Unary("isnan"), x)[0]
    return y


def isinf(x: T) -> T:
    """Return whether x is +Inf or −Inf, element by element.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, bool, shape of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``isinf``, ONNX ``IsInf``.

    Examples
    --------
    >>> import numpy as np
    >>> isinf(np.float32([1, -np.inf, np.nan]))
    array([False,  True, False])
    """
    y: T = apply_op(Unary("isinf"), x)[0]
    return y


def isfinite(x: T) -> T:
    """Return whether x is neither NaN nor ±Inf, element by element.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, bool, shape of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``isfinite``.

    Examples
    --------
    >>> import numpy as np
    >>> isfinite(np.float32([1, np.inf, np.nan]))
    array([ True, False, False])
    """
    y: T = apply_op(Unary("isfinite"), x)[0]
    return y


def where(condition: Any, x: Any, y: Any) -> Any:
    """Return x where the condition holds, else y, element by element.

    Parameters
    ----------
    condition : array, bool
    x, y : array or number, of one dtype
        A number takes the dtype of the other side. All three shapes broadcast.

    Returns
    -------
    array, the broadcast shape, dtype of x and y

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the condition is not bool, or the dtypes differ.

    Notes
    -----
    PyTorch ``where``, ONNX ``Where``.

    Examples
    --------
    >>> import numpy as np
    >>> where(np.array([True, False]), np.float32([1, 2]), 0)
    array([1., 0.], dtype=float32)
    """
    return apply_op(Where(), condition, *alike("where", x, y))[0]
