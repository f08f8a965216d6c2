"""Convolution of few channels, as a net's first one is: columns gathered in runs as long as a block, from planes of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as pairs
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ops import Conv
from ...spec import Array, Spec
from ..base import Call, Impl, Packed
from .backend import CpuBackend, Scratch
from .conv_common import SLACK, four, is_float32_2d, lines_in, nhwc, repack
from .epilogue import finish, room
from .gemm import TARGET, TARGETS, blocks
from .kinds import copy, zero
from .products import WHOLE, Whole

__all__ = ["ConvPhases"]

_CHANNELS = 4  # with more, the runs of im2col are long enough


class ConvPhases(Impl):
    """Pixels sorted by channel and by their rest modulo the stride; what a tap meets is then one run through a plane of those.

    Im2col's runs are as long as a line of the kernel, 21 numbers for 7×7 of three channels, and cost a quarter of the product; these cost a
    tenth. A run goes on through the few columns between the last window of a line and the first of the next; their sums are dropped.

    Parameters
    ----------
    products : Whole
        How matrices are multiplied.
    target : int
        About so many results in a block.
    """

    packs = (1, 2)

    def __init__(self, products: Whole = WHOLE, target: int = TARGET) -> None:
        self.products, self.target, self.variant = products, target, f"{target >> 10}k"
        self.name, self.numerics = f"conv_phases{products.suffix}", f"gemm over phases, c, r, s{products.numerics}"

    def variants(self) -> Sequence[Impl]:
        """Other sizes of blocks."""
        return [ConvPhases(self.products, target) for target in TARGETS if target != self.target]

    def supports(self, op: Conv, x: Spec, weight: Spec, bias: Spec | None = None, residual: Spec | None = None) -> bool:
        """Up to four channels, kernels at least as large as the stride, without groups, dilation or residual."""
        bare = op.groups == 1 and op.dilation == (1, 1) and residual is None
        return is_float32_2d(x) and bare and x.shape[1] <= _CHANNELS and all(k >= s for k, s in zip(weight.shape[2:], op.stride))

    def suits(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """What its products say; kernels larger than a stride, else im2col gathers as little."""
        larger = any(k > s for k, s in zip(weight.shape[2:], op.stride))
        return larger and self.products.pays(prod(weight.shape[1:]))

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: the planes, the columns and the sums."""
        n, k, p, q = op.infer(x, weight, *rest)[0].shape
        largest = max((lines_in(b) for b in blocks(n, p, q, k, target=self.target)), default=0)
        planes, width = _planes(op, x.shape[1], weight.shape[2:], largest, q)
        return 4 * (prod(planes) + largest * width * (prod(weight.shape[1:]) + k)) + room(op.epilogue) + SLACK

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (phases · c · r · s, k), or the panels of that."""
        w = constants[1]
        phases = [w[:, :, a :: op.stride[0], b :: op.stride[1]].reshape(len(w), -1) for a, b in _phases(op)]
        return repack(constants, Packed(self.products.pack(np.concatenate(phases, 1).T), w.shape))

    def bind(
        self, backend: CpuBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Per block of lines: planes, columns, their product, and the epilogue."""
        (x, weight, bias, _), out = four(inputs), nhwc(outputs[0])
        (n, p, q, k), (_, c, r, s) = out.shape, weight.shape
        pads = op.pads(Spec(tuple(x.shape), x.dtype), Spec((k, c, r, s), x.dtype))
        parts = backend.lanes_for(2 * n * p * q * k * c * r * s)
        tasks: list[list[Call]] = []
        for n0, _, p0, p1 in blocks(n, p, q, k, 1, parts, self.target):
            scratch, lines = Scratch(workspace[len(tasks) % parts]), p1 - p0
            shape, width = _planes(op, c, (r, s), lines, q)
            planes, rows = scratch.take(*shape), lines * width - (-(-s // op.stride[1]) - 1)
            columns, sums = scratch.take(c * r * s, lines * width), scratch.take(lines * width, k)
            calls = [zero(planes)]
            top, left, at = p0 * op.stride[0] - pads[0][0], -pads[1][0], 0
            for a, b in _phases(op):
                calls += _sorted(planes[:, a, b], nhwc(x)[n0], (top + a, left + b), op.stride)
                taps = (c, len(range(a, r, op.stride[0])), len(range(b, s, op.stride[1])))
                if prod(taps):
                    plane = planes[:, a, b]
                    runs = as_strided(plane, (*taps, rows), (plane.strides[0], plane.strides[1], plane.itemsize, plane.itemsize))
                    calls.append(copy(columns[at : at + prod(taps), :rows].reshape(*taps, rows), runs))
                    at += prod(taps)
            calls += self.products.calls(columns[:, :rows].T, weight.array, k, sums[:rows])
            tasks.append(calls + _finished(op, sums.reshape(lines, width, k)[:, :q], bias, out[n0, p0:p1], scratch))
        return backend.schedule(tasks, parts)


def _finished(op: Conv, sums: Array, bias: Array | None, out: Array, scratch: Scratch) -> list[Call]:
    """The epilogue of (lines, columns, k): line by line where those of the result are runs."""
    lines, q, k = sums.shape
    memory = scratch.bytes(room(op.epilogue))
    if out.strides[1:] == (k * out.itemsize, out.itemsize):
        sums, out = (as_strided(a, (lines, q * k), (a.strides[0], a.itemsize)) for a in (sums, out))
        bias = None if bias is None else np.tile(bias, q)
    return finish(op.epilogue, sums, bias, None, out, memory)


def _phases(op: Conv) -> Sequence[tuple[int, int]]:
    return list(pairs(range(op.stride[0]), range(op.stride[1])))


def _planes(op: Conv, c: int, kernel: Sequence[int], lines: int, q: int) -> tuple[tuple[int, ...], int]:
    """Shape (c, rests of lines, rests of columns, lines, columns) of the planes under so many lines of windows; and their width."""
    (sh, sw), (r, s) = op.stride, kernel
    width = q + -(-s // sw) - 1
    return (c, sh, sw, lines + -(-r // sh) - 1, width), width


def _sorted(planes: Array, image: Array, corner: tuple[int, int], stride: tuple[int, ...]) -> list[Call]:
    """Calls that fill planes (c, lines, columns) with every stride-th pixel of an image (h, w, c) from ``corner`` on, if it has it."""
    inside, pixels = [], []
    for first, step, size, wanted in zip(corner, stride, image.shape, planes.shape[1:]):
        skipped = max(0, -(first // step))  # first + skipped·step is the first that is not negative
        count = max(0, min(wanted - skipped, -(-(size - first - skipped * step) // step)))
        inside.append(slice(skipped, skipped + count))
        pixels.append(slice(first + skipped * step, first + (skipped + count) * step, step))
    target, source = planes[:, inside[0], inside[1]], image[pixels[0], pixels[1]].transpose(2, 0, 1)
    return [copy(target, source)] if target.size else []
