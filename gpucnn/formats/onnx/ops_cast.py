"""Types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph import Value
from .ops_elementwise import cast
from .tensors import ELEMENT_TYPES, element_type, file_type

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["Cast", "CastLike", "Cast_6"]

def target(code: int, what: str) -> np.dtype[Any]:
    """The type in which values that a file says are of ONNX's type ``code`` are computed: nothing is in 16 bits."""
    dtype = element_type(code, what)
    return _plain(dtype, what) if dtype != np.float16 else np.dtype(np.float32)


def _plain(dtype: np.dtype[Any], what: str) -> np.dtype[Any]:
    """The type itself, unless numbers would have to be rounded to one that NumPy lacks."""
    if file_type(dtype) != dtype.name:
        raise UnsupportedError(f"{what} is {file_type(dtype)}, a type of few bits that is only read; convert to int8, uint8 or float32")
    return dtype


def Cast(g: Recorder, x: Value, *, to: str) -> Value:
    names = {"FLOAT": "float32", "DOUBLE": "float64"}
    codes = {name: code for code, name in ELEMENT_TYPES.items()}
    code = codes.get(names.get(to.upper(), to.lower()))
    if code is None:
        raise ModelError(f"attribute 'to' must name a type such as FLOAT, got {to!r}")
    return cast(g, x, target(code, "attribute 'to'"))


def Cast_6(g: Recorder, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Value:
    # The last two are about 8-bit floating point alone.
    return cast(g, x, target(to, "attribute 'to'"))


def CastLike(g: Recorder, x: Value, like: Value, *, saturate: int = 1, round_mode: str = "up") -> Value:
    return cast(g, x, _plain(like.dtype, "the type to convert to"))
