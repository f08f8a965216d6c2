"""Arrays that are one number but at some places: one-hot vectors, and what is left of x in a triangle or at its maximum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, normalise_dim, require_float, require_rank, wrong

__all__ = ["Hardmax", "OneHot", "Trilu"]


@dataclass(frozen=True)
class OneHot(Op):
    """For each number a vector of ``depth`` elements: ``values[1]`` at the place that it names, ``values[0]`` elsewhere.

    Inputs: the numbers, any shape; ``values`` (2,), of any type, which is the result's.

    Parameters
    ----------
    depth : int
        Length of the vectors.
    dim : int
        The axis along which they lie in the result; −1 is the last.

    Notes
    -----
    Negative numbers count from the end; one outside [−depth, depth − 1] names no place. Floating point is cut off towards 0 first.
    ONNX ``OneHot``. PyTorch ``one_hot`` has 0 and 1 in int64, and refuses what is out of range.
    """

    depth: int
    dim: int = -1
    layout: ClassVar[Layout] = "logical"

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise ShapeError(f"one_hot: depth must be at least 0, got {self.depth}")

    @property
    def name(self) -> str:
        """``one_hot``."""
        return "one_hot"

    def infer(self, x: Spec, values: Spec) -> tuple[Spec, ...]:
        """The shape of x with ``depth`` put in at ``dim``, in the type of ``values``."""
        if x.dtype.kind not in "fiu":
            raise wrong(self.name, f"x must hold numbers, got {x.dtype}", x=x, values=values)
        if values.shape != (2,):
            raise wrong(self.name, "values must be two: what stands elsewhere, and what at the place", x=x, values=values)
        dim = normalise_dim(self.name, self.dim, x.ndim + 1)
        return (Spec((*x.shape[:dim], self.depth, *x.shape[dim:]), values.dtype),)

    def reference(self, xp: Any, x: Array, values: Array) -> tuple[Array, ...]:
        """Every place compared with the number that names it."""
        dim = self.dim % (x.ndim + 1)
        named = xp.expand_dims(x.astype(np.int64), dim)
        place = xp.arange(self.depth, dtype=np.int64).reshape((-1,) + (1,) * (x.ndim - dim))
        hot = xp.logical_or(xp.equal(named, place), xp.equal(named + self.depth, place))
        return (xp.where(hot, values[1], values[0]),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the batch stays in front, and all have the same two values."""
        return batched == (True, False) and self.dim % (specs[0].ndim + 1) != 0


@dataclass(frozen=True)
class Hardmax(Op):
    """1 where along ``dim`` the largest element of x lies, the first of equal ones, and 0 elsewhere.

    Parameters
    ----------
    dim : int

    Notes
    -----
    The first NaN counts as the largest. ONNX ``Hardmax``.
    """

    dim: int
    layout: ClassVar[Layout] = "axiswise"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_float(self.name, x=x)
        normalise_dim(self.name, self.dim, x.ndim)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """Every place compared with that of the maximum."""
        if x.size == 0:
            return (x.copy(),)
        dim = self.dim % x.ndim
        place = xp.arange(x.shape[dim]).reshape((-1,) + (1,) * (x.ndim - 1 - dim))
        return (xp.equal(xp.expand_dims(xp.argmax(x, axis=dim), dim), place).astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """One comparison per element."""
        return x.size

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the batch is what is searched."""
        return batched[0] and self.dim % specs[0].ndim != 0


@dataclass(frozen=True)
class Trilu(Op):
    """x (…, m, n) with zeros below a diagonal of its matrices, or above it.

    Parameters
    ----------
    diagonal : int
        Which one: 0 begins at the first element, k > 0 k columns to the right of it, k < 0 −k rows below.
    upper : bool
        Keep the diagonal and what is above it; else the diagonal and what is below.

    Notes
    -----
    ONNX ``Trilu``, PyTorch ``triu`` and ``tril``.
    """

    diagonal: int = 0
    upper: bool = True
    layout: ClassVar[Layout] = "logical"

    @property
    def name(self) -> str:
        """``triu`` or ``tril``."""
        return "triu" if self.upper else "tril"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_rank(self.name, x, 2)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """A choice by the column's number less the row's."""
        m, n = x.shape[-2:]
        apart = xp.arange(n) - xp.arange(m)[:, None]
        kept = apart >= self.diagonal if self.upper else apart <= self.diagonal
        return (xp.where(kept, x, xp.zeros((), dtype=x.dtype)),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the batch is no axis of the matrices."""
        return batched[0] and specs[0].ndim > 2
