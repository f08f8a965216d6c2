"""Numbers as small integers times a scale, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpucnn.ops import Dequantize, Op, Quantize

from .base import Oracle, onnx


def _index(op: Quantize | Dequantize, at: tuple[int, ...], scale: Any) -> tuple[int, ...]:
    """Where the scale of an element stands."""
    if scale.size == 1 and scale.ndim <= 1:
        return (0,) * scale.ndim
    dim = op.dim % len(at)
    return (*at[:dim], at[dim] // op.block, *at[dim + 1 :]) if op.block else (at[dim],)


def quantize_by_hand(op: Quantize, x: Any, scale: Any, zero_point: Any) -> tuple[Any, ...]:
    """One quotient after another, rounded to the type that it is computed in; then whole numbers of Python's."""
    kind, ends = np.promote_types(x.dtype, np.float32).type, np.iinfo(op.dtype)
    y = np.zeros(x.shape, op.dtype)
    for at in np.ndindex(*x.shape):
        place = _index(op, at, scale)
        quotient = float(kind(x[at]) / kind(scale[place]))
        shift = 0 if zero_point is None else int(zero_point[place])
        if math.isfinite(quotient):
            y[at] = min(max(round(quotient) + shift, ends.min), ends.max)
        else:
            y[at] = ends.max if quotient > 0 else ends.min
    return (y,)


def dequantize_by_hand(op: Dequantize, x: Any, scale: Any, zero_point: Any) -> tuple[Any, ...]:
    """One product after another, in Python's numbers."""
    y = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        place = _index(op, at, scale)
        y[at] = (int(x[at]) - (0 if zero_point is None else int(zero_point[place]))) * float(scale[place])
    return (y,)


def _attributes(op: Quantize | Dequantize, x: Any) -> dict[str, int]:
    return {"axis": op.dim if x.ndim > 1 else 0, "block_size": op.block}


def quantize(op: Quantize, x: Any, scale: Any, zero_point: Any) -> tuple[Any, ...]:
    """In the case's own types: a quotient in float64 would be rounded to other whole numbers."""
    point = np.zeros(scale.shape, op.dtype) if zero_point is None else zero_point
    return onnx("QuantizeLinear", x, scale, point, wide=False, **_attributes(op, x))


def dequantize(op: Dequantize, x: Any, scale: Any, zero_point: Any) -> tuple[Any, ...]:
    return onnx("DequantizeLinear", x, scale, zero_point, wide=False, **_attributes(op, x))


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Quantize: (quantize, quantize_by_hand),
    Dequantize: (dequantize, dequantize_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    **{("Quantize", id): "the evaluator rounds to int32, which has no infinity and no NaN" for id in ("beyond every type", "NaN and Inf")},
    ("Quantize", "float16"): "the evaluator rounds the quotient to 16 bits before it makes a whole number of it; ONNX Runtime does not",
}
