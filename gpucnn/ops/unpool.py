"""The way back from a pool: values to the places where they were."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec, shape_text
from .base import Layout, Op, Validation, wrong
from .window import require_axes, require_number

__all__ = ["MaxUnpool"]


@dataclass(frozen=True)
class MaxUnpool(Op):
    """Put each value of x (n, c, …) at its place in a plane of zeros.

    Inputs are x and the places, integers of the same shape: flat indices into the plane of ``output_size``, as ``MaxPool`` gives them. −1,
    which a window in the padding alone has, is no place. Where several values have the same place, the last one in C order is kept.

    Parameters
    ----------
    output_size : tuple of int
        Of the plane, one per spatial axis.

    Notes
    -----
    PyTorch ``max_unpool2d`` (which leaves open what several values at one place give), ONNX ``MaxUnpool`` (whose indices count through
    the whole array).
    """

    output_size: tuple[int, ...]
    layout: ClassVar[Layout] = "spatial"
    maps: ClassVar[tuple[int, ...]] = (0, 1)
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        if min(self.output_size) < 0:
            raise ShapeError(f"{self.name}: output_size must not be negative, got {self.output_size}")

    @property
    def name(self) -> str:
        """``max_unpool2d`` for two spatial axes."""
        return f"max_unpool{len(self.output_size)}d"

    def infer(self, x: Spec, indices: Spec) -> tuple[Spec, ...]:
        """(n, c, *output_size)."""
        require_axes(self.name, x, len(self.output_size))
        require_number(self.name, x)
        if indices.dtype.kind not in "iu":
            raise wrong(self.name, f"indices must be whole numbers, got {indices.dtype}", x=x, indices=indices)
        if indices.shape != x.shape:
            raise wrong(self.name, "every value needs an index: the shapes must agree", x=x, indices=indices)
        return (Spec((*x.shape[:2], *self.output_size), x.dtype),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Any) -> bool:
        """Values and indices come together."""
        return all(batched)

    def check(self, indices: Array) -> None:
        """Raise where an index leads out of the plane."""
        pixels = prod(self.output_size)
        if indices.size and not (int(indices.min()) >= -1 and int(indices.max()) < pixels):
            found = f"{int(indices.min())} to {int(indices.max())}"
            plane = f"the plane of {shape_text(self.output_size)} has {pixels} places"
            raise ShapeError(f"{self.name}: indices lie in {found}, {plane}; pass the output_size that they were made for")

    def reference(self, xp: Any, x: Array, indices: Array) -> tuple[Array, ...]:
        """One after another; sorted by place and order, so that the last value of a place is known before anything is written."""
        self.check(indices)
        planes, pixels = x.shape[0] * x.shape[1], prod(self.output_size)
        count = prod(x.shape[2:])
        values = x.reshape(planes, count)
        y = xp.zeros((planes, pixels), dtype=x.dtype)
        order = xp.arange(count, dtype=np.int64)
        keys = xp.sort(indices.reshape(planes, count).astype(np.int64) * count + order, axis=1)
        place, source = keys // max(count, 1), keys % max(count, 1)
        kept = place >= 0
        kept[:, :-1] &= place[:, 1:] != place[:, :-1]
        plane = xp.broadcast_to(xp.arange(planes)[:, None], place.shape)[kept]
        y[plane, place[kept]] = values[plane, source[kept]]
        return (y.reshape(*x.shape[:2], *self.output_size),)
