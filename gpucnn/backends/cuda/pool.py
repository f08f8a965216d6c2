"""Pooling: windows, and the whole map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import AdaptiveAvgPool, AvgPool, GlobalAvgPool, MaxPool, MinPool, Op
from ...spec import Array, Spec
from ..base import Call, Impl
from .backend import CudaBackend, launch
from .depthwise import images_grid
from .driver import Dim3
from .geometry import Strides, divisor, scalars, strides_of, vector_width

__all__ = ["SIZES", "AdaptiveAvgPoolDirect", "AvgPoolDirect", "GlobalAvgPoolDirect", "MaxPoolDirect", "MinPoolDirect"]

THREADS = 128
MOST_ITEMS = 2**31 - THREADS

SIZES = ((2, 2), (3, 3))
"""Windows that are compiled for their size; all others share the general kernel."""

LANES, STRANDS = 8, 32
"""Of ``pool_global.cu``: eight accesses of 16 bytes side by side fill a cache line. The strands are part of its numerics."""


def _is_float_2d(x: Spec) -> bool:
    return x.dtype in (np.float32, np.float16) and x.ndim == 4


def _strides(op: Op, array: Array) -> Strides:
    strides = strides_of(array)
    if strides is None:
        raise LimitError(f"{op.name}: the kernel wants channels side by side")
    return strides


def _width(op: Op, x: Array, *outputs: Array) -> int:
    """Channels a thread; above 1 also where int64 results are stored in pairs, of which 16 bytes hold but two."""
    c = x.shape[1]
    widths = [vector_width(a, c, *_strides(op, a)) for a in (x, *outputs)]
    return 1 if 1 in widths else min(w for a, w in zip((x, *outputs), widths) if a.dtype == x.dtype)


def _places(op: Op, x: Array, out: Array, vec: int) -> tuple[Dim3, dict[str, Any]]:
    """Grid, and the arguments with which a thread finds its results: what all kernels of ``pool.cu`` begin with."""
    n, c, p, q = out.shape
    x_strides, y_strides = _strides(op, x), _strides(op, out)
    items = p * q * c // vec
    if items > MOST_ITEMS:
        raise LimitError(f"{op.name}: an image of {c}×{p}×{q} results is more than one launch of the kernel can count")
    by_chunk, by_line = divisor(c // vec), divisor(q)
    args = {
        "x": x, "y": out, "images": n, "items": items,
        "chunks": c // vec, "chunks_magic": by_chunk.magic, "chunks_shift": by_chunk.shift,
        "q": q, "q_magic": by_line.magic, "q_shift": by_line.shift,
        "x_image": np.int64(x_strides.image), "x_line": np.int64(x_strides.line), "x_pixel": x_strides.pixel,
        "y_image": np.int64(y_strides.image), "y_line": np.int64(y_strides.line), "y_pixel": y_strides.pixel,
    }  # fmt: skip
    return (-(-items // THREADS), *images_grid(n)), args


def _macros(x: Array, vec: int, kernel_size: tuple[int, ...] = (0, 0)) -> dict[str, int]:
    r, s = kernel_size if kernel_size in SIZES else (0, 0)
    return {"HALF": int(x.dtype == np.float16), "VEC": vec, "R": r, "S": s, "THREADS": THREADS}


def _launch(
    backend: CudaBackend, function: str, op: MaxPool | MinPool | AvgPool, x: Array, out: Array, vec: int, *more: Any
) -> Call:
    """A launch over windows of one size; ``more`` are the arguments that only ``function`` takes."""
    grid, places = _places(op, x, out, vec)
    pads = op.pads(Spec(tuple(x.shape), x.dtype))
    args = scalars(
        **places, height=x.shape[2], width=x.shape[3], rows=op.kernel_size[0], columns=op.kernel_size[1],
        stride_h=op.stride[0], stride_w=op.stride[1], dilation_h=op.dilation[0], dilation_w=op.dilation[1],
        top=pads[0][0], left=pads[1][0],
    )  # fmt: skip
    kernel = backend.kernel("pool.cu", function, **_macros(x, vec, op.kernel_size))
    return launch(kernel, grid, (THREADS, 1, 1), (*args, *more))


class MaxPoolDirect(Impl):
    """``max_pool`` and ``max_pool_places`` of ``kernels/pool.cu``: float32 and float16."""

    name = "max_pool_direct"
    numerics = "exact"

    def supports(self, op: MaxPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return _is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: MaxPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, y = inputs[0], outputs[0]
        vec = _width(op, x, *outputs)
        if not op.return_indices:
            return _launch(backend, "max_pool", op, x, y, vec)
        if x.shape[2] * x.shape[3] > MOST_ITEMS:
            raise LimitError(f"{op.name}: indices into {x.shape[2]}×{x.shape[3]} pixels are more than the kernel can count")
        strides = _strides(op, outputs[1])
        places = scalars(places=outputs[1], image=np.int64(strides.image), line=np.int64(strides.line), pixel=strides.pixel)
        return _launch(backend, "max_pool_places", op, x, y, vec, *places)


class MinPoolDirect(Impl):
    """``min_pool`` of ``kernels/pool.cu``: float32 and float16."""

    name = "min_pool_direct"
    numerics = "exact"

    def supports(self, op: MinPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return _is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: MinPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _launch(backend, "min_pool", op, inputs[0], outputs[0], _width(op, inputs[0], outputs[0]))


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
        x, out = inputs[0], outputs[0]
        factors = backend.upload((1 / op.divisors(Spec(tuple(x.shape), x.dtype))).astype(np.float32))
        return _launch(backend, "avg_pool", op, x, out, _width(op, x, out), factors)


class AdaptiveAvgPoolDirect(Impl):
    """``adaptive_avg_pool`` of ``kernels/pool.cu``: float32 and float16, windows computed in whole numbers."""

    name = "adaptive_avg_pool_direct"
    numerics = "sum over r, s"

    def supports(self, op: AdaptiveAvgPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return _is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: AdaptiveAvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, out = inputs[0], outputs[0]
        (h, w), (p, q) = x.shape[2:], out.shape[2:]
        if max((h + 1) * p, (w + 1) * q) > MOST_ITEMS:
            raise LimitError(f"{op.name}: {p}×{q} windows over {h}×{w} pixels are more than the kernel can count")
        vec = _width(op, x, out)
        grid, places = _places(op, x, out, vec)
        by_map = divisor(p)
        args = scalars(**places, height=h, width=w, p=p, p_magic=by_map.magic, p_shift=by_map.shift)
        return launch(backend.kernel("pool.cu", "adaptive_avg_pool", **_macros(x, vec)), grid, (THREADS, 1, 1), args)


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
