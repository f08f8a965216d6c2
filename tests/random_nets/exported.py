"""Clutter that exporters write for one line of a framework: shapes and pads computed by a handful of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from .moving import channels_first
from .writer import V, Writer

__all__ = ["exported"]


def exported(w: Writer, x: V) -> V | None:
    """One of them."""
    return w.of(padded, expanded, cropped, upsampled, brought_to_size, flattened_and_back)(w, channels_first(w, x))


def _ints(w: Writer, *numbers: int) -> str:
    return w.constant(np.array(numbers, np.int64), plain=True)


def _sliced(w: Writer, name: str, start: int, stop: int, step: int = 1) -> str:
    """A part of a list."""
    if w.opset < 10:
        return w.raw("Slice", [name], starts=[start], ends=[stop], axes=[0])[0]
    return w.raw("Slice", [name, _ints(w, start), _ints(w, stop), _ints(w, 0), _ints(w, step)])[0]


def padded(w: Writer, x: V) -> V | None:
    """``F.pad``: the last axis first, filled up with zeros, turned around and transposed by nodes."""
    if w.opset < 11:
        return None
    rank = x.ndim - 2
    pads = [(w.int(0, 2), w.int(0, 2)) for _ in range(rank)]
    given = _ints(w, *(n for pair in reversed(pads) for n in pair))
    rest = w.raw("ConstantOfShape", [_ints(w, 2 * x.ndim - 2 * rank)], value=numpy_helper.from_array(np.zeros(1, np.int64)))[0]
    (rows,) = w.raw("Reshape", [*w.raw("Concat", [given, rest], axis=0), _ints(w, -1, 2)])
    turned = w.raw("Slice", [rows, _ints(w, -1), _ints(w, -(2**63) + 1), _ints(w, 0), _ints(w, -1)])
    (flat,) = w.raw("Reshape", [*w.raw("Transpose", turned, perm=[1, 0]), _ints(w, -1)])
    (flat,) = w.raw("Cast", [flat], to=TensorProto.INT64)
    mode = w.of("constant", "constant", "reflect") if min(min(s[2:]) for s in x.shapes) > 2 else "constant"
    shapes = [(*s[:2], *(n + a + b for n, (a, b) in zip(s[2:], pads))) for s in x.shapes]
    fill = w.constant(np.float32(0)) if mode == "constant" and w.chance(0.5) else None
    return w.op("Pad", x, flat, fill, shapes=shapes, mode=mode)


def expanded(w: Writer, x: V) -> V | None:
    """``mean.expand(-1, -1, h, w)``: each −1 becomes 1 by a comparison."""
    if w.opset < 11:  # no equality of whole numbers before
        return None
    small = w.reduce("ReduceMean", x, range(2, x.ndim), True)
    sizes = w.raw("Concat", [_ints(w, -1, -1), *(w.dim(x, i) for i in range(2, x.ndim))], axis=0)[0]
    ones = w.raw("ConstantOfShape", [_ints(w, x.ndim)], value=numpy_helper.from_array(np.ones(1, np.int64)))[0]
    (is_open,) = w.raw("Equal", [sizes, *w.raw("Mul", [ones, w.constant(np.array(-1, np.int64))])])
    (shape,) = w.raw("Where", [is_open, ones, sizes])
    big = w.op("Expand", small, shape, shapes=x.shapes)
    return w.binary("Sub", x, big) if w.chance(0.7) else big


def cropped(w: Writer, x: V) -> V | None:
    """``x[:, :, :h - 1]`` with the end computed, or half of it."""
    axis = w.int(2, x.ndim - 1)
    if w.opset < 10 or x.least(axis) < 2:
        return None
    size = w.dim(x, axis)
    if w.chance(0.5):
        (end,) = w.raw("Sub", [size, _ints(w, 1)])
        ends = [s[axis] - 1 for s in x.shapes]
    else:
        (end,) = w.raw("Div", [size, _ints(w, 2)])
        ends = [s[axis] // 2 for s in x.shapes]
    shapes = [(*s[:axis], end_, *s[axis + 1 :]) for s, end_ in zip(x.shapes, ends)]
    return w.op("Slice", x, _ints(w, 0), end, _ints(w, axis), shapes=shapes)


def upsampled(w: Writer, x: V) -> V | None:
    """``F.interpolate(scale_factor=2)``: sizes through floating point and back."""
    if w.opset < 11 or x.ndim != 4 or np.prod(x.shapes[0][1:]) > 1500:
        return None
    whole = w.raw("Shape", [x.name])[0]
    doubled = []
    for axis in (2, 3):
        (size,) = w.raw("Cast", [w.dim(x, axis)], to=TensorProto.FLOAT)
        (size,) = w.raw("Floor", w.raw("Mul", [size, w.constant(np.array([2.0], np.float32))]))
        doubled += w.raw("Cast", [size], to=TensorProto.INT64)
    (sizes,) = w.raw("Concat", [_sliced(w, whole, 0, 2), *doubled], axis=0)
    return _resized(w, x, sizes, [(*s[:2], 2 * s[2], 2 * s[3]) for s in x.shapes])


def brought_to_size(w: Writer, x: V) -> V | None:
    """Pooled, and brought back to the size that it had, as in a pyramid of features."""
    if w.opset < 11 or x.ndim != 4 or min(min(s[2:]) for s in x.shapes) < 2:
        return None
    small = w.op("MaxPool", x, shapes=[(*s[:2], s[2] // 2, s[3] // 2) for s in x.shapes], kernel_shape=[2, 2], strides=[2, 2])
    wanted = _sliced(w, w.raw("Shape", [x.name])[0], 2, 4)
    (sizes,) = w.raw("Concat", [_sliced(w, w.raw("Shape", [small.name])[0], 0, 2), wanted], axis=0)
    y = _resized(w, small, sizes, list(x.shapes))
    return w.binary("Add", x, y) if w.chance(0.5) else w.concat([x, y], 1)


def _resized(w: Writer, x: V, sizes: str, shapes: list[Any]) -> V:
    empty = None if w.opset >= 13 else w.constant(np.zeros(0, np.float32))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if w.chance(0.4):
        how = {"mode": "linear", "coordinate_transformation_mode": w.of("half_pixel", "pytorch_half_pixel", "align_corners")}
    return w.op("Resize", x, empty, empty, sizes, shapes=shapes, **how)


def flattened_and_back(w: Writer, x: V) -> V | None:
    """``x.view(n, c, -1)``, transposed, through a softmax, and back by the shape that x had."""
    shape = w.raw("Shape", [x.name])[0]
    head = _sliced(w, shape, 0, 2)
    (target,) = w.raw("Concat", [head, _ints(w, -1)], axis=0)
    rows = [(*s[:2], int(np.prod(s[2:]))) for s in x.shapes]
    y = w.op("Reshape", x, target, shapes=rows, letters="NCL")
    y = w.transpose(y, "NLC") if w.chance(0.5) else y
    y = w.softmax(y, 2)
    y = w.transpose(y, "NCL") if y.letters == "NLC" else y
    return w.op("Reshape", y, shape, shapes=x.shapes, letters=x.letters)
