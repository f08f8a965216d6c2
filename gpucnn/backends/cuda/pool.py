"""Pooling: windows, and the whole map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import AvgPool, GlobalAvgPool, MaxPool
from ...spec import Array, Spec
from ..base import Call, Impl
from .backend import CudaBackend, launch
from .depthwise import images_grid
from .driver import Dim3
from .geometry import divisor, scalars, strides_of, vector_width

__all__ = ["SIZES", "AvgPoolDirect", "GlobalAvgPoolDirect", "MaxPoolDirect"]

THREADS = 128
MOST_ITEMS = 2**31 - THREADS

SIZES = ((2, 2), (3, 3))
"""Windows that are compiled for their size; all others share the general kernel."""

LANES, STRANDS = 8, 32
"""Of ``pool_global.cu``: eight accesses of 16 bytes side by side fill a cache line. The strands are part of its numerics."""


def _is_float_2d(x: Spec) -> bool:
    return x.dtype in (np.float32, np.float16) and x.ndim == 4


def _window(op: MaxPool | AvgPool, x: Array, out: Array) -> tuple[Dim3, dict[str, int], tuple[Any, ...]]:
    """Grid, macros and arguments that both kernels of ``pool.cu`` share."""
    (n, c, p, q), (h, w) = out.shape, x.shape[2:]
    x_strides, y_strides = strides_of(x), strides_of(out)
    if x_strides is None or y_strides is None:
        raise LimitError(f"{op.name}: the kernel wants channels side by side")
    vec = min(vector_width(x, c, *x_strides), vector_width(out, c, *y_strides))
    chunks = c // vec
    items = p * q * chunks
    if items > MOST_ITEMS:
        raise LimitError(f"{op.name}: an image of {c}×{p}×{q} results is more than one launch of the kernel can count")
    pads = op.pads(Spec(tuple(x.shape), x.dtype))
    by_chunk, by_line = divisor(chunks), divisor(q)
    args = scalars(
        x=x, y=out, images=n, items=items, height=h, width=w,
        chunks=chunks, chunks_magic=by_chunk.magic, chunks_shift=by_chunk.shift, q=q, q_magic=by_line.magic, q_shift=by_line.shift,
        rows=op.kernel_size[0], columns=op.kernel_size[1], stride_h=op.stride[0], stride_w=op.stride[1],
        dilation_h=op.dilation[0], dilation_w=op.dilation[1], top=pads[0][0], left=pads[1][0],
        x_image=np.int64(x_strides.image), x_line=np.int64(x_strides.line), x_pixel=x_strides.pixel,
        y_image=np.int64(y_strides.image), y_line=np.int64(y_strides.line), y_pixel=y_strides.pixel,
    )  # fmt: skip
    r, s = op.kernel_size if op.kernel_size in SIZES else (0, 0)
    macros = {"HALF": int(x.dtype == np.float16), "VEC": vec, "R": r, "S": s, "THREADS": THREADS}
    return (-(-items // THREADS), *images_grid(n)), macros, args


class MaxPoolDirect(Impl):
    """``max_pool`` of ``kernels/pool.cu``: float32 and float16."""

    name = "max_pool_direct"
    numerics = "exact"

    def supports(self, op: MaxPool, x: Spec) -> bool:
        """Floating point in two dimensions, without indices."""
        return _is_float_2d(x) and not op.return_indices

    def bind(
        self, backend: CudaBackend, op: MaxPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        grid, macros, args = _window(op, inputs[0], outputs[0])
        return launch(backend.kernel("pool.cu", "max_pool", **macros), grid, (THREADS, 1, 1), args)


class AvgPoolDirect(Impl):
    """``avg_pool`` of ``kernels/pool.cu``: float32 and float16, factors from a table."""

    name = "avg_pool_direct"
    numerics = "sum over r, s"

    def supports(self, op: AvgPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return _is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: AvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x = inputs[0]
        grid, macros, args = _window(op, x, outputs[0])
        factors = backend.upload((1 / op.divisors(Spec(tuple(x.shape), x.dtype))).astype(np.float32))
        return launch(backend.kernel("pool.cu", "avg_pool", **macros), grid, (THREADS, 1, 1), (*args, factors))


class GlobalAvgPoolDirect(Impl):
    """``kernels/pool_global.cu``: float32 and float16."""

    name = "global_avg_pool_direct"
    numerics = f"sum over h·w in {STRANDS} strands"

    def supports(self, op: GlobalAvgPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return _is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: GlobalAvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch: a block sums the same few channels of all pixels of an image."""
        x, out = inputs[0], outputs[0]
        n, c, h, w = x.shape
        x_strides, y_strides = strides_of(x), strides_of(out)
        if x_strides is None or y_strides is None:
            raise LimitError(f"{op.name}: the kernel wants channels side by side")
        if h * w > MOST_ITEMS:
            raise LimitError(f"{op.name}: a map of {h}×{w} pixels is more than one block of the kernel can count")
        vec = vector_width(x, c, *x_strides)
        by_line = divisor(w)
        args = scalars(
            x=x, y=out, images=n, channels=c, pixels=h * w, width=w, width_magic=by_line.magic, width_shift=by_line.shift,
            divisor=float(h * w), x_image=np.int64(x_strides.image), x_line=np.int64(x_strides.line), x_pixel=x_strides.pixel,
            y_image=np.int64(y_strides.image),
        )  # fmt: skip
        macros = {"HALF": int(x.dtype == np.float16), "VEC": vec, "LANES": LANES, "STRANDS": STRANDS}
        kernel = backend.kernel("pool_global.cu", "global_avg_pool", **macros)
        return launch(kernel, (-(-c // (LANES * vec)), *images_grid(n)), (LANES * STRANDS, 1, 1), args)
