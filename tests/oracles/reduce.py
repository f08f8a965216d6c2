"""Reductions and running sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gpucnn.ops import ArgReduce, CumSum, Op, Reduce
from gpucnn.spec import spec_of

from .base import Oracle, ints, onnx

_ONNX = {
    "sum": "ReduceSum", "mean": "ReduceMean", "prod": "ReduceProd", "amax": "ReduceMax", "amin": "ReduceMin",
    "sum_square": "ReduceSumSquare", "logsumexp": "ReduceLogSumExp", "log_sum": "ReduceLogSum",
}  # fmt: skip


def _converted(op: Reduce | CumSum, x: Any) -> Any:
    return x.astype(op.dtype) if op.dtype else x


def reduced(op: Reduce, x: Any) -> tuple[Any, ...]:
    kind = _ONNX.get(op.kind) or {1.0: "ReduceL1", 2.0: "ReduceL2"}.get(op.p if op.kind == "norm" else 0.0)
    if kind is None or (op.dims == () and x.ndim == 0):
        return reduced_by_hand(op, x)
    return onnx(kind, _converted(op, x), ints(*op.dims) if op.dims else None, keepdims=int(op.keepdim))


def _add(values: list[Any]) -> Any:
    """Exactly rounded; IEEE's answer where a value is not finite."""
    if all(isinstance(v, int) or math.isfinite(v) for v in values):
        return sum(values) if all(isinstance(v, int) for v in values) else math.fsum(values)
    return float(np.sum(values))


def _mean(values: list[Any]) -> Any:
    return _add(values) / len(values) if values else math.nan


def _variance(values: list[Any], correction: float) -> float:
    mean, divisor = _mean(values), max(len(values) - correction, 0.0)
    total = float(_add([float(np.square(v - mean)) for v in values]))
    return total / divisor if divisor else (math.inf if total > 0 else math.nan)


def _norm(values: list[Any], p: float) -> float:
    size = [abs(v) for v in values]
    if any(math.isnan(v) for v in size):
        return float(len([v for v in size if v != 0])) if p == 0 else math.nan
    if abs(p) == math.inf:
        return max(size, default=-math.inf) if p > 0 else min(size, default=math.inf)
    if p == 0:
        return float(sum(v != 0 for v in size))
    return float(np.float64(_add([float(np.float64(v) ** p) for v in size])) ** (1 / p))


def _largest(values: list[Any], sign: int, nothing: Any) -> Any:
    if any(v != v for v in values):
        return math.nan
    return sign * max((sign * v for v in values), default=nothing)


def _log_sum_exp(values: list[Any]) -> float:
    if not values or any(v != v for v in values):
        return math.nan if values else -math.inf
    top = max(values)
    return float(top) if math.isinf(top) else top + math.log(math.fsum(math.exp(v - top) for v in values))


def _log(value: float) -> float:
    return float(np.log(value))


_BY_HAND: dict[str, Callable[[Reduce, list[Any]], Any]] = {
    "sum": lambda op, v: _add(v),
    "mean": lambda op, v: _mean(v),
    "prod": lambda op, v: math.prod(v),
    "amax": lambda op, v: _largest(v, 1, -math.inf),
    "amin": lambda op, v: _largest(v, -1, -math.inf),
    "norm": lambda op, v: _norm(v, op.p),
    "sum_square": lambda op, v: _add([i * i for i in v]),
    "logsumexp": lambda op, v: _log_sum_exp(v),
    "log_sum": lambda op, v: _log(_add(v)),
    "var": lambda op, v: _variance(v, op.correction),
    "std": lambda op, v: math.sqrt(_variance(v, op.correction)),
    "any": lambda op, v: any(i != 0 for i in v),
    "all": lambda op, v: all(i != 0 for i in v),
}


def reduced_by_hand(op: Reduce, x: Any) -> tuple[Any, ...]:
    """Python's numbers, one result at a time; whole numbers are cut to the type's bits at the end."""
    axes = op.axes(x.ndim)
    x = _converted(op, x)
    kept = [a for a in range(x.ndim) if a not in axes]
    shape, dtype = [x.shape[a] for a in kept], op.infer(spec_of(x))[0].dtype
    rows = np.transpose(x, (*kept, *axes)).reshape(*shape, math.prod(x.shape[a] for a in axes))
    y = np.empty(shape, np.float64 if dtype.kind == "f" else dtype)
    for at in np.ndindex(*shape):
        value = _BY_HAND[op.kind](op, rows[at].tolist())
        if dtype.kind in "iu":
            bits = np.iinfo(dtype)
            value = (math.trunc(value) - bits.min) % (bits.max - bits.min + 1) + bits.min
        y[at] = value
    return (y.reshape(op.infer(spec_of(x))[0].shape),)


def arg_reduced(op: ArgReduce, x: Any) -> tuple[Any, ...]:
    kind = {"argmax": "ArgMax", "argmin": "ArgMin"}[op.kind]
    return onnx(kind, x, axis=op.dim, keepdims=int(op.keepdim), select_last_index=int(op.select_last))


def arg_reduced_by_hand(op: ArgReduce, x: Any) -> tuple[Any, ...]:
    """A scan of each row: NaN is better than any number, and of equals the first or the last is kept."""

    def place(row: Any) -> int:
        values, best = row.tolist(), 0
        for i, v in enumerate(values[1:], 1):
            now = values[best]
            if v != v or now != now:
                better, equal = v != v and now == now, v != v and now != now
            else:
                better, equal = (v > now if op.kind == "argmax" else v < now), v == now
            if better or (equal and op.select_last):
                best = i
        return best

    y = np.apply_along_axis(place, op.dim, x) if x.size else np.zeros([n for a, n in enumerate(x.shape) if a != op.dim % x.ndim])
    return (np.expand_dims(y, op.dim) if op.keepdim else y,)


def cumsum(op: CumSum, x: Any) -> tuple[Any, ...]:
    return onnx("CumSum", _converted(op, x), np.asarray(op.dim, np.int64), exclusive=int(op.exclusive), reverse=int(op.reverse))


def cumsum_by_hand(op: CumSum, x: Any) -> tuple[Any, ...]:
    """Every element the sum of a list of its own."""
    x = _converted(op, x)
    rows = np.moveaxis(x, op.dim, -1)
    y = np.empty(rows.shape, np.float64 if x.dtype.kind == "f" else x.dtype)
    n = rows.shape[-1]
    for *at, i in np.ndindex(*rows.shape):
        row = rows[tuple(at)].tolist()
        low, high = (i + op.exclusive, n) if op.reverse else (0, i + 1 - op.exclusive)
        y[(*at, i)] = _add(row[low:high])
    return (np.moveaxis(y, -1, op.dim),)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Reduce: (reduced, reduced_by_hand),
    ArgReduce: (arg_reduced, arg_reduced_by_hand),
    CumSum: (cumsum, cumsum_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("Reduce", "logsumexp of all -Inf"): "the evaluator subtracts −inf from −inf; log 0 is −inf, which PyTorch gives",
}
