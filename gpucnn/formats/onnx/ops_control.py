"""Constants, shape arithmetic, and what decides between parts of a graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ModelError, ShapeError, UnsupportedError
from ...graph import Value
from .ops_cast import target
from .tensors import widened

if TYPE_CHECKING:
    from .recorder import Floats, Ints, Recorder, Strings, Subgraph, Tensor

__all__ = ["Constant", "ConstantOfShape", "EyeLike", "Identity", "If", "NonZero", "Range", "Shape", "Size"]


# -- constants


def Constant(
    g: Recorder, *, value: Tensor | None = None, value_float: float | None = None, value_floats: Floats | None = None,
    value_int: int | None = None, value_ints: Ints | None = None, value_string: str | None = None, value_strings: Strings | None = None,
) -> Value:  # fmt: skip
    if value_string is not None or value_strings is not None:
        raise UnsupportedError("holds text; gpucnn computes with numbers and bool")
    given: list[Any] = [value]
    given += [None if v is None else np.array(v, np.float32) for v in (value_float, value_floats)]
    given += [None if v is None else np.array(v, np.int64) for v in (value_int, value_ints)]
    found = [v for v in given if v is not None]
    if len(found) != 1:
        raise ModelError(f"must have exactly one of the attributes value, value_float, value_int and so on, got {len(found)}")
    return g.constant(widened(found[0]))


def ConstantOfShape(g: Recorder, shape: Value, *, value: Tensor | None = None) -> Value:
    number = np.zeros(1, np.float32) if value is None else widened(value)
    if number.size != 1:
        raise ModelError(f"attribute 'value' must hold one number, got {number.size}")
    sizes = g.ints(shape, "input")
    if any(s < 0 for s in sizes):
        raise ShapeError(f"sizes must be at least 0, got {sizes}")
    g.allow(sizes, number.dtype)
    return g.constant(np.full(sizes, number.reshape(()), number.dtype))


def Range(g: Recorder, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Value:
    first, end, step = (g.number(v, what) for v, what in ((start, "start"), (limit, "limit"), (delta, "delta")))
    if step == 0:
        raise ShapeError("delta must not be 0")
    if not all(map(math.isfinite, (first, end, step))):
        raise ShapeError(f"start, limit and delta must be finite, got {first}, {end} and {step}")
    span = end - first  # of integers exact, of floating point in float64
    count = max(0, -(-span // step) if start.dtype.kind in "iu" else math.ceil(span / step))
    g.allow((count,), start.dtype)
    return g.constant((first + np.arange(count, dtype=start.dtype) * step).astype(start.dtype))


def EyeLike(g: Recorder, x: Value, *, dtype: int | None = None, k: int = 0) -> Value:
    if x.ndim != 2:
        raise ShapeError(f"the input must be a matrix, got {x.spec}")
    kind = x.dtype if dtype is None else target(dtype, "attribute 'dtype'")
    g.allow(x.shape, kind)
    return g.constant(np.eye(x.shape[0], x.shape[1], k, kind))


# -- what is known of a value


def Identity(g: Recorder, x: Value) -> Value:
    return x


def Shape(g: Recorder, x: Value, *, start: int = 0, end: int | None = None) -> Value:
    return g.constant(np.array(x.shape[start:end], np.int64))


def Size(g: Recorder, x: Value) -> Value:
    return g.constant(np.array(x.spec.size, np.int64))


def NonZero(g: Recorder, x: Value) -> Value:
    return g.constant(np.ascontiguousarray(np.argwhere(g.host(x, "input")).T.astype(np.int64)))


# -- decisions


def If(g: Recorder, cond: Value, *, then_branch: Subgraph, else_branch: Subgraph) -> tuple[Value, ...]:
    if cond.dtype != np.bool_ or cond.spec.size != 1:
        raise ShapeError(f"the condition must be one bool, got {cond.spec}")
    if not cond.is_constant:
        _check_flag(g, cond)
    return g.branch(then_branch if g.host(cond, "condition").item() else else_branch)


def _check_flag(g: Recorder, cond: Value) -> None:
    """A condition may follow from numbers that a caller feeds, each of which gets a plan of its own; but not from what is computed on."""
    for name in sorted(g.graph.sources(cond)):
        spec = g.graph.inputs[name].spec
        if spec.ndim > 1 or spec.dtype.kind == "f":
            raise UnsupportedError(
                f"its condition depends on what input {name!r} ({spec}) holds; a plan is fixed before it runs, so a condition may follow "
                "from shapes, constants, and inputs of bool or whole numbers with at most one axis; or compute both and choose by Where"
            )
