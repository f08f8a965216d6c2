"""Softmax and its logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, normalise_dim, require_float

__all__ = ["LogSoftmax", "Softmax"]


@dataclass(frozen=True)
class Softmax(Op):
    """``exp(x − max(x)) / sum(exp(x − max(x)))`` along ``dim``; the maximum is subtracted, so nothing overflows."""

    dim: int
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "loose"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_float("softmax", x=x)
        normalise_dim("softmax", self.dim, x.ndim)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The formula, summed in the accumulator type."""
        if x.size == 0:
            return (x,)
        wide = x.astype(accumulator(x.dtype))
        e = xp.exp(wide - wide.max(axis=self.dim, keepdims=True))
        return ((e / e.sum(axis=self.dim, keepdims=True)).astype(x.dtype),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the sum runs over the batch."""
        return batched[0] and self.dim % specs[0].ndim != 0


@dataclass(frozen=True)
class LogSoftmax(Op):
    """``x − max(x) − log(sum(exp(x − max(x))))`` along ``dim``: no probability becomes 0 before its logarithm is taken."""

    dim: int
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "loose"

    @property
    def name(self) -> str:
        """PyTorch's."""
        return "log_softmax"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_float("log_softmax", x=x)
        normalise_dim("log_softmax", self.dim, x.ndim)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The formula, summed in the accumulator type."""
        if x.size == 0:
            return (x,)
        wide = x.astype(accumulator(x.dtype))
        below = wide - wide.max(axis=self.dim, keepdims=True)
        return ((below - xp.log(xp.exp(below).sum(axis=self.dim, keepdims=True))).astype(x.dtype),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the sum runs over the batch."""
        return batched[0] and self.dim % specs[0].ndim != 0
