"""Adaptive pooling: windows computed in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import LimitError
from ...ops import AdaptiveAvgPool, AdaptiveMaxPool
from ...spec import Array, Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CudaBackend, launch
from .geometry import divisor, scalars
from .pool import MOST_ITEMS, THREADS, is_float_2d, macros_of, place_arguments, spots_of, width_of

__all__ = ["AdaptiveAvgPoolDirect", "AdaptiveMaxPoolDirect"]


def _launch(
    backend: CudaBackend, function: str, op: AdaptiveAvgPool | AdaptiveMaxPool, x: Array, outputs: Sequence[Array], *more: Any
) -> Call:
    """A launch over a grid of windows; ``more`` are the arguments that only ``function`` takes."""
    (h, w), (p, q) = x.shape[2:], op.output_size
    if max((h + 1) * p, (w + 1) * q) > MOST_ITEMS:
        raise LimitError(f"{op.name}: {p}×{q} windows over {h}×{w} pixels are more than the kernel can count")
    vec = width_of(op, x, *outputs)
    grid, spots = spots_of(op, x, outputs[0], vec)
    by_map = divisor(p)
    args = scalars(**spots, height=h, width=w, p=p, p_magic=by_map.magic, p_shift=by_map.shift)
    return launch(backend.kernel("pool.cu", function, **macros_of(x, vec)), grid, (THREADS, 1, 1), (*args, *more))


@takes_lines
class AdaptiveAvgPoolDirect(Impl):
    """``adaptive_avg_pool`` of ``kernels/pool.cu``: float32 and float16."""

    name = "adaptive_avg_pool_direct"
    numerics = "sum over r, s"

    def supports(self, op: AdaptiveAvgPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: AdaptiveAvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _launch(backend, "adaptive_avg_pool", op, inputs[0], outputs)


@takes_lines
class AdaptiveMaxPoolDirect(Impl):
    """``adaptive_max_pool`` and ``adaptive_max_pool_places`` of ``kernels/pool.cu``: float32 and float16."""

    name = "adaptive_max_pool_direct"
    numerics = "exact"

    def supports(self, op: AdaptiveMaxPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: AdaptiveMaxPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x = inputs[0]
        if not op.return_indices:
            return _launch(backend, "adaptive_max_pool", op, x, outputs)
        if x.shape[2] * x.shape[3] > MOST_ITEMS:
            raise LimitError(f"{op.name}: indices into {x.shape[2]}×{x.shape[3]} pixels are more than the kernel can count")
        return _launch(backend, "adaptive_max_pool_places", op, x, outputs, *place_arguments(op, outputs[1]))
