"""Sums, extremes and ranks along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, ShapeError
from ...graph import Value
from ...ops import ArgReduce, Flatten, GlobalAvgPool, GlobalMaxPool, Op, Reduce, Reshape, Unary
from ...ops import CumSum as CumSumOp
from ...ops import TopK as TopKOp
from .ops_elementwise import cast

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = [
    "ArgMax", "ArgMin", "CumSum", "ReduceL1", "ReduceL1_18", "ReduceL2", "ReduceL2_18", "ReduceLogSum", "ReduceLogSumExp",
    "ReduceLogSumExp_18", "ReduceLogSum_18", "ReduceMax", "ReduceMax_18", "ReduceMean", "ReduceMean_18", "ReduceMin", "ReduceMin_18",
    "ReduceProd", "ReduceProd_18", "ReduceSum", "ReduceSumSquare", "ReduceSumSquare_18", "ReduceSum_13", "TopK", "TopK_10", "TopK_11",
]  # fmt: skip

Record = Callable[..., Value]

_POOLS: dict[str, type[Op]] = {"mean": GlobalAvgPool, "amax": GlobalMaxPool}
"""What a reduction of a map to one pixel is, by its kind."""

_ALONE = {"norm": "abs", "sum_square": "square", "log_sum": "log"}
"""What a reduction makes of a single element, by its kind; the others leave it as it is."""


_OF_REAL = ("log_sum", "logsumexp")
"""Kinds that integers are converted for."""


def _reduce(g: Recorder, kind: str, x: Value, axes: Ints, keepdims: int, p: float) -> Value:
    """Over ``axes``, or all where there are none."""
    pool = _POOLS.get(kind)
    counted = sorted(a + x.ndim if a < 0 else a for a in axes)
    if pool is not None and x.ndim > 3 and counted == list(range(2, x.ndim)) and x.dtype.kind == "f" and 0 not in x.shape[2:]:
        y = g.append(pool(), x)
        return y if keepdims else g.append(Flatten(1), y)
    if kind in _OF_REAL and x.dtype.kind != "f":  # a logarithm cut off
        return cast(g, _reduce(g, kind, cast(g, x, np.dtype(np.float64)), axes, keepdims, p), x.dtype)
    return g.append(Reduce(kind, axes, bool(keepdims), p=p), x)


def _by_attribute(kind: str, p: float = 2.0) -> Record:
    def record(g: Recorder, x: Value, *, axes: Ints | None = None, keepdims: int = 1) -> Value:
        return _reduce(g, kind, x, axes or (), keepdims, p)

    return record


def _by_input(kind: str, p: float = 2.0) -> Record:
    def record(g: Recorder, x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Value:
        dims = () if axes is None else g.ints(axes, "axes")
        if dims or not noop_with_empty_axes:
            return _reduce(g, kind, x, dims, keepdims, p)
        if kind == "log_sum" and x.dtype.kind != "f":
            return _reduce(g, kind, g.append(Reshape((1, *x.shape)), x), (0,), 0, p)
        return g.append(Unary(_ALONE[kind]), x) if kind in _ALONE else x

    return record


ReduceSum, ReduceSum_13 = _by_attribute("sum"), _by_input("sum")
ReduceMean, ReduceMean_18 = _by_attribute("mean"), _by_input("mean")
ReduceMax, ReduceMax_18 = _by_attribute("amax"), _by_input("amax")
ReduceMin, ReduceMin_18 = _by_attribute("amin"), _by_input("amin")
ReduceProd, ReduceProd_18 = _by_attribute("prod"), _by_input("prod")
ReduceL1, ReduceL1_18 = _by_attribute("norm", 1.0), _by_input("norm", 1.0)
ReduceL2, ReduceL2_18 = _by_attribute("norm", 2.0), _by_input("norm", 2.0)
ReduceLogSum, ReduceLogSum_18 = _by_attribute("log_sum"), _by_input("log_sum")
ReduceLogSumExp, ReduceLogSumExp_18 = _by_attribute("logsumexp"), _by_input("logsumexp")
ReduceSumSquare, ReduceSumSquare_18 = _by_attribute("sum_square"), _by_input("sum_square")


# -- places


def ArgMax(g: Recorder, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Value:
    return g.append(ArgReduce("argmax", axis, bool(keepdims), bool(select_last_index)), x)


def ArgMin(g: Recorder, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Value:
    return g.append(ArgReduce("argmin", axis, bool(keepdims), bool(select_last_index)), x)


def TopK(g: Recorder, x: Value, *, k: int, axis: int = -1) -> tuple[Value, ...]:
    if k < 1:
        raise ModelError(f"k must be at least 1, got {k}")
    return g.append_all(TopKOp(k, axis), x)


def TopK_10(g: Recorder, x: Value, k: Value, *, axis: int = -1) -> tuple[Value, ...]:
    return TopK_11(g, x, k, axis=axis)


def TopK_11(g: Recorder, x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Value, ...]:
    # Unsorted they may come in any order: also in this one.
    return g.append_all(TopKOp(_one(g.ints(k, "K"), "K"), axis, bool(largest)), x)


def CumSum(g: Recorder, x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Value:
    return g.append(CumSumOp(_one(g.ints(axis, "axis"), "axis"), bool(exclusive), bool(reverse)), x)


def _one(numbers: Ints, what: str) -> int:
    if len(numbers) != 1:
        raise ShapeError(f"{what} must be one number, got {numbers}")
    return numbers[0]
