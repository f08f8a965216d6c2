"""Operations on images as they come from a decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..spec import Array, Spec
from .base import Layout, Op, Validation, require_rank, wrong

__all__ = ["Lookup"]


@dataclass(frozen=True)
class Lookup(Op):
    """Each byte replaced by its channel's value: x (n, c, …) uint8, table (256, c), result ``table[x[n, c, …], c]``.

    Notes
    -----
    Normalisation as a table made once by NumPy, so that every backend starts from the same bits.
    """

    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "exact"

    def infer(self, x: Spec, table: Spec) -> tuple[Spec, ...]:
        """Shape of x, dtype of the table."""
        require_rank("lookup", x, 2)
        if x.dtype != "uint8":
            raise wrong("lookup", f"x must be uint8, got {x.dtype}", x=x, table=table)
        if table.shape != (256, x.shape[1]):
            raise wrong("lookup", f"table must have shape 256×{x.shape[1]}, one column a channel of x", x=x, table=table)
        return (Spec(x.shape, table.dtype),)

    def reference(self, xp: Any, x: Array, table: Array) -> tuple[Array, ...]:
        """One gather per channel."""
        return (xp.stack([table[x[:, c], c] for c in range(x.shape[1])], axis=1),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0
