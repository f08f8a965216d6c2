"""Depthwise convolution: every channel by itself, so that reading x is all the time it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import Conv
from ...spec import Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CudaBackend, activation_arguments, launch
from .geometry import Strides, divisor, on_host, scalars, strides_of, vector_width

__all__ = ["COLUMNS", "FIXED_BYTES", "SIZES", "ConvDepthwiseDirect", "images_grid"]

THREADS = 128
MOST_BLOCKS_Y = 65_535
MOST_ITEMS = 2**31 - THREADS

SIZES = ((3, 3), (5, 5), (7, 7))
"""Kernels that are compiled for their size, at stride 1 and 2 and without dilation; all others share the general one."""

FIXED_BYTES = 8
"""An access of at least so many bytes has these kernels; narrower ones, of layers that are rare, take the general one. Same bits."""

COLUMNS = 4
"""Results of a line that a thread computes together, where the map is large enough to keep the GPU busy so."""


def images_grid(n: int) -> tuple[int, int]:
    """Blocks along y and z, at least n of them: y alone ends at 65,535."""
    return min(n, MOST_BLOCKS_Y), -(-n // MOST_BLOCKS_Y)


@takes_lines
class ConvDepthwiseDirect(Impl):
    """``kernels/conv_depthwise.cu``: one input channel a group, float32 and float16.

    Parameters
    ----------
    columns : int
        Results of a line a thread; chosen by shape where 0. It never changes the bits.
    """

    numerics = "fma over r, s"
    packs = (1, 2)

    def __init__(self, columns: int = 0) -> None:
        self.columns = columns
        self.name = f"conv_depthwise_direct/{columns}" if columns else "conv_depthwise_direct"

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """As many groups as input channels, more than one; any channel multiplier."""
        return x.dtype in (np.float32, np.float16) and x.ndim == 4 and op.groups == x.shape[1] > 1

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (r, s, k); bias as float32."""
        weight, bias, rest = constants[1], constants[2] if len(constants) > 2 else None, constants[3:]
        host = on_host(weight)
        packed = np.ascontiguousarray(host[:, 0].transpose(1, 2, 0))
        shift = None if bias is None else bias.astype(np.float32)
        return (constants[0], packed, shift, *rest)[: len(constants)]

    def bind(
        self, backend: CudaBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch: channels side by side in a warp, then places of the map."""
        x, weight, bias, residual = (*inputs, None, None)[:4]
        out = outputs[0]
        (n, k, p, q), (_, c, h, w), (r, s) = out.shape, x.shape, weight.shape[:2]
        strides, y_strides = strides_of(x), strides_of(out)
        added = Strides(0, 0, 0) if residual is None else strides_of(residual)
        if strides is None or y_strides is None or added is None:
            raise LimitError(f"{op.name}: the kernel wants channels side by side")
        vec = vector_width(x, k, *strides) if k == c else 1
        vec = min(vec, vector_width(out, k, *y_strides), vec if residual is None else vector_width(residual, k, *added))
        wide = vec * x.dtype.itemsize >= FIXED_BYTES
        fixed = wide and (r, s) in SIZES and op.stride in ((1, 1), (2, 2)) and op.dilation == (1, 1)
        columns = self._columns(n * p * q * k // vec, backend.driver.limits.multiprocessors) if fixed else 1
        chunks, tiles = k // vec, -(-q // columns)
        items = chunks * tiles * p
        if items > MOST_ITEMS:
            raise LimitError(f"{op.name}: an image of {k}×{p}×{q} results is more than one launch of the kernel can count")
        pads = op.pads(Spec(tuple(x.shape), x.dtype), Spec((k, 1, r, s), x.dtype))
        by_chunk, by_tile, by_multiplier = divisor(chunks), divisor(tiles), divisor(k // c)
        pre, post = activation_arguments(op.epilogue.pre), activation_arguments(op.epilogue.post)
        args = scalars(
            x=x, weight=weight, bias=bias, residual=residual, y=out,
            images=n, items=items, channels=k, height=h, width=w, q_size=q,
            chunks=chunks, chunks_magic=by_chunk.magic, chunks_shift=by_chunk.shift,
            tiles=tiles, tiles_magic=by_tile.magic, tiles_shift=by_tile.shift,
            multiplier_magic=by_multiplier.magic, multiplier_shift=by_multiplier.shift,
            rows=r, columns=s, stride_h=op.stride[0], stride_w=op.stride[1], dilation_h=op.dilation[0], dilation_w=op.dilation[1],
            top=pads[0][0], left=pads[1][0],
            x_image=np.int64(strides.image), x_line=np.int64(strides.line), x_pixel=strides.pixel,
            y_image=np.int64(y_strides.image), y_line=np.int64(y_strides.line), y_pixel=y_strides.pixel,
            residual_image=np.int64(added.image), residual_line=np.int64(added.line), residual_pixel=added.pixel,
            pre=pre[0], pre_alpha=pre[1], pre_beta=pre[2], post=post[0], post_alpha=post[1], post_beta=post[2],
        )  # fmt: skip
        size = {"R": r, "S": s, "STRIDE": op.stride[0]} if fixed else {"R": 0, "S": 0, "STRIDE": 0}
        macros = {"HALF": int(x.dtype == np.float16), "VEC": vec, "TW": columns, "THREADS": THREADS, **size}
        kernel = backend.kernel("conv_depthwise.cu", "conv_depthwise", **macros)
        return launch(kernel, (-(-items // THREADS), *images_grid(n)), (THREADS, 1, 1), args)

    def _columns(self, vectors: int, multiprocessors: int) -> int:
        """Several a thread once that leaves four blocks for every multiprocessor: reuse is worth less than threads."""
        if self.columns:
            return self.columns
        return COLUMNS if vectors // COLUMNS >= 4 * THREADS * multiprocessors else 1
