"""Arithmetic of two inputs with broadcasting, and the change of type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, require_float, wrong

__all__ = ["BINARY", "Binary", "Cast"]

BINARY: dict[str, Callable[[Any], Callable[..., Array]]] = {
    "add": lambda xp: xp.add,
    "sub": lambda xp: xp.subtract,
    "mul": lambda xp: xp.multiply,
    "div": lambda xp: xp.true_divide,
}
"""The universal function by kind."""


@dataclass(frozen=True)
class Binary(Op):
    """``x kind y``, element by element; shapes broadcast as in NumPy and ONNX, dtypes must agree.

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
        if self.kind == "div" and x.dtype.kind != "f":
            raise wrong(self.kind, f"x and y must be floating point, got {x.dtype}", x=x, y=y)
        try:
            shape = np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            raise wrong(self.kind, "the shapes do not broadcast: axes, from the last, must be equal or 1", x=x, y=y) from None
        return (Spec(shape, x.dtype),)

    def reference(self, xp: Any, x: Array, y: Array) -> tuple[Array, ...]:
        """One call."""
        return (BINARY[self.kind](xp)(x, y),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where each side is either batched along axis 0 of the result or the same for every row."""
        rank = max(s.ndim for s in specs)
        return any(batched) and all(
            (s.ndim == rank) if b else (s.ndim < rank or s.shape[0] == 1) for b, s in zip(batched, specs)
        )


@dataclass(frozen=True)
class Cast(Op):
    """Each element of x in another floating-point type: rounded to nearest even, ±Inf beyond the type's range.

    Parameters
    ----------
    dtype : {"float16", "float32", "float64"}

    Notes
    -----
    ONNX ``Cast`` among floating-point types.
    """

    dtype: str
    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        if self.dtype not in ("float16", "float32", "float64"):
            raise ShapeError(f"cast: dtype must be 'float16', 'float32' or 'float64', got {self.dtype!r}")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape of x."""
        require_float("cast", x=x)
        return (Spec(x.shape, np.dtype(self.dtype)),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One ``astype``."""
        return (x.astype(self.dtype),)
