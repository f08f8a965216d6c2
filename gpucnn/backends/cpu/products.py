"""Products with a matrix of weights: as a whole, in panels that OpenBLAS multiplies as they lie, or between columns of zeros."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...spec import Array
from ..base import Call, in_order
from .backend import CpuBackend
from .kinds import product, transform
from .threads import blas_threads

__all__ = ["GUARDED", "GUARDED_CLASSES", "PANELS", "WHOLE", "Guarded", "Panels", "Whole", "has_small_kernels"]

SMALL = 10**6
"""Multiplications up to which OpenBLAS takes matrices as they lie, where it has kernels for that. Larger ones it packs first: weights
anew in every call, and the fewer rows they meet, the greater the part of the work that packing is."""

_SMALL_KERNELS = ("skylakex", "cooperlake", "sapphirerapids")  # architectures that it has them for: with AVX-512, AMD's too
_TWELVE_ROWS = ("haswell", "zen")  # architectures whose kernel takes twelve rows of x at once: with AVX2 and no more
_STEP = 16  # columns that a register of AVX-512 holds: a panel is some of those wide
_ROWS = 6  # rows that a kernel takes at once: chunks are multiples of it
_WIDEST, _DEEP = 64, 1024  # with more rows of weights than this a panel has 16 columns, so that enough rows of x fit
_GUARD = 8  # columns that a register of AVX2 holds
_BETWEEN = 304  # columns between two guards: with those no more than 320, which that kernel's BLAS takes at once


def _is_openblas_for(architectures: Sequence[str]) -> bool:
    return any(lib.internal_api == "openblas" and str(lib.architecture).lower() in architectures for lib in blas_threads().libraries)


@lru_cache(maxsize=1)
def has_small_kernels() -> bool:
    """Whether the BLAS of NumPy is an OpenBLAS that multiplies small matrices as they lie, and this processor one that it does so on."""
    return _is_openblas_for(_SMALL_KERNELS)


@lru_cache(maxsize=1)
def has_twelve_rows() -> bool:
    """Whether the BLAS of NumPy is an OpenBLAS whose kernel takes twelve rows at once."""
    return _is_openblas_for(_TWELVE_ROWS)


class Whole:
    """One product with all of the matrix; BLAS packs it.

    Attributes
    ----------
    suffix, numerics : str
        What it adds to an impl's.
    interleaved : bool
        Whether the first rows of all images of a block are to come first, then the second ones, and so on.
    """

    suffix, numerics, interleaved = "", "", False

    def pays(self, c: int, rows: int = 0, k: int = 0) -> bool:
        """Whether it is a good guess for (c, k) weights, and so many rows of x an image."""
        return True

    def agree(self, backend: CpuBackend, images: int, rows: int, weight: Array, k: int) -> bool:
        """Whether each of the images in a block has the same bits wherever it lies; ``weight`` is packed."""
        return images == 1 or backend.places_agree(images, rows, weight)

    def columns(self, k: int) -> int:
        """Columns that ``calls`` needs for k of results."""
        return k

    def parts(self, k: int) -> list[tuple[slice, slice]]:
        """Where results lie in those columns: there, and which of the k they are."""
        return [(slice(k), slice(k))]

    def row(self, numbers: Array) -> Array:
        """K numbers where results lie."""
        row = np.zeros(self.columns(len(numbers)), np.float32)
        for there, these in self.parts(len(numbers)):
            row[there] = numbers[these]
        return row

    def pack(self, matrices: Array) -> Array:
        """Matrices (…, c, k) as they are."""
        return np.ascontiguousarray(matrices)

    def pack_rows(self, shape: tuple[int, ...], parts: Iterable[tuple[int, Array]]) -> Array:
        """As ``pack`` in float32, of matrices that come some rows at a time: the number of the first, and (…, rows, k)."""
        packed = np.empty(shape, np.float32)
        for at, rows in parts:
            packed[..., at : at + rows.shape[-2], :] = rows
        return packed

    def calls(self, x: Array, matrices: Array, k: int, out: Array, images: int = 1) -> list[Call]:
        """Calls that multiply (…, m, c) by packed (…, c, k) into ``out`` (…, m, columns)."""
        return [product(x, matrices, out)]

    def wide(self, matrix: Array, x: Array, out: Array, each: int) -> list[Call]:
        """Calls that multiply a small matrix by one of many columns, of which ``each`` belong to a tile."""
        return [transform(matrix, x, out)]


WHOLE = Whole()


class Panels(Whole):
    """The matrix in panels of columns, x in chunks of rows, so that each pair of them is a small product.

    The panels are made once; np.matmul goes over all pairs in one call. ResNet-50's products run at 110 to 116 GFLOP/s on a core of 5.6
    by this, and at 87 to 103 whole.
    """

    suffix, numerics = "/panels", ", in panels"

    def pays(self, c: int, rows: int = 0, k: int = 0) -> bool:
        """Where BLAS has kernels for small products, and they take a dozen rows of x."""
        return has_small_kernels() and c * _STEP * 12 <= SMALL

    def agree(self, backend: CpuBackend, images: int, rows: int, weight: Array, k: int) -> bool:
        """Always: the rows of each image are in products of their own."""
        return True

    def pack(self, matrices: Array) -> Array:
        """Matrices (…, c, k) as (…, numbers): panel after panel, and the last columns."""
        return self.pack_rows(matrices.shape, [(0, matrices)])

    def pack_rows(self, shape: tuple[int, ...], parts: Iterable[tuple[int, Array]]) -> Array:
        """As ``pack``, of matrices that come some rows at a time."""
        *lead, c, k = shape
        width, count, last = _width(c, k)
        packed = np.empty((*lead, c * (width * count + last)), np.float32)
        panels, beside = _cut(packed, 0, (count, c, width)), _cut(packed, count * c * width, (c, last))
        for at, rows in parts:
            n = rows.shape[-2]
            panels[..., at : at + n, :] = np.moveaxis(rows[..., : count * width].reshape(*lead, n, count, width), -2, -3)
            beside[..., at : at + n, :] = rows[..., k - last :]
        return packed

    def calls(self, x: Array, matrices: Array, k: int, out: Array, images: int = 1) -> list[Call]:
        """Calls that multiply (…, m, c) by packed matrices into ``out`` (…, m, k); the rows of each of the images in the same chunks."""
        c, each = x.shape[-1], x.shape[-2] // images
        width, count, last = _width(c, k)
        most = max(1, SMALL // (c * width))
        rows = min(most, -(-each // -(-each // most) // _ROWS) * _ROWS) // _ROWS * _ROWS or most
        parts = [(_cut(matrices, 0, (count, c, width)), out[..., : width * count])]
        if last:
            parts.append((_cut(matrices, width * count * c, (1, c, last)), out[..., k - last :]))
        calls = []
        for panels, target in parts:
            for at, chunks, size in ((0, each // rows, rows), (each // rows * rows, 1, each % rows)):
                if chunks and size:
                    xs = _chunks(x, images, each, at, chunks, size, 1)
                    ys = _chunks(target, images, each, at, chunks, size, panels.shape[-3])
                    calls.append(product(xs, panels[..., None, None, :, :, :], ys))
        return calls

    def wide(self, matrix: Array, x: Array, out: Array, each: int) -> list[Call]:
        """As a batch of small products, and the columns that are left."""
        m, k = matrix.shape
        return _batch(matrix, x, out, max(SMALL // (m * k) // 256, 1) * 256)


PANELS = Panels()


class Guarded(Whole):
    """The products of several images in one, in which no image has bits of its own: between columns of zeros, with images interleaved.

    That kernel of OpenBLAS's takes twelve rows at once, and what is left by four, two or one, whose sums have another order. Of the twelve
    the last six sum the first and the last eight columns of a matrix in another order than the first six. With four images interleaved
    none of these borders lies between two of them, but that of the six; and the columns that it is seen in are zeros, which nobody reads.
    Products for each image would read all weights for the 16 rows that Winograd's tiles of 14×14 pixels make: 25 GFLOP/s, with these 50.
    And equal columns have equal sums: classes with the same weights have the same scores.

    Parameters
    ----------
    few : int
        Rows of an image up to which it is a good guess, because those of one are too few for a product.
    """

    suffix, numerics, interleaved = "/guarded", ", between zeros", True

    def __init__(self, few: int) -> None:
        self.few = few

    def pays(self, c: int, rows: int = 0, k: int = 0) -> bool:
        """Where BLAS has such a kernel, and an image has few rows, or as many results as only classes are."""
        return has_twelve_rows() and (0 < rows <= self.few or (k > _BETWEEN and k % _STEP != 0))

    def agree(self, backend: CpuBackend, images: int, rows: int, weight: Array, k: int) -> bool:
        """What the kernel really does is found out."""

        def together(one: Array, weight: Array) -> Array:
            y = np.empty((images * len(one), weight.shape[1]), np.float32)
            in_order(self.calls(np.repeat(one, images, 0), weight, k, y))()
            return np.concatenate([y[:, there] for there, _ in self.parts(k)], 1).reshape(len(one), images, k).swapaxes(0, 1)

        return images == 1 or backend.places_agree(images, rows, weight, k, self.suffix, together)

    def columns(self, k: int) -> int:
        """Zeros, and behind each run of results zeros."""
        last: int = self.parts(k)[-1][0].stop
        return -(-last // _GUARD) * _GUARD + _GUARD

    def parts(self, k: int) -> list[tuple[slice, slice]]:
        """Even runs of results."""
        count = -(-k // _BETWEEN)
        width = -(-k // count // _GUARD) * _GUARD
        return [(slice(at + (i + 1) * _GUARD, min(at + width, k) + (i + 1) * _GUARD), slice(at, min(at + width, k)))
                for i, at in enumerate(range(0, k, width))]  # fmt: skip

    def pack(self, matrices: Array) -> Array:
        """Matrices (…, c, k) as (…, c, columns)."""
        return self.pack_rows(matrices.shape, [(0, matrices)])

    def pack_rows(self, shape: tuple[int, ...], parts: Iterable[tuple[int, Array]]) -> Array:
        """As ``Whole.pack_rows``, with the zeros."""
        *lead, c, k = shape
        packed = np.zeros((*lead, c, self.columns(k)), np.float32)
        for at, rows in parts:
            for there, these in self.parts(k):
                packed[..., at : at + rows.shape[-2], there] = rows[..., these]
        return packed

    def calls(self, x: Array, matrices: Array, k: int, out: Array, images: int = 1) -> list[Call]:
        """A product for each run of results and the zeros around it."""
        around = [slice(there.start - _GUARD, -(-there.stop // _GUARD) * _GUARD + _GUARD) for there, _ in self.parts(k)]
        return [product(x, matrices[..., columns], out[..., columns]) for columns in around]

    def wide(self, matrix: Array, x: Array, out: Array, each: int) -> list[Call]:
        """A product for each tile."""
        return _batch(matrix, x, out, each)


GUARDED, GUARDED_CLASSES = Guarded(64), Guarded(0)


def _batch(matrix: Array, x: Array, out: Array, step: int) -> list[Call]:
    """Calls that multiply by so many columns at once, and by those that are left."""
    columns, calls = x.shape[1], []
    count = columns // step
    if count:
        batch = (as_strided(a, (count, len(a), step), (step * a.itemsize, *a.strides)) for a in (x, out))
        calls.append(transform(matrix, *batch))
    if count * step < columns:
        calls.append(transform(matrix, x[:, count * step :], out[:, count * step :]))
    return calls


def _width(c: int, k: int) -> tuple[int, int, int]:
    """Columns of a panel, how many panels, and how many of the last columns make one more.

    That one too is some registers wide, and begins inside the panel before it: kernels sum the columns that fill no register in another
    order, and of a thousand classes eight would round otherwise than all others.
    """
    widest = _WIDEST if c < _DEEP else _STEP
    if k < widest:
        return k, 1, 0
    # The widest that leaves nothing, if there is one that is not too narrow.
    even = [w for w in range(widest, widest // 2 - 1, -_STEP) if k % w == 0]
    width = even[0] if even else widest
    return width, k // width, -(-(k % width) // _STEP) * _STEP


def _cut(packed: Array, start: int, shape: tuple[int, ...]) -> Array:
    """Part of packed matrices (…, numbers) as (…, *shape)."""
    size = int(np.prod(shape))
    return packed[..., start : start + size].reshape(*packed.shape[:-1], *shape)


def _chunks(a: Array, images: int, each: int, at: int, chunks: int, size: int, panels: int) -> Array:
    """View (…, images, chunks, panels, size, columns of a panel) of rows (…, images·each, columns)."""
    *lead, row, item = a.strides
    columns = a.shape[-1] // panels
    shape = (*a.shape[:-2], images, chunks, panels, size, columns)
    strides = (*lead, each * row, size * row, columns * item if panels > 1 else 0, row, item)
    start: Any = a[..., at:, :]
    return as_strided(start, shape, strides)
