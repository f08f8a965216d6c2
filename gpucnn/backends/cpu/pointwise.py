"""Everything that goes element by element, and what only moves elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...ops import (
    BINARY,
    GLU,
    UNARY,
    Activation,
    BatchNorm,
    Binary,
    Cast,
    Concat,
    LogSoftmax,
    Lookup,
    Op,
    Pad,
    PReLU,
    Softmax,
    Unary,
    Where,
)
from ...spec import Array, Spec, spec_of
from ..base import Call, Impl, in_order
from .activation import SCRATCH, WHOLE, activate, glu, prelu
from .backend import CpuBackend
from .epilogue import same_memory
from .kinds import Copy, copy

__all__ = [
    "ActivationInPlace",
    "BatchNormScale",
    "BinaryUfunc",
    "CastCopy",
    "ConcatCopy",
    "CopyOnly",
    "GLUPieces",
    "LogSoftmaxRows",
    "LookupTake",
    "PReLUPieces",
    "PadCopy",
    "SoftmaxRows",
    "UnaryUfunc",
    "WhereCopy",
]


_SHORT = 8  # numbers along the innermost axis, up to which it is better to go along another
_FLOPS = 16  # a chain's, about: what an element costs beside a convolution's multiply-adds


class ActivationInPlace(Impl):
    """A chain of ufuncs, piece by piece, over an array that may be its own result."""

    name = "activation"
    numerics = "float32 formula"

    def supports(self, op: Activation, x: Spec) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: Activation, x: Spec) -> int:
        """What a chain wants."""
        return 0 if op.kind in WHOLE else 4 * SCRATCH

    def bind(
        self, backend: CpuBackend, op: Activation, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task a piece."""
        x, out = inputs[0], outputs[0]
        parts = backend.lanes_for(_FLOPS * x.size)
        return _spread(backend, activate(op, x, out, _scratch(workspace[:parts])), parts)


def _scratch(workspace: Sequence[Any]) -> list[Any]:
    return [memory[: 4 * SCRATCH].view(np.float32) for memory in workspace]


def _spread(backend: CpuBackend, calls: list[Call], parts: int) -> Call | None:
    return backend.schedule([[call] for call in calls], parts) if calls else None


class PReLUPieces(Impl):
    """As an activation, with a weight that is broadcast."""

    name = "prelu"
    numerics = "float32 formula"

    def supports(self, op: PReLU, x: Spec, weight: Spec) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: PReLU, x: Spec, weight: Spec) -> int:
        """Of two rows, one for a mask."""
        return 4 * SCRATCH

    def bind(
        self, backend: CpuBackend, op: PReLU, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task a piece."""
        (x, weight), out = inputs, outputs[0]
        parts = backend.lanes_for(_FLOPS * x.size)
        return _spread(backend, prelu(x, np.broadcast_to(weight, x.shape), out, _scratch(workspace[:parts])), parts)


class GLUPieces(Impl):
    """The quotient of one half and what its sigmoid divides by, piece by piece."""

    name = "glu"
    numerics = "float32 formula"

    def supports(self, op: GLU, x: Spec) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: GLU, x: Spec) -> int:
        """Of a row."""
        return 4 * SCRATCH

    def bind(
        self, backend: CpuBackend, op: GLU, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task a piece."""
        out = outputs[0]
        parts = backend.lanes_for(_FLOPS * out.size)
        return _spread(backend, glu(*op.halves(inputs[0]), out, _scratch(workspace[:parts])), parts)


def _binary_ufunc(op: Binary, x: Spec) -> Any:
    """The function of the kind, where it is one ufunc for this dtype."""
    if op.kind == "pow":
        return np.power if x.dtype.kind in "fu" else None  # of signed integers, negative exponents have a rule of their own
    found = BINARY[op.kind](np)
    return found if isinstance(found, np.ufunc) else None


class BinaryUfunc(Impl):
    """The ufunc of that name, with ``out``."""

    name = "ufunc"
    numerics = "exact"

    def supports(self, op: Binary, x: Spec, y: Spec) -> bool:
        """All kinds that are one ufunc."""
        return _binary_ufunc(op, x) is not None

    def bind(
        self, backend: CpuBackend, op: Binary, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One call."""
        (x, y), out = inputs, outputs[0]
        ufunc = _binary_ufunc(op, spec_of(x))
        return lambda: ufunc(x, y, out=out)


class UnaryUfunc(Impl):
    """The ufunc of that name, with ``out``."""

    name = "ufunc"
    numerics = "exact"

    def supports(self, op: Unary, x: Spec) -> bool:
        """Everything but the root's reciprocal in 16 bits, which is two ufuncs."""
        return isinstance(UNARY[op.kind](np), np.ufunc) or (op.kind == "rsqrt" and x.dtype.itemsize >= 4)

    def bind(
        self, backend: CpuBackend, op: Unary, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One call, or a few."""
        x, out = inputs[0], outputs[0]
        match op.kind:
            case "rsqrt":
                return in_order([lambda: np.sqrt(x, out=out), lambda: np.reciprocal(out, out=out)])
            # NumPy (1.26 to 2.4) writes these wrong where the result has gaps, as a part of a concatenation has: by other ufuncs.
            case "neg":
                zero = x.dtype.type(-0.0 if x.dtype.kind == "f" else 0)  # −0 − x is −x, for zeros too
                return lambda: np.subtract(zero, x, out=out)
            case "isnan":
                return lambda: np.not_equal(x, x, out=out)
            case "isfinite":
                return in_order([lambda: np.less(x, np.inf, out=out), lambda: np.greater(x, -np.inf, out=out, where=out)])
            case "isinf":
                above, below = (lambda: np.not_equal(x, np.inf, out=out)), (lambda: np.not_equal(x, -np.inf, out=out, where=out))
                return in_order([above, below, lambda: np.logical_not(out, out=out)])
        ufunc = UNARY[op.kind](np)
        return lambda: ufunc(x, out=out)


class WhereCopy(Impl):
    """A copy, and another one where the condition holds."""

    name = "where_copy"
    numerics = "exact"

    def supports(self, op: Where, condition: Spec, x: Spec, y: Spec) -> bool:
        """Everything."""
        return True

    def bind(
        self, backend: CpuBackend, op: Where, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Two calls."""
        (condition, x, y), out = inputs, outputs[0]
        return in_order([copy(out, y), lambda: np.copyto(out, x, where=condition)])


class CastCopy(Impl):
    """One copy into the other type."""

    name = "cast"
    numerics = "exact"

    def supports(self, op: Cast, x: Spec) -> bool:
        """Everything."""
        return True

    def bind(
        self, backend: CpuBackend, op: Cast, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One call."""
        x, out = inputs[0], outputs[0]
        return lambda: np.copyto(out, x, casting="unsafe")


class BatchNormScale(Impl):
    """``x·scale + shift`` with both made at load, in float64; then the activation, all on pieces that stay in cache."""

    name = "batch_norm_scale"
    numerics = "multiply, add"
    packs = (1, 2, 3, 4)

    def supports(self, op: BatchNorm, x: Spec, *rest: Spec | None) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: BatchNorm, x: Spec, *rest: Spec | None) -> int:
        """What a chain wants."""
        return 0 if op.activation is None or op.activation.kind in WHOLE else 4 * SCRATCH

    def pack(self, op: BatchNorm, *constants: Any) -> tuple[Any, ...]:
        """(scale, shift) in the places of mean and var."""
        _, mean, var, weight, bias = (*constants, None, None)[:5]
        scale = (1.0 if weight is None else weight.astype(np.float64)) / np.sqrt(var.astype(np.float64) + op.eps)
        shift = (0.0 if bias is None else bias.astype(np.float64)) - mean.astype(np.float64) * scale
        rest = (None,) * (len(constants) - 3)
        return (constants[0], scale.astype(np.float32), shift.astype(np.float32), *rest)

    def bind(
        self, backend: CpuBackend, op: BatchNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task a piece: two calls, and the activation's, all but the first in place."""
        x, out = np.moveaxis(inputs[0], 1, -1), np.moveaxis(outputs[0], 1, -1)
        parts = backend.lanes_for(_FLOPS * x.size)
        scratch = _scratch(workspace[:parts])
        tasks: list[list[Call]] = []
        for source, target, scale, shift in _runs(x, out, *inputs[1:3]):
            tasks.append([_scaled(source, target, scale, shift)])
            if op.activation is not None:
                memory = scratch[(len(tasks) - 1) % parts : (len(tasks) - 1) % parts + 1]
                tasks[-1] += activate(op.activation, target, target, memory)
        return backend.schedule(tasks, parts)


_RUN = 1 << 14  # elements: what is read and written stays in the second-level cache, and calls cost little beside them


def _runs(x: Array, out: Array, *vectors: Array) -> Iterator[tuple[Array, ...]]:
    """Matching parts of arrays (…, c), at most ``_RUN`` elements or one pixel each, with the vectors (c,) as they broadcast to them.

    Where pixels lie side by side a part is one long row, and the vectors stand in a row as often: NumPy's inner loop is then long too.
    """
    if not x.size:
        return
    if x.flags.c_contiguous and out.flags.c_contiguous:
        c = x.shape[-1]
        x, out, step = x.reshape(-1), out.reshape(-1), max(1, min(_RUN, x.size) // c) * c
        rows = [np.tile(v, step // c) for v in vectors]
        for i in range(0, x.size, step):
            part = x[i : i + step]
            yield (part, out[i : i + step], *(row[: part.size] for row in rows))
    elif x.size <= _RUN or x.ndim == 1:
        yield (x, out, *vectors)
    else:
        step = max(1, _RUN // (x.size // len(x)))
        for i in range(0, len(x), step):
            if x[i].size > _RUN:
                yield from _runs(x[i], out[i], *vectors)
            else:
                yield (x[i : i + step], out[i : i + step], *vectors)


def _scaled(x: Array, out: Array, scale: Array, shift: Array) -> Call:
    def call() -> None:
        np.multiply(x, scale, out=out)
        np.add(out, shift, out=out)

    return call


class SoftmaxRows(Impl):
    """Subtract the maximum, exponentiate, divide by the sum, all in the output; sums in float32."""

    name = "softmax"
    numerics = "sum over dim"

    def supports(self, op: Softmax, x: Spec) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def bind(
        self, backend: CpuBackend, op: Softmax, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Four calls."""
        x, out, dim = inputs[0], outputs[0], op.dim

        def call() -> None:
            np.subtract(x, x.max(axis=dim, keepdims=True), out=out)
            np.exp(out, out=out)
            np.divide(out, out.sum(axis=dim, keepdims=True), out=out)

        return call


class LogSoftmaxRows(Impl):
    """Subtract the maximum, then the logarithm of the sum of exponentials, which are made in scratch; sums in float32."""

    name = "log_softmax"
    numerics = "sum over dim"

    def supports(self, op: LogSoftmax, x: Spec) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def workspace(self, op: LogSoftmax, x: Spec) -> int:
        """The exponentials."""
        return 4 * x.size

    def bind(
        self, backend: CpuBackend, op: LogSoftmax, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Five calls."""
        x, out, dim = inputs[0], outputs[0], op.dim
        order = sorted(range(out.ndim), key=lambda axis: -abs(out.strides[axis]))  # in the order in which the result lies
        flat = workspace[0][: 4 * x.size].view(np.float32)
        powers = flat.reshape([x.shape[axis] for axis in order]).transpose(np.argsort(order))

        def call() -> None:
            np.subtract(x, x.max(axis=dim, keepdims=True), out=out)
            np.exp(out, out=powers)
            total = powers.sum(axis=dim, keepdims=True)
            np.log(total, out=total)
            np.subtract(out, total, out=out)

        return call


class LookupTake(Impl):
    """One gather per channel."""

    name = "lookup_take"
    numerics = "exact"

    def supports(self, op: Lookup, x: Spec, table: Spec) -> bool:
        """Any table."""
        return x.ndim >= 2

    def pack(self, op: Lookup, *constants: Any) -> tuple[Any, ...]:
        """The table with one row a channel."""
        return (constants[0], np.ascontiguousarray(constants[1].T))

    packs = (1,)

    def bind(
        self, backend: CpuBackend, op: Lookup, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A call per channel; a byte is always inside the table."""
        x, table = inputs
        rows = [(table[c], x[:, c], outputs[0][:, c]) for c in range(len(table))]

        def call() -> None:
            for row, source, target in rows:
                target[...] = row[source]

        return call


class ConcatCopy(Impl):
    """Copies of the parts that are not in place already."""

    name = "concat_copy"
    numerics = "exact"

    def supports(self, op: Concat, *specs: Spec) -> bool:
        """Everything."""
        return True

    def bind(
        self, backend: CpuBackend, op: Concat, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One copy a part."""
        out, calls, at = np.moveaxis(outputs[0], op.dim, 0), [], 0
        for x in inputs:
            part = np.moveaxis(x, op.dim, 0)
            target = out[at : at + len(part)]
            at += len(part)
            if part.size and not _is_same(part, target):
                calls.append(copy(target, part))
        return backend.schedule([calls], 1)


def _is_same(a: Any, b: Any) -> bool:
    here, there = a.__array_interface__["data"][0], b.__array_interface__["data"][0]
    return bool(here == there and a.strides == b.strides)


class PadCopy(Impl):
    """Fill the borders, copy the inside."""

    name = "pad_copy"
    numerics = "exact"

    def supports(self, op: Pad, x: Spec) -> bool:
        """Constant padding."""
        return op.mode == "constant"

    def bind(
        self, backend: CpuBackend, op: Pad, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Two strips an axis, each inside those before it; and the inside, unless it was written there."""
        out, value = outputs[0], op.value
        inner, strips = out, []
        for axis, (before, after) in enumerate(op.pads):
            size, along = inner.shape[axis], np.moveaxis(inner, axis, 0)
            strips += [along[:before], along[size - after :]]
            inner = np.moveaxis(along[before : size - after], 0, axis)
        borders = [s for s in strips if s.size]
        x = inputs[0]
        if same_memory(inner, x):
            return in_order([Copy(border.fill, value) for border in borders])

        def call() -> None:
            for border in borders:
                border[...] = value
            np.copyto(inner, x)

        return call


class CopyOnly(Impl):
    """Reorder, transpose, reshape and flatten where they are no view: one copy."""

    name = "copy"
    numerics = "exact"

    def supports(self, op: Op, *specs: Spec) -> bool:
        """Everything."""
        return True

    def bind(
        self, backend: CpuBackend, op: Op, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Copy the logical elements; a reshape of memory with gaps has to gather them first."""
        x, out = inputs[0], outputs[0]
        moved = op.reference(np, x)[0]
        if x.size and np.shares_memory(moved, x):
            return in_order([copy(a, b) for a, b in _in_long_runs(out, moved)])
        # The result is dense by plan, so the gathering can be done on its side: out in x's shape.
        return copy(out.reshape(x.shape), x)


def _in_long_runs(out: Array, x: Array) -> list[tuple[Array, Array]]:
    """Both arrays, or their slices along out's innermost axis where that is short: NumPy's inner loop goes along it.

    Four images of three channels become channels last in 0.17 ms, in one copy in 0.71.
    """
    inner = min((axis for axis in range(out.ndim) if out.shape[axis] > 1), key=lambda axis: abs(out.strides[axis]), default=0)
    short = out.ndim > 1 and 1 < out.shape[inner] <= _SHORT and abs(x.strides[inner]) > x.itemsize
    return list(zip(np.moveaxis(out, inner, 0), np.moveaxis(x, inner, 0))) if short else [(out, x)]
