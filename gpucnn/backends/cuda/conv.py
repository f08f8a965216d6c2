"""Convolution as implicit matrix product: float16 on tensor cores, float32 on CUDA cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeVar

import numpy as np

from ...errors import LimitError
from ...ops import Conv
from ...spec import Array, Spec
from ..base import Call, Impl, Packed, in_order
from ..unit_axis import takes_lines
from .backend import CudaBackend, activation_arguments, launch
from .driver import Dim3, Limits
from .geometry import Strides, divisor, on_host, pitch_of, scalars, strides_of, vector_width

__all__ = ["MMA_TILES", "SIMT_TILES", "ConvIgemmMma", "ConvIgemmSimt", "MmaTile", "SimtTile"]

K_PADDED, D_PADDED = 128, 64
"""Packed weights fit every tile."""

OUTSIDE = -(2**30)
"""A line that no image has, as in the kernels."""

MOST_ROWS = 2**31 - 256
MOST_GROUPS = 65535
"""Of one launch: rows are counted in 32 bits up to the end of the last tile, and groups lie along the grid's y."""


@dataclass(frozen=True)
class MmaTile:
    """Tile of ``conv_igemm_mma.cu``: BM × BN results by WM × WN warps."""

    BM: int
    BN: int
    WM: int
    WN: int

    @property
    def threads(self) -> int:
        """Of a block."""
        return 32 * self.WM * self.WN

    @property
    def inner(self) -> float:
        """Cycles for one step of the sum: multiplying, or loading rows and columns where that takes longer."""
        return max(self.BM * self.BN / 1024, (self.BM + self.BN) * 2 / CACHE_BYTES_PER_CYCLE)

    def shared(self, depth: int, stages: int) -> int:
        """Bytes of dynamic shared memory: where the windows begin, and the pipeline, which the epilogue uses after it."""
        epilogue = self.WM * self.WN * 16 * (self.BN // self.WN + 8) * 4
        return self.BM * 16 + max(stages * (self.BM + self.BN) * depth * 2, epilogue)

    def pipeline(self, limits: Limits) -> tuple[int, int]:
        """BK and STAGES: the deepest with which eight warps fit into a multiprocessor; where none does, with which one block fits.

        Eight, because its four tensor cores want two warps each, and those of the largest tiles have registers for no more.
        """
        choices = PIPELINES if limits.arch >= ASYNC_COPIES else PIPELINES[-1:]
        for blocks in (8 * 32 // self.threads, 1):
            room = (limits.shared + RESERVED) // blocks - RESERVED
            for depth, stages in choices:
                if self.shared(depth, stages) <= room:
                    return depth, stages
        raise LimitError(f"conv2d: tile {self} wants more than the {limits.shared} bytes of shared memory here; leave the choice to gpucnn")

    def layout(self, limits: Limits, depth: int) -> tuple[int, int, int]:
        """BK, STAGES, and bytes of shared memory for a sum of ``depth``, which may leave stages unused."""
        bk, stages = self.pipeline(limits)
        return bk, stages, self.shared(bk, min(stages, -(-depth // bk)))

    def resident(self, limits: Limits, depth: int) -> int:
        """Blocks that a multiprocessor holds at once: by shared memory, and by registers for sums, two sets of fragments and the rest."""
        m, n = self.BM // self.WM, self.BN // self.WN
        registers = m * n // 32 + (m + n) // 2 + 56
        by_shared = (limits.shared + RESERVED) // (self.layout(limits, depth)[2] + RESERVED)
        return max(1, min(by_shared, REGISTERS // (registers * self.threads)))


REGISTERS, RESERVED = 65536, 1024
"""Of a multiprocessor; bytes of shared memory that a block takes beside its own."""

CACHE_BYTES_PER_CYCLE, MEMORY_BYTES_PER_CYCLE, LATENCY_CYCLES = 24, 10, 1500
"""Of one multiprocessor of sm_80 while all are busy: loads from the second-level cache, stores to memory; what the beginning and the end
of a block wait for. With the multiply-adds in ``inner`` they are a model for a first choice: a measurement may overrule it."""

ASYNC_COPIES = 80
"""The first architecture whose copies to shared memory pass registers by; before, two stages are all that is of use."""

PIPELINES = ((64, 4), (64, 3), (64, 2), (32, 3), (32, 2))
"""BK and STAGES, the best first: rows of 64 halfs fill cache lines of 128 bytes, and want half as many barriers."""

MMA_TILES = {
    "256x128": MmaTile(256, 128, 4, 2),
    "128x128": MmaTile(128, 128, 2, 2),
    "256x64": MmaTile(256, 64, 4, 1),
    "128x64": MmaTile(128, 64, 2, 2),
    "64x128": MmaTile(64, 128, 2, 2),
    "64x64": MmaTile(64, 64, 2, 2),
    "128x32": MmaTile(128, 32, 4, 1),
    "64x32": MmaTile(64, 32, 2, 2),
}
"""By name; all add in the same order, so they give the same bits and only time may choose among them.

Warps of 64 × 64 where possible: reading their fragments takes three quarters of the time that multiplying them takes (on sm_80),
while for warps of 64 × 32 shared memory is as busy as the tensor cores.
"""

SYNC_TILES = tuple(name for name in MMA_TILES if name != "256x64")
"""Without asynchronous copies: what is on its way takes registers, of which a thread of 256x64 has too few."""

NARROW_TILES = ("64x128", "64x32")
"""For x that is copied by less than 16 bytes: rare, so few are compiled; wide, because every tile of K copies x anew."""


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

    @property
    def inner(self) -> float:
        """Cycles for one step of the sum: four numbers from shared memory take a thread as long as eight multiply-adds."""
        return self.BM * self.BN / 128 * (1 + 2 / self.TM + 2 / self.TN)

    def resident(self, limits: Limits, depth: int) -> int:
        """Blocks that a multiprocessor holds at once: each thread has 128 registers."""
        return REGISTERS // (128 * self.threads)


SIMT_TILES = {
    "128x128": SimtTile(128, 128, 8, 8),
    "128x64": SimtTile(128, 64, 8, 4),
    "64x64": SimtTile(64, 64, 8, 4),
    "128x32": SimtTile(128, 32, 8, 4),
    "64x32": SimtTile(64, 32, 4, 4),
    "32x64": SimtTile(32, 64, 4, 4),
    "32x32": SimtTile(32, 32, 4, 4),
}
"""By name; all add in the same order."""

NARROW_SIMT_TILES = ("32x64", "32x32")

Tile = TypeVar("Tile", MmaTile, SimtTile)

@dataclass(frozen=True)
class Product:
    """What tile and grid follow from: rows, columns and length of a group's product, groups, elements of an access to x."""

    m: int
    k: int
    depth: int
    groups: int = 1
    vec: int = 1

    def blocks(self, tile: MmaTile | SimtTile) -> int:
        """Tiles of one group."""
        return -(-self.m // tile.BM) * -(-self.k // tile.BN)

    def cycles(self, tile: MmaTile | SimtTile, limits: Limits) -> float:
        """Estimate of the busiest multiprocessor's time.

        A block adds up, then stores. Those that a multiprocessor holds at once overlap, but together take no less than the busier of both.
        """
        blocks = self.blocks(tile) * self.groups
        inner = self.depth * tile.inner
        store = self.m * self.k * self.groups / blocks * (2 if isinstance(tile, MmaTile) else 4) / MEMORY_BYTES_PER_CYCLE
        most = -(-blocks // limits.multiprocessors)
        turns = -(-most // tile.resident(limits, self.depth))
        return max(most * max(inner, store), turns * (LATENCY_CYCLES + inner + store))


def best(tiles: Sequence[Tile], product: Product, limits: Limits) -> Tile:
    """The tile with which the busiest multiprocessor is done first, by shapes and device alone; the first of equals.

    Examples
    --------
    >>> a100 = Limits(arch=80, multiprocessors=108, shared=163 << 10)
    >>> best(list(MMA_TILES.values()), Product(32 * 28 * 28, 512, 4608), a100)
    MmaTile(BM=256, BN=128, WM=4, WN=2)
    >>> best(list(MMA_TILES.values()), Product(7 * 7, 512, 4608), a100)
    MmaTile(BM=64, BN=32, WM=2, WN=2)
    """
    return min(tiles, key=lambda tile: product.cycles(tile, limits))


class _ConvIgemm(Impl):
    """What both kernels share; see their heads for the method."""

    packs = (1, 2)
    dtype: np.dtype[Any] = np.dtype(np.float32)

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """Every convolution of the kernel's dtype in two or three dimensions."""
        return x.dtype == self.dtype and x.ndim in (4, 5)

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (groups, k padded, t·r·s·c padded) in the order of the sum; bias as float32 (groups, k padded)."""
        weight, bias, rest = constants[1], constants[2] if len(constants) > 2 else None, constants[3:]
        k, c, *kernel = weight.shape
        per, depth = k // op.groups, prod(kernel) * c
        k_padded = -(-per // K_PADDED) * K_PADDED
        packed = np.zeros((op.groups, k_padded, -(-depth // D_PADDED) * D_PADDED), self.dtype)
        krsc = np.moveaxis(on_host(weight).reshape(op.groups, per, c, *kernel), 2, -1)
        packed[:, :per, :depth] = krsc.reshape(op.groups, per, depth)
        shift = None
        if bias is not None:
            shift = np.zeros((op.groups, k_padded), np.float32)
            shift[:, :per] = on_host(bias).reshape(op.groups, per)
        return (constants[0], Packed(packed, tuple(weight.shape)), shift, *rest)[: len(constants)]

    def bind(
        self, backend: CudaBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch; for a volume one for every plane of the result."""
        if inputs[0].ndim == 4:
            return self._launch(backend, *_arguments(backend, op, inputs, outputs[0]), op)
        x, packed, bias, residual = (*inputs, None, None)[:4]
        out, kernel = outputs[0], packed.shape[2:]
        (front, _), *around = op.pads(Spec(tuple(x.shape), x.dtype), Spec(packed.shape, x.dtype))
        flat = replace(op, stride=op.stride[1:], padding=tuple(around), dilation=op.dilation[1:])
        step, calls = int(x.strides[2]) // x.dtype.itemsize, []
        for i, z in np.ndindex(out.shape[0], out.shape[2]):
            met = [z * op.stride[0] + t * op.dilation[0] - front for t in range(kernel[0])]
            planes = [plane * step if 0 <= plane < x.shape[2] else None for plane in met]
            added = None if residual is None else residual[i : i + 1, :, z]
            product, args = _arguments(backend, flat, (x[i : i + 1, :, 0], packed, bias, added), out[i : i + 1, :, z], planes)
            calls.append(self._launch(backend, product, args, flat))
        return in_order(calls)

    def _launch(self, backend: CudaBackend, product: Product, args: tuple[Any, ...], op: Conv) -> Call:
        """With the tile that suits the product."""
        raise NotImplementedError


def _taps(
    kernel: tuple[int, int], padded: int, c: int, dilation: tuple[int, int], strides: Strides, planes: Sequence[int | None], vec: int
) -> np.ndarray[Any, Any]:
    """For every ``vec`` elements of the sum: their offset into x (64 bits), their line and column; ``OUTSIDE`` behind the last.

    ``planes`` are offsets of the planes that a volume's kernel meets, None where one lies outside; one of 0 for an image.
    """
    table, (r, s) = np.zeros((padded // vec, 4), np.int32), kernel
    d = np.arange(0, len(planes) * r * s * c, vec)
    tap, channel = d // c % (r * s), d % c
    plane = np.array([0 if p is None else p for p in planes], np.int64)[d // (r * s * c)]
    line, column = tap // s * dilation[0], tap % s * dilation[1]
    offset = (plane + line * strides.line + column * strides.pixel + channel).astype("<i8")
    table[: len(d), :2] = offset.view("<i4").reshape(-1, 2)
    outside = np.array([p is None for p in planes])[d // (r * s * c)]
    table[: len(d), 2], table[: len(d), 3] = np.where(outside, OUTSIDE, line), column
    table[len(d) :, 2] = OUTSIDE
    return table


def _refuse_beyond(op: Conv, sizes: tuple[int, ...], out: Array, pads: Sequence[tuple[int, int]], **pitches: int) -> None:
    """Raise where indices that the kernels keep in 32 bits would not fit; offsets into arrays have 64."""
    n, _, p, q = out.shape
    if n * p * q > MOST_ROWS:
        raise LimitError(
            f"{op.name}: {n}×{p}×{q} result pixels are more than the {MOST_ROWS} of one launch; run a smaller batch or smaller images"
        )
    if op.groups > MOST_GROUPS:
        raise LimitError(f"{op.name}: {op.groups} groups are more than the {MOST_GROUPS} of one launch; use several convs")
    extents = [size + sum(pad) for size, pad in zip(sizes, pads)]
    if max(extents) >= -OUTSIDE:
        raise LimitError(f"{op.name}: an image of {extents[0]}×{extents[1]} pixels with its padding; sides must be below 2^30: cut it up")
    for name, pitch in pitches.items():
        if pitch >= 2**31:
            raise LimitError(f"{op.name}: {pitch} elements between pixels of {name}; must be below 2^31: copy it out of the larger buffer")


def _arguments(
    backend: CudaBackend, op: Conv, inputs: Sequence[Any], out: Array, planes: Sequence[int | None] = (0,)
) -> tuple[Product, tuple[Any, ...]]:
    """Return the product's shape, and everything that both kernels take; ``planes`` as for ``_taps``."""
    x, packed, bias, residual = (*inputs, None, None)[:4]
    (n, k, p, q), (_, c_all, h, w) = out.shape, x.shape
    weight, (r, s), c, per = packed.array, packed.shape[-2:], c_all // op.groups, k // op.groups
    depth = len(planes) * r * s * c
    strides, pitch = strides_of(x), pitch_of(out)
    r_pitch = 0 if residual is None else pitch_of(residual)
    if strides is None or pitch is None or r_pitch is None:
        raise LimitError(
            f"{op.name}: the kernel wants channels side by side, and pixels of results evenly spaced; got strides {x.strides} of x, "
            f"{out.strides} of the result: copy them to channels last"
        )
    pads = op.pads(Spec(tuple(x.shape), x.dtype), Spec((k, c, r, s), x.dtype))
    _refuse_beyond(op, (h, w), out, pads, x=strides.pixel, result=pitch, residual=r_pitch)
    vec = vector_width(x, c, *strides, *(p for p in planes if p))
    access = vector_width(out, per, pitch)
    if residual is not None:
        access = min(access, vector_width(residual, per, r_pitch))
    table = backend.upload(_taps((r, s), weight.shape[2], c, (op.dilation[0], op.dilation[1]), strides, planes, vec))
    pre, post = activation_arguments(op.epilogue.pre), activation_arguments(op.epilogue.post)
    by_map, by_line = divisor(p * q), divisor(q)
    args = scalars(
        x=x, weight=weight, bias=bias, residual=residual, y=out, taps=table,
        m_total=n * p * q, k_group=per, d_total=depth, d_padded=weight.shape[2], k_padded=weight.shape[1], c_group=c,
        height=h, width=w, stride_h=op.stride[0], stride_w=op.stride[1], top=pads[0][0], left=pads[1][0],
        pq=p * q, pq_magic=by_map.magic, pq_shift=by_map.shift, q=q, q_magic=by_line.magic, q_shift=by_line.shift,
        x_image=np.int64(strides.image), x_line=np.int64(strides.line), x_pixel=strides.pixel, y_pixel=pitch, residual_pixel=r_pitch,
        access=access, pre=pre[0], pre_alpha=pre[1], pre_beta=pre[2], post=post[0], post_alpha=post[1], post_beta=post[2],
    )  # fmt: skip
    return Product(n * p * q, per, depth, op.groups, vec), args


def _grid(op: Conv, product: Product, tile: MmaTile | SimtTile) -> Dim3:
    """All tiles of a group along x, groups along y."""
    blocks = product.blocks(tile)
    if blocks >= 2**31:
        raise LimitError(f"{op.name}: {blocks} tiles of results are more than the 2^31 of one launch; run a smaller batch")
    return blocks, product.groups, 1


@takes_lines
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

    def _launch(self, backend: CudaBackend, product: Product, args: tuple[Any, ...], op: Conv) -> Call:
        """With the deepest pipeline that the device has room for."""
        limits = backend.driver.limits
        wide = MMA_TILES if limits.arch >= ASYNC_COPIES else SYNC_TILES
        names = [self.tile] if self.tile else wide if product.vec == 8 else NARROW_TILES
        tile = best([MMA_TILES[name] for name in names], product, limits)
        bk, stages, shared = tile.layout(limits, product.depth)
        kernel = backend.kernel("conv_igemm_mma.cu", "conv_igemm_mma", HALF=1, **vars(tile), BK=bk, STAGES=stages, VEC=product.vec)
        return launch(kernel, _grid(op, product, tile), (tile.threads, 1, 1), args, shared)


@takes_lines
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

    def _launch(self, backend: CudaBackend, product: Product, args: tuple[Any, ...], op: Conv) -> Call:
        """With the tile that suits the product."""
        names = [self.tile] if self.tile else SIMT_TILES if product.vec == 4 else NARROW_SIMT_TILES
        tile = best([SIMT_TILES[name] for name in names], product, backend.driver.limits)
        kernel = backend.kernel("conv_igemm_simt.cu", "conv_igemm_simt", HALF=0, **vars(tile), VEC=product.vec)
        return launch(kernel, _grid(op, product, tile), (tile.threads, 1, 1), args)
