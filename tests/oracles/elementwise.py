"""Arithmetic, comparison, mathematics and conversion."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from gpucnn.ops import Binary, Cast, Op, Unary, Where

from .base import Oracle, onnx


def _each(function: Callable[..., Any], *arrays: Any) -> tuple[Any, ...]:
    """Element by element, with Python's numbers."""
    together = np.broadcast_arrays(*arrays)
    return (np.asarray([function(*v) for v in zip(*(a.reshape(-1).tolist() for a in together))]).reshape(together[0].shape),)


def _wrapped(values: Any, kind: Any) -> Any:
    """Whole numbers of any size, cut off towards 0, in an integer type that keeps their low bits."""
    low = [int(v) % (1 << 8 * kind.itemsize) for v in values.reshape(-1).tolist()]
    return np.asarray(low, np.uint64).reshape(values.shape).astype(f"u{kind.itemsize}").view(kind)


def _remainder(a: float, b: float) -> float:
    if not b:
        return math.nan if isinstance(b, float) else 0
    return math.nan if math.isinf(a) else a % b


def _fmod(a: float, b: float) -> float:
    if isinstance(a, int):
        return math.copysign(1, a) * (abs(a) % abs(b)) if b else 0
    return math.fmod(a, b) if b and not math.isinf(a) else math.nan


def _divided(a: float, b: float) -> float:
    """IEEE's quotient."""
    if b:
        return a / b
    return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


def _trunc_divide(a: float, b: float) -> float:
    if isinstance(a, int):
        return (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if b else 0
    q = _divided(a, b)
    return math.copysign(math.trunc(q), q) if math.isfinite(q) else q


def _floor_divide(a: float, b: float) -> float:
    """Python's, but for what it refuses: a quotient without end, by C and NumPy, is NaN for an infinite dividend."""
    if isinstance(a, int):
        return a // b if b else 0
    return _divided(a, b) if not b else math.nan if math.isinf(a) else a // b


def _pow(a: float, b: float) -> float:
    if isinstance(a, int):
        return a**b if b >= 0 else {1: 1, -1: -1 if b % 2 else 1}.get(a, 0)
    try:
        return math.pow(a, b)
    except OverflowError:
        return math.copysign(math.inf, a if b % 2 else 1)
    except ValueError:  # a negative base with a fraction above, or 0 with a negative number
        odd = b % 2 == 1
        return math.nan if a else math.copysign(math.inf, a if odd else 1)


_ONNX = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater",
    "ge": "GreaterOrEqual",
}  # fmt: skip
_LOOPS: dict[str, Callable[..., Any]] = {
    "ne": lambda a, b: a != b,
    "logical_and": lambda a, b: bool(a) and bool(b),
    "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_xor": lambda a, b: bool(a) != bool(b),
    "maximum": lambda a, b: math.nan if a != a or b != b else max(a, b),
    "minimum": lambda a, b: math.nan if a != a or b != b else min(a, b),
    "pow": _pow,
    "atan2": math.atan2,
    "remainder": _remainder,
    "fmod": _fmod,
    "floor_divide": _floor_divide,
    "trunc_divide": _trunc_divide,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
    "bitwise_left_shift": lambda a, b: a << b if 0 <= b < 64 else 0,
    "bitwise_right_shift": lambda a, b: a >> (b if 0 <= b < 64 else 64),
}


def binary(op: Binary, x: Any, y: Any) -> tuple[Any, ...]:
    if op.kind not in _ONNX:
        found = _each(_LOOPS[op.kind], x, y)[0]
        return (found if found.dtype == np.bool_ or x.dtype.kind == "f" else _wrapped(found, x.dtype),)
    return onnx(_ONNX[op.kind], x, y)


_UNARY_ONNX = {
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "exp": "Exp", "log": "Log", "floor": "Floor",
    "ceil": "Ceil", "round": "Round", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "isnan": "IsNaN", "isinf": "IsInf",
}  # fmt: skip
_UNARY_ELSE: dict[str, Callable[[Any], Any]] = {
    "square": lambda x: onnx("Mul", x, x)[0],
    "rsqrt": lambda x: onnx("Reciprocal", *onnx("Sqrt", x))[0],
    "exp2": lambda x: special.exp2(x.astype(np.float64)),
    "expm1": lambda x: special.expm1(x.astype(np.float64)),
    "log1p": lambda x: special.log1p(x.astype(np.float64)),
    "log2": lambda x: _each(lambda v: math.log2(v) if v > 0 else -math.inf if v == 0 else math.nan, x)[0],
    "log10": lambda x: _each(lambda v: math.log10(v) if v > 0 else -math.inf if v == 0 else math.nan, x)[0],
    "trunc": lambda x: _each(lambda v: math.copysign(math.trunc(v), v) if math.isfinite(v) else v, x)[0],
    "isfinite": lambda x: _each(math.isfinite, x)[0],
    "logical_not": lambda x: _each(lambda v: not v, x)[0],
    "bitwise_not": lambda x: _each(lambda v: not v if isinstance(v, bool) else ~v, x)[0],
}


def unary(op: Unary, x: Any) -> tuple[Any, ...]:
    if op.kind in _UNARY_ONNX:
        return onnx(_UNARY_ONNX[op.kind], x)
    found = _UNARY_ELSE[op.kind](x)
    return (_wrapped(found, x.dtype) if op.kind == "bitwise_not" and x.dtype.kind in "iu" else found,)


def cast(op: Cast, x: Any) -> tuple[Any, ...]:
    """By Python's numbers; to floating point by struct, which rounds to nearest even and refuses what is beyond, which is infinite."""
    kind = np.dtype(op.dtype)
    if kind == np.bool_:
        return _each(bool, x)
    if kind.kind in "iu":
        return (_wrapped(x, kind),)
    letter = {"float16": "e", "float32": "f", "float64": "d"}[op.dtype]

    def one(v: float) -> float:
        try:
            return float(struct.unpack(letter, struct.pack(letter, v))[0])
        except OverflowError:
            return float(np.copysign(np.inf, v))

    return (np.asarray([one(v) for v in x.reshape(-1).tolist()], op.dtype).reshape(x.shape),)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Binary: (binary,),
    Unary: (unary,),
    Where: (lambda op, condition, x, y: _each(lambda c, a, b: a if c else b, condition, x, y),),
    Cast: (cast,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
