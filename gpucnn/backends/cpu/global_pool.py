"""Pooling of the whole map: one reduction over the pixels of each image."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...ops import GlobalAvgPool, GlobalLpPool, GlobalMaxPool, GlobalMinPool
from ...spec import Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CpuBackend, Scratch
from .power import HIGHEST_POWER, doubles, raised, rooted

__all__ = ["GlobalAvgPoolSum", "GlobalExtremePoolReduce", "GlobalLpPoolSum"]


_FEW = 128  # pixels that are added one after another; more are added line by line, which is nearer, and quicker


@takes_lines
class GlobalAvgPoolSum(Impl):
    """Sums over the pixels of each image: of equal places of all lines first, where there are many."""

    name = "global_avg_pool_sum"
    numerics = "sum over h·w"

    def supports(self, op: GlobalAvgPool, x: Spec) -> bool:
        """Float32 in two or three dimensions."""
        return x.dtype == np.float32 and x.ndim in (4, 5)

    def workspace(self, op: GlobalAvgPool, x: Spec) -> int:
        """A line of sums; in three dimensions a map of them too."""
        c, *spatial = x.shape[1:]
        return sum(4 * c * prod(spatial[axis:]) + 64 for axis in range(1, len(spatial))) if prod(spatial) > _FEW else 0

    def bind(
        self, backend: CpuBackend, op: GlobalAvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Sum and scale, image by image."""
        x = np.moveaxis(inputs[0], 1, -1)
        spatial, out = x.shape[1:-1], np.squeeze(outputs[0], tuple(range(2, x.ndim)))
        scale = np.float32(1 / prod(spatial))
        scratch = Scratch(workspace[0])
        lines = [scratch.take(*x.shape[axis:]) for axis in range(2, x.ndim - 1)] if prod(spatial) > _FEW else []
        rest = tuple(range(len(spatial) - len(lines)))

        def call() -> None:
            for image, target in zip(x, out):
                for sums in lines:
                    image = np.add.reduce(image, axis=0, out=sums)
                np.add.reduce(image, axis=rest, out=target)
            np.multiply(out, scale, out=out)

        return call


class GlobalExtremePoolReduce(Impl):
    """One maximum, or one minimum, over the pixels of each image; both let NaN through."""

    numerics = "exact"

    def __init__(self, name: str, ufunc: Any) -> None:
        self.name = name
        self._ufunc = ufunc

    def supports(self, op: GlobalMaxPool | GlobalMinPool, x: Spec) -> bool:
        """Every type, in any number of dimensions."""
        return True

    def bind(
        self,
        backend: CpuBackend,
        op: GlobalMaxPool | GlobalMinPool,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Sequence[Any],
    ) -> Call | None:
        """Reduce, image by image."""
        x, ufunc = inputs[0], self._ufunc
        axes, out = tuple(range(1, x.ndim - 1)), outputs[0]

        def call() -> None:
            for image, target in zip(x, out):
                ufunc.reduce(image, axis=axes, out=target, keepdims=True)

        return call


@takes_lines
class GlobalLpPoolSum(Impl):
    """One sum over the powers of the pixels of each image, and the root; in float64, which they do not leave."""

    name = "global_lp_pool_sum"
    numerics = "float64, sum over h·w"

    def supports(self, op: GlobalLpPool, x: Spec) -> bool:
        """Float32 in two dimensions, and powers of such numbers that float64 holds."""
        return x.dtype == np.float32 and x.ndim == 4 and op.p <= HIGHEST_POWER

    def workspace(self, op: GlobalLpPool, x: Spec) -> int:
        """The powers of an image, and their sums."""
        _, c, h, w = x.shape
        return 8 * c * (h * w + 1) + 256

    def bind(
        self, backend: CpuBackend, op: GlobalLpPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Raise, sum and take the root, image by image."""
        x, out = inputs[0].transpose(0, 2, 3, 1), outputs[0][:, :, 0, 0]
        scratch = Scratch(workspace[0])
        powers, sums = doubles(scratch, *x.shape[1:]), doubles(scratch, x.shape[3])
        calls: list[Call] = []
        for image, target in zip(x, out):
            calls += [*raised(image, powers, op.p), lambda: np.add.reduce(powers, axis=(0, 1), out=sums), rooted(sums, target, op.p)]
        return backend.schedule([calls], 1)
