"""Elements put at places that another array names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpucnn.ops import Op, ScatterElements, ScatterND

from .base import Oracle, onnx

_ONNX = {"none": "none", "sum": "add", "prod": "mul", "amax": "max", "amin": "min"}
_LOOPS: dict[str, Any] = {
    "none": lambda a, b: b,
    "sum": lambda a, b: a + b,
    "prod": lambda a, b: a * b,
    "amax": lambda a, b: math.nan if a != a or b != b else max(a, b),
    "amin": lambda a, b: math.nan if a != a or b != b else min(a, b),
}


def _stored(values: Any, dtype: Any) -> Any:
    """Python's numbers in an array; whole ones keep their low bits."""
    if dtype.kind in "iu":
        values = np.vectorize(lambda v: int(v) % (1 << 8 * dtype.itemsize), otypes=[object])(values) if values.size else values
        return values.astype(np.uint64).astype(f"u{dtype.itemsize}").view(dtype)
    return values.astype(np.float64 if dtype.kind == "f" else dtype)


def elements_by_hand(op: ScatterElements, x: Any, indices: Any, updates: Any) -> tuple[Any, ...]:
    """One update after another, in Python's numbers."""
    y, found = x.astype(object), updates.astype(object)
    for at in np.ndindex(*indices.shape):
        target = list(at)
        target[op.dim] = int(indices[at])
        y[tuple(target)] = _LOOPS[op.reduction](y[tuple(target)], found[at])
    return (_stored(y, x.dtype),)


def nd_by_hand(op: ScatterND, x: Any, indices: Any, updates: Any) -> tuple[Any, ...]:
    """One element after another of one update after another, in Python's numbers."""
    y, found = x.astype(object), updates.astype(object)
    for at in np.ndindex(*indices.shape[:-1]):
        for inner in np.ndindex(*x.shape[indices.shape[-1] :]):
            target = (*(int(i) for i in indices[at]), *inner)
            y[target] = _LOOPS[op.reduction](y[target], found[(*at, *inner)])
    return (_stored(y, x.dtype),)


def elements(op: ScatterElements, x: Any, indices: Any, updates: Any) -> tuple[Any, ...]:
    return onnx("ScatterElements", x, indices.astype(np.int64), updates, axis=op.dim, reduction=_ONNX[op.reduction])


def nd(op: ScatterND, x: Any, indices: Any, updates: Any) -> tuple[Any, ...]:
    return onnx("ScatterND", x, indices.astype(np.int64), updates, reduction=_ONNX[op.reduction])


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    ScatterElements: (elements, elements_by_hand),
    ScatterND: (nd, nd_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("ScatterElements", f"{kind}, NaN and Inf"): "the evaluator takes Python's extremes, which keep or lose a NaN by its place"
    for kind in ("amax", "amin")
}
