"""Fractional pooling: windows that lie apart by a fraction of a pixel on average."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec, shape_text
from .adaptive import best_of_lines
from .base import Layout, Op, Validation, wrong
from .window import require_axes, require_number

__all__ = ["FractionalMaxPool"]


@dataclass(frozen=True)
class FractionalMaxPool(Op):
    """Maximum of windows of one size whose starts are spread over the map by a number u in [0, 1) for each axis.

    Inputs are x (n, c, …) and the samples u: (n, c, axes), or (1, c, axes) where all images share them, floating point. Of two axes,
    index 0 is the **width** and 1 the height; of three they are depth, height, width.

    Parameters
    ----------
    kernel_size, output_size : tuple of int
        One per spatial axis, pixels and windows.
    return_indices : bool
        Also give the place of each maximum: int64, flat index into the spatial plane of its image and channel.

    Notes
    -----
    Along an axis, with ``alpha = (in − k)/(out − 1)``: ``start_i = int((i + u)·alpha) − int(u·alpha)`` for ``i < out − 1``, and
    ``start_{out−1} = in − k``, computed in the samples' own type (float32 where that has 16 bits): so the same samples give the windows of
    PyTorch ``fractional_max_pool2d``, which computes in theirs. After Graham 2014, arXiv:1412.6071, where the sequence is another one.
    """

    kernel_size: tuple[int, ...]
    output_size: tuple[int, ...]
    return_indices: bool = False
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        for field, values in {"kernel_size": self.kernel_size, "output_size": self.output_size}.items():
            axes = len(self.kernel_size)
            if len(values) != axes:
                raise ShapeError(f"{self.name}: {field} {values} must have one value a spatial axis, kernel_size has {axes}")
            if min(values) < 1:
                raise ShapeError(f"{self.name}: {field} must be at least 1, got {values}")

    @property
    def name(self) -> str:
        """``fractional_max_pool2d`` for two spatial axes."""
        return f"fractional_max_pool{len(self.kernel_size)}d"

    def infer(self, x: Spec, samples: Spec) -> tuple[Spec, ...]:
        """(n, c, *output_size), and the indices where asked for."""
        axes = len(self.kernel_size)
        require_axes(self.name, x, axes)
        require_number(self.name, x)
        if samples.shape not in ((*x.shape[:2], axes), (1, x.shape[1], axes)):
            wanted = f"{shape_text((*x.shape[:2], axes))}, or {shape_text((1, x.shape[1], axes))} for all images"
            raise wrong(self.name, f"samples must be {wanted}", x=x, samples=samples)
        if samples.dtype.kind != "f":
            raise wrong(self.name, f"samples must be floating point, got {samples.dtype}", x=x, samples=samples)
        if any(p + k - 1 > n for n, p, k in zip(x.shape[2:], self.output_size, self.kernel_size)):
            few = shape_text(tuple(p + k - 1 for p, k in zip(self.output_size, self.kernel_size)))
            sizes = f"{shape_text(self.output_size)} windows of {shape_text(self.kernel_size)}"
            raise wrong(self.name, f"{sizes} need at least {few} pixels (output_size + kernel_size − 1); ask for fewer", x=x)
        shape = (*x.shape[:2], *self.output_size)
        return (Spec(shape, x.dtype), Spec(shape, np.dtype(np.int64)))[: 1 + self.return_indices]

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """With samples of its own for every image only where they come with the images."""
        return batched[0] and (batched[1] if specs[1].shape[0] != 1 else not batched[1])

    def reference(self, xp: Any, x: Array, samples: Array) -> tuple[Array, ...]:
        """A running maximum over the kernel positions."""
        axes, wide = len(self.kernel_size), np.float64 if samples.dtype.itemsize == 8 else np.float32
        lines = []
        for axis, (n, p, k) in enumerate(zip(x.shape[2:], self.output_size, self.kernel_size)):
            u = samples[:, :, axes - 1 - axis if axes == 2 else axis, None].astype(wide)
            starts = xp.full((*u.shape[:2], p), n - k, dtype=np.int64)
            if p > 1:
                alpha = wide(n - k) / wide(p - 1)
                i = xp.arange(p - 1).astype(wide)
                starts[:, :, :-1] = ((i + u) * alpha).astype(np.int64) - (u * alpha).astype(np.int64)
            starts = xp.clip(starts, 0, n - k)  # whatever the samples are: never a read outside
            lines.append(starts[..., None] + xp.arange(k))
        return best_of_lines(xp, x, lines)[: 1 + self.return_indices]

    def flops(self, x: Spec, samples: Spec) -> int:
        """One comparison per window element."""
        return self.infer(x, samples)[0].size * prod(self.kernel_size)
