"""The way back from a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import MaxUnpool
from ...spec import Spec
from ..base import Call, Impl
from .backend import CpuBackend

__all__ = ["MaxUnpoolScatter"]


class MaxUnpoolScatter(Impl):
    """One assignment by index an image; of several values at a place NumPy leaves the last."""

    name = "max_unpool_scatter"
    numerics = "exact"

    def supports(self, op: MaxUnpool, x: Spec, indices: Spec) -> bool:
        """Every type, in any number of dimensions."""
        return True

    def bind(
        self, backend: CpuBackend, op: MaxUnpool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Zeros, then the values of one image after another; flat in C order, since the order decides which is the last."""
        (x, indices), out = inputs, outputs[0]
        channels = np.repeat(np.arange(x.shape[1]), int(np.prod(x.shape[2:])))

        def call() -> None:
            op.check(indices)
            out[...] = 0
            for values, places, target in zip(x, indices, out):
                flat = places.reshape(-1)
                kept = flat >= 0
                at = (channels[kept], *np.unravel_index(flat[kept], op.output_size))
                target[at] = values.reshape(-1)[kept]

        return call
