"""Convolution as implicit matrix product: float16 on tensor cores, float32 on CUDA cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import Conv
from ...spec import Array, Spec
from ..base import Call, Impl, Packed
from .backend import CudaBackend, activation_arguments, launch
from .geometry import Strides, divisor, pitch_of, scalars, strides_of, vector_width

__all__ = ["MMA_TILES", "SIMT_TILES", "ConvIgemmMma", "ConvIgemmSimt", "MmaTile", "SimtTile"]

K_PADDED, D_PADDED = 128, 32  # packed weights fit every tile


@dataclass(frozen=True)
class MmaTile:
    """Tile of ``conv_igemm_mma.cu``: BM × BN results by WM × WN warps, STAGES tiles of input under way."""

    BM: int
    BN: int
    WM: int
    WN: int
    STAGES: int

    @property
    def threads(self) -> int:
        """Of a block."""
        return 32 * self.WM * self.WN

    def shared(self, stages: int) -> int:
        """Bytes of dynamic shared memory."""
        return stages * (self.BM + self.BN) * 64


MMA_TILES = {
    "128x128": MmaTile(128, 128, 2, 4, 4),
    "128x64": MmaTile(128, 64, 4, 2, 4),
    "128x32": MmaTile(128, 32, 4, 1, 4),
    "64x128": MmaTile(64, 128, 2, 4, 4),
    "64x64": MmaTile(64, 64, 2, 2, 4),
    "64x32": MmaTile(64, 32, 2, 2, 4),
}
"""By name; all add in the same order, so they give the same bits and only time may choose among them."""


@dataclass(frozen=True)
class SimtTile:
    """Tile of ``conv_igemm_simt.cu``: BM × BN results, TM × TN of them a thread."""

    BM: int
    BN: int
    TM: int
    TN: int

    @property
    def threads(self) -> int:
        """Of a block."""
        return self.BM // self.TM * (self.BN // self.TN)


SIMT_TILES = {
    "128x64": SimtTile(128, 64, 8, 4),
    "128x32": SimtTile(128, 32, 8, 4),
    "64x64": SimtTile(64, 64, 4, 4),
    "64x32": SimtTile(64, 32, 4, 4),
    "32x64": SimtTile(32, 64, 4, 4),
    "32x32": SimtTile(32, 32, 4, 4),
}
"""By name; all add in the same order."""


def _best(tiles: dict[str, Any], m: int, k: int, multiprocessors: int, narrow: bool = False) -> Any:
    """The tile that wastes least: as wide as k needs, as tall as still gives every multiprocessor a block.

    ``narrow`` leaves out the tallest tiles: a thread that copies x by few bytes keeps many pixels, and would run out of registers.
    """
    if narrow:
        tiles = {name: tile for name, tile in tiles.items() if tile.BM <= 64}
    width = min((t.BN for t in tiles.values()), key=lambda bn: (-(-k // bn) * bn, -bn))
    tall = sorted((t for t in tiles.values() if width == t.BN), key=lambda t: -t.BM)
    for tile in tall:
        if -(-m // tile.BM) * -(-k // tile.BN) >= multiprocessors:
            return tile
    return tall[-1]


class _ConvIgemm(Impl):
    """What both kernels share; see their heads for the method."""

    packs = (1, 2)
    dtype: np.dtype[Any] = np.dtype(np.float32)

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """Every 2-d convolution of the kernel's dtype."""
        return x.dtype == self.dtype and x.ndim == 4

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (groups, k padded, r·s·c padded) in the order of the sum; bias as float32."""
        weight, bias, rest = constants[1], constants[2] if len(constants) > 2 else None, constants[3:]
        k, c, r, s = weight.shape
        per, depth = k // op.groups, r * s * c
        packed = np.zeros((op.groups, -(-per // K_PADDED) * K_PADDED, -(-depth // D_PADDED) * D_PADDED), self.dtype)
        host = weight if isinstance(weight, np.ndarray) else weight.get()
        packed[:, :per, :depth] = host.reshape(op.groups, per, c, r, s).transpose(0, 1, 3, 4, 2).reshape(op.groups, per, depth)
        shift = None if bias is None else bias.astype(np.float32)
        return (constants[0], Packed(packed, tuple(weight.shape)), shift, *rest)[: len(constants)]

    def bind(
        self, backend: CudaBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        raise NotImplementedError


def _taps(depth: int, padded: int, c: int, s: int, dilation: tuple[int, int], strides: Strides, vec: int) -> np.ndarray[Any, Any]:
    """For every ``vec`` elements of the sum: their offset into x, their line and column, and whether they exist."""
    table = np.zeros((padded // vec, 4), np.int32)
    d = np.arange(0, depth, vec)
    tap, channel = d // c, d % c
    line, column = tap // s * dilation[0], tap % s * dilation[1]
    offset = line * strides.line + column * strides.pixel + channel
    if offset.size and offset.max() >= 2**31:
        raise LimitError("conv2d: a window reaches over more than 2^31 elements of x")
    table[: len(d)] = np.stack([offset, line, column, np.ones_like(d)], axis=1)
    return table


def _arguments(backend: CudaBackend, op: Conv, inputs: Sequence[Any], out: Array) -> tuple[Any, ...]:
    """Return the vector width, and everything that both kernels take."""
    x, packed, bias, residual = (*inputs, None, None)[:4]
    (n, k, p, q), (_, c_all, h, w) = out.shape, x.shape
    weight, (r, s), c, per = packed.array, packed.shape[2:], c_all // op.groups, k // op.groups
    strides, pitch = strides_of(x), pitch_of(out)
    r_pitch = 0 if residual is None else pitch_of(residual)
    if strides is None or pitch is None or r_pitch is None:
        raise LimitError("conv2d: the kernel wants channels side by side, and pixels of results evenly spaced")
    vec = vector_width(x, c, *strides)
    pads = op.pads(Spec(tuple(x.shape), x.dtype), Spec((k, c, r, s), x.dtype))
    table = backend.upload(_taps(r * s * c, weight.shape[2], c, s, (op.dilation[0], op.dilation[1]), strides, vec))
    pre, post = activation_arguments(op.epilogue.pre), activation_arguments(op.epilogue.post)
    by_map, by_line = divisor(p * q), divisor(q)
    args = scalars(
        x=x, weight=weight, bias=bias, residual=residual, y=out, taps=table,
        m_total=n * p * q, k_group=per, d_padded=weight.shape[2], k_padded=weight.shape[1], c_group=c,
        height=h, width=w, stride_h=op.stride[0], stride_w=op.stride[1], top=pads[0][0], left=pads[1][0],
        pq=p * q, pq_magic=by_map.magic, pq_shift=by_map.shift, q=q, q_magic=by_line.magic, q_shift=by_line.shift,
        x_image=np.int64(strides.image), x_line=np.int64(strides.line), x_pixel=strides.pixel, y_pixel=pitch, residual_pixel=r_pitch,
        pre=pre[0], pre_alpha=pre[1], pre_beta=pre[2], post=post[0], post_alpha=post[1], post_beta=post[2],
    )  # fmt: skip
    return (vec, *args)


class ConvIgemmMma(_ConvIgemm):
    """``kernels/conv_igemm_mma.cu``: float16, tensor cores.

    Parameters
    ----------
    tile : str, optional
        A key of ``MMA_TILES``; chosen by shape where absent.
    """

    numerics = "mma k16 over r, s, c"
    dtype = np.dtype(np.float16)

    def __init__(self, tile: str = "") -> None:
        self.tile = tile
        self.name = f"conv_igemm_mma/{tile}" if tile else "conv_igemm_mma"

    def bind(
        self, backend: CudaBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch; two stages where the GPU has no asynchronous copies."""
        out, limits = outputs[0], backend.driver.limits
        n, k, p, q = out.shape
        vec, *args = _arguments(backend, op, inputs, out)
        narrow = vec < 8 or limits.arch < 80
        tile = MMA_TILES[self.tile] if self.tile else _best(MMA_TILES, n * p * q, k // op.groups, limits.multiprocessors, narrow)
        stages = tile.STAGES if limits.arch >= 80 else 2
        macros = {"HALF": 1, "BM": tile.BM, "BN": tile.BN, "WM": tile.WM, "WN": tile.WN, "STAGES": stages, "VEC": vec}
        kernel = backend.kernel("conv_igemm_mma.cu", "conv_igemm_mma", **macros)
        grid = (-(-n * p * q // tile.BM), -(-(k // op.groups) // tile.BN), op.groups)
        return launch(kernel, grid, (tile.threads, 1, 1), args, tile.shared(stages))


class ConvIgemmSimt(_ConvIgemm):
    """``kernels/conv_igemm_simt.cu``: float32, IEEE.

    Parameters
    ----------
    tile : str, optional
        A key of ``SIMT_TILES``; chosen by shape where absent.
    """

    numerics = "fma over r, s, c"

    def __init__(self, tile: str = "") -> None:
        self.tile = tile
        self.name = f"conv_igemm_simt/{tile}" if tile else "conv_igemm_simt"

    def bind(
        self, backend: CudaBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        out = outputs[0]
        n, k, p, q = out.shape
        vec, *args = _arguments(backend, op, inputs, out)
        multiprocessors = backend.driver.limits.multiprocessors
        tile = SIMT_TILES[self.tile] if self.tile else _best(SIMT_TILES, n * p * q, k // op.groups, multiprocessors)
        macros = {"HALF": 0, "BM": tile.BM, "BN": tile.BN, "TM": tile.TM, "TN": tile.TN, "VEC": vec}
        kernel = backend.kernel("conv_igemm_simt.cu", "conv_igemm_simt", **macros)
        grid = (-(-n * p * q // tile.BM), -(-(k // op.groups) // tile.BN), op.groups)
        return launch(kernel, grid, (tile.threads, 1, 1), args)
