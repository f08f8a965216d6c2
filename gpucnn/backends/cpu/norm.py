"""Normalisation by an image's own statistics: in two passes, on blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any

import numpy as np

from ...ops import GroupNorm, LayerNorm, LocalResponseNorm, Normalize
from ...spec import Array, Spec
from ..base import Call, Impl, in_order
from .backend import CpuBackend, Scratch
from .kinds import copy

__all__ = ["GroupNormSums", "LayerNormRows", "LocalResponseNormLines", "NormalizeVectors"]

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


class GroupNormSums(Impl):
    """Image by image: sums of lines, of channels, of groups; subtract; the same of the squares; scale."""

    name = "group_norm_sums"
    numerics = "sum over w, then h, then channels"
    packs = (1, 2)

    def supports(self, op: GroupNorm, x: Spec, *rest: Spec | None) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: GroupNorm, x: Spec, *rest: Spec | None) -> int:
        """Sums of an image's lines, of its channels and of its groups."""
        return 4 * (prod(x.shape[2:-1]) + 2) * x.shape[1] + 256

    def pack(self, op: GroupNorm, *constants: Any) -> tuple[Any, ...]:
        """Weight and bias in float32."""
        return (constants[0], *(None if a is None else a.astype(np.float32) for a in constants[1:]))

    def bind(
        self, backend: CpuBackend, op: GroupNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task an image."""
        x, y = np.moveaxis(inputs[0], 1, -1), np.moveaxis(outputs[0], 1, -1)
        weight, bias = (*inputs[1:], None, None)[:2]
        parts = backend.lanes_for(8 * x.size, 1 << 21)
        tasks = [[_by_groups(op, x[i], y[i], weight, bias, Scratch(workspace[i % parts]))] for i in range(len(x))]
        return backend.schedule(tasks, parts)


def _by_groups(op: GroupNorm, x: Array, y: Array, weight: Array | None, bias: Array | None, scratch: Scratch) -> Call:
    """A call that normalises an image x (…, c) into y."""
    c, groups = x.shape[-1], op.groups or x.shape[-1]
    by_line, by_channel, by_group = scratch.take(*x.shape[:-2], c), scratch.take(c), scratch.take(groups, 1)
    in_groups, sums = by_channel.reshape(groups, -1), by_group[:, 0]
    divisor, eps = np.float32(x.size // groups), np.float32(op.eps)
    outer = tuple(range(by_line.ndim - 1))
    axes = "abcdefg"[: x.ndim - 1]
    squares_of_lines = f"{axes}z,{axes}z->{axes[:-1]}z"

    def mean_of_lines() -> None:
        """Of every group, from the sums of lines, to every channel."""
        if outer:
            np.add.reduce(by_line, axis=outer, out=by_channel)
        else:
            np.copyto(by_channel, by_line)
        np.add.reduce(in_groups, axis=1, out=sums)
        np.divide(by_group, divisor, out=by_group)

    def call() -> None:
        if x.ndim > 1:
            np.add.reduce(x, axis=-2, out=by_line)
        else:
            np.copyto(by_line, x)
        mean_of_lines()
        np.copyto(in_groups, by_group)
        np.subtract(x, by_channel, out=y)
        np.einsum(squares_of_lines, y, y, out=by_line)
        mean_of_lines()
        np.add(by_group, eps, out=by_group)
        np.sqrt(by_group, out=by_group)
        if weight is None:
            np.copyto(in_groups, by_group)
            np.divide(y, by_channel, out=y)
        else:
            np.divide(weight.reshape(groups, -1), by_group, out=in_groups)
            np.multiply(y, by_channel, out=y)
        if bias is not None:
            np.add(y, bias, out=y)

    return call


class LocalResponseNormLines(Impl):
    """Squares between zeros, as many shifted sums as the window has channels, a power: a few lines at a time."""

    name = "local_response_norm_lines"
    numerics = "sum over the window"

    def supports(self, op: LocalResponseNorm, x: Spec) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: LocalResponseNorm, x: Spec) -> int:
        """Squares and sums of a block."""
        c = x.shape[1]
        return 4 * _lines_of_block(x) * prod(x.shape[3:]) * (2 * c + op.size - 1) + 256

    def bind(
        self, backend: CpuBackend, op: LocalResponseNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Block by block; nothing but element by element, so that bits depend on nothing else."""
        x, y = (np.moveaxis(a, 1, -1) if a.ndim > 2 else a[None] for a in (inputs[0], outputs[0]))
        step = _lines_of_block(Spec(tuple(inputs[0].shape), inputs[0].dtype))
        parts = backend.lanes_for(4 * op.size * x.size, 1 << 21)
        tasks: list[list[Call]] = []
        for image, out in zip(x, y):
            for at in range(0, image.shape[0], step):
                scratch = Scratch(workspace[len(tasks) % parts])
                tasks.append([_among_neighbours(op, image[at : at + step], out[at : at + step], scratch)])
        return backend.schedule(tasks, parts)


def _lines_of_block(x: Spec) -> int:
    """Lines of an image, or rows where there are no images."""
    line = x.shape[1] * prod(x.shape[3:])
    lines = x.shape[2] if x.ndim > 2 else x.shape[0]
    return max(1, min(lines, _BLOCK // max(line, 1)))


def _among_neighbours(op: LocalResponseNorm, x: Array, y: Array, scratch: Scratch) -> Call:
    """A call that normalises x (…, c) into y."""
    c, before = x.shape[-1], op.window[0]
    squares, total = scratch.take(*x.shape[:-1], c + op.size - 1), scratch.take(*x.shape)
    middle = squares[..., before : before + c]
    ends = (squares[..., :before], squares[..., before + c :])
    shifted = [squares[..., i : i + c] for i in range(op.size)]
    share, k = np.float32(op.alpha / op.size), np.float32(op.k)

    def call() -> None:
        for end in ends:
            end[...] = 0
        np.multiply(x, x, out=middle)
        np.copyto(total, shifted[0])
        for one in shifted[1:]:
            np.add(total, one, out=total)
        np.multiply(total, share, out=total)
        np.add(total, k, out=total)
        _raise(total, op.beta, middle)
        np.divide(x, total, out=y)

    return call


def _raise(x: Array, power: float, scratch: Array) -> None:
    """``x**power`` in place; by roots where that will do, which take a tenth of the time."""
    if power == 0.75:
        np.sqrt(x, out=x)
        np.sqrt(x, out=scratch)
        np.multiply(x, scratch, out=x)
    elif power == 0.5:
        np.sqrt(x, out=x)
    elif power != 1:
        np.power(x, np.float32(power), out=x)


class NormalizeVectors(Impl):
    """Magnitudes or squares in the result's place, their sum or maximum, the quotient."""

    name = "normalize_vectors"
    numerics = "sum over dim"

    def supports(self, op: Normalize, x: Spec) -> bool:
        """Norms with p 1, 2 and infinity of float32."""
        return x.dtype == np.float32 and op.p in (1, 2, inf)

    def workspace(self, op: Normalize, x: Spec) -> int:
        """The norms."""
        return 4 * prod(n for axis, n in enumerate(x.shape) if axis != op.dim % x.ndim) + 64

    def bind(
        self, backend: CpuBackend, op: Normalize, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Five calls."""
        x, y, dim = inputs[0], outputs[0], op.dim % inputs[0].ndim
        norm = Scratch(workspace[0]).take(*(1 if axis == dim else n for axis, n in enumerate(x.shape)))
        reduce, eps = (np.maximum if op.p == inf else np.add).reduce, np.float32(op.eps)

        def call() -> None:
            if op.p == 2:
                np.multiply(x, x, out=y)
            else:
                np.abs(x, out=y)
            reduce(y, axis=dim, keepdims=True, out=norm)
            if op.p == 2:
                np.sqrt(norm, out=norm)
            np.maximum(norm, eps, out=norm)
            np.divide(x, norm, out=y)

        return call
