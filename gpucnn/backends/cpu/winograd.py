"""Winograd's convolution: 3×3 kernels with fewer multiplications, as products of matrices.

Lavin and Gray 2015, Fast Algorithms for Convolutional Neural Networks (arXiv:1509.09308). A tile of m×m results is
``Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A`` of its (m+2)×(m+2) pixels d. With all pixels of a tile in one column, ``Bᵀ d B`` is a product with the matrix
``Bᵀ⊗Bᵀ``, and so is the last step: BLAS does all three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ops import Conv, ConvMaxPool, Epilogue
from ...spec import Array, Spec
from ..base import Call, Impl
from .backend import CpuBackend, Scratch
from .conv_common import SLACK, Shape, four, is_float32_2d, nhwc, repack
from .epilogue import finish, room
from .frame import Frame
from .gemm import Block, shares
from .kinds import add, copy, larger
from .products import WHOLE, Whole

__all__ = ["MOST_ERROR", "TRANSFORMS", "ConvWinograd", "Transforms", "expected_error"]


class Transforms(NamedTuple):
    """Matrices of F(m×m, 3×3).

    Attributes
    ----------
    input : array, (m+2, m+2)
        ``Bᵀ``
    kernel : array, (m+2, 3)
        ``G``
    output : array, (m, m+2)
        ``Aᵀ``
    """

    input: Array
    kernel: Array
    output: Array


TRANSFORMS: dict[int, Transforms] = {
    2: Transforms(
        np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64),
        np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2,
        np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64),
    ),
    4: Transforms(
        np.array(
            [
                [4, 0, -5, 0, 1, 0],
                [0, -4, -4, 1, 1, 0],
                [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0],
                [0, 2, -1, -2, 1, 0],
                [0, 4, 0, -5, 0, 1],
            ],
            np.float64,
        ),
        np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24,
        np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float64),
    ),
}
"""By m; the points are 0, ±1 and infinity, for m = 4 also ±2."""

MOST_ERROR = 2e-5
"""Relative error (rms, of independent inputs and weights) that a layer may be expected to have; im2col's is 2e-7 to 4e-7."""

_TILES = (64, 128, 256)  # to choose from by time
_AT_ONCE = 1 << 16  # numbers in float64 that weights are transformed into at once, so that they stay in the cache until they are stored
_CHANNELS = 16  # with fewer, the transforms cost more than the products that they save


def expected_error(m: int, c: int) -> float:
    """Relative error (rms) of F(m×m, 3×3) over c channels that independent roundings of independent numbers are expected to make.

    A product of ``U = G w Gᵀ`` and ``V = Bᵀ d B`` is wrong by a share u of its size, and counts as ``A`` weighs it; beside nine products of
    a pixel and a weight. The roundings of a long sum grow with its root. Measured errors are a third to three times of it.

    Examples
    --------
    >>> [f"{expected_error(m, 256):.1e}" for m in (2, 4)]
    ['3.0e-07', '5.6e-06']
    """
    t = TRANSFORMS[m]
    weighed = (t.output**2) @ ((t.kernel**2).sum(1) * (t.input**2).sum(1))
    return float(weighed.max() / 3 * np.finfo(np.float32).eps / 2 * (1 + c / 32) ** 0.5)


class ConvWinograd(Impl):
    """3×3 of stride 1, in tiles of m×m results.

    Infinities and NaN of a pixel reach all results of its tiles, as NaN.

    Parameters
    ----------
    m : int
        Side of a tile: 2 or 4. The larger saves more multiplications (4 to 1 against 2.25 to 1), and rounds more.
    least : int
        Tiles that an image must have for the impl to suit it: with fewer a product has too few rows for the weights that it reads.
    tiles : int
        About so many in a block.
    products : Whole
        How matrices are multiplied.
    pooled : bool
        For ``ConvMaxPool`` instead of ``Conv``.
    """

    packs = (1, 2)

    def __init__(self, m: int, least: int = 1, tiles: int = 64, products: Whole = WHOLE, pooled: bool = False) -> None:
        self.m, self.least, self.tiles, self.products, self.pooled, self.variant = m, least, tiles, products, pooled, f"{tiles} tiles"
        self.name = f"conv_winograd{m}{products.suffix}{'/pooled' if pooled else ''}"
        self.numerics = f"winograd {m}×{m}{products.numerics}"

    def variants(self) -> Sequence[Impl]:
        """Other sizes of blocks."""
        return [ConvWinograd(self.m, self.least, tiles, self.products, self.pooled) for tiles in _TILES if tiles != self.tiles]

    def supports(self, op: Conv | ConvMaxPool, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """3×3 kernels without stride, dilation or groups, and no more error than ``MOST_ERROR``; pooled only what suits it."""
        conv = _conv(op)
        plain = weight.shape[2:] == (3, 3) and (*conv.stride, *conv.dilation, conv.groups) == (1, 1, 1, 1, 1)
        able = is_float32_2d(x) and plain and expected_error(self.m, x.shape[1]) <= MOST_ERROR
        return able and (not self.pooled or self._tiles_well(conv, x, weight))  # else a pass would fuse what is better left apart

    def suits(self, op: Conv | ConvMaxPool, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """Enough channels that the products outweigh the transforms, and enough tiles."""
        conv = _conv(op)
        return self._tiles_well(conv, x, weight) and self.products.pays(x.shape[1], self._tiles_of(conv, x, weight))

    def _tiles_well(self, op: Conv, x: Spec, weight: Spec) -> bool:
        return min(weight.shape[:2]) >= _CHANNELS and self._tiles_of(op, x, weight) >= self.least

    def _tiles_of(self, op: Conv, x: Spec, weight: Spec) -> int:
        return prod(self._tiles(*op.infer(x, weight)[0].shape[2:]))

    def _tiles(self, p: int, q: int) -> tuple[int, int]:
        """Tiles down and across an image."""
        return -(-p // self.m), -(-q // self.m)

    def _blocks(self, n: int, p: int, q: int, group: int, parts: int = 1) -> list[_Block]:
        """Blocks of ``group`` whole images, or of some tiles of one: lines of them, unless workers would then have unequal shares."""
        down, across = self._tiles(p, q)
        if group > 1:
            return [_Block(i, i + group, 0, down * across, across) for i in range(0, n, group)]
        count = -(-round(down * across / self.tiles) // parts) * parts
        uneven = parts > 1 and down % max(1, count)
        edges = shares(down * across, count, parts) if uneven else [line * across for line in shares(down, count, parts)]
        return [_Block(i, i + 1, a, b, across) for i in range(n) for a, b in pairwise(edges)]

    def _group(self, n: int, p: int, q: int) -> int:
        """Images in a block: few enough tiles, and a divisor of n."""
        each = prod(self._tiles(p, q))
        return max(d for d in range(1, n + 1) if n % d == 0 and d <= max(1, self.tiles // each))

    def _agree(self, backend: CpuBackend, group: int, p: int, q: int, c: int, k: int, u: Array, back: Array) -> bool:
        """Whether an image has the same bits at every place in a block of so many."""
        each, a, products = prod(self._tiles(p, q)), (self.m + 2) ** 2, self.products
        transforms = products.interleaved or (  # then they are products for each tile
            backend.columns_agree(group, each, c, (a, a), products.wide)
            and backend.columns_agree(group, each, products.columns(k), back.shape, products.wide)
        )
        return transforms and products.agree(backend, group, each, u[0], k)

    def _frame(self, op: Conv, x: Any, q: int) -> Frame:
        """The input under whole tiles, which may lie beyond its end."""
        pads = op.pads(Spec(tuple(x.shape), np.dtype(np.float32)), Spec((1, 1, 3, 3), np.dtype(np.float32)))
        return Frame(nhwc(x), (3, 3), (1, 1), (1, 1), (pads[0][0], pads[1][0]), self._tiles(1, q)[1] * self.m)

    def workspace(self, op: Conv | ConvMaxPool, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: the padded input, and twice the tiles, or their results."""
        (n, k, p, q), c, m = op.infer(x, weight, *rest)[0].shape, x.shape[1], self.m
        p, q = (2 * p, 2 * q) if self.pooled else (p, q)
        frame, a, largest, columns = self._frame(_conv(op), Shape(x.shape), q), (m + 2) ** 2, 0, self.products.columns(k)
        for group in {1, self._group(n, p, q)} if n else ():
            for block in self._blocks(n, p, q, group):
                both = max(a * c, (a + 1) * columns) + max(a * c, m * m * columns)
                n0, n1, p0, p1 = block.lines(m)
                lines = n0, n1, p0, min(p1 + m, max(p, p1))  # shares of workers need not begin with a line of tiles
                largest = max(largest, frame.elements(lines) + block.tiles * both)
        return 4 * largest + room(op.epilogue) + SLACK

    def pack(self, op: Conv | ConvMaxPool, *constants: Any) -> tuple[Any, ...]:
        """Weight as ((m+2)², c, k), transformed in float64."""
        g, weight, places = TRANSFORMS[self.m].kernel, constants[1], (self.m + 2) ** 2
        (k, c), forth = weight.shape[:2], np.kron(g, g)
        few = max(1, _AT_ONCE // (places * k))

        def transformed() -> Iterator[tuple[int, Array]]:
            for i in range(0, c, few):
                w = weight[:, i : i + few].transpose(2, 3, 1, 0).reshape(9, -1).astype(np.float64)
                yield i, (forth @ w).reshape(places, -1, k)

        return repack(constants, self.products.pack_rows((places, c, k), transformed()))

    def bind(
        self, backend: CpuBackend, op: Conv | ConvMaxPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Per block: tiles, their transform, a product for each of (m+2)² places, and the transform back with the bias."""
        x, u, bias, residual = four(inputs)
        out = nhwc(outputs[0])
        (n, p, q, k), c, m = out.shape, x.shape[1], self.m
        p, q = (2 * p, 2 * q) if self.pooled else (p, q)
        a, columns = (m + 2) ** 2, self.products.columns(k)
        t = TRANSFORMS[m]
        forth, back = (np.kron(one, one).astype(np.float32) for one in (t.input, t.output))
        if bias is not None:  # it is one more place of a tile
            back = np.hstack([back, np.ones((m * m, 1), np.float32)])
            bias = self.products.row(bias)
        frame = self._frame(_conv(op), x, q)
        parts = backend.lanes_for(2 * n * p * q * k * c * 9)
        tasks: list[list[Call]] = []
        group = self._group(n, p, q)
        group = group if group == 1 or self._agree(backend, group, p, q, c, k, u, back) else 1
        for block in self._blocks(n, p, q, group, parts):
            scratch, count, (n0, n1) = Scratch(workspace[len(tasks) % parts]), block.tiles, block[:2]
            source, calls = frame.source(scratch, block.lines(m))
            first, second = scratch.take(count * max(a * c, (a + 1) * columns)), scratch.take(count * max(a * c, m * m * columns))
            d, v = (memory[: a * count * c].reshape(m + 2, m + 2, count, c) for memory in (first, second))
            top = block.first // block.across
            for part in block.rectangles():
                pixels = _tiled(source[:, (part.line - top) * m :, part.column * m :], m, (m + 2, m + 2), part)
                calls.append(copy(self._of(d, block, part), pixels))
            calls += self.products.wide(forth, d.reshape(a, -1), v.reshape(a, -1), c)
            sums = first[: len(back[0]) * count * columns].reshape(-1, count, columns)
            calls += self.products.calls(v.reshape(a, count, c), u, k, sums[:a], n1 - n0)
            if bias is not None:
                calls.append(copy(sums[a], bias))
            y = second[: m * m * count * columns].reshape(m, m, count, columns)
            calls += self.products.wide(back, sums.reshape(-1, count * columns), y.reshape(m * m, -1), columns)
            tasks.append(calls + self._scatter(op, y, residual, out, block, scratch))
        return backend.schedule(tasks, parts)

    def _of(self, tiles: Array, block: _Block, part: _Part) -> Array:
        """View (…, images, lines, columns, c) of the tiles of a part."""
        images, shape = block.n1 - block.n0, (*tiles.shape[:2], part.lines, part.columns, tiles.shape[-1])
        if not self.products.interleaved:
            return tiles[:, :, part.places].reshape(*shape[:2], images, *shape[2:])
        return np.moveaxis(tiles[:, :, part.places].reshape(*shape[:4], images, shape[4]), 4, 2)

    def _scatter(self, op: Conv | ConvMaxPool, y: Array, residual: Any, out: Array, block: _Block, scratch: Scratch) -> list[Call]:
        """Epilogue, maxima, and the results of each tile to their place; of the last tiles only what lies inside."""
        (_, p, q, k), m = out.shape, self.m // 2 if self.pooled else self.m
        memory, rows = scratch.bytes(room(op.epilogue)), y.reshape(-1, y.shape[-1])
        halves = y.reshape(m, 2, m, 2, *y.shape[2:]) if self.pooled else None
        results = y if halves is None else halves[:, 0, :, 0]
        places: list[tuple[Array, Callable[[Array], Array], slice]] = []
        for part in block.rectangles():
            tiles = self._of(results, block, part)
            for i0, i1, lines in _inside(p - part.line * m, m, part.lines):
                for j0, j1, columns in _inside(q - part.column * m, m, part.columns):
                    inner = part._replace(lines=lines, columns=columns)
                    corner, size = (part.line * m + i0, part.column * m + j0), (i1 - i0, j1 - j0)
                    there = partial(_results, block=block, corner=corner, m=m, size=size, part=inner)
                    inside = tiles[i0:i1, j0:j1, :, :lines, :columns]
                    places += [(inside[..., run], there, channels) for run, channels in self.products.parts(k)]
        calls = finish(Epilogue(op.epilogue.pre), rows, None, None, rows, memory)
        if residual is not None:
            calls += [add(part, there(nhwc(residual))[..., channels]) for part, there, channels in places]
        calls += finish(Epilogue(None, op.epilogue.post), rows, None, None, rows, memory)
        if halves is not None:
            calls += [larger(halves[:, 0], halves[:, 1]), larger(results, halves[:, 0, :, 1])]
        return calls + [copy(there(out)[..., channels], part) for part, there, channels in places]


def _conv(op: Conv | ConvMaxPool) -> Conv:
    return op.conv if isinstance(op, ConvMaxPool) else op


class _Part(NamedTuple):
    """A rectangle of tiles: ``places`` of a block's, from tile (``line``, ``column``) of each image on."""

    places: slice
    line: int
    column: int
    lines: int
    columns: int


class _Block(NamedTuple):
    """Tiles [first, last) of images [n0, n1), counted along the lines; all of them where there are several images."""

    n0: int
    n1: int
    first: int
    last: int
    across: int

    @property
    def tiles(self) -> int:
        """Tiles in all images."""
        return (self.n1 - self.n0) * (self.last - self.first)

    def lines(self, m: int) -> Block:
        """Lines of pixels that the tiles' results lie on."""
        return self.n0, self.n1, self.first // self.across * m, -(-self.last // self.across) * m

    def rectangles(self) -> list[_Part]:
        """The rest of a line that another block began, whole lines, and the beginning of one."""
        parts, at, images = [], self.first, self.n1 - self.n0
        while at < self.last:
            line, column = divmod(at, self.across)
            lines = 1 if column or self.last - at < self.across else (self.last - at) // self.across
            columns = min(self.across - column, self.last - at)
            places = slice((at - self.first) * images, (at - self.first + lines * columns) * images)
            parts.append(_Part(places, line, column, lines, columns))
            at += lines * columns
        return parts


def _results(image: Array, block: _Block, corner: tuple[int, int], m: int, size: tuple[int, int], part: _Part) -> Array:
    """View of a result, or of what is added to it, in the order of the tiles."""
    return _tiled(image[block.n0 : block.n1, corner[0] :, corner[1] :], m, size, part)


def _tiled(image: Array, m: int, size: tuple[int, int], part: _Part) -> Array:
    """View (rows, columns of a tile, images, lines, columns of tiles, c) of an image, from its first pixel on."""
    sn, sh, sw, sc = image.strides
    shape = (*size, image.shape[0], part.lines, part.columns, image.shape[3])
    return as_strided(image, shape, (sh, sw, sn, sh * m, sw * m, sc))


def _inside(size: int, m: int, tiles: int) -> list[tuple[int, int, int]]:
    """Which places [from, to) of how many leading tiles lie inside ``size``: all of all, or of the last one fewer."""
    rest = size - (tiles - 1) * m
    return [(0, m, tiles)] if rest >= m else [(0, rest, tiles)] + [(rest, m, tiles - 1)] * (tiles > 1)
