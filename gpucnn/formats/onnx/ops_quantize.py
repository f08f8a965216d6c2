"""Quantised values: computed in floating point, in which all the numbers that they stand for are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, ShapeError, UnsupportedError
from ...graph import Node, Value
from ...ops import Activation, Binary, Cast, Expand, Reduce, Reshape, Slice, Unary, Where
from ...spec import shape_text
from .ops_cast import target
from .ops_elementwise import cast
from .tensors import ELEMENT_TYPES, file_type, held_as

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"]

_RANGES = {
    "uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767), "uint4": (0, 15), "int4": (-8, 7),
    "uint2": (0, 3), "int2": (-2, 1),
}  # fmt: skip
"""Least and largest number of the types to quantise to; those of less than a byte are held in a byte."""


def QuantizeLinear(
    g: Recorder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0,
    precision: int = 0, saturate: int = 1,
) -> Value:  # fmt: skip
    name = "uint8" if zero is None else file_type(zero.dtype)
    if output_dtype:
        said = ELEMENT_TYPES.get(output_dtype, f"type {output_dtype}")
        if zero is not None and said != name:
            raise ModelError(f"output_dtype is {said}, the zero point is {name}; they must agree")
        name = said
    if name not in _RANGES:
        raise UnsupportedError(f"quantises to {name}; known are {', '.join(_RANGES)}")
    s = _spread(g, scale, x, axis, block_size, "the scale")
    y = g.append(Unary("round"), g.append(Binary("div"), cast(g, x, scale.dtype), s))
    if zero is not None and not _is_zero(zero):
        y = g.append(Binary("add"), y, cast(g, _spread(g, zero, x, axis, block_size, "the zero point"), scale.dtype))
    return _saturated(g, y, name)


def DequantizeLinear(
    g: Recorder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0
) -> Value:
    dtype = target(output_dtype, "output_dtype") if output_dtype else scale.dtype
    s = cast(g, _spread(g, scale, x, axis, block_size, "the scale"), dtype)
    y = cast(g, _before_cast(x), dtype)
    if zero is not None and not _is_zero(zero):
        y = g.append(Binary("sub"), y, cast(g, _spread(g, zero, x, axis, block_size, "the zero point"), dtype))
    return g.append(Binary("mul"), y, s)


def DynamicQuantizeLinear(g: Recorder, x: Value) -> tuple[Value, ...]:
    none = np.zeros((), x.dtype)
    least, most = (g.append(Binary(b), g.append(Reduce(r), x), none) for b, r in (("minimum", "amin"), ("maximum", "amax")))
    span = g.append(Binary("sub"), most, least)
    scale = g.append(Binary("div"), span, np.asarray(255, x.dtype))
    # Of zeros alone the scale would be 0; it is then 1, as in ONNX Runtime.
    scale = g.append(Where(), g.append(Binary("eq"), span, none), np.ones((), x.dtype), scale)
    zero = g.append(Unary("round"), _clipped(g, g.append(Binary("div"), g.append(Binary("sub"), none, least), scale), "uint8"))
    y = g.append(Binary("add"), g.append(Unary("round"), g.append(Binary("div"), x, scale)), zero)
    return _saturated(g, y, "uint8"), scale, cast(g, zero, np.dtype(np.uint8))


# -- parts


def _clipped(g: Recorder, y: Value, name: str) -> Value:
    least, most = _RANGES[name]
    return g.append(Activation("clip", alpha=least, beta=most), y)


def _saturated(g: Recorder, y: Value, name: str) -> Value:
    """Whole numbers in floating point, as far as a type has them, in that type."""
    return g.append(Cast(held_as(name)), _clipped(g, y, name))


def _before_cast(x: Value) -> Value:
    """The whole numbers in floating point that x was made of by QuantizeLinear, where it was; else x. NaN then stays NaN."""
    steps: list[Node] = []
    v: Value | None = x
    while v is not None and v.producer is not None and len(steps) < 4:
        steps.append(v.producer)
        v = v.producer.inputs[0]
    match [node.op for node in steps]:
        case [Cast(), Activation("clip", least, most), Unary("round"), *_]:
            pass
        case [Cast(), Activation("clip", least, most), Binary("add"), Unary("round")] if _is_whole(steps[2].inputs[1]):
            pass
        case _:
            return x
    clipped = steps[0].inputs[0]
    held = x.dtype.kind in "iu" and np.iinfo(x.dtype).min <= least <= most <= np.iinfo(x.dtype).max
    return clipped if clipped is not None and held and float(least).is_integer() and float(most).is_integer() else x


def _is_zero(x: Value) -> bool:
    return x.is_constant and not np.any(x.data)


def _is_whole(x: Value | None) -> bool:
    return x is not None and x.is_constant and bool(np.all(np.rint(x.data) == x.data))


def _spread(g: Recorder, part: Value, x: Value, axis: int, block: int, what: str) -> Value:
    """Scales or zero points, shaped so that they broadcast to x: one for all, one for each place along ``axis``, or one a block there."""
    if part.spec.size == 1:
        return part if part.ndim == 0 else g.append(Reshape(()), part)
    if not -x.ndim <= axis < x.ndim and x.ndim != 1:
        raise ShapeError(f"axis must lie in [{-x.ndim}, {x.ndim - 1}] for x {x.spec}, got {axis}")
    axis %= max(x.ndim, 1)
    if not block:
        if part.ndim != 1 or part.shape != x.shape[axis : axis + 1]:
            raise ShapeError(f"{what} must be one number, or one for each place along axis {axis} of x {x.spec}, got {part.spec}")
        return g.append(Reshape((*part.shape, *(1,) * (x.ndim - 1 - axis))), part)
    blocks = (*x.shape[:axis], -(-x.shape[axis] // block), *x.shape[axis + 1 :])
    if block < 0 or part.shape != blocks:
        raise ShapeError(
            f"{what} must have the shape {shape_text(blocks)} for blocks of {block} along axis {axis} of x {x.spec}, got {part.spec}"
        )
    apart = g.append(Reshape((*blocks[: axis + 1], 1, *blocks[axis + 1 :])), part)
    wide = g.append(Expand((*blocks[: axis + 1], block, *blocks[axis + 1 :])), apart)
    whole = g.append(Reshape((*x.shape[:axis], blocks[axis] * block, *x.shape[axis + 1 :])), wide)
    return whole if whole.shape == x.shape else g.append(Slice((0,), (x.shape[axis],), (axis,)), whole)
