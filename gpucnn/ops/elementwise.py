"""Arithmetic, comparison and logic of two inputs with broadcasting, choice between two, and the change of type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, broadcast_shape, wrong

__all__ = ["BINARY", "Binary", "Cast", "Where", "number_as"]


def _power(xp: Any) -> Callable[..., Array]:
    """Of integers as PyTorch: a negative exponent gives 0, but for a base of 1 or −1."""

    def power(x: Array, y: Array) -> Array:
        if x.dtype.kind != "i":
            return xp.power(x, y)
        one, two = x.dtype.type(1), x.dtype.type(2)
        whole = xp.power(x, xp.maximum(y, x.dtype.type(0)))
        unit = xp.where(xp.equal(xp.remainder(y, two), one), x, one)  # of base 1 and −1
        return xp.where(y >= 0, whole, xp.where(xp.equal(xp.abs(x), one), unit, x.dtype.type(0)))

    return power


def _truncated(xp: Any) -> Callable[..., Array]:
    """Of floating point, the quotient rounded and then cut off; 16-bit through float32."""

    def divide(x: Array, y: Array) -> Array:
        if x.dtype.kind == "f":
            wide = np.promote_types(x.dtype, np.float32)
            return xp.trunc(xp.true_divide(x.astype(wide), y.astype(wide))).astype(x.dtype)
        down = xp.floor_divide(x, y)
        short = xp.logical_and(xp.not_equal(down * y, x), xp.not_equal(x < 0, y < 0))
        return down + xp.logical_and(short, xp.not_equal(y, 0)).astype(x.dtype)

    return divide


def _shifted(name: str) -> Callable[[Any], Callable[..., Array]]:
    """NumPy's shift, whose rule for counts outside of the type's bits C has not: all bits go, and copies of the sign come."""

    def of(xp: Any) -> Callable[..., Array]:
        def shift(x: Array, y: Array) -> Array:
            inside = xp.logical_and(y >= 0, y < 8 * x.dtype.itemsize)
            moved = getattr(xp, name)(x, xp.where(inside, y, y.dtype.type(0)))
            sign = xp.negative((x < 0).astype(x.dtype)) if name == "right_shift" else x.dtype.type(0)
            return xp.where(inside, moved, sign)

        return shift

    return of


BINARY: dict[str, Callable[[Any], Callable[..., Array]]] = {
    "add": lambda xp: xp.add,
    "sub": lambda xp: xp.subtract,
    "mul": lambda xp: xp.multiply,
    "div": lambda xp: xp.true_divide,
    "floor_divide": lambda xp: xp.floor_divide,
    "trunc_divide": _truncated,
    "remainder": lambda xp: xp.remainder,
    "fmod": lambda xp: xp.fmod,
    "pow": _power,
    "atan2": lambda xp: xp.arctan2,
    "maximum": lambda xp: xp.maximum,
    "minimum": lambda xp: xp.minimum,
    "eq": lambda xp: xp.equal,
    "ne": lambda xp: xp.not_equal,
    "lt": lambda xp: xp.less,
    "le": lambda xp: xp.less_equal,
    "gt": lambda xp: xp.greater,
    "ge": lambda xp: xp.greater_equal,
    "logical_and": lambda xp: xp.logical_and,
    "logical_or": lambda xp: xp.logical_or,
    "logical_xor": lambda xp: xp.logical_xor,
    "bitwise_and": lambda xp: xp.bitwise_and,
    "bitwise_or": lambda xp: xp.bitwise_or,
    "bitwise_xor": lambda xp: xp.bitwise_xor,
    "bitwise_left_shift": _shifted("left_shift"),
    "bitwise_right_shift": _shifted("right_shift"),
}
"""The function by kind."""

_BOOL = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"})
_FLOAT = frozenset({"div", "atan2"})
_BITS = {"bitwise_and": "biu", "bitwise_or": "biu", "bitwise_xor": "biu", "bitwise_left_shift": "iu", "bitwise_right_shift": "iu"}
"""Kinds that are of bits, and of which types."""


def number_as(op: str, value: float, dtype: np.dtype[Any]) -> Array:
    """A Python number as an array of ``dtype``; raises where an integer type cannot hold it."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if value != value or value in (np.inf, -np.inf) or value != int(value) or not limits.min <= value <= limits.max:
            raise ShapeError(f"{op}: {value!r} is no {dtype} number, which the other side holds; convert that with gpucnn.functional.cast")
        return np.asarray(int(value), dtype)
    with np.errstate(over="ignore"):  # infinite beyond the type
        return np.asarray(value, dtype)


def _broadcast(op: str, **specs: Spec) -> tuple[int, ...]:
    """Shape that all of them broadcast to."""
    shape = broadcast_shape(*(s.shape for s in specs.values()))
    if shape is None:
        raise wrong(op, "the shapes do not broadcast: axes, from the last, must be equal or 1", **specs)
    return shape


def _rows_apart(batched: tuple[bool, ...], specs: tuple[Spec, ...]) -> bool:
    """Whether each side is either batched along axis 0 of the result or the same for every row."""
    rank = max(s.ndim for s in specs)
    return any(batched) and all((s.ndim == rank) if b else (s.ndim < rank or s.shape[0] == 1) for b, s in zip(batched, specs))


@dataclass(frozen=True)
class Binary(Op):
    """``x kind y``, element by element; shapes broadcast as in NumPy and ONNX, dtypes must agree.

    The result has their dtype; that of comparisons and logic is bool. ``div`` is of floating point; of integers ``floor_divide`` rounds
    down and ``trunc_divide`` towards 0, and by 0 both give 0. ``remainder`` has the sign of y, ``fmod`` that of x. A right shift brings
    copies of the sign; a count below 0 or above the type's bits shifts out everything.

    Parameters
    ----------
    kind : str
        A key of ``BINARY``.
    """

    kind: str
    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "rounded"

    def __post_init__(self) -> None:
        if self.kind not in BINARY:
            raise ShapeError(f"binary: kind must be one of {', '.join(BINARY)}, got {self.kind!r}")

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def infer(self, x: Spec, y: Spec) -> tuple[Spec, ...]:
        """The broadcast shape."""
        if x.dtype != y.dtype:
            raise wrong(self.kind, "x and y must have one dtype; convert one of them", x=x, y=y)
        if self.kind in _FLOAT and x.dtype.kind != "f":
            instead = "; use floor_divide, or convert them" if self.kind == "div" else ""
            raise wrong(self.kind, f"x and y must be floating point, got {x.dtype}{instead}", x=x, y=y)
        if self.kind in _BITS and x.dtype.kind not in _BITS[self.kind]:
            kinds = "whole numbers or bool" if "b" in _BITS[self.kind] else "whole numbers"
            raise wrong(self.kind, f"x and y must be {kinds}, got {x.dtype}; convert them", x=x, y=y)
        if self.kind not in _BOOL and self.kind not in _BITS and x.dtype.kind not in "fiu":
            raise wrong(self.kind, f"x and y must be numbers, got {x.dtype}; convert them", x=x, y=y)
        return (Spec(_broadcast(self.kind, x=x, y=y), np.dtype(np.bool_) if self.kind in _BOOL else x.dtype),)

    def reference(self, xp: Any, x: Array, y: Array) -> tuple[Array, ...]:
        """One call."""
        return (BINARY[self.kind](xp)(x, y),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where each side is either batched along axis 0 of the result or the same for every row."""
        return _rows_apart(batched, specs)


@dataclass(frozen=True)
class Where(Op):
    """x where the condition holds, else y, element by element; shapes broadcast, the condition is bool, x and y have one dtype.

    Notes
    -----
    PyTorch ``where``, ONNX ``Where``.
    """

    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "exact"

    def infer(self, condition: Spec, x: Spec, y: Spec) -> tuple[Spec, ...]:
        """The broadcast shape."""
        given = {"condition": condition, "x": x, "y": y}
        if condition.dtype != np.bool_:
            raise wrong(self.name, f"condition must be bool, got {condition.dtype}; compare it with something", **given)
        if x.dtype != y.dtype:
            raise wrong(self.name, "x and y must have one dtype; convert one of them", **given)
        return (Spec(_broadcast(self.name, **given), x.dtype),)

    def reference(self, xp: Any, condition: Array, x: Array, y: Array) -> tuple[Array, ...]:
        """One call."""
        return (xp.where(condition, x, y),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where each input is either batched along axis 0 of the result or the same for every row."""
        return _rows_apart(batched, specs)


_TYPES = (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64",
)  # fmt: skip


@dataclass(frozen=True)
class Cast(Op):
    """Each element of x in another type.

    To floating point it is rounded to nearest even, ±Inf beyond the type's range. Floating point to an integer is cut off towards 0; NaN
    and what lies beyond the type give whatever the machine makes of it. An integer that does not fit keeps its low bits. To bool, all but
    0 is True, NaN too.

    Parameters
    ----------
    dtype : str
        ``"bool"``, or an integer or floating-point type of NumPy's, by name.

    Notes
    -----
    ONNX ``Cast``, PyTorch ``Tensor.to(dtype)``.
    """

    dtype: str
    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        if self.dtype not in _TYPES:
            raise ShapeError(f"cast: dtype must be one of {', '.join(_TYPES)}, got {self.dtype!r}")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape of x."""
        if x.dtype.name not in _TYPES:
            raise wrong("cast", f"x must be bool or hold integers or floating point, got {x.dtype}", x=x)
        return (Spec(x.shape, np.dtype(self.dtype)),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One ``astype``."""
        return (x.astype(self.dtype),)
