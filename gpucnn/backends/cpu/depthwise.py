"""Depthwise convolution on channels-last memory: sums of products by einsum, over views that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ops import Conv
from ...spec import Array, Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CpuBackend, Scratch, rows_of
from .conv_common import SLACK, Shape, finish_block, four, frame_of, is_float32_2d, lines_in, nhwc, repack
from .epilogue import room
from .frame import Frame
from .gemm import TARGET, TARGETS, Block, blocks
from .kinds import add, windows_sum

__all__ = ["ConvDepthwise"]

_CHANNELS = 64  # from so many on a run of one pixel costs less than sorting the columns (3×3 of stride 2, 144 channels: 4.6 ns, not 6.3)
_SHARED = 1 << 21  # operations from which on a step is split over lanes


@takes_lines
class ConvDepthwise(Impl):
    """One channel in, one or several out: a sum of products over an overlapping view, without a matrix product.

    Without a stride a line of windows is one contiguous run of width·c elements per tap, and the weights are tiled to match; einsum then
    runs at 1.3 ns an output of a 3×3 kernel, against 2.1 for shifted multiply-adds. With one, a run is the channels of a pixel; where those
    are few, the columns are sorted by their rest modulo the stride.
    """

    numerics = "sum over r, s"
    packs = (1, 2)  # the bias too: the epilogue repeats it once, when it is bound

    def __init__(self, target: int = 2 * TARGET) -> None:
        self.name, self.target, self.variant = "conv_depthwise", target, f"{target >> 10}k"

    def variants(self) -> Sequence[Impl]:
        """Other sizes of blocks."""
        return [ConvDepthwise(target) for target in TARGETS if target != self.target]

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """As many groups as channels, and more than one."""
        return is_float32_2d(x) and weight.shape[1] == 1 and op.groups == x.shape[1] > 1

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: the padded input, the sums, and a second time those."""
        n, k, p, q = op.infer(x, weight, *rest)[0].shape
        frame = frame_of(op, Shape(x.shape), weight.shape[2:], q)
        by_rest = _runs(op, (*weight.shape[2:], x.shape[1], weight.shape[0] // x.shape[1]))
        largest = max((frame.elements(b, by_rest) + 2 * lines_in(b) * q * k for b in blocks(n, p, q, k, target=self.target)), default=0)
        return 4 * largest + room(op.epilogue) + SLACK

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (r, s, c, k/c)."""
        k, _, r, s = constants[1].shape
        w = constants[1].reshape(op.groups, k // op.groups, r, s).transpose(2, 3, 0, 1)
        return repack(constants, np.ascontiguousarray(w))

    def bind(
        self, backend: CpuBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Pad, sum and finish each block of lines."""
        x, weight, bias, residual = four(inputs)
        out_npqk = nhwc(outputs[0])
        (n, p, q, k), (r, s, _, _) = out_npqk.shape, weight.shape
        frame = frame_of(op, x, (r, s), q)
        tiled = _tiled(op, weight, q) if _runs(op, weight.shape) else None
        parts = backend.lanes_for(2 * n * p * q * k * r * s, _SHARED)
        tasks: list[list[Call]] = []
        for block in blocks(n, p, q, k, 1, parts, self.target):
            n0, n1, p0, p1 = block
            scratch = Scratch(workspace[len(tasks) % parts])
            ob = out_npqk[n0:n1, p0:p1]
            target = rows_of(ob)
            acc = target if target is not None and target.flags.c_contiguous else scratch.take((p1 - p0) * q, k)
            if tiled is None:
                calls = _sum_of_windows(frame, block, weight, acc, scratch)
            else:
                calls = _sum_of_runs(frame, block, tiled, acc, scratch)
            rb = None if residual is None else nhwc(residual)[n0:n1, p0:p1]
            tasks.append(calls + finish_block(op, acc, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)


def _runs(op: Conv, weight_shape: tuple[int, ...]) -> bool:
    """Whether a line of windows is to be one run: without a stride, or of few channels, whose runs are short without the sorting."""
    sortable = op.dilation[1] == 1 and op.stride[1] <= weight_shape[1] and weight_shape[2] < _CHANNELS
    return weight_shape[3] == 1 and (op.stride[1] == 1 or sortable)


def _tiled(op: Conv, weight: Array, q: int) -> list[Array]:
    """Per rest of columns modulo the stride the weights of its taps, (r, taps, q·c)."""
    r, s, c, _ = weight.shape
    step = op.stride[1]
    return [np.tile(weight[:, rest::step].reshape(r, -1, c), (1, 1, q)) for rest in range(min(step, s))]


def _sum_of_runs(frame: Frame, block: Block, tiled: list[Array], acc: Array, scratch: Scratch) -> list[Call]:
    """A line of windows is one run of q·c elements per tap: one sum for the taps of each rest, and the sum of those."""
    lines, columns = block[3] - block[2], acc.size // (block[3] - block[2])
    if frame.stride[1] == 1:
        source, calls = frame.source(scratch, block, dense=True)
        source = source[:, :, None]
    else:
        source, calls = frame.phases(scratch, block)
    (sl, _, sj), (sh, _), (dh, dw) = source.strides[1:4], frame.stride, frame.dilation
    y = acc.reshape(lines, columns)
    more = scratch.take(lines, columns) if len(tiled) > 1 else y
    for rest, weight in enumerate(tiled):
        shape = (*weight.shape[:2], lines, columns)
        taps = as_strided(source[0, :, rest], shape, (sl * dh, sj * dw, sl * sh, source.itemsize))
        calls.append(windows_sum("rspx,rsx->px", taps, weight, more if rest else y))
        if rest:
            calls.append(add(y, more))
    return calls


def _sum_of_windows(frame: Frame, block: Block, weight: Array, acc: Array, scratch: Scratch) -> list[Call]:
    """Several outputs a channel, or windows whose pixels have gaps: runs as long as there are channels."""
    lines, (_, _, c, multiplier) = block[3] - block[2], weight.shape
    source, calls = frame.source(scratch, block, dense=True)
    windows = frame.windows(source, lines)[0]  # (lines, q, r, s, c)
    return [*calls, windows_sum("pqrsc,rscm->pqcm", windows, weight, acc.reshape(lines, frame.width, c, multiplier))]

