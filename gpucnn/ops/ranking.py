"""The largest or smallest along an axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, normalise_dim, wrong

__all__ = ["TopK"]


@dataclass(frozen=True)
class TopK(Op):
    """The ``k`` largest values along ``dim``, and where they lie: values in x's type, indices int64, best first.

    Parameters
    ----------
    k : int
        At least 0, at most the size of x along ``dim``.
    dim : int
    largest : bool
        False takes the smallest.

    Notes
    -----
    PyTorch ``topk``, always sorted; ONNX ``TopK`` with ``sorted`` 1. Of equal values the lower index comes first, as in ONNX. NaN counts
    as above +inf, as when NumPy or PyTorch sort: first among the largest, last among the smallest. All NaNs are equal, and so are ±0.
    """

    k: int
    dim: int = -1
    largest: bool = True
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        if self.k < 0:
            raise ShapeError(f"topk: k must be at least 0, got {self.k}")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Values and indices: the shape of x with ``k`` along ``dim``."""
        if x.ndim == 0:
            raise wrong("topk", "a scalar has no axis to rank along", x=x)
        dim = normalise_dim("topk", self.dim, x.ndim)
        if x.dtype.kind not in "fiu":
            raise wrong("topk", f"x must be a number, got {x.dtype}", x=x)
        if self.k > x.shape[dim]:
            raise wrong("topk", f"k must be at most the size of dim {self.dim}, which is {x.shape[dim]}, got {self.k}", x=x)
        shape = (*x.shape[:dim], self.k, *x.shape[dim + 1 :])
        return (Spec(shape, x.dtype), Spec(shape, np.dtype(np.int64)))

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """A stable sort, which leaves equal values in their order; turned around before and after for the largest."""
        rows = xp.moveaxis(x, self.dim, -1)
        n = rows.shape[-1]
        if self.largest:
            places = n - 1 - xp.argsort(rows[..., ::-1], axis=-1, kind="stable")[..., ::-1]
        else:
            places = xp.argsort(rows, axis=-1, kind="stable")
        places = places[..., : self.k].astype(np.int64)
        values = xp.take_along_axis(rows, places, axis=-1)
        return xp.moveaxis(values, -1, self.dim), xp.moveaxis(places, -1, self.dim)

    def flops(self, x: Spec) -> int:
        """One comparison per element and result."""
        return x.size * self.k

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the batch is what is ranked."""
        return batched[0] and self.dim % specs[0].ndim != 0
