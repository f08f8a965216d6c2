"""Pooling by windows of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import AvgPool, LpPool, MaxPool, MinPool, Op
from ...spec import Array, Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CudaBackend, launch
from .depthwise import images_grid
from .driver import Dim3
from .geometry import Strides, divisor, scalars, strides_of, vector_width

__all__ = [
    "MOST_ITEMS", "SIZES", "THREADS", "AvgPoolDirect", "LpPoolDirect", "MaxPoolDirect", "MinPoolDirect", "is_float_2d", "lines_of",
    "macros_of", "place_arguments", "spots_of", "width_of",
]  # fmt: skip

Windows = MaxPool | MinPool | AvgPool | LpPool

THREADS = 128
MOST_ITEMS = 2**31 - THREADS

SIZES = ((2, 2), (3, 3))
"""Windows that are compiled for their size; all others share the general kernel."""


def is_float_2d(x: Spec) -> bool:
    """Whether the kernels take x."""
    return x.dtype in (np.float32, np.float16) and x.ndim == 4


def lines_of(op: Op, array: Array) -> Strides:
    """Strides of a map; raises where its channels do not lie side by side."""
    strides = strides_of(array)
    if strides is None:
        raise LimitError(f"{op.name}: the kernel wants channels side by side")
    return strides


def width_of(op: Op, x: Array, *outputs: Array) -> int:
    """Channels a thread; above 1 also where int64 results are stored in pairs, of which 16 bytes hold but two."""
    c = x.shape[1]
    widths = [vector_width(a, c, *lines_of(op, a)) for a in (x, *outputs)]
    return 1 if 1 in widths else min(w for a, w in zip((x, *outputs), widths) if a.dtype == x.dtype)


def spots_of(op: Op, x: Array, out: Array, vec: int) -> tuple[Dim3, dict[str, Any]]:
    """Grid, and the arguments with which a thread finds its results: what all kernels of ``pool.cu`` begin with."""
    n, c, p, q = out.shape
    x_strides, y_strides = lines_of(op, x), lines_of(op, out)
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


def macros_of(x: Array, vec: int, kernel_size: tuple[int, ...] = (0, 0)) -> dict[str, int]:
    """Macros of ``pool.cu``; the size is compiled where it is one of ``SIZES``."""
    r, s = kernel_size if kernel_size in SIZES else (0, 0)
    return {"HALF": int(x.dtype == np.float16), "VEC": vec, "R": r, "S": s, "THREADS": THREADS}


def place_arguments(op: Op, places: Array) -> tuple[Any, ...]:
    """What functions take that also say where the maxima lie."""
    strides = lines_of(op, places)
    return scalars(places=places, image=np.int64(strides.image), line=np.int64(strides.line), pixel=strides.pixel)


def _launch(
    backend: CudaBackend, function: str, op: Windows, x: Array, out: Array, vec: int, *more: Any, sized: bool = True
) -> Call:
    """A launch over windows of one size; ``more`` are the arguments that only ``function`` takes, ``sized`` if some sizes are compiled."""
    grid, places = spots_of(op, x, out, vec)
    pads = op.pads(Spec(tuple(x.shape), x.dtype))
    args = scalars(
        **places, height=x.shape[2], width=x.shape[3], rows=op.kernel_size[0], columns=op.kernel_size[1],
        stride_h=op.stride[0], stride_w=op.stride[1], dilation_h=op.dilation[0], dilation_w=op.dilation[1],
        top=pads[0][0], left=pads[1][0],
    )  # fmt: skip
    kernel = backend.kernel("pool.cu", function, **macros_of(x, vec, op.kernel_size if sized else (0, 0)))
    return launch(kernel, grid, (THREADS, 1, 1), (*args, *more))


@takes_lines
class MaxPoolDirect(Impl):
    """``max_pool`` and ``max_pool_places`` of ``kernels/pool.cu``: float32 and float16."""

    name = "max_pool_direct"
    numerics = "exact"

    def supports(self, op: MaxPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: MaxPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, y = inputs[0], outputs[0]
        vec = width_of(op, x, *outputs)
        if not op.return_indices:
            return _launch(backend, "max_pool", op, x, y, vec)
        if x.shape[2] * x.shape[3] > MOST_ITEMS:
            raise LimitError(f"{op.name}: indices into {x.shape[2]}×{x.shape[3]} pixels are more than the kernel can count")
        return _launch(backend, "max_pool_places", op, x, y, vec, *place_arguments(op, outputs[1]))


@takes_lines
class MinPoolDirect(Impl):
    """``min_pool`` of ``kernels/pool.cu``: float32 and float16."""

    name = "min_pool_direct"
    numerics = "exact"

    def supports(self, op: MinPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: MinPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _launch(backend, "min_pool", op, inputs[0], outputs[0], width_of(op, inputs[0], outputs[0]))


@takes_lines
class AvgPoolDirect(Impl):
    """``avg_pool`` of ``kernels/pool.cu``: float32 and float16, factors from a table."""

    name = "avg_pool_direct"
    numerics = "sum over r, s"

    def supports(self, op: AvgPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: AvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, out = inputs[0], outputs[0]
        factors = backend.upload((1 / op.divisors(Spec(tuple(x.shape), x.dtype))).astype(np.float32))
        return _launch(backend, "avg_pool", op, x, out, width_of(op, x, out), factors)


@takes_lines
class LpPoolDirect(Impl):
    """``lp_pool`` of ``kernels/pool.cu``: float32 and float16."""

    name = "lp_pool_direct"
    numerics = "largest, then a sum of shares over r, s"

    def supports(self, op: LpPool, x: Spec) -> bool:
        """Floating point in two dimensions."""
        return is_float_2d(x)

    def bind(
        self, backend: CudaBackend, op: LpPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, out = inputs[0], outputs[0]
        powers = scalars(pow=float(op.p), root=1 / op.p)
        return _launch(backend, "lp_pool", op, x, out, width_of(op, x, out), *powers, sized=False)
