"""Operations on images as they come from a decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..spec import Array, Spec
from .activation import Epilogue
from .base import Layout, Op, Validation, require_rank, wrong
from .conv import Conv

__all__ = ["Lookup", "LookupConv"]


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


_LOOKUP = Lookup()


@dataclass(frozen=True)
class LookupConv(Op):
    """A convolution of the values that a table gives for bytes: ``Lookup``, then ``conv``. Padding is zeros beside those values.

    Inputs: x (n, c, …) uint8, table (256, c), weight, bias or None, residual or None. Made by a pass where a backend can do both at
    once: the values, four times as large as the bytes in float32, are then never written to memory.

    Parameters
    ----------
    conv : Conv
        With its stride, padding and epilogue.
    """

    conv: Conv
    layout: ClassVar[Layout] = "spatial"
    maps: ClassVar[tuple[int, ...]] = (0, 4)
    validation: ClassVar[Validation] = "loose"

    @property
    def name(self) -> str:
        """``lookup_conv2d`` for two spatial axes."""
        return f"lookup_{self.conv.name}"

    @property
    def epilogue(self) -> Epilogue:
        """Of the convolution."""
        return self.conv.epilogue

    def infer(self, x: Spec, table: Spec, weight: Spec, *rest: Spec | None) -> tuple[Spec, ...]:
        """The convolution's, of the values."""
        return self.conv.infer(_LOOKUP.infer(x, table)[0], weight, *rest)

    def reference(self, xp: Any, x: Array, table: Array, weight: Array, *rest: Array | None) -> tuple[Array, ...]:
        """One after the other."""
        return self.conv.reference(xp, _LOOKUP.reference(xp, x, table)[0], weight, *rest)

    def flops(self, x: Spec, table: Spec, weight: Spec, *rest: Spec | None) -> int:
        """The convolution's."""
        return self.conv.flops(_LOOKUP.infer(x, table)[0], weight, *rest)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec | None) -> bool:
        """As the convolution, with a constant table."""
        return not batched[1] and self.conv.keeps_batch((batched[0], *batched[2:]), *(specs[0], *specs[2:]))
