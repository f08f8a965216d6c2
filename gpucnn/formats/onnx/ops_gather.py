"""What picks, and what puts, elements by index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, ShapeError
from ...graph import Value
from ...ops import Gather as GatherOp
from ...ops import GatherElements as GatherElementsOp
from ...ops import GatherND as GatherNDOp
from ...ops import ScatterElements as ScatterElementsOp
from ...ops import ScatterND as ScatterNDOp
from ...ops import Slice as SliceOp
from ...ops.base import normalise_dim
from .ops_shape import reshaped

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = ["Gather", "GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND"]

_REDUCTIONS = {"none": "none", "add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def Gather(g: Recorder, x: Value, indices: Value, *, axis: int = 0) -> Value:
    if x.is_constant or not indices.is_constant or indices.dtype.kind not in "iu":
        return g.append(GatherOp(axis), x, indices)
    dim, places = normalise_dim("gather", axis, x.ndim), np.asarray(indices.data).astype(np.int64)
    size = x.shape[dim]
    if places.size and (places.min() < -size or places.max() >= size):
        raise ShapeError(
            f"gather: indices must lie in [{-size}, {size - 1}] for axis {dim}, got {places.min()} to {places.max()} (x {x.spec})"
        )
    places = np.where(places < 0, places + size, places)
    evenly = _evenly(tuple(places.reshape(-1).tolist())) if places.ndim < 2 else None
    if evenly is None:
        return g.append(GatherOp(dim), x, indices)
    start, stop, step = evenly
    y = g.append(SliceOp((start,), (stop if stop >= 0 else -size - 1,), (dim,), (step,)), x)
    return y if places.ndim else reshaped(g, y, (*x.shape[:dim], *x.shape[dim + 1 :]))


def _evenly(places: Ints) -> tuple[int, int, int] | None:
    """Start, stop and step where places follow one another evenly: a slice then takes them, often without a copy."""
    if not places:
        return None
    step = places[1] - places[0] if len(places) > 1 else 1
    stop = places[-1] + (1 if step > 0 else -1)
    return (places[0], stop, step) if step and places == tuple(range(places[0], stop, step)) else None


def GatherElements(g: Recorder, x: Value, indices: Value, *, axis: int = 0) -> Value:
    return g.append(GatherElementsOp(axis), x, indices)


def GatherND(g: Recorder, x: Value, indices: Value, *, batch_dims: int = 0) -> Value:
    return g.append(GatherNDOp(batch_dims), x, indices)


def _reduction(name: str) -> str:
    if name not in _REDUCTIONS:
        raise ModelError(f"reduction must be one of {', '.join(_REDUCTIONS)}, got {name!r}")
    return _REDUCTIONS[name]


def ScatterElements(g: Recorder, x: Value, indices: Value, updates: Value, *, axis: int = 0, reduction: str = "none") -> Value:
    return g.append(ScatterElementsOp(axis, _reduction(reduction)), x, indices, updates)


def ScatterND(g: Recorder, x: Value, indices: Value, updates: Value, *, reduction: str = "none") -> Value:
    return g.append(ScatterNDOp(_reduction(reduction)), x, indices, updates)


def Scatter(g: Recorder, x: Value, indices: Value, updates: Value, *, axis: int = 0) -> Value:
    return g.append(ScatterElementsOp(axis), x, indices, updates)
