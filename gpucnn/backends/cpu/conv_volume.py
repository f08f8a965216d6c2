"""Convolution of volumes: plane by plane as products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import Conv
from ...spec import Spec
from ..base import Call, Impl
from .backend import CpuBackend, Scratch
from .conv_common import SLACK, Shape, finish_block, four, lines_in, nhwc, repack, sums_in
from .epilogue import room
from .frame import Frame
from .gemm import blocks
from .kinds import copy, product, zero

__all__ = ["ConvVolume"]


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
        largest = max((t * frame.elements(b) + lines_in(b) * q * (t * r * s * c // op.groups + k) for b in cut), default=0)
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
            target = sums_in(op, bias, ob)
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
            tasks.append(calls + finish_block(op, acc, bias, rb, ob, scratch))
        return backend.schedule(tasks, parts)


def _plane_frame(op: Conv, plane: Any, kernel: tuple[int, int], pads: Sequence[tuple[int, int]], width: int) -> Frame:
    """Windows over one plane (1, c, h, w) of a volume."""
    (_, sh, sw), (_, dh, dw) = op.stride, op.dilation
    return Frame(nhwc(plane), kernel, (sh, sw), (dh, dw), (pads[1][0], pads[2][0]), width)
