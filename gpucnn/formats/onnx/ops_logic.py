"""Comparisons and logic, and what is chosen by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ShapeError
from ...graph import Value
from ...ops import Binary, Unary
from ...ops import OneHot as OneHotOp
from ...ops import Trilu as TriluOp
from ...ops import Where as WhereOp
from .ops_elementwise import before_7

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = [
    "And", "And_7", "Equal", "Equal_7", "Greater", "GreaterOrEqual", "Greater_7", "IsInf", "IsNaN", "Less", "LessOrEqual", "Less_7", "Not",
    "OneHot", "Or", "Or_7", "Trilu", "Where", "Xor", "Xor_7",
]  # fmt: skip


def _binary(kind: str) -> Callable[[Recorder, Value, Value], Value]:
    def record(g: Recorder, a: Value, b: Value) -> Value:
        return g.append(Binary(kind), a, b)

    return record


Equal_7, Greater_7, Less_7 = _binary("eq"), _binary("gt"), _binary("lt")
GreaterOrEqual, LessOrEqual = _binary("ge"), _binary("le")
And_7, Or_7, Xor_7 = _binary("logical_and"), _binary("logical_or"), _binary("logical_xor")
Equal, Greater, Less = before_7(Equal_7), before_7(Greater_7), before_7(Less_7)
And, Or, Xor = before_7(And_7), before_7(Or_7), before_7(Xor_7)


def Not(g: Recorder, x: Value) -> Value:
    return g.append(Unary("logical_not"), x)


def IsNaN(g: Recorder, x: Value) -> Value:
    return g.append(Unary("isnan"), x)


def IsInf(g: Recorder, x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Value:
    found = g.append(Unary("isinf"), x)
    if detect_negative and detect_positive:
        return found
    if not detect_negative and not detect_positive:
        return g.append(Binary("logical_and"), found, np.asarray(False))
    return g.append(Binary("eq"), x, np.asarray(np.inf if detect_positive else -np.inf, x.dtype))


def Where(g: Recorder, condition: Value, x: Value, y: Value) -> Value:
    return g.append(WhereOp(), condition, x, y)


def OneHot(g: Recorder, indices: Value, depth: Value, values: Value, *, axis: int = -1) -> Value:
    sizes = g.host(depth, "depth").reshape(-1)
    if len(sizes) != 1:
        raise ShapeError(f"depth must be one number, got {depth.spec}")
    return g.append(OneHotOp(int(sizes[0]), axis), indices, values)


def Trilu(g: Recorder, x: Value, k: Value | None = None, *, upper: int = 1) -> Value:
    diagonal = (0,) if k is None else g.ints(k, "k")
    if len(diagonal) != 1:
        raise ShapeError(f"k must be one number, got {diagonal}")
    return g.append(TriluOp(diagonal[0], bool(upper)), x)
