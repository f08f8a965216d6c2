"""Types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph import Value
from .ops_elementwise import cast
from .tensors import ELEMENT_TYPES, element_type

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["Cast", "CastLike", "Cast_6"]

_COMPUTED_AS = {"float16": "float32", "bfloat16": "float32"}
"""Types in which nothing is computed here, and the one that is taken for them: values are not rounded to 16 bits in between."""


def target(code: int, what: str) -> np.dtype[Any]:
    """The type in which values that a file says are of ONNX's type ``code`` are computed; raises where they would have to be rounded."""
    dtype, name = element_type(code, what), ELEMENT_TYPES[code]
    name = _COMPUTED_AS.get(name, name)
    if name != dtype.name and name != "float32":
        raise UnsupportedError(f"{what} is {name}, a type of few bits that is only read from files; convert to int8, uint8 or float32")
    return np.dtype(name)


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
    return cast(g, x, like.dtype)
