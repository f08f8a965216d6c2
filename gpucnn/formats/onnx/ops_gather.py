"""What picks, and what puts, elements by index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from .recorder import Recorder

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
    evenly = _evenly(places.reshape(-1))
    if evenly is None:
        return g.append(GatherOp(dim), x, indices)
    start, stop, step = evenly
    if evenly != (0, size, 1):
        y = g.append(SliceOp((start,), (stop if stop >= 0 else -size - 1,), (dim,), (step,)), x)
    else:
        y = x
    return reshaped(g, y, (*x.shape[:dim], *places.shape, *x.shape[dim + 1 :]))


def _evenly(places: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[int, int, int] | None:
    """Start, stop and step where places follow one another evenly: a slice then takes them, often without a copy."""
    if not places.size:
        return None
    first, last = int(places[0]), int(places[-1])
    step = int(places[1]) - first if places.size > 1 else 1
    stop = last + (1 if step > 0 else -1)
    if not step or last - first != step * (places.size - 1):
        return None
    return (first, stop, step) if np.array_equal(places, np.arange(first, stop, step)) else None


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
