"""Pooling of the whole map: a block takes the same few channels of all pixels of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import GlobalAvgPool, GlobalLpPool, GlobalMaxPool, GlobalMinPool
from ...spec import Array, Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CudaBackend, launch
from .depthwise import images_grid
from .geometry import divisor, scalars, vector_width
from .pool import MOST_ITEMS, is_float_2d, lines_of

__all__ = ["LANES", "STRANDS", "GlobalAvgPoolDirect", "GlobalExtremePoolDirect", "GlobalLpPoolDirect"]

LANES, STRANDS = 8, 32
"""Of ``pool_global.cu``: eight accesses of 16 bytes side by side fill a cache line. The strands are part of its numerics."""

GlobalPool = GlobalAvgPool | GlobalMaxPool | GlobalMinPool | GlobalLpPool


def _launch(backend: CudaBackend, op: GlobalPool, x: Array, out: Array, **more: Any) -> Call:
    """A launch of the function of the op's name; ``more`` are the arguments that only it takes."""
    n, c, h, w = x.shape
    x_strides, y_strides = lines_of(op, x), lines_of(op, out)
    if h * w > MOST_ITEMS:
        raise LimitError(f"{op.name}: a map of {h}×{w} pixels is more than one block of the kernel can count")
    vec = vector_width(x, c, *x_strides)
    by_line = divisor(w)
    args = scalars(
        x=x, y=out, images=n, channels=c, pixels=h * w, width=w, width_magic=by_line.magic, width_shift=by_line.shift,
        x_image=np.int64(x_strides.image), x_line=np.int64(x_strides.line), x_pixel=x_strides.pixel, y_image=np.int64(y_strides.image),
        **more,
    )  # fmt: skip
    macros = {"HALF": int(x.dtype == np.float16), "VEC": vec, "LANES": LANES, "STRANDS": STRANDS}
    kernel = backend.kernel("pool_global.cu", op.name, **macros)
    return launch(kernel, (-(-c // (LANES * vec)), *images_grid(n)), (LANES * STRANDS, 1, 1), args)


@takes_lines
class GlobalAvgPoolDirect(Impl):
    """``global_avg_pool`` of ``kernels/pool_global.cu``: float32 and float16."""

    name = "global_avg_pool_direct"
    numerics = f"sum over h·w in {STRANDS} strands"

    def supports(self, op: GlobalAvgPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: GlobalAvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _launch(backend, op, inputs[0], outputs[0], divisor=float(inputs[0].shape[2] * inputs[0].shape[3]))


@takes_lines
class GlobalExtremePoolDirect(Impl):
    """``global_max_pool``, ``global_min_pool`` of ``kernels/pool_global.cu``: float32 and float16."""

    numerics = "exact"

    def __init__(self, name: str) -> None:
        self.name = name

    def supports(self, op: GlobalMaxPool | GlobalMinPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self,
        backend: CudaBackend,
        op: GlobalMaxPool | GlobalMinPool,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Sequence[Any],
    ) -> Call | None:
        """One launch."""
        return _launch(backend, op, inputs[0], outputs[0])


@takes_lines
class GlobalLpPoolDirect(Impl):
    """``global_lp_pool`` of ``kernels/pool_global.cu``: float32 and float16."""

    name = "global_lp_pool_direct"
    numerics = f"largest, then a sum of shares over h·w in {STRANDS} strands"

    def supports(self, op: GlobalLpPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: GlobalLpPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _launch(backend, op, inputs[0], outputs[0], pow=float(op.p), root=1 / op.p)
