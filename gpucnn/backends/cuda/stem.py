"""Convolution of one to four channels, a net's first: of the image itself, or of its bytes with the normalisation on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import Conv, LookupConv
from ...spec import Array, Spec, spec_of
from ..base import Call, Impl, Packed
from ..unit_axis import takes_lines
from .backend import CudaBackend, activation_arguments, launch
from .depthwise import images_grid
from .geometry import Strides, divisor, on_host, scalars, strides_of, vector_width

__all__ = ["STEM_TILES", "ConvStemMma", "ConvStemSimt", "StemTile"]

CHANNELS = 4
K_PADDED = 64  # packed weights fit every tile
SHARED = 64 << 10
"""Bytes of shared memory that a block may have on every GPU: the same rule everywhere, because the method decides the bits."""

USUAL = 48 << 10
"""What a block takes at most where it has the choice, so that two of them fit on a multiprocessor almost everywhere."""

MOST_BLOCKS = 2**31 - 1


@dataclass(frozen=True)
class StemTile:
    """Tile of ``conv_stem_mma.cu`` and ``conv_stem_simt.cu``: TP lines of TQ results of BN channels."""

    TP: int
    TQ: int
    BN: int

    def patch(self, stride: Sequence[int], kernel: Sequence[int]) -> tuple[int, int]:
        """Lines and columns of the input that the tile's windows meet."""
        return (self.TP - 1) * stride[0] + kernel[0], (self.TQ - 1) * stride[1] + kernel[1]


STEM_TILES = {
    "8x32x64": StemTile(8, 32, 64),
    "8x32x32": StemTile(8, 32, 32),
    "4x16x64": StemTile(4, 16, 64),
    "4x16x32": StemTile(4, 16, 32),
}
"""By name; all add in the same order, so they give the same bits."""


@dataclass(frozen=True)
class _Room:
    """Shared memory of a block, in elements from its beginning: patch, weights, table; and rows of the kernel that lie there at once."""

    rows: int
    weight_at: int
    table_at: int
    bytes: int


class _ConvStem(Impl):
    """What both kernels share; see their heads for the method.

    Parameters
    ----------
    lookup : bool
        For ``LookupConv`` instead of ``Conv``.
    tile : str, optional
        A key of ``STEM_TILES``; chosen by shape where absent.
    """

    dtype: np.dtype[Any] = np.dtype(np.float32)
    method = ""

    def __init__(self, lookup: bool = False, tile: str = "") -> None:
        self.lookup, self.tile = lookup, tile
        self.name = f"{'lookup_' if lookup else ''}{self.method}{f'/{tile}' if tile else ''}"
        self.packs = (1, 2, 3) if lookup else (1, 2)

    def supports(self, op: Conv | LookupConv, x: Spec, *rest: Spec | None) -> bool:
        """Two dimensions, up to four channels in one group, no dilation, and a kernel that fits into shared memory."""
        conv = op.conv if isinstance(op, LookupConv) else op
        values, weight = (rest[0], rest[1]) if self.lookup else (x, rest[0])
        if values is None or weight is None or values.dtype != self.dtype or x.ndim != 4 or not 1 <= x.shape[1] <= CHANNELS:
            return False
        room = self._room(STEM_TILES["4x16x32"], conv, x.shape[1], weight.shape[2:])
        return conv.groups == 1 and conv.dilation == (1, 1) and room.bytes <= SHARED

    def pack(self, op: Conv | LookupConv, *constants: Any) -> tuple[Any, ...]:
        """Table as (c, 256); weight in the order of the sum; bias as float32."""
        x, *tables, weight, bias, residual = (*constants, None, None)[: 5 if self.lookup else 4]
        host = on_host(weight)
        packed = Packed(self._weight(host), tuple(weight.shape))
        columns = [np.ascontiguousarray(on_host(t).T) for t in tables]
        return (x, *columns, packed, None if bias is None else bias.astype(np.float32), residual)[: len(constants)]

    def bind(
        self, backend: CudaBackend, op: Conv | LookupConv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        conv = op.conv if isinstance(op, LookupConv) else op
        x, *tables, packed, bias, residual = (*inputs, None, None)[: 5 if self.lookup else 4]
        out = outputs[0]
        (n, k, p, q), (_, c, h, w), kernel = out.shape, x.shape, packed.shape[2:]
        strides, y_strides = strides_of(x), strides_of(out)
        added = Strides(0, 0, 0) if residual is None else strides_of(residual)
        if strides is None or y_strides is None or added is None:
            raise LimitError(f"{op.name}: the kernel wants channels side by side")
        tile = STEM_TILES[self.tile] if self.tile else self._tile(conv, c, kernel, out, backend.driver.limits.multiprocessors)
        (lines, columns), room = tile.patch(conv.stride, kernel), self._room(tile, conv, c, kernel)
        p_tiles, q_tiles, k_tiles = -(-p // tile.TP), -(-q // tile.TQ), -(-k // tile.BN)
        if p_tiles * q_tiles * k_tiles > MOST_BLOCKS:
            raise LimitError(f"{op.name}: an image of {k}×{p}×{q} results is more than one launch of the kernel can count")
        pads = conv.pads(spec_of(x), Spec(packed.shape, self.dtype))
        by_column, by_k_tile, by_q_tile = divisor(columns), divisor(k_tiles), divisor(q_tiles)
        pre, post = activation_arguments(conv.epilogue.pre), activation_arguments(conv.epilogue.post)
        args = scalars(
            x=x, table=tables[0] if tables else None, weight=packed.array, bias=bias, residual=residual, y=out,
            images=n, channels=c, k_total=k, p_size=p, q_size=q,
            rows=kernel[0], rows_stage=room.rows, taps=kernel[1], depth=self._depth(c, kernel[1]),
            stride_h=conv.stride[0], stride_w=conv.stride[1], top=pads[0][0], left=pads[1][0], height=h, width=w,
            whole=int(c == CHANNELS and vector_width(x, c, *strides, most=CHANNELS * x.dtype.itemsize) == CHANNELS),
            wide=int(_is_wide(out, k, y_strides) and (residual is None or _is_wide(residual, k, added))),
            pixels=lines * columns, columns=columns, columns_magic=by_column.magic, columns_shift=by_column.shift,
            weight_at=room.weight_at, table_at=room.table_at,
            k_tiles=k_tiles, k_tiles_magic=by_k_tile.magic, k_tiles_shift=by_k_tile.shift,
            q_tiles=q_tiles, q_tiles_magic=by_q_tile.magic, q_tiles_shift=by_q_tile.shift,
            x_image=np.int64(strides.image), x_line=np.int64(strides.line), x_pixel=strides.pixel,
            y_image=np.int64(y_strides.image), y_line=np.int64(y_strides.line), y_pixel=y_strides.pixel,
            residual_image=np.int64(added.image), residual_line=np.int64(added.line), residual_pixel=added.pixel,
            pre=pre[0], pre_alpha=pre[1], pre_beta=pre[2], post=post[0], post_alpha=post[1], post_beta=post[2],
        )  # fmt: skip
        threads, macros = self._block(tile)
        function = backend.kernel(f"{self.method}.cu", self.method, LOOKUP=int(self.lookup), TP=tile.TP, TQ=tile.TQ, BN=tile.BN, **macros)
        return launch(function, (p_tiles * q_tiles * k_tiles, *images_grid(n)), (threads, 1, 1), args, room.bytes)

    def _depth(self, c: int, s: int) -> int:
        """Elements of a packed line of the kernel."""
        raise NotImplementedError

    def _weight(self, weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The weight as the kernel reads it."""
        raise NotImplementedError

    def _block(self, tile: StemTile) -> tuple[int, dict[str, int]]:
        """Threads, and the macros that are the method's own."""
        raise NotImplementedError

    def _gaps(self, tile: StemTile) -> tuple[int, int]:
        """Elements beside the weights that lie there, and bytes that the epilogue wants at least."""
        return 0, 0

    def _room(self, tile: StemTile, conv: Conv, c: int, kernel: Sequence[int]) -> _Room:
        """As many lines of the kernel as fit. Without a lookup there is room for a table too: both ops are supported alike."""
        size, (lines, columns), (gaps, least) = self.dtype.itemsize, tile.patch(conv.stride, kernel), self._gaps(tile)
        patch, line, table = -(-lines * columns * 4 // 8) * 8, tile.BN * self._depth(c, kernel[1]), 256 * c
        rows = max(1, min(kernel[0], (USUAL // size - patch - gaps - table) // line))
        table_at = patch + gaps + rows * line
        return _Room(rows, patch, table_at, max(least, (table_at + table) * size))

    def _tile(self, conv: Conv, c: int, kernel: Sequence[int], out: Array, multiprocessors: int) -> StemTile:
        """As wide as k needs; large where that fits, and leaves every multiprocessor a block."""
        n, k, p, q = out.shape
        width = min((32, 64), key=lambda bn: (-(-k // bn) * bn, -bn))
        large, small = STEM_TILES[f"8x32x{width}"], STEM_TILES[f"4x16x{width}"]
        blocks = n * -(-p // large.TP) * -(-q // large.TQ) * -(-k // width)
        if q > small.TQ and blocks >= multiprocessors and self._room(large, conv, c, kernel).bytes <= USUAL:
            return large
        return small if self._room(small, conv, c, kernel).bytes <= USUAL else STEM_TILES["4x16x32"]


def _is_wide(y: Array, k: int, strides: Strides) -> bool:
    """Whether channels are stored, or a residual's loaded, 16 bytes at a time."""
    size: int = y.dtype.itemsize
    return vector_width(y, k, *strides) * size == 16


@takes_lines
class ConvStemMma(_ConvStem):
    """``kernels/conv_stem_mma.cu``: float16, tensor cores. See ``_ConvStem`` for the parameters."""

    numerics = "mma k16 over r, then s by 4 channels"
    dtype = np.dtype(np.float16)
    method = "conv_stem_mma"

    def _depth(self, c: int, s: int) -> int:
        return -(-s * CHANNELS // 16) * 16

    def _weight(self, weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        k, c, r, s = weight.shape
        packed = np.zeros((-(-k // K_PADDED) * K_PADDED, r, self._depth(c, s) // CHANNELS, CHANNELS), self.dtype)
        packed[:k, :, :s, :c] = weight.transpose(0, 2, 3, 1)
        return packed

    def _block(self, tile: StemTile) -> tuple[int, dict[str, int]]:
        warps = 8 if tile.TQ == 32 else 4
        return 32 * warps, {"HALF": 1, "WARPS": warps}

    def _gaps(self, tile: StemTile) -> tuple[int, int]:
        # 8 halfs behind each channel's weights; sums of 16 pixels a warp
        return tile.BN * 8, self._block(tile)[0] // 2 * (tile.BN + 8) * 4


@takes_lines
class ConvStemSimt(_ConvStem):
    """``kernels/conv_stem_simt.cu``: float32, IEEE. See ``_ConvStem`` for the parameters."""

    numerics = "fma over r, s, c"
    method = "conv_stem_simt"

    def _depth(self, c: int, s: int) -> int:
        return s * c

    def _weight(self, weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        k, c, r, s = weight.shape
        packed = np.zeros((r, s, c, -(-k // K_PADDED) * K_PADDED), self.dtype)
        packed[..., :k] = weight.transpose(2, 3, 1, 0)
        return packed

    def _block(self, tile: StemTile) -> tuple[int, dict[str, int]]:
        return tile.TP * tile.TQ, {"HALF": 0}

    def _gaps(self, tile: StemTile) -> tuple[int, int]:
        return 0, self._block(tile)[0] * 32 * 4  # 32 sums a thread
