"""Numbers as small integers times a scale, and back; in between a net computes in floating point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph import Value
from ...ops import Binary, Dequantize, Quantize, Reduce, Reshape, Where
from ...ops.quantize import QUANTIZED
from .ops_cast import target
from .ops_elementwise import cast
from .tensors import ELEMENT_TYPES, file_type, held_as

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"]

_BELOW_A_BYTE = {"uint4": (0, 15), "int4": (-8, 7), "uint2": (0, 3), "int2": (-2, 1)}
"""Least and largest number of types that are held in a byte."""


def QuantizeLinear(
    g: Recorder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0,
    precision: int = 0, saturate: int = 1,
) -> Value:  # fmt: skip
    # The last two are about 16-bit quotients, which here are float32, and about 8-bit floating point.
    name = "uint8" if zero is None else file_type(zero.dtype)
    if output_dtype:
        said = ELEMENT_TYPES.get(output_dtype, f"type {output_dtype}")
        if zero is not None and said != name:
            raise ModelError(f"output_dtype is {said}, the zero point is {name}; they must agree")
        name = said
    if name not in QUANTIZED and name not in _BELOW_A_BYTE:
        raise UnsupportedError(f"quantises to {name}; known are {', '.join((*QUANTIZED, *_BELOW_A_BYTE))}")
    op = Quantize(held_as(name), _axis(x, axis), block_size)
    y = g.append(op, cast(g, x, scale.dtype), _one_for_all(g, scale), _zero_point(g, zero))
    if name in _BELOW_A_BYTE:
        low, high = (np.asarray(v, y.dtype) for v in _BELOW_A_BYTE[name])
        y = g.append(Binary("minimum"), g.append(Binary("maximum"), y, low), high)
    return y


def DequantizeLinear(
    g: Recorder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0
) -> Value:
    if output_dtype:
        scale = cast(g, scale, target(output_dtype, "output_dtype"))
    scale, zero = _one_for_all(g, scale), _zero_point(g, zero)
    if x.dtype.kind != "f":
        return g.append(Dequantize(_axis(x, axis), block_size), x, scale, zero)
    if scale.ndim or (zero is not None and zero.ndim):
        raise UnsupportedError(f"dequantises {file_type(x.dtype)} with a scale of shape {scale.shape}; known is one scale for all")
    y = cast(g, x, scale.dtype)
    return g.append(Binary("mul"), y if zero is None else g.append(Binary("sub"), y, cast(g, zero, scale.dtype)), scale)


def DynamicQuantizeLinear(g: Recorder, x: Value) -> tuple[Value, ...]:
    none, most = np.zeros((), x.dtype), np.asarray(255, x.dtype)
    low, high = (g.append(Binary(b), g.append(Reduce(r), x), none) for b, r in (("minimum", "amin"), ("maximum", "amax")))
    span = g.append(Binary("sub"), high, low)
    # Of zeros alone the scale would be 0; it is then 1, as in ONNX Runtime.
    scale = g.append(Where(), g.append(Binary("eq"), span, none), np.ones((), x.dtype), g.append(Binary("div"), span, most))
    zero = g.append(Quantize("uint8"), g.append(Binary("sub"), none, low), scale, None)
    return g.append(Quantize("uint8"), x, scale, zero), scale, zero


# -- parts


def _axis(x: Value, axis: int) -> int:
    """The axis as it is said, which for a vector may be anything."""
    return 0 if x.ndim < 2 else axis


def _one_for_all(g: Recorder, part: Value) -> Value:
    """A scale or zero point: a scalar where it has but one element."""
    return g.append(Reshape(()), part) if part.spec.size == 1 and part.ndim else part


def _zero_point(g: Recorder, zero: Value | None) -> Value | None:
    """None where it is 0."""
    return None if zero is None or (zero.is_constant and not np.any(zero.data)) else _one_for_all(g, zero)
