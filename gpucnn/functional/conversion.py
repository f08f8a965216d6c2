"""Bounds and types, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops import Activation, Cast, number_as
from .base import apply_op, dtype_name
from .elementwise import maximum, minimum

__all__ = ["cast", "clamp"]


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    """Return x, but what is below ``min`` as ``min`` and what is above ``max`` as ``max``.

    Parameters
    ----------
    x : array, any shape, numbers
    min, max : number, or array that broadcasts, optional
        One at least; where ``min`` is above ``max``, all is ``max``.

    Returns
    -------
    array, dtype of x
        The shape of x, or what x and the bounds broadcast to.

    Raises
    ------
    ShapeError
        There is no bound, or one is no number of the dtype of x.

    Notes
    -----
    ``minimum(maximum(x, min), max)``: NaN stays NaN. PyTorch ``clamp``, ONNX ``Clip``.

    Examples
    --------
    >>> import numpy as np
    >>> clamp(np.float32([-3, 0.5, 8]), 0, 6)
    array([0. , 0.5, 6. ], dtype=float32)
    """
    if min is None and max is None:
        raise ShapeError("clamp: give min, max or both")
    if not all(bound is None or isinstance(bound, (int, float)) for bound in (min, max)):
        x = x if min is None else maximum(x, min)
        return x if max is None else minimum(x, max)
    dtype: Any = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
    if dtype.kind == "b":
        raise ShapeError("clamp: x must hold numbers, got bool; convert it with gpucnn.functional.cast")
    ends: Any = np.iinfo(dtype) if dtype.kind in "iu" else None
    low = number_as("clamp", min, dtype).item() if min is not None else ends.min if ends else -np.inf
    high = number_as("clamp", max, dtype).item() if max is not None else ends.max if ends else np.inf
    return apply_op(Activation("clip", low if low <= high else high, high), x)[0]


def cast(x: Any, dtype: Any) -> Any:
    """Convert each element to another type.

    Parameters
    ----------
    x : array, any shape
    dtype : str, type or numpy.dtype
        bool, an integer type or a floating-point type.

    Returns
    -------
    array, shape of x

    Raises
    ------
    ShapeError
        There is no such type here.

    Notes
    -----
    To floating point: rounded to nearest even, ±Inf beyond the type. Floating point to integers: cut off towards 0; NaN and what lies
    beyond the type give whatever the machine makes of it. An integer that does not fit keeps its low bits. To bool: False for 0 alone.
    PyTorch ``Tensor.to(dtype)``, ONNX ``Cast``.

    Examples
    --------
    >>> import numpy as np
    >>> cast(np.float32([1.7, -1.7]), "int32")
    array([ 1, -1], dtype=int32)
    """
    return apply_op(Cast(dtype_name("cast", dtype)), x)[0]
