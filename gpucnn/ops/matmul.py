"""Products of matrices, and of stacks of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, broadcast_shape, require_rank, wrong

__all__ = ["MatMul"]


def summed_in(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Type in which products are added up: the accumulator's of floating point; integers stay, and wrap as NumPy's do."""
    return accumulator(dtype) if dtype.kind == "f" else dtype


def require_one_number_type(op: str, **specs: Spec) -> None:
    """Raise unless all specs share one dtype of real numbers."""
    first, *rest = specs.items()
    for name, spec in specs.items():
        if spec.dtype.kind not in "fiu":
            raise wrong(op, f"{name} must be a number, got {spec.dtype}", **specs)
    for name, spec in rest:
        if spec.dtype != first[1].dtype:
            raise wrong(op, f"{name} is {spec.dtype} where {first[0]} is {first[1].dtype}; convert one of them", **specs)


@dataclass(frozen=True)
class MatMul(Op):
    """Product of matrices x (…, m, k) and y (…, k, n): (…, m, n); the axes in front broadcast.

    A vector in front is a row, one behind a column, and the axis that this adds is dropped from the result.

    Notes
    -----
    PyTorch ``matmul``, NumPy ``matmul``, ONNX ``MatMul``.
    """

    layout: ClassVar[Layout] = "logical"
    validation: ClassVar[Validation] = "loose"

    def infer(self, x: Spec, y: Spec) -> tuple[Spec, ...]:
        """(…, m, n); without m where x is a vector, without n where y is one."""
        require_rank("matmul", x, 1)
        require_rank("matmul", y, 1, "y")
        require_one_number_type("matmul", x=x, y=y)
        rows, columns = x.shape[-2:-1], y.shape[-1:] if y.ndim > 1 else ()
        inner = y.shape[-2] if y.ndim > 1 else y.shape[0]
        if x.shape[-1] != inner:
            axis = "the axis before the last of y" if y.ndim > 1 else "y"
            raise wrong("matmul", f"the last axis of x has {x.shape[-1]} elements, {axis} has {inner}", x=x, y=y)
        front = broadcast_shape(x.shape[:-2], y.shape[:-2])
        if front is None:
            raise wrong("matmul", "the axes in front of the matrices do not broadcast: they must be equal or 1", x=x, y=y)
        return (Spec((*front, *rows, *columns), x.dtype),)

    def reference(self, xp: Any, x: Array, y: Array) -> tuple[Array, ...]:
        """One call, in the accumulator type."""
        wide = summed_in(x.dtype)
        return (xp.asarray(xp.matmul(x.astype(wide), y.astype(wide))).astype(x.dtype),)

    def flops(self, x: Spec, y: Spec) -> int:
        """Two per multiply-add."""
        return 2 * self.infer(x, y)[0].size * x.shape[-1]

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where rows of a matrix meet a constant one, or each side is a stack along axis 0 of the result or the same for all of it."""
        rank = max(s.ndim for s in specs)
        if rank < 3:
            return batched == (True, False) and specs[0].ndim == 2
        return any(batched) and all(s.ndim == rank if b else s.ndim < rank or s.shape[0] == 1 for b, s in zip(batched, specs))
