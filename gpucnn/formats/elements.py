"""Bytes as elements: what a file declares of an array, checked before NumPy is asked to make it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError

__all__ = ["check_shape", "elements"]

_MOST_AXES = 32  # NumPy 1's
_MOST_BYTES = 1 << 62


def check_shape(what: str, shape: Sequence[Any], itemsize: int) -> int:
    """The bytes of an array of this shape.

    Parameters
    ----------
    what : str
        Which array; begins the message.
    shape : sequence
        As the file says.
    itemsize : int

    Raises
    ------
    ModelError
        Not a shape that an array can have.
    """
    if len(shape) > _MOST_AXES or not all(type(size) is int and size >= 0 for size in shape):
        text = repr(list(shape[:8])) if len(shape) > 8 else repr(list(shape))
        raise ModelError(f"{what} has the shape {text[:200]}, expected at most {_MOST_AXES} sizes, none below 0")
    if math.prod(size or 1 for size in shape) * itemsize > _MOST_BYTES:  # of no elements too: there are strides
        raise ModelError(f"{what} has the shape {tuple(shape)}, more than memory has addresses")
    return int(math.prod(shape) * itemsize)


def elements(
    what: str, data: bytes | memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], fortran_order: bool = False
) -> np.ndarray[Any, Any]:
    """An array over bytes, of which there must be as many as its shape takes."""
    nbytes = check_shape(what, shape, dtype.itemsize)
    if len(data) != nbytes:
        raise ModelError(f"{what}: shape {shape} takes {nbytes} bytes, the file holds {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
