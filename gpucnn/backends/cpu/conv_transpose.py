"""Transposed convolution on channels-last memory, in any number of dimensions: products with the kernel, added where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ...ops import ConvTranspose
from ...spec import Array, Spec
from ..base import Call, Impl
from .backend import CpuBackend, Scratch
from .epilogue import finish, room
from .kinds import add, copy, product, zero

__all__ = ["ConvTransposeGemm"]

_TARGET = 1 << 16  # output elements of a block, as for convolution
_ROWS = 392  # rows of a product, at least

Slab = tuple[int, int, int]
"""An image, and lines [p0, p1) of its result along the first spatial axis."""


class ConvTransposeGemm(Impl):
    """A block of lines of one image's result: for every line of the kernel one product with the lines of x that reach it, then sums.

    Each line of x meets each line of the kernel in one block alone, so nothing is computed twice, and blocks follow from the shape of an
    image, not from the batch. A kernel of one input channel a group is multiplied element by element instead.
    """

    name = "conv_transpose_gemm"
    numerics = "gemm over c, then sum over r, s"
    packs = (1, 2)  # the bias too: the epilogue repeats it once, when it is bound

    def supports(self, op: ConvTranspose, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """Float32; all kernels, strides, paddings, dilations and groups."""
        return x.dtype == np.float32

    def workspace(self, op: ConvTranspose, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: its lines of x without gaps, the products of a line of the kernel, the sums."""
        (n, k, *out), (c, *sizes), kernel = op.infer(x, weight, *rest)[0].shape, x.shape[1:], weight.shape[2:]
        before, _ = op.geometry(tuple(sizes), kernel)
        wide = k if weight.shape[0] == op.groups else weight.shape[1]
        largest = 0
        for _, p0, p1 in slabs(op, min(n, 1), k, out, sizes):
            rows = len(_reaching(op, p0, p1, before[0], sizes[0], range(kernel[0]))) * prod(sizes[1:])
            largest = max(largest, rows * (c + kernel[-1] * wide) + (p1 - p0) * prod(out[1:]) * k)
        return 4 * largest + room(op.epilogue) + 5 * 64

    def pack(self, op: ConvTranspose, *constants: Any) -> tuple[Any, ...]:
        """Weight as (groups, …, c/groups, s, k/groups), s the last axis of the kernel."""
        c, per, *kernel = constants[1].shape
        w = constants[1].reshape(op.groups, c // op.groups, per, *kernel)
        axes = (0, *range(3, w.ndim - 1), 1, w.ndim - 1, 2)
        return (constants[0], np.ascontiguousarray(w.transpose(axes)), *constants[2:])

    def bind(
        self, backend: CpuBackend, op: ConvTranspose, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Per block: zeros, products and sums, then the epilogue."""
        x, weight, bias, residual = (*inputs, None, None)[:4]
        xs, ys = np.moveaxis(x, 1, -1), np.moveaxis(outputs[0], 1, -1)
        addend = None if residual is None else np.moveaxis(residual, 1, -1)
        (g, *lead, c, s, per), (n, *out, k), sizes = weight.shape, ys.shape, xs.shape[1:-1]
        before, _ = op.geometry(sizes, (*lead, s))
        parts = backend.lanes_for(2 * x.size * per * s * prod(lead))
        tasks: list[list[Call]] = []
        for i, p0, p1 in slabs(op, n, k, out, sizes, parts):
            scratch, yb = Scratch(workspace[len(tasks) % parts]), ys[i, p0:p1]
            acc = yb if yb.flags.c_contiguous else scratch.take(*yb.shape)
            calls: list[Call] = [zero(acc)]
            reach = _reaching(op, p0, p1, before[0], sizes[0], range((*lead, s)[0]))
            lines = xs[i, reach.start : reach.stop]
            if not lines.flags.c_contiguous:  # rows of a product follow each other evenly
                dense = scratch.take(*lines.shape)
                calls.append(copy(dense, lines))
                lines = dense
            products = scratch.take(len(reach), *sizes[1:], s, k if c == 1 else per)
            tap = _Tap(op, (p0, *(0,) * (len(out) - 1)), (p1, *out[1:]), before, reach)
            for group in range(1 if c == 1 else g):
                target = acc if c == 1 else acc[..., group * per : (group + 1) * per]
                for line in np.ndindex(*lead):
                    calls += tap.line(lines, weight, group, line, products, target)
            rb = None if addend is None else addend[i, p0:p1]
            tasks.append(calls + finish(op.epilogue, acc, bias, rb, yb, scratch.bytes(room(op.epilogue))))
        return backend.schedule(tasks, parts)


def slabs(op: ConvTranspose, n: int, k: int, out: Sequence[int], sizes: Sequence[int], parts: int = 1) -> list[Slab]:
    """Blocks of about 64k results, whose products have at least 392 rows; at least ``parts`` an image where it has the lines."""
    lines = max(1, round(_TARGET / (prod(out[1:]) * max(k, 1))), op.stride[0] * -(-_ROWS // prod(sizes[1:])))
    count = min(out[0], max(parts, round(out[0] / lines), 1))
    edges = [out[0] * i // count for i in range(count + 1)]
    return [(i, a, b) for i in range(n) for a, b in pairwise(edges)]


def _reaching(op: ConvTranspose, p0: int, p1: int, before: int, size: int, taps: range) -> range:
    """Lines of x that any of the taps takes into lines [p0, p1) of the result, along the first spatial axis."""
    stride, dilation = op.stride[0], op.dilation[0]
    first = -(-(p0 + before - taps[-1] * dilation) // stride)
    last = (p1 - 1 + before - taps[0] * dilation) // stride
    return range(max(0, first), max(0, first, min(size, last + 1)))


class _Tap:
    """Where the products of a tap go: from lines of x to a block [low, high) of the result."""

    def __init__(self, op: ConvTranspose, low: Sequence[int], high: Sequence[int], before: Sequence[int], reach: range) -> None:
        self.op, self.low, self.high, self.before, self.reach = op, low, high, before, reach

    def line(self, lines: Array, weight: Array, group: int, line: tuple[int, ...], products: Array, target: Array) -> list[Call]:
        """Calls that multiply by one line of the kernel and add up its elements one by one."""
        c, s, per = weight.shape[-3:]
        met = self._lines(range(line[0], line[0] + 1) if line else range(s))
        if not met:
            return []
        chosen, made = lines[met.start - self.reach.start : met.stop - self.reach.start], products[: len(met)]
        if c == 1:
            place: tuple[Any, ...] = (slice(None), *line, 0)
            kernel = np.moveaxis(weight[place], 0, 1)  # (s, c, k/c)
            split = made.reshape(*made.shape[:-1], -1, per)
            calls = [_multiply(chosen[..., None, :, None], np.ascontiguousarray(kernel), split)]
        else:
            place = (group, *line)
            matrix = weight[place].reshape(c, s * per)
            rows = chosen.reshape(-1, chosen.shape[-1])[:, group * c : (group + 1) * c]
            calls = [product(rows, matrix, made.reshape(len(rows), s * per))]
        for last in range(s):
            pairs = [*self._pairs((*line, last), met, made.shape)]
            if all(source.stop > source.start for source, _ in pairs):
                from_, to = (*(source for source, _ in pairs), last), tuple(place for _, place in pairs)
                calls.append(add(target[to], made[from_]))
        return calls

    def _lines(self, taps: range) -> range:
        return _reaching(self.op, self.low[0], self.high[0], self.before[0], self.reach.stop, taps)

    def _pairs(self, tap: tuple[int, ...], met: range, shape: Sequence[int]) -> Iterator[tuple[slice, slice]]:
        """Per axis the products that land inside, and where in the block."""
        geometry = zip(tap, self.low, self.high, self.before, self.op.stride, self.op.dilation, shape)
        for axis, (r, low, high, before, stride, dilation, size) in enumerate(geometry):
            origin = met.start if axis == 0 else 0
            shift = r * dilation - before - low  # line h of x lands in line h·stride + shift of the block
            first = max(origin, -(shift // stride))
            last = max(first, min(origin + size, (high - low - 1 - shift) // stride + 1))
            begin = first * stride + shift
            yield slice(first - origin, last - origin), slice(begin, begin + (last - first) * stride, stride)


def _multiply(x: Array, y: Array, out: Array) -> Call:
    return lambda: np.multiply(x, y, out=out)
