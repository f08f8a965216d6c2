"""Products with a matrix of weights: as a whole, or in panels that OpenBLAS multiplies as they lie."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...spec import Array
from ..base import Call
from .kinds import product, transform
from .threads import blas_threads

__all__ = ["PANELS", "WHOLE", "Panels", "Whole", "has_small_kernels"]

SMALL = 10**6
"""Multiplications up to which OpenBLAS takes matrices as they lie, where it has kernels for that. Larger ones it packs first: weights
anew in every call, and the fewer rows they meet, the greater the part of the work that packing is."""

_ARCHITECTURES = ("skylakex", "cooperlake", "sapphirerapids")  # those that it has them for: with AVX-512, AMD's too
_STEP = 16  # columns that a register of AVX-512 holds: a panel is some of those wide
_ROWS = 6  # rows that a kernel takes at once: chunks are multiples of it
_WIDEST, _DEEP = 64, 1024  # with more rows of weights than this a panel has 16 columns, so that enough rows of x fit


@lru_cache(maxsize=1)
def has_small_kernels() -> bool:
    """Whether the BLAS of NumPy is an OpenBLAS that multiplies small matrices as they lie, and this processor one that it does so on."""
    return any(
        lib.internal_api == "openblas" and str(lib.architecture).lower() in _ARCHITECTURES for lib in blas_threads().libraries
    )


class Whole:
    """One product with all of the matrix; BLAS packs it.

    Attributes
    ----------
    suffix, numerics : str
        What it adds to an impl's.
    by_image : bool
        Whether the rows of each image are in products of their own, and so have the same bits wherever the image lies.
    """

    suffix, numerics, by_image = "", "", False

    def pays(self, c: int) -> bool:
        """Whether it is a good guess for c rows of weights."""
        return True

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
        """Calls that multiply (…, m, c) by packed (…, c, k) into ``out`` (…, m, k)."""
        return [product(x, matrices, out)]

    def wide(self, matrix: Array, x: Array, out: Array) -> list[Call]:
        """Calls that multiply a small matrix by one of many columns."""
        return [transform(matrix, x, out)]


WHOLE = Whole()


class Panels(Whole):
    """The matrix in panels of columns, x in chunks of rows, so that each pair of them is a small product.

    The panels are made once; np.matmul goes over all pairs in one call. ResNet-50's products run at 110 to 116 GFLOP/s on a core of 5.6
    by this, and at 87 to 103 whole.
    """

    suffix, numerics, by_image = "/panels", ", in panels", True

    def pays(self, c: int) -> bool:
        """Where BLAS has kernels for small products, and they take a dozen rows of x."""
        return has_small_kernels() and c * _STEP * 12 <= SMALL

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

    def wide(self, matrix: Array, x: Array, out: Array) -> list[Call]:
        """As a batch of small products, and the columns that are left."""
        (m, k), columns = matrix.shape, x.shape[1]
        step = max(SMALL // (m * k) // 256, 1) * 256
        count = columns // step
        calls = []
        if count:
            batch = (as_strided(a, (count, len(a), step), (step * a.itemsize, *a.strides)) for a in (x, out))
            calls.append(transform(matrix, *batch))
        if count * step < columns:
            calls.append(transform(matrix, x[:, count * step :], out[:, count * step :]))
        return calls


PANELS = Panels()


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
