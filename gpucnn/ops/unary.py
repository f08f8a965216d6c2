"""Mathematics of one input, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, require_float, wrong

__all__ = ["UNARY", "Unary"]


def _rsqrt(xp: Any) -> Callable[..., Array]:
    return lambda x: x.dtype.type(1) / xp.sqrt(x)


UNARY: dict[str, Callable[[Any], Callable[..., Array]]] = {
    "neg": lambda xp: xp.negative,
    "abs": lambda xp: xp.abs,
    "sign": lambda xp: xp.sign,
    "square": lambda xp: xp.square,
    "sqrt": lambda xp: xp.sqrt,
    "rsqrt": _rsqrt,
    "reciprocal": lambda xp: xp.reciprocal,
    "exp": lambda xp: xp.exp,
    "exp2": lambda xp: xp.exp2,
    "expm1": lambda xp: xp.expm1,
    "log": lambda xp: xp.log,
    "log2": lambda xp: xp.log2,
    "log10": lambda xp: xp.log10,
    "log1p": lambda xp: xp.log1p,
    "floor": lambda xp: xp.floor,
    "ceil": lambda xp: xp.ceil,
    "round": lambda xp: xp.rint,
    "trunc": lambda xp: xp.trunc,
    "sin": lambda xp: xp.sin,
    "cos": lambda xp: xp.cos,
    "tan": lambda xp: xp.tan,
    "asin": lambda xp: xp.arcsin,
    "acos": lambda xp: xp.arccos,
    "atan": lambda xp: xp.arctan,
    "sinh": lambda xp: xp.sinh,
    "cosh": lambda xp: xp.cosh,
    "asinh": lambda xp: xp.arcsinh,
    "acosh": lambda xp: xp.arccosh,
    "atanh": lambda xp: xp.arctanh,
    "isnan": lambda xp: xp.isnan,
    "isinf": lambda xp: xp.isinf,
    "isfinite": lambda xp: xp.isfinite,
    "logical_not": lambda xp: xp.logical_not,
    "bitwise_not": lambda xp: xp.invert,
}
"""The function by kind."""

_NUMBERS = frozenset({"neg", "abs", "sign", "square"})  # of integers too; the rest is of floating point
_BOOL = frozenset({"isnan", "isinf", "isfinite", "logical_not"})


@dataclass(frozen=True)
class Unary(Op):
    """A mathematical function of one input, any shape; the result has its dtype, or is bool where something is asked.

    Parameters
    ----------
    kind : str
        A key of ``UNARY``: PyTorch's names.
    """

    kind: str
    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "rounded"

    def __post_init__(self) -> None:
        if self.kind not in UNARY:
            raise ShapeError(f"unary: kind must be one of {', '.join(UNARY)}, got {self.kind!r}")

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape of x."""
        if self.kind in _NUMBERS and x.dtype.kind not in "fiu":
            raise wrong(self.kind, f"x must hold numbers, got {x.dtype}; convert it", x=x)
        if self.kind == "bitwise_not" and x.dtype.kind not in "biu":
            raise wrong(self.kind, f"x must hold whole numbers or bool, got {x.dtype}; convert it", x=x)
        if self.kind not in _NUMBERS and self.kind not in ("logical_not", "bitwise_not"):
            require_float(self.kind, x=x)
        return (Spec(x.shape, np.dtype(np.bool_) if self.kind in _BOOL else x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call, in the type of x (16-bit floating point through float32)."""
        if x.dtype.kind == "f" and x.dtype.itemsize < 4:
            y = UNARY[self.kind](xp)(x.astype("float32"))
            return (y if self.kind in _BOOL else y.astype(x.dtype),)
        return (UNARY[self.kind](xp)(x),)
