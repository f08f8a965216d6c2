"""Ranking."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import Op, TopK
from gpucnn.spec import spec_of

from .base import Oracle, ints, onnx


def topk(op: TopK, x: Any) -> tuple[Any, ...]:
    return onnx("TopK", x, ints(op.k), outputs=2, axis=op.dim, largest=int(op.largest), sorted=1)


def topk_by_hand(op: TopK, x: Any) -> tuple[Any, ...]:
    """Python's sort of (is NaN, value, index); the index falls where the others do, and so comes last to first."""
    side = -1 if op.largest else 1

    def places(row: Any) -> Any:
        ranks = [(bool(v != v), 0 if v != v else v.item(), side * i) for i, v in enumerate(row)]
        return np.asarray([side * i for *_, i in sorted(ranks, reverse=op.largest)[: op.k]], np.int64)

    where = np.apply_along_axis(places, op.dim, x) if x.size else np.zeros(op.infer(spec_of(x))[0].shape, np.int64)
    return np.take_along_axis(x, where, op.dim), where


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    TopK: (topk, topk_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
