"""Arithmetic and conversion."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from gpucnn.ops import Binary, Cast, Op

from .base import Oracle, onnx


def cast(op: Cast, x: Any) -> tuple[Any, ...]:
    """By Python's struct, which rounds to nearest even; it refuses what lies beyond the type, where the result is infinite."""
    letter = {"float16": "e", "float32": "f", "float64": "d"}[op.dtype]

    def one(v: float) -> float:
        try:
            return float(struct.unpack(letter, struct.pack(letter, v))[0])
        except OverflowError:
            return float(np.copysign(np.inf, v))

    return (np.asarray([one(v) for v in x.reshape(-1).tolist()], op.dtype).reshape(x.shape),)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Binary: (lambda op, x, y: onnx(op.kind.capitalize(), x, y),),
    Cast: (cast,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
