"""Everything that goes element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import GLU, Activation, BatchNorm, Binary, Cast, Lookup, PReLU, Unary
from ...spec import Array, Spec
from ..base import Call, Impl
from .backend import CudaBackend, activation_arguments, launch
from .geometry import address, divisor, on_host, scalars
from .layout import MOST_AXES, Axis, element_strides, fold, is_float, walk

__all__ = [
    "BINARY_CODES",
    "UNARY_CODES",
    "ActivationKernel",
    "BatchNormKernel",
    "BinaryKernel",
    "CastKernel",
    "GLUKernel",
    "LookupKernel",
    "PReLUKernel",
    "UnaryKernel",
]

BINARY_CODES = {
    "add": 0, "sub": 1, "mul": 2, "div": 3, "maximum": 6, "minimum": 7, "pow": 8, "atan2": 9, "remainder": 10, "fmod": 11,
    "floor_divide": 12, "trunc_divide": 13,
}  # fmt: skip
UNARY_CODES = {
    "neg": 0, "abs": 1, "sign": 2, "square": 3, "sqrt": 4, "rsqrt": 5, "reciprocal": 6, "floor": 7, "ceil": 8, "round": 9, "trunc": 10,
    "exp": 11, "exp2": 12, "expm1": 13, "log": 14, "log2": 15, "log10": 16, "log1p": 17, "sin": 18, "cos": 19, "tan": 20, "asin": 21,
    "acos": 22, "atan": 23, "sinh": 24, "cosh": 25, "asinh": 26, "acosh": 27, "atanh": 28,
}  # fmt: skip
"""By kind, as in ``kernels/elementwise.cu``: all whose result is a number."""

_PRELU, _GLU = 4, 5  # further codes of that kernel

_THREADS = 256
_FLOATS = (np.dtype(np.float32), np.dtype(np.float16))


def _width(axes: tuple[Axis, ...], arrays: Sequence[Array]) -> int:
    """Elements of a run: 16 bytes of the first array, unless an access of such a run would not be aligned."""
    if not axes or axes[-1].strides[0] != 1:
        return 1
    width = 16 // int(arrays[0].dtype.itemsize)

    def fits(width: int) -> bool:
        for i, array in enumerate(arrays):
            if axes[-1].strides[i] != 1:
                continue  # read element by element
            bytes_ = min(16, width * array.dtype.itemsize)
            if address(array) % bytes_ or any(axis.strides[i] % width for axis in axes[:-1]):
                return False
        return width <= axes[-1].size

    while width > 1 and not fits(width):
        width //= 2
    return width


def _stream(backend: CudaBackend, name: str, function: str, arrays: Sequence[Array], strides: Sequence[Sequence[int]], *first: Any) -> Call:
    """A launch of ``function`` of elementwise.cu over the first array; ``first`` are the arguments before those of the walk."""
    axes = fold(arrays[0].shape, *strides)
    vec = _width(axes, arrays)
    items, rest = walk(name, axes, len(strides), vec)
    inner = axes[-1].size if axes else 1
    kernel = backend.kernel("elementwise.cu", function, HALF=int(arrays[0].dtype == np.float16), VEC=vec)
    return launch(kernel, (-(-items // _THREADS), 1, 1), (_THREADS, 1, 1), (*first, *scalars(items=items, inner=inner), *rest))


def _broadcast(x: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of x under a shape that it broadcasts to."""
    strides = [0 if n == 1 else s for n, s in zip(x.shape, element_strides(x))]
    return (*(0,) * (len(shape) - x.ndim), *strides)


class ActivationKernel(Impl):
    """``kernels/elementwise.cu``, activation."""

    name = "activation"
    numerics = "float32 formula"

    def supports(self, op: Activation, x: Spec) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def bind(
        self, backend: CudaBackend, op: Activation, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, y = inputs[0], outputs[0]
        code, alpha, beta = activation_arguments(op)
        first = scalars(x=x, y=y, code=code, alpha=alpha, beta=beta)
        return _stream(backend, op.name, "activation", (y, x), (element_strides(y), element_strides(x)), *first)


class UnaryKernel(Impl):
    """``kernels/elementwise.cu``, unary."""

    name = "unary"
    numerics = "float32 formula"

    def supports(self, op: Unary, x: Spec) -> bool:
        """Kinds whose result is a number; float32 and float16, up to five axes."""
        return op.kind in UNARY_CODES and is_float(x)

    def bind(
        self, backend: CudaBackend, op: Unary, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, y = inputs[0], outputs[0]
        first = scalars(x=x, y=y, code=UNARY_CODES[op.kind])
        return _stream(backend, op.name, "unary", (y, x), (element_strides(y), element_strides(x)), *first)


class BinaryKernel(Impl):
    """``kernels/elementwise.cu``, binary."""

    name = "binary"
    numerics = "float32 formula"

    def supports(self, op: Binary, x: Spec, y: Spec) -> bool:
        """Kinds whose result is a number; float32 and float16, up to five axes."""
        return op.kind in BINARY_CODES and is_float(x) and is_float(y)

    def bind(
        self, backend: CudaBackend, op: Binary, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _combine(backend, op.name, BINARY_CODES[op.kind], inputs, outputs[0])


def _combine(backend: CudaBackend, name: str, code: int, inputs: Sequence[Array], y: Array) -> Call:
    """A launch of ``binary``."""
    a, b = inputs
    strides = (element_strides(y), _broadcast(a, y.shape), _broadcast(b, y.shape))
    return _stream(backend, name, "binary", (y, a, b), strides, *scalars(a=a, b=b, y=y, code=code))


class PReLUKernel(Impl):
    """``kernels/elementwise.cu``, binary: x and its weight."""

    name = "prelu"
    numerics = "float32 formula"

    def supports(self, op: PReLU, x: Spec, weight: Spec) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def bind(
        self, backend: CudaBackend, op: PReLU, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _combine(backend, op.name, _PRELU, inputs, outputs[0])


class GLUKernel(Impl):
    """``kernels/elementwise.cu``, binary: the two halves, which are views."""

    name = "glu"
    numerics = "float32 formula"

    def supports(self, op: GLU, x: Spec) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def bind(
        self, backend: CudaBackend, op: GLU, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _combine(backend, op.name, _GLU, op.halves(inputs[0]), outputs[0])


class BatchNormKernel(Impl):
    """``kernels/elementwise.cu``, batch_norm: ``x·scale + shift`` with both made at load, in float64, and an activation."""

    name = "batch_norm_scale"
    numerics = "fma"
    packs = (1, 2, 3, 4)

    def supports(self, op: BatchNorm, x: Spec, *rest: Spec | None) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def pack(self, op: BatchNorm, *constants: Any) -> tuple[Any, ...]:
        """(scale, shift) as float32 in the places of mean and var."""
        # what was computed comes from the device, what was not is on the host
        _, mean, var, weight, bias = (None if a is None else on_host(a).astype(np.float64) for a in (*constants, None, None)[:5])
        assert mean is not None
        assert var is not None
        scale = (1.0 if weight is None else weight) / np.sqrt(var + op.eps)
        shift = (0.0 if bias is None else bias) - mean * scale
        return (constants[0], scale.astype(np.float32), shift.astype(np.float32), *(None,) * (len(constants) - 3))

    def bind(
        self, backend: CudaBackend, op: BatchNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        (x, scale, shift), y = inputs[:3], outputs[0]
        channel = tuple(int(axis == 1 and x.shape[1] > 1) for axis in range(x.ndim))
        strides = (element_strides(y), element_strides(x), channel)
        # scale and shift are read alike, so the stricter of their alignments decides
        stricter = max(scale, shift, key=lambda a: address(a) % 16)
        code, alpha, beta = activation_arguments(op.activation)
        first = scalars(x=x, scale=scale, shift=shift, y=y, code=code, alpha=alpha, beta=beta)
        return _stream(backend, op.name, "batch_norm", (y, x, stricter), strides, *first)


class CastKernel(Impl):
    """``kernels/cast.cu``."""

    name = "cast"
    numerics = "exact"

    def supports(self, op: Cast, x: Spec) -> bool:
        """Float32 and float16 on both sides, up to five axes."""
        return is_float(x) and np.dtype(op.dtype) in _FLOATS

    def bind(
        self, backend: CudaBackend, op: Cast, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch; several elements a thread where both arrays have them side by side."""
        x, y = inputs[0], outputs[0]
        axes = fold(y.shape, element_strides(y), element_strides(x))
        beside = bool(axes) and axes[-1].strides == (1, 1)
        vec = min(4, _width(axes, (y, x)), _width(axes, (x, y))) if beside else 1
        items, rest = walk(op.name, axes, 2, vec)
        inner = axes[-1].size if axes else 1
        macros = {"FROM_HALF": int(x.dtype == np.float16), "HALF": int(y.dtype == np.float16), "VEC": vec}
        args = (*scalars(x=x, y=y, items=items, inner=inner), *rest)
        return launch(backend.kernel("cast.cu", "cast", **macros), (-(-items // _THREADS), 1, 1), (_THREADS, 1, 1), args)


class LookupKernel(Impl):
    """``kernels/lookup.cu``."""

    name = "lookup"
    numerics = "exact"

    def supports(self, op: Lookup, x: Spec, table: Spec) -> bool:
        """Tables of float32 and float16, up to five axes."""
        return table.dtype in _FLOATS and x.ndim <= MOST_AXES

    def bind(
        self, backend: CudaBackend, op: Lookup, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch; wide accesses where x and the result are dense in one order."""
        (x, table), y = inputs, outputs[0]
        level, column = element_strides(table)
        by_element, half = fold(y.shape, element_strides(y), element_strides(x)), int(y.dtype == np.float16)
        if len(by_element) == 1 and by_element[0].strides == (1, 1):
            vec = 16 // y.dtype.itemsize
            while address(x) % vec or address(y) % (vec * y.dtype.itemsize):
                vec //= 2
            size, channels = by_element[0].size, x.shape[1]
            if size >= 2**31 - _THREADS * vec:
                raise LimitError(f"lookup: the kernel takes fewer than 2^31 elements, got {size}; use a smaller batch")
            run = element_strides(y)[1] if channels > 1 else size
            by_run, by_channel = divisor(run), divisor(channels)
            args = scalars(
                x=x, table=table, y=y, size=size, level=np.int64(level), column=np.int64(column),
                run=run, run_magic=by_run.magic, run_shift=by_run.shift,
                channels=channels, channels_magic=by_channel.magic, channels_shift=by_channel.shift,
            )  # fmt: skip
            kernel = backend.kernel("lookup.cu", "lookup_flat", HALF=half, VEC=vec)
            return launch(kernel, (-(-size // (_THREADS * vec)), 1, 1), (_THREADS, 1, 1), args)
        columns = tuple(column if axis == 1 and x.shape[1] > 1 else 0 for axis in range(x.ndim))
        items, rest = walk(op.name, fold(y.shape, element_strides(y), element_strides(x), columns), 3)
        kernel = backend.kernel("lookup.cu", "lookup", HALF=half, VEC=1)
        args = (*scalars(x=x, table=table, y=y, level=np.int64(level), items=items), *rest)
        return launch(kernel, (-(-items // _THREADS), 1, 1), (_THREADS, 1, 1), args)
