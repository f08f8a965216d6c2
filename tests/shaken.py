"""A graph's true values, and how far rounding moves them: not the worst that could be, as in ``truth``, but what comes about.

Every op is computed by its reference in float64, and its result is moved by random errors that are as large as rounding inside that op
may make them (``close.local_error``). What follows computes on with them, so that whatever cancels, or is steep, enlarges them as it
really does. A worst case that is composed over many steps allows anything; this can be had for every op that has a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from close import FEW, local_error

from gpucnn.graph import Graph, Value
from gpucnn.ops import Cast, Op

__all__ = ["by_references", "shaken"]

def by_references(graph: Graph, feeds: Mapping[str, Any], rng: Any = None, dtype: Any = np.float32) -> dict[str, Any]:
    """The outputs in float64; with a generator, every step's result is a little wrong, as it is where values are stored in ``dtype``."""
    known: dict[Value, Any] = {v: _wide(np.asarray(feeds[name])) for name, v in graph.inputs.items()}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            arrays = tuple(None if v is None else known[v] if v in known else _wide(v.data) for v in node.inputs)
            op = node.op
            if op == Cast("float32"):
                op = Cast("float64")
            made = [np.asarray(a) for a in op.reference(np, *arrays)]
            if rng is not None and made[0].dtype.kind == "f":
                made[0] = _moved(made[0], node.op, arrays, rng, dtype)
            known.update(zip(node.outputs, made))
    return {name: known[v] if v in known else _wide(v.data) for name, v in graph.outputs.items()}


def shaken(graph: Graph, feeds: Mapping[str, Any], times: int = 2, dtype: Any = np.float32) -> dict[str, float]:
    """How far random errors move the outputs, each by its element that is moved furthest; infinitely far where it becomes NaN."""
    exact = by_references(graph, feeds)
    moved = dict.fromkeys(exact, 0.0)
    for seed in range(times):
        for name, y in by_references(graph, feeds, np.random.default_rng(seed), dtype).items():
            if y.dtype.kind == "f" and y.size:
                with np.errstate(all="ignore"):
                    far = float(np.max(np.where(y == exact[name], 0, np.abs(y - exact[name]))))
                moved[name] = max(moved[name], far if np.isfinite(far) else np.inf)
    return moved


def _moved(y: Any, op: Op, arrays: Any, rng: Any, dtype: Any) -> Any:
    """Moved by errors, and gone where the type cannot hold it."""
    kind = np.finfo(dtype)
    if op.validation != "exact":
        bound = np.broadcast_to(local_error(op, arrays, dtype), y.shape) + FEW * float(kind.eps) * np.where(np.isfinite(y), np.abs(y), 0)
        y = y + bound * rng.uniform(-1, 1, y.shape)
    y = np.where(np.abs(y) > float(kind.max), np.sign(y) * np.inf, y)
    return np.where(np.abs(y) < float(kind.smallest_subnormal), 0, y)


def _wide(array: Any) -> Any:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
