"""Convolution on channels-last memory: 1×1 as a plain product, depthwise by einsum, everything else by blocked im2col.
Lines are images of height 1; volumes go plane by plane.

Winograd for 3×3 belongs in front of ``ConvIm2col`` in ``IMPLS``; its numerics class will be its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ops import Conv
from ...spec import Array, Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CpuBackend, Scratch, copy, product, rows_of, zero
from .epilogue import finish, room
from .frame import Frame
from .gemm import TARGET, Block, blocks, group_size

__all__ = ["ConvDepthwise", "ConvIm2col", "ConvPointwise", "ConvVolume"]

SLACK = 4 * 64  # bytes that alignment may cost the few arrays of a scratch


def is_float32_2d(x: Spec | None, *rest: Spec | None) -> bool:
    return x is not None and x.dtype == np.float32 and x.ndim == 4


def nhwc(x: Array) -> Array:
    return x.transpose(0, 2, 3, 1)


def four(inputs: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """x, weight, bias, residual; the last two may be absent."""
    x, weight, bias, residual = (*inputs, None, None)[:4]
    return x, weight, bias, residual


def repack(constants: Sequence[Any], weight: Any) -> tuple[Any, ...]:
    return (constants[0], weight, *constants[2:])


def _group(backend: CpuBackend, n: int, p: int, q: int, weight: Array, target: int) -> int:
    """Images in a block: several where one has few rows, if the bits allow it."""
    group = group_size(n, p, q, weight.shape[1], target)
    return group if group == 1 or backend.places_agree(group, p * q, weight) else 1


def _sums(op: Conv, bias: Array | None, out: Array) -> Array | None:
    """Where the sums of a block may stand in its output: where an epilogue finds them in long rows, or there is none; else None."""
    rows = rows_of(out)
    return rows if rows is None or rows.flags.c_contiguous or (bias is None and not op.epilogue) else None


def _finish(op: Conv, acc: Array, bias: Array | None, residual: Array | None, out: Array, scratch: Scratch) -> list[Call]:
    """The epilogue of a block: on matrices where the memory allows it, else on (images, lines, columns, k)."""
    target, addend = rows_of(out), None if residual is None else rows_of(residual)
    if target is not None and (residual is None or addend is not None):
        return finish(op.epilogue, acc, bias, addend, target, scratch.bytes(room(op.epilogue)))
    return finish(op.epilogue, acc.reshape(out.shape), bias, residual, out, scratch.bytes(room(op.epilogue)))


@takes_lines
class ConvPointwise(Impl):
    """1×1 without padding or groups: one matrix product over the pixels."""

    numerics = "gemm over c"
    packs = (1, 2)  # the bias too: the epilogue repeats it once, when it is bound

    def __init__(self, target: int = TARGET) -> None:
        self.name, self.target = "conv_pointwise", target

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """1×1 kernels, any stride."""
        bare = not any(p for pair in op.pads(x, weight) for p in pair)
        return is_float32_2d(x) and weight.shape[2:] == (1, 1) and op.groups == 1 and bare

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of a block: the pixels that a stride leaves, and the sums where the output has gaps."""
        n, k, p, q = op.infer(x, weight, *rest)[0].shape
        groups = {1, group_size(n, p, q, k, self.target)} if n else ()
        sizes = [max(map(_images_lines, blocks(n, p, q, k, group, target=self.target))) for group in groups] or [0]
        return 4 * max(sizes) * q * (x.shape[1] + k) + room(op.epilogue) + SLACK

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (c, k)."""
        return repack(constants, np.ascontiguousarray(constants[1][:, :, 0, 0].T))

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
        for n0, n1, p0, p1 in blocks(n, p, q, k, _group(backend, n, p, q, weight, self.target), parts, self.target):
            scratch, m = Scratch(workspace[len(tasks) % parts]), (n1 - n0) * (p1 - p0) * q
            xb, ob = x_npqc[n0:n1, p0:p1], out_npqk[n0:n1, p0:p1]
            calls: list[Call] = []
            rows = rows_of(xb)
            if rows is None:
                rows = scratch.take(m, c)
                calls.append(copy(rows.reshape(xb.shape), xb))
            target = _sums(op, bias, ob)
            acc = scratch.take(m, k) if target is None else target
            calls.append(product(rows, weight, acc))
            rb = None if residual is None else nhwc(residual)[n0:n1, p0:p1]
            tasks.append(calls + _finish(op, acc, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)


def _images_lines(block: Block) -> int:
    return (block[1] - block[0]) * (block[3] - block[2])


def _frame(op: Conv, x: Array, weight_shape: tuple[int, ...], width: int) -> Frame:
    """Windows of a convolution over x, from the kernel's (r, s)."""
    (r, s), (sh, sw), (dh, dw) = weight_shape, op.stride, op.dilation
    shape = Spec((1, 1, r, s), np.dtype(np.float32))
    pads = op.pads(Spec(tuple(x.shape), np.dtype(np.float32)), shape)
    return Frame(nhwc(x), (r, s), (sh, sw), (dh, dw), (pads[0][0], pads[1][0]), width)


@takes_lines
class ConvIm2col(Impl):
    """Any 2-d convolution: the patches of a block gathered into a matrix, then one product a group."""

    numerics = "gemm over r, s, c"
    packs = (1, 2)  # the bias too: the epilogue repeats it once, when it is bound

    def __init__(self, target: int = TARGET) -> None:
        self.name, self.target = "conv_im2col", target

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """All kernels, strides, paddings, dilations and groups."""
        return is_float32_2d(x)

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: the padded input, the patches, the sums."""
        n, k, p, q = op.infer(x, weight, *rest)[0].shape
        c, (r, s) = x.shape[1], weight.shape[2:]
        frame = _frame(op, Shape(x.shape), (r, s), q)
        largest = 0
        for group in {1, group_size(n, p, q, k // op.groups, self.target)} if n else ():
            for block in blocks(n, p, q, k, group, target=self.target):
                m = _images_lines(block) * q
                largest = max(largest, frame.elements(block) + m * (r * s * c // op.groups + k))
        return 4 * largest + room(op.epilogue) + SLACK

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (groups, r, s, c/groups, k/groups)."""
        k, c, r, s = constants[1].shape
        w = constants[1].reshape(op.groups, k // op.groups, c, r, s).transpose(0, 3, 4, 2, 1)
        return repack(constants, np.ascontiguousarray(w))

    def bind(
        self, backend: CpuBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Pad, gather, multiply and finish each block."""
        x, weight, bias, residual = four(inputs)
        out_npqk = nhwc(outputs[0])
        (n, p, q, k), (g, r, s, c, per) = out_npqk.shape, weight.shape
        matrices = weight.reshape(g, r * s * c, per)
        frame = _frame(op, x, (r, s), q)
        parts = backend.lanes_for(2 * n * p * q * k * c * r * s)
        tasks: list[list[Call]] = []
        for block in blocks(n, p, q, k, _group(backend, n, p, q, matrices[0], self.target), parts, self.target):
            n0, n1, p0, p1 = block
            scratch, m = Scratch(workspace[len(tasks) % parts]), _images_lines(block) * q
            ob = out_npqk[n0:n1, p0:p1]
            source, calls = frame.source(scratch, block)
            columns = scratch.take(m, r * s * c)
            target = _sums(op, bias, ob)
            acc = scratch.take(m, k) if target is None else target
            for i in range(g):
                patches = frame.windows(source[..., i * c : (i + 1) * c], p1 - p0)
                calls.append(copy(columns.reshape(patches.shape), patches))
                calls.append(product(columns, matrices[i], acc[:, i * per : (i + 1) * per]))
            rb = None if residual is None else nhwc(residual)[n0:n1, p0:p1]
            tasks.append(calls + _finish(op, acc, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)


class ConvVolume(Impl):
    """Any 3-d convolution: for each plane of the result the patches of all planes that it meets, gathered into one matrix."""

    name = "conv_volume"
    numerics = "gemm over t, r, s, c"
    packs = (1, 2)

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """Three dimensions; all kernels, strides, paddings, dilations and groups."""
        return x.dtype == np.float32 and x.ndim == 5

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: the padded planes, the patches, the sums."""
        n, k, d, p, q = op.infer(x, weight, *rest)[0].shape
        (c, *_, h, w), (t, r, s) = x.shape[1:], weight.shape[2:]
        frame = _plane_frame(op, Shape((1, c, h, w)), (r, s), op.pads(x, weight), q)
        cut = blocks(n * d, p, q, k)
        largest = max((t * frame.elements(b) + _images_lines(b) * q * (t * r * s * c // op.groups + k) for b in cut), default=0)
        return 4 * largest + room(op.epilogue) + SLACK + 64 * (t + 1)

    def pack(self, op: Conv, *constants: Any) -> tuple[Any, ...]:
        """Weight as (groups, t, r, s, c/groups, k/groups)."""
        k, c, *kernel = constants[1].shape
        w = constants[1].reshape(op.groups, k // op.groups, c, *kernel).transpose(0, 3, 4, 5, 2, 1)
        return repack(constants, np.ascontiguousarray(w))

    def bind(
        self, backend: CpuBackend, op: Conv, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Per block, lines of one plane of the result: pad and gather each plane of x that it meets, multiply, finish."""
        (x, weight, bias, residual), out = four(inputs), outputs[0]
        (n, k, planes, p, q), (g, t, r, s, c, per) = out.shape, weight.shape
        pads = op.pads(Spec(tuple(x.shape), x.dtype), Spec((k, c, t, r, s), x.dtype))
        parts = backend.lanes_for(2 * out.size * c * t * r * s)
        tasks: list[list[Call]] = []
        for at, _, p0, p1 in blocks(n * planes, p, q, k, 1, parts):
            i, z = divmod(at, planes)
            scratch, lines = Scratch(workspace[len(tasks) % parts]), p1 - p0
            met = {j: z * op.stride[0] + j * op.dilation[0] - pads[0][0] for j in range(t)}
            met = {j: plane for j, plane in met.items() if 0 <= plane < x.shape[2]}  # neighbours, as the planes of x are
            calls: list[Call] = []
            views = []
            for plane in met.values():
                frame = _plane_frame(op, x[i : i + 1, :, plane], (r, s), pads, q)
                source, prepared = frame.source(scratch, (0, 1, p0, p1))
                calls += prepared
                views.append(frame.windows(source, lines)[0])
            ob = nhwc(out[i : i + 1, :, z])[:, p0:p1]
            target = _sums(op, bias, ob)
            acc = scratch.take(lines * q, k) if target is None else target
            if met:
                columns = scratch.take(lines, q, len(met), r, s, c)
                taps = slice(min(met), max(met) + 1)
                for group in range(g):
                    for j, patches in enumerate(views):
                        calls.append(copy(columns[:, :, j], patches[..., group * c : (group + 1) * c]))
                    matrix = weight[group, taps].reshape(-1, per)
                    calls.append(product(columns.reshape(lines * q, -1), matrix, acc[:, group * per : (group + 1) * per]))
            else:
                calls.append(zero(acc))
            rb = None if residual is None else nhwc(residual[i : i + 1, :, z])[:, p0:p1]
            tasks.append(calls + _finish(op, acc, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)


def _plane_frame(op: Conv, plane: Any, kernel: tuple[int, int], pads: Sequence[tuple[int, int]], width: int) -> Frame:
    """Windows over one plane (1, c, h, w) of a volume."""
    (_, sh, sw), (_, dh, dw) = op.stride, op.dilation
    return Frame(nhwc(plane), kernel, (sh, sw), (dh, dw), (pads[1][0], pads[2][0]), width)


class Shape:
    """An array of which only the shape matters: enough of a Frame's input to count its elements."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def transpose(self, *axes: int) -> Shape:
        return Shape(tuple(self.shape[a] for a in axes))


@takes_lines
class ConvDepthwise(Impl):
    """One channel in, one or several out: a sum of products over an overlapping view, without a matrix product.

    With stride 1 a line of windows is one contiguous run of width·c elements per tap, and the weights are tiled to match; einsum then
    runs at 1.3 ns an output of a 3×3 kernel, against 2.1 for shifted multiply-adds.
    """

    name = "conv_depthwise"
    numerics = "sum over r, s"
    packs = (1, 2)  # the bias too: the epilogue repeats it once, when it is bound

    def supports(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> bool:
        """As many groups as channels, and more than one."""
        return is_float32_2d(x) and weight.shape[1] == 1 and op.groups == x.shape[1] > 1

    def workspace(self, op: Conv, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Of the largest block: the padded input and the sums."""
        n, k, p, q = op.infer(x, weight, *rest)[0].shape
        frame = _frame(op, Shape(x.shape), weight.shape[2:], q)
        largest = max((frame.elements(b) + _images_lines(b) * q * k for b in blocks(n, p, q, k)), default=0)
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
        (n, p, q, k), (r, s, c, multiplier) = out_npqk.shape, weight.shape
        frame = _frame(op, x, (r, s), q)
        runs = multiplier == 1 and op.stride[1] == 1
        tiled = np.tile(weight.reshape(r, s, c), (1, 1, q)) if runs else weight
        parts = backend.lanes_for(2 * n * p * q * k * r * s, 1 << 22)
        tasks: list[list[Call]] = []
        for block in blocks(n, p, q, k, 1, parts):
            n0, n1, p0, p1 = block
            lines, scratch = p1 - p0, Scratch(workspace[len(tasks) % parts])
            source, calls = frame.source(scratch, block, dense=True)
            ob = out_npqk[n0:n1, p0:p1]
            target = rows_of(ob)
            acc = target if target is not None and target.flags.c_contiguous else scratch.take(lines * q, k)
            windows = frame.windows(source, lines)[0]  # (lines, q, r, s, c)
            if runs:
                sp, _, sr, ss, _ = windows.strides
                flat = as_strided(windows, (r, s, lines, q * c), (sr, ss, sp, 4))
                calls.append(_einsum("rspx,rsx->px", flat, tiled, acc.reshape(lines, q * c)))
            else:
                calls.append(_einsum("pqrsc,rscm->pqcm", windows, weight, acc.reshape(lines, q, c, multiplier)))
            rb = None if residual is None else nhwc(residual)[n0:n1, p0:p1]
            tasks.append(calls + _finish(op, acc, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)


def _einsum(subscripts: str, x: Array, weight: Array, out: Array) -> Call:
    return lambda: np.einsum(subscripts, x, weight, out=out)
