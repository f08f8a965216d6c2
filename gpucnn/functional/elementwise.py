"""Arithmetic, element by element."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..ops import Binary, number_as
from .base import apply_op

__all__ = ["add", "div", "floor_divide", "fmod", "maximum", "minimum", "mul", "pow", "remainder", "sub"]


def alike(op: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Both sides; a Python number takes the dtype of the other."""
    if isinstance(y, (int, float)) and hasattr(x, "dtype"):
        return x, number_as(op, y, x.dtype)
    if isinstance(x, (int, float)) and hasattr(y, "dtype"):
        return number_as(op, x, y.dtype), y
    return x, y


def binary(kind: str, x: Any, y: Any) -> Any:
    """One call of the op."""
    return apply_op(Binary(kind), *alike(kind, x, y))[0]


def add(x: Any, y: Any) -> Any:
    """Return ``x + y``, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    PyTorch ``add`` without ``alpha``, ONNX ``Add``.

    Examples
    --------
    >>> import numpy as np
    >>> add(np.float32([1, 2]), 10)
    array([11., 12.], dtype=float32)
    """
    return binary("add", x, y)


def sub(x: Any, y: Any) -> Any:
    """Return ``x − y``, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    PyTorch ``sub`` without ``alpha``, ONNX ``Sub``.

    Examples
    --------
    >>> import numpy as np
    >>> sub(np.float32([1, 2]), 10)
    array([-9., -8.], dtype=float32)
    """
    return binary("sub", x, y)


def mul(x: Any, y: Any) -> Any:
    """Return ``x·y``, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    PyTorch ``mul``, ONNX ``Mul``.

    Examples
    --------
    >>> import numpy as np
    >>> mul(np.float32([1, 2]), 10)
    array([10., 20.], dtype=float32)
    """
    return binary("mul", x, y)


def div(x: Any, y: Any, rounding_mode: str | None = None) -> Any:
    """Return ``x/y``, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.
    rounding_mode : {None, "floor", "trunc"}
        None divides floating point as it is; the others give whole numbers, rounded down or towards 0, and take integers too (by 0 they
        give 0).

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, the dtypes differ, or integers are divided without ``rounding_mode``.

    Notes
    -----
    Of floating point, what is rounded to a whole number with ``"trunc"`` is the quotient as its type holds it. PyTorch ``div``.
    ONNX ``Div`` of integers is ``rounding_mode="trunc"``.

    Examples
    --------
    >>> import numpy as np
    >>> div(np.float32([1, -7]), 2)
    array([ 0.5, -3.5], dtype=float32)
    """
    kinds = {None: "div", "floor": "floor_divide", "trunc": "trunc_divide"}
    if rounding_mode not in kinds:
        raise ShapeError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}")
    return binary(kinds[rounding_mode], x, y)


def floor_divide(x: Any, y: Any) -> Any:
    """Return ``floor(x/y)``, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    Integers divided by 0 give 0. PyTorch ``floor_divide``, Python ``//``.

    Examples
    --------
    >>> import numpy as np
    >>> floor_divide(np.int32([7, -7]), 2)
    array([ 3, -4], dtype=int32)
    """
    return binary("floor_divide", x, y)


def remainder(x: Any, y: Any) -> Any:
    """Return what is left of x after whole multiples of y, with the sign of y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    ``x − floor(x/y)·y``; integers modulo 0 give 0. PyTorch ``remainder``, Python ``%``, ONNX ``Mod`` with ``fmod=0``.

    Examples
    --------
    >>> import numpy as np
    >>> remainder(np.int32([7, -7]), 3)
    array([1, 2], dtype=int32)
    """
    return binary("remainder", x, y)


def fmod(x: Any, y: Any) -> Any:
    """Return what is left of x after whole multiples of y, with the sign of x, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    ``x − trunc(x/y)·y``; integers modulo 0 give 0. PyTorch ``fmod``, C ``fmod``, ONNX ``Mod`` with ``fmod=1``.

    Examples
    --------
    >>> import numpy as np
    >>> fmod(np.int32([7, -7]), 3)
    array([ 1, -1], dtype=int32)
    """
    return binary("fmod", x, y)


def pow(x: Any, y: Any) -> Any:
    """Return x to the power of y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    An integer with a negative exponent gives 0, but for 1 and −1. PyTorch ``pow``, ONNX ``Pow`` of one dtype.

    Examples
    --------
    >>> import numpy as np
    >>> pow(np.float32([2, 9]), 0.5).round(4)
    array([1.4142, 3.    ], dtype=float32)
    """
    return binary("pow", x, y)


def maximum(x: Any, y: Any) -> Any:
    """Return the larger one of x and y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    NaN where either is. PyTorch ``maximum``, ONNX ``Max`` of two.

    Examples
    --------
    >>> import numpy as np
    >>> maximum(np.float32([1, 5]), 3)
    array([3., 5.], dtype=float32)
    """
    return binary("maximum", x, y)


def minimum(x: Any, y: Any) -> Any:
    """Return the smaller one of x and y, element by element.

    Parameters
    ----------
    x, y : array or number, shapes that broadcast, numbers of one dtype
        A number takes the dtype of the other side.

    Returns
    -------
    array, the broadcast shape, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or the dtypes differ.

    Notes
    -----
    NaN where either is. PyTorch ``minimum``, ONNX ``Min`` of two.

    Examples
    --------
    >>> import numpy as np
    >>> minimum(np.float32([1, 5]), 3)
    array([1., 3.], dtype=float32)
    """
    return binary("minimum", x, y)
