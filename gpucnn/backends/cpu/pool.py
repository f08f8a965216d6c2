"""Pooling on channels-last memory: first down the lines, then along them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from ...ops import AvgPool, LpPool, MaxPool, MinPool
from ...spec import Array, Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CpuBackend, Scratch
from .frame import Frame
from .gemm import Block, blocks
from .power import HIGHEST_POWER, doubles, raised, rooted

__all__ = ["AvgPoolLines", "LpPoolLines", "MaxPoolLines", "MinPoolLines"]

_SHARED = 1 << 18  # elements of windows from which on a step is split over lanes: a tenth of a millisecond on one

Windows = MaxPool | MinPool | AvgPool | LpPool


def _frame(op: Windows, x: Any, width: int, fill: float) -> Frame:
    spec = Spec(tuple(x.shape), np.dtype(np.float32))
    (kh, kw), (sh, sw), (dh, dw) = op.kernel_size, op.stride, op.dilation
    pads = op.pads(spec)
    return Frame(x.transpose(0, 2, 3, 1), (kh, kw), (sh, sw), (dh, dw), (pads[0][0], pads[1][0]), width, fill)


def _workspace(op: Windows, x: Spec) -> int:
    """Of the largest block: the padded input, and its lines folded together."""
    n, c, p, q = op.infer(x)[0].shape
    (kh, kw), (sh, sw), (dh, dw) = op.kernel_size, op.stride, op.dilation
    columns = (q - 1) * sw + (kw - 1) * dw + 1
    largest = max((((b - a - 1) * sh + (kh - 1) * dh + 1 + b - a) * columns * c for _, _, a, b in blocks(n, p, q, c)), default=0)
    return 4 * largest + 256


def _fold(ufunc: Any, frame: Frame, source: Array, out: Array, scratch: Scratch) -> list[Call]:
    """Calls that combine the elements of each window on ``source`` by ``ufunc`` into ``out`` (1, lines, width, c)."""
    lines, calls = out.shape[1], []
    (kh, kw), (sh, sw), (dh, dw) = frame.kernel, frame.stride, frame.dilation
    rows = [source[:, r * dh :: sh][:, :lines] for r in range(kh)]
    folded = rows[0]
    if kh > 1:
        take = scratch.take if source.dtype == np.float32 else partial(doubles, scratch)
        folded = take(1, lines, source.shape[2], source.shape[3])
        calls += _chain(ufunc, rows, folded)
    columns = [folded[:, :, s * dw :: sw][:, :, : frame.width] for s in range(kw)]
    return calls + _chain(ufunc, columns, out)


def _fold_block(ufunc: Any, frame: Frame, scratch: Scratch, block: Block, out: Array) -> list[Call]:
    """Calls that prepare the input under a block, and fold it."""
    source, calls = frame.source(scratch, block)
    return calls + _fold(ufunc, frame, source, out, scratch)


def _chain(ufunc: Any, parts: list[Array], out: Array) -> list[Call]:
    if len(parts) == 1:
        return [lambda: np.copyto(out, parts[0])]
    first = [lambda: ufunc(parts[0], parts[1], out=out)]
    return first + [lambda part=part: ufunc(out, part, out=out) for part in parts[2:]]


def _bind_extreme(
    backend: CpuBackend, op: MaxPool | MinPool, x: Any, y: Any, workspace: Sequence[Any], ufunc: Any, fill: float
) -> Call | None:
    """Fold each block of lines."""
    out = y.transpose(0, 2, 3, 1)
    n, p, q, c = out.shape
    frame = _frame(op, x, q, fill)
    parts = backend.lanes_for(out.size * prod(op.kernel_size), _SHARED)
    tasks = [
        _fold_block(ufunc, frame, Scratch(workspace[i % parts]), b, out[b[0] : b[1], b[2] : b[3]])
        for i, b in enumerate(blocks(n, p, q, c, 1, parts))
    ]
    return backend.schedule(tasks, parts)


@takes_lines
class MaxPoolLines(Impl):
    """Running maximum of whole lines; ``numpy.maximum`` lets NaN through."""

    name = "max_pool_lines"
    numerics = "exact"

    def supports(self, op: MaxPool, x: Spec) -> bool:
        """Float32 in two dimensions, without indices."""
        return x.dtype == np.float32 and x.ndim == 4 and not op.return_indices

    def workspace(self, op: MaxPool, x: Spec) -> int:
        """Padded input and folded lines of a block."""
        return _workspace(op, x)

    def bind(
        self, backend: CpuBackend, op: MaxPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Fold each block of lines."""
        return _bind_extreme(backend, op, inputs[0], outputs[0], workspace, np.maximum, -np.inf)


@takes_lines
class MinPoolLines(Impl):
    """Running minimum of whole lines; ``numpy.minimum`` lets NaN through."""

    name = "min_pool_lines"
    numerics = "exact"

    def supports(self, op: MinPool, x: Spec) -> bool:
        """Float32 in two dimensions."""
        return x.dtype == np.float32 and x.ndim == 4

    def workspace(self, op: MinPool, x: Spec) -> int:
        """Padded input and folded lines of a block."""
        return _workspace(op, x)

    def bind(
        self, backend: CpuBackend, op: MinPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Fold each block of lines."""
        return _bind_extreme(backend, op, inputs[0], outputs[0], workspace, np.minimum, np.inf)


@takes_lines
class AvgPoolLines(Impl):
    """Running sum of whole lines, then a product with the reciprocal of each window's count."""

    name = "avg_pool_lines"
    numerics = "sum over r, then s"

    def supports(self, op: AvgPool, x: Spec) -> bool:
        """Float32 in two dimensions."""
        return x.dtype == np.float32 and x.ndim == 4

    def workspace(self, op: AvgPool, x: Spec) -> int:
        """Padded input and folded lines of a block."""
        return _workspace(op, x)

    def bind(
        self, backend: CpuBackend, op: AvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Fold each block of lines and scale it."""
        out = outputs[0].transpose(0, 2, 3, 1)
        n, p, q, c = out.shape
        frame = _frame(op, inputs[0], q, 0.0)
        scale = (1 / op.divisors(Spec(tuple(inputs[0].shape), np.dtype(np.float32)))).astype(np.float32)[:, :, None]
        parts = backend.lanes_for(out.size * prod(op.kernel_size), _SHARED)
        tasks = []
        for i, b in enumerate(blocks(n, p, q, c, 1, parts)):
            target = out[b[0] : b[1], b[2] : b[3]]
            calls = _fold_block(np.add, frame, Scratch(workspace[i % parts]), b, target)
            tasks.append([*calls, _scale(target, scale[b[2] : b[3]])])
        return backend.schedule(tasks, parts)


def _scale(x: Array, by: Array) -> Call:
    return lambda: np.multiply(x, by, out=x)


@takes_lines
class LpPoolLines(Impl):
    """Powers of every pixel once, their running sum by whole lines, and the root; in float64, which they do not leave."""

    name = "lp_pool_lines"
    numerics = "float64, sum over r, then s"

    def supports(self, op: LpPool, x: Spec) -> bool:
        """Float32 in two dimensions, and powers of such numbers that float64 holds."""
        return x.dtype == np.float32 and x.ndim == 4 and op.p <= HIGHEST_POWER

    def workspace(self, op: LpPool, x: Spec) -> int:
        """Of the largest block: the padded input, then in float64 its powers, folded lines, and the sums."""
        n, c, p, q = op.infer(x)[0].shape
        sums = max(((b - a) * q * c for *_, a, b in blocks(n, p, q, c)), default=0)
        return 3 * _workspace(op, x) + 8 * sums + 256

    def bind(self, backend: CpuBackend, op: LpPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]) -> Call | None:
        """Raise, fold and take the root of each block of lines."""
        out = outputs[0].transpose(0, 2, 3, 1)
        n, p, q, c = out.shape
        frame = _frame(op, inputs[0], q, 0.0)
        parts = backend.lanes_for(out.size * prod(op.kernel_size), _SHARED)
        tasks = []
        for i, b in enumerate(blocks(n, p, q, c, 1, parts)):
            target, scratch = out[b[0] : b[1], b[2] : b[3]], Scratch(workspace[i % parts])
            source, calls = frame.source(scratch, b)
            powers, sums = doubles(scratch, *source.shape), doubles(scratch, *target.shape)
            calls += [*raised(source, powers, op.p), *_fold(np.add, frame, powers, sums, scratch), rooted(sums, target, op.p)]
            tasks.append(calls)
        return backend.schedule(tasks, parts)
