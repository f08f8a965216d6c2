"""Arithmetic and mathematics, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ModelError, ShapeError
from ...graph import Value
from ...ops import Binary, Cast, Reshape, Unary
from ...spec import shape_text

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = [
    "Abs", "Acos", "Acosh", "Add", "Add_7", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr",
    "BitwiseXor", "Ceil", "Cos", "Cosh", "Div", "Div_7", "Exp", "Floor", "Log", "Max", "Mean", "Min", "Mod", "Mul", "Mul_7", "Neg", "Pow",
    "Pow_7", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Sub", "Sub_7", "Sum", "Tan",
]  # fmt: skip

Record = Callable[..., Value]


# -- one input


def _unary(kind: str) -> Record:
    def record(g: Recorder, x: Value, *, consumed_inputs: Ints | None = None) -> Value:
        return g.append(Unary(kind), x)

    return record


Abs, Neg, Sign = _unary("abs"), _unary("neg"), _unary("sign")
Floor, Ceil, Round = _unary("floor"), _unary("ceil"), _unary("round")
Sqrt, Exp, Log, Reciprocal = _unary("sqrt"), _unary("exp"), _unary("log"), _unary("reciprocal")
Sin, Cos, Tan = _unary("sin"), _unary("cos"), _unary("tan")
Asin, Acos, Atan = _unary("asin"), _unary("acos"), _unary("atan")
BitwiseNot = _unary("bitwise_not")
Sinh, Cosh = _unary("sinh"), _unary("cosh")
Asinh, Acosh, Atanh = _unary("asinh"), _unary("acosh"), _unary("atanh")


# -- two inputs


def aligned(g: Recorder, a: Value, b: Value, axis: int | None, broadcast: int) -> Value:
    """b with axes of size 1 behind its own, so that it broadcasts to a as operators did before opset 7: from ``axis`` on."""
    if not broadcast:
        if a.shape != b.shape:
            raise ShapeError(
                f"the shapes must be equal where broadcast is 0, got {shape_text(a.shape)} and {shape_text(b.shape)}; "
                "set broadcast to 1, or convert the model to opset 7 or later"
            )
        return b
    shape = b.shape
    if b.spec.size == 1:
        shape = ()
    elif axis is not None:
        first = axis + a.ndim if axis < 0 else axis
        shape = (*shape, *(1,) * (a.ndim - first - b.ndim))
    fits = len(shape) <= a.ndim and all(n in (1, m) for n, m in zip(shape[::-1], a.shape[::-1]))
    if not fits:
        where = "the last axes" if axis is None else f"axis {axis} on"
        raise ShapeError(f"the second input must fit the first from {where}, got {shape_text(a.shape)} and {shape_text(b.shape)}")
    return b if shape == b.shape else g.append(Reshape(shape), b)


def before_7(record: Callable[[Recorder, Value, Value], Value]) -> Record:
    """An operator of two inputs as it was before opset 7, with broadcasting only where an attribute says so."""

    def old(
        g: Recorder, a: Value, b: Value, *, axis: int | None = None, broadcast: int = 0, consumed_inputs: Ints | None = None
    ) -> Value:
        return record(g, a, aligned(g, a, b, axis, broadcast))

    return old


def Add_7(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("add"), a, b)


def Sub_7(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("sub"), a, b)


def Mul_7(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("mul"), a, b)


def Div_7(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("div" if a.dtype.kind == "f" else "trunc_divide"), a, b)


def Pow_7(g: Recorder, x: Value, y: Value) -> Value:
    if y.is_constant and y.spec.size == 1 and y.ndim <= x.ndim:
        exponent = np.asarray(y.data).item()
        if exponent == 1:
            return x
        if exponent == 2:
            return g.append(Unary("square"), x)
    # In a type that holds both, but that a whole exponent does not widen floating point; the result is of the base's.
    wide = x.dtype if x.dtype.kind == "f" and y.dtype.kind != "f" else np.promote_types(x.dtype, y.dtype)
    return cast(g, g.append(Binary("pow"), cast(g, x, wide), cast(g, y, wide)), x.dtype)


Add, Sub, Mul, Div, Pow = before_7(Add_7), before_7(Sub_7), before_7(Mul_7), before_7(Div_7), before_7(Pow_7)


def Mod(g: Recorder, a: Value, b: Value, *, fmod: int = 0) -> Value:
    return g.append(Binary("fmod" if fmod else "remainder"), a, b)


def BitShift(g: Recorder, x: Value, y: Value, *, direction: str) -> Value:
    if direction not in ("LEFT", "RIGHT"):
        raise ModelError(f"direction must be LEFT or RIGHT, got {direction!r}")
    return g.append(Binary("bitwise_left_shift" if direction == "LEFT" else "bitwise_right_shift"), x, y)


def BitwiseAnd(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("bitwise_and"), a, b)


def BitwiseOr(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("bitwise_or"), a, b)


def BitwiseXor(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("bitwise_xor"), a, b)


# -- any number of inputs


def _all_of(g: Recorder, kind: str, xs: tuple[Value | None, ...]) -> Value:
    present = [x for x in xs if x is not None]
    if len(present) < len(xs):
        raise ModelError(f"lacks input {xs.index(None) + 1} of {len(xs)}")
    y = present[0]
    for x in present[1:]:
        y = g.append(Binary(kind), y, x)
    return y


def Sum(g: Recorder, x: Value, *xs: Value, consumed_inputs: Ints | None = None) -> Value:
    return _all_of(g, "add", (x, *xs))


def Mean(g: Recorder, x: Value, *xs: Value, consumed_inputs: Ints | None = None) -> Value:
    total = _all_of(g, "add", (x, *xs))
    return g.append(Binary("div"), total, np.asarray(1 + len(xs), total.dtype)) if xs else total


def Max(g: Recorder, x: Value, *xs: Value, consumed_inputs: Ints | None = None) -> Value:
    return _all_of(g, "maximum", (x, *xs))


def Min(g: Recorder, x: Value, *xs: Value, consumed_inputs: Ints | None = None) -> Value:
    return _all_of(g, "minimum", (x, *xs))


# -- types


def cast(g: Recorder, x: Value, dtype: np.dtype[Any]) -> Value:
    """x in another type; itself where it has that already, and not only holds a smaller one in it."""
    return x if x.dtype == dtype and x.dtype.metadata == dtype.metadata else g.append(Cast(dtype.name), x)
