"""Shapes: reshape, transpose, squeeze."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING

from ...errors import ShapeError
from ...graph import Value
from ...ops import Flatten as FlattenOp
from ...ops import Reshape as ReshapeOp
from ...ops import Transpose as TransposeOp
from ...ops.base import normalise_dim
from ...spec import shape_text

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = ["Flatten", "Reshape", "Reshape_5", "Squeeze", "Squeeze_13", "Transpose", "Unsqueeze", "Unsqueeze_13"]


def reshaped(g: Recorder, x: Value, shape: Iterable[int]) -> Value:
    """x in a shape without −1; as a flattening where it is one, which passes know how to do without moving anything."""
    shape = tuple(shape)
    while x.producer is not None and isinstance(x.producer.op, (ReshapeOp, FlattenOp)):
        before = x.producer.inputs[0]  # of two reshapes the first does not matter
        assert before is not None
        x = before
    if shape == x.shape:
        return x
    if len(shape) == 2 and x.ndim > 2 and shape[0] == x.shape[0]:
        return g.append(FlattenOp(1), x)
    return g.append(ReshapeOp(shape), x)


def each_once(op: str, axes: Iterable[int], rank: int) -> Ints:
    """Axes counted from the front; raises where one is out of range or named twice."""
    found = tuple(normalise_dim(op, a, rank) for a in axes)
    if len(set(found)) < len(found):
        raise ShapeError(f"axes must name each axis once, got {tuple(axes)} for {rank} axes")
    return found


def _resolved(x: Value, shape: Ints, keep_zeros: bool) -> Ints:
    """ONNX's shape in whole sizes: 0 copies the size of x there, −1 is what is left."""
    if keep_zeros and 0 in shape and -1 in shape:
        raise ShapeError(f"with allowzero 1 the shape may hold 0 or -1, not both, got {shape}")
    sizes = list(shape)
    for i, s in enumerate(shape):
        if s == 0 and not keep_zeros:
            if i >= x.ndim:
                raise ShapeError(f"the 0 in shape {shape} copies the size of axis {i}, x has {x.ndim} axes (x {x.spec})")
            sizes[i] = x.shape[i]
    if shape.count(-1) == 1:
        # Where x is empty, its zeros are taken for those of the shape: a batch of none then is reshaped as one of any other size.
        empty = 0 in sizes
        have, known = (prod(n for n in ns if n != -1 and (n or not empty)) for ns in (x.shape, sizes))
        if not known or have % known:
            raise ShapeError(f"the -1 of shape {shape} has no size: {have} elements do not divide by {known} (x {x.spec})")
        sizes[sizes.index(-1)] = have // known
    if -1 not in shape and prod(sizes) != x.spec.size:
        made = "" if tuple(sizes) == shape else f", here {shape_text(tuple(sizes))},"
        raise ShapeError(f"shape {shape}{made} has {prod(sizes)} elements, x has {x.spec.size} (x {x.spec})")
    return tuple(sizes)


def Reshape(g: Recorder, x: Value, *, shape: Ints, consumed_inputs: Ints | None = None) -> Value:
    return reshaped(g, x, _resolved(x, shape, keep_zeros=False))


def Reshape_5(g: Recorder, x: Value, shape: Value, *, allowzero: int = 0) -> Value:
    return reshaped(g, x, _resolved(x, g.ints(shape, "shape"), keep_zeros=bool(allowzero)))


def Flatten(g: Recorder, x: Value, *, axis: int = 1) -> Value:
    if not -x.ndim <= axis <= x.ndim:
        raise ShapeError(f"axis must lie in [{-x.ndim}, {x.ndim}], got {axis} (x {x.spec})")
    axis += x.ndim if axis < 0 else 0
    return reshaped(g, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def Transpose(g: Recorder, x: Value, *, perm: Ints | None = None) -> Value:
    return g.append(TransposeOp(tuple(reversed(range(x.ndim))) if perm is None else perm), x)


def Squeeze(g: Recorder, x: Value, *, axes: Ints | None = None) -> Value:
    if axes is None:
        return reshaped(g, x, (s for s in x.shape if s != 1))
    gone = each_once("squeeze", axes, x.ndim)
    if any(x.shape[a] != 1 for a in gone):
        raise ShapeError(f"only axes of size 1 can be squeezed, axes are {axes} (x {x.spec})")
    return reshaped(g, x, (s for a, s in enumerate(x.shape) if a not in gone))


def Squeeze_13(g: Recorder, x: Value, axes: Value | None = None) -> Value:
    return Squeeze(g, x, axes=None if axes is None else g.ints(axes, "axes"))


def Unsqueeze(g: Recorder, x: Value, *, axes: Ints) -> Value:
    rank = x.ndim + len(axes)
    new, old = each_once("unsqueeze", axes, rank), iter(x.shape)
    return reshaped(g, x, (1 if a in new else next(old) for a in range(rank)))


def Unsqueeze_13(g: Recorder, x: Value, axes: Value) -> Value:
    return Unsqueeze(g, x, axes=g.ints(axes, "axes"))
