"""Normalisation by an image's own statistics: in two passes, on blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...ops import LayerNorm
from ...spec import Array, Spec
from ..base import Call, Impl, in_order
from .backend import CpuBackend, Scratch, copy

__all__ = ["LayerNormRows"]

_BLOCK = 1 << 14  # elements of a block of rows: 64 KB, so that every pass but the first finds it in the second-level cache
_ROW_ALONE = 1 << 12  # elements of a row that is summed alone: NumPy sums longer ones in pieces, which may differ in company


class LayerNormRows(Impl):
    """Rows by blocks: sum, subtract, sum of squares, scale; every sum pairwise along one row, whatever lies beside it."""

    name = "layer_norm_rows"
    numerics = "pairwise sums of a row"
    packs = (1, 2)

    def supports(self, op: LayerNorm, x: Spec, *rest: Spec | None) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: LayerNorm, x: Spec, *rest: Spec | None) -> int:
        """Squares and statistics of a block, and where rows lie scattered, the rows of an entry of the first axis."""
        row = prod(x.shape[x.ndim - op.dims :])
        entry = prod(x.shape[1:]) if op.dims < x.ndim else row
        block = _rows_of_block(row)
        return 4 * (block * (row + 2) + entry) + 512

    def pack(self, op: LayerNorm, *constants: Any) -> tuple[Any, ...]:
        """Weight and bias once a row of a block: NumPy then multiplies one long row."""
        made = [None if a is None else np.tile(a.astype(np.float32).reshape(1, -1), (_rows_of_block(a.size), 1)) for a in constants[1:]]
        return (constants[0], *made)

    def bind(
        self, backend: CpuBackend, op: LayerNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Block by block; where rows lie scattered they are gathered first."""
        (x, weight, bias), y = (*inputs, None, None)[:3], outputs[0]
        lead = x.ndim - op.dims
        row = prod(x.shape[lead:])
        parts = backend.lanes_for(8 * x.size, 1 << 21)
        sources, targets = _rows(x, lead), _rows(y, lead)
        pieces: list[tuple[Array, Array]] = [(x, y)] if lead == 0 else list(zip(x, y))
        tasks: list[list[Call]] = []
        step = _rows_of_block(row)
        if sources is not None and targets is not None:
            for at in range(0, len(sources), step):
                scratch = Scratch(workspace[len(tasks) % parts])
                tasks.append(_normalised(op, sources[at : at + step], targets[at : at + step], weight, bias, scratch))
            return backend.schedule(tasks, parts)
        for source, target in pieces:
            scratch = Scratch(workspace[len(tasks) % parts])
            gathered = scratch.take(*source.shape)
            rows, calls = gathered.reshape(-1, row), [copy(gathered, source)]
            for at in range(0, len(rows), step):
                block = rows[at : at + step]
                calls += _normalised(op, block, block, weight, bias, scratch.fork())
            tasks.append([*calls, copy(target, gathered)])
        return backend.schedule(tasks, parts)


def _rows_of_block(row: int) -> int:
    return max(1, _BLOCK // max(row, 1)) if row <= _ROW_ALONE else 1


def _rows(x: Array, lead: int) -> Array | None:
    """x as (rows, elements of a row) in the same memory with the elements side by side, or None."""
    row = prod(x.shape[lead:])
    view = x.reshape(-1, row) if x.size else None
    if view is None or not np.shares_memory(view, x) or (row > 1 and view.strides[1] != x.itemsize):
        return None
    return view


def _normalised(op: LayerNorm, x: Array, y: Array, weight: Array | None, bias: Array | None, scratch: Scratch) -> list[Call]:
    """Calls that normalise the rows of x into y, which may be x itself."""
    count, row = x.shape
    mean, root, squares = scratch.take(count, 1), scratch.take(count, 1), scratch.take(count, row)
    divisor, eps = np.float32(row), np.float32(op.eps)
    sums, square_sums = mean[:, 0], root[:, 0]

    def subtract() -> None:
        np.add.reduce(x, axis=1, out=sums)
        np.divide(mean, divisor, out=mean)
        np.subtract(x, mean, out=y)

    def scale() -> None:
        np.multiply(source, source, out=squares)
        np.add.reduce(squares, axis=1, out=square_sums)
        np.divide(root, divisor, out=root)
        np.add(root, eps, out=root)
        np.sqrt(root, out=root)
        np.divide(source, root, out=y)

    source = y if op.centred else x
    calls = [subtract, scale] if op.centred else [scale]
    if weight is not None:
        gain = weight[:count]
        calls.append(lambda: np.multiply(y, gain, out=y))
    if bias is not None:
        shift = bias[:count]
        calls.append(lambda: np.add(y, shift, out=y))
    return [in_order(calls)]
