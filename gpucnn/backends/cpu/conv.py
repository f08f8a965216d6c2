"""Convolution as products of matrices on channels-last memory: 1×1 as it lies, the rest by im2col. Lines are images of height 1."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ...ops import Conv
from ...spec import Array, Spec
from ..base import Call, Impl, Packed
from ..unit_axis import takes_lines
from .backend import CpuBackend, Scratch, rows_of
from .conv_common import (
    SLACK,
    Shape,
    finish_block,
    finish_runs,
    four,
    frame_of,
    interleaved,
    is_float32_2d,
    lines_in,
    nhwc,
    repack,
    sums_in,
)
from .epilogue import room
from .gemm import TARGET, TARGETS, blocks, group_size
from .kinds import copy
from .products import WHOLE, Whole

__all__ = ["ConvIm2col", "ConvPointwise"]


def _group(backend: CpuBackend, products: Whole, n: int, p: int, q: int, weight: Array, k: int, target: int) -> int:
    """Images in a block: several where one has few rows, if the bits allow it."""
    group = group_size(n, p, q, k, target)
    return group if products.agree(backend, group, p * q, weight, k) else 1


def _multiplied(
    op: Conv, products: Whole, rows: Array, weight: Array, bias: Any, residual: Any, out: Array, scratch: Scratch
) -> list[Call]:
    """A product, straight into the output where it has no gaps, and the epilogue."""
    images, k = out.shape[0], out.shape[-1]
    target = None if products.interleaved else sums_in(op, bias, out)
    acc = scratch.take(len(rows), products.columns(k)) if target is None else target
    calls = products.calls(rows, weight, k, acc, images)
    if products.interleaved:
        return calls + finish_runs(op, products, acc, bias, residual, out, scratch)
    return calls + finish_block(op, acc, bias, residual, out, scratch)


@takes_lines
class ConvPointwise(Impl):
    """1×1 without padding or groups: one matrix product over the pixels."""

    packs = (1, 2)  # the bias too: the epilogue repeats it once, when it is bound

    def __init__(self, products: Whole = WHOLE, target: int = TARGET) -> None:
        self.products, self.target, self.variant = products, target, f"{target >> 10}k"
        self.name, self.numerics = f"conv_pointwise{products.suffix}", f"gemm over c{products.numerics}"

    def variants(self) -> Sequence[Impl]:
        """Other sizes of blocks."""
        return [ConvPointwise(self.products, target) for target in TARGETS if target != self.target]

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """1×1 kernels, any stride."""
        bare = not any(p for pair in op.pads(x, weight) for p in pair)
        return is_float32_2d(x) and weight.shape[2:] == (1, 1) and op.groups == 1 and bare

    def suits(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """What its products say."""
        return self.products.pays(x.shape[1], prod(op.infer(x, weight, *rest)[0].shape[2:]), weight.shape[0])

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of a block: the pixels that a stride leaves, and the sums where the output has gaps."""
        n, k, p, q = op.infer(x, weight, *rest)[0].shape
        groups = {1, group_size(n, p, q, k, self.target)} if n else ()
        sizes = [max(map(lines_in, blocks(n, p, q, k, group, target=self.target))) for group in groups] or [0]
        return 4 * max(sizes) * q * (x.shape[1] + self.products.columns(k)) + room(op.epilogue) + SLACK

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (c, k), or its panels."""
        return repack(constants, self.products.pack(constants[1][:, :, 0, 0].T))

    def bind(
        self, backend: CpuBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Per block a product, straight into the output where it has no gaps, and the epilogue."""
        x, weight, bias, residual = four(inputs)
        out_npqk = nhwc(outputs[0])
        (n, p, q, k), c = out_npqk.shape, x.shape[1]
        x_npqc = nhwc(x)[:, :: op.stride[0], :: op.stride[1]][:, :p, :q]
        parts = backend.lanes_for(2 * n * p * q * c * k)
        tasks: list[list[Call]] = []
        for n0, n1, p0, p1 in blocks(n, p, q, k, _group(backend, self.products, n, p, q, weight, k, self.target), parts, self.target):
            scratch, m = Scratch(workspace[len(tasks) % parts]), (n1 - n0) * (p1 - p0) * q
            xb, ob = x_npqc[n0:n1, p0:p1], out_npqk[n0:n1, p0:p1]
            calls: list[Call] = []
            rows = rows_of(xb) if n1 - n0 == 1 or not self.products.interleaved else None
            if rows is None:
                rows = scratch.take(m, c)
                calls.append(copy(interleaved(rows, xb) if self.products.interleaved else rows.reshape(xb.shape), xb))
            rb = None if residual is None else nhwc(residual)[n0:n1, p0:p1]
            tasks.append(calls + _multiplied(op, self.products, rows, weight, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)


@takes_lines
class ConvIm2col(Impl):
    """Any 2-d convolution: the patches of a block gathered into a matrix, then one product a group."""

    packs = (1, 2)  # the bias too: the epilogue repeats it once, when it is bound

    def __init__(self, products: Whole = WHOLE, target: int = TARGET) -> None:
        self.products, self.target, self.variant = products, target, f"{target >> 10}k"
        self.name, self.numerics = f"conv_im2col{products.suffix}", f"gemm over r, s, c{products.numerics}"

    def variants(self) -> Sequence[Impl]:
        """Other sizes of blocks."""
        return [ConvIm2col(self.products, target) for target in TARGETS if target != self.target]

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """All kernels, strides, paddings, dilations; and groups, unless images are interleaved."""
        return is_float32_2d(x) and (op.groups == 1 or not self.products.interleaved)

    def suits(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """What its products say."""
        return self.products.pays(prod(weight.shape[1:]), prod(op.infer(x, weight, *rest)[0].shape[2:]), weight.shape[0])

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: the padded input, the patches, the sums."""
        n, k, p, q = op.infer(x, weight, *rest)[0].shape
        c, (r, s) = x.shape[1], weight.shape[2:]
        frame = frame_of(op, Shape(x.shape), (r, s), q)
        largest = 0
        for group in {1, group_size(n, p, q, k // op.groups, self.target)} if n else ():
            for block in blocks(n, p, q, k, group, target=self.target):
                m = lines_in(block) * q
                largest = max(largest, frame.elements(block) + m * (r * s * c // op.groups + self.products.columns(k)))
        return 4 * largest + room(op.epilogue) + SLACK

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (groups, r·s·c/groups, k/groups), or the panels of those."""
        k, c, r, s = constants[1].shape
        w = constants[1].reshape(op.groups, k // op.groups, c, r, s).transpose(0, 3, 4, 2, 1)
        packed = self.products.pack(w.reshape(op.groups, r * s * c, k // op.groups))
        return repack(constants, Packed(packed, constants[1].shape))

    def bind(
        self, backend: CpuBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Pad, gather, multiply and finish each block."""
        x, weight, bias, residual = four(inputs)
        out_npqk = nhwc(outputs[0])
        (n, p, q, k), (_, c, r, s), matrices = out_npqk.shape, weight.shape, weight.array
        g, per = op.groups, k // op.groups
        frame = frame_of(op, x, (r, s), q)
        parts = backend.lanes_for(2 * n * p * q * k * c * r * s)
        tasks: list[list[Call]] = []
        for block in blocks(n, p, q, k, _group(backend, self.products, n, p, q, matrices[0], per, self.target), parts, self.target):
            n0, n1, p0, p1 = block
            scratch, m = Scratch(workspace[len(tasks) % parts]), lines_in(block) * q
            ob = out_npqk[n0:n1, p0:p1]
            source, calls = frame.source(scratch, block)
            columns, rb = scratch.take(m, r * s * c), None if residual is None else nhwc(residual)[n0:n1, p0:p1]
            if self.products.interleaved:
                patches = frame.windows(source, p1 - p0)
                calls.append(copy(interleaved(columns.reshape(m, r, s, c), patches), patches))
                tasks.append(calls + _multiplied(op, self.products, columns, matrices[0], bias, rb, ob, scratch))
                continue
            target = sums_in(op, bias, ob)
            acc = scratch.take(m, k) if target is None else target
            for i in range(g):
                patches = frame.windows(source[..., i * c : (i + 1) * c], p1 - p0)
                calls.append(copy(columns.reshape(patches.shape), patches))
                calls += self.products.calls(columns, matrices[i], per, acc[:, i * per : (i + 1) * per], n1 - n0)
            tasks.append(calls + finish_block(op, acc, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)
