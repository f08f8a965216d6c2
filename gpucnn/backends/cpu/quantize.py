"""Small integers from numbers and back, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import Dequantize, Quantize
from ...ops.quantize import scale_along
from ...spec import Array, Spec
from ..base import Call, Impl
from .activation import SCRATCH, pieces
from .backend import CpuBackend

__all__ = ["DequantizePieces", "QuantizePieces"]

_FLOPS = 8  # about: what an element costs beside a convolution's multiply-adds


def _packed(constants: tuple[Any, ...]) -> tuple[Any, ...]:
    return (constants[0], *(None if a is None else a.astype(np.float32) for a in constants[1:]))


def _tasks(op: Quantize | Dequantize, inputs: Sequence[Any], out: Array) -> list[tuple[Array, ...]]:
    """Pieces of the result, of x, and of scale and zero point: these as they are where there is one for all."""
    (x, *rest), shape = (a for a in inputs if a is not None), out.shape
    found = [scale_along(np, op, a, shape) for a in rest]
    if all(a.ndim == 0 for a in found):
        return [(*piece, *found) for piece in pieces(out, x)]
    return list(pieces(out, x, *(np.broadcast_to(a, shape) for a in found)))


class QuantizePieces(Impl):
    """Divide, round, add, bound in scratch, then one conversion."""

    name = "quantize"
    numerics = "float32 formula"
    packs = (1, 2)

    def supports(self, op: Quantize, x: Spec, scale: Spec, zero_point: Spec | None = None) -> bool:
        """Float32, and no blocks."""
        return x.dtype == np.float32 and not op.block

    def workspace(self, op: Quantize, *specs: Spec | None) -> int:
        """Of a row."""
        return 4 * SCRATCH

    def pack(self, op: Quantize, *constants: Any) -> tuple[Any, ...]:
        """Scales and zero points in float32."""
        return _packed(constants)

    def bind(
        self, backend: CpuBackend, op: Quantize, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task a piece."""
        out = outputs[0]
        parts = backend.lanes_for(_FLOPS * out.size)
        rows = [memory[: 4 * SCRATCH].view(np.float32) for memory in workspace[:parts]]
        tasks = _tasks(op, inputs, out)
        calls = [_quantized(op, *task, scratch=rows[i % len(rows)]) for i, task in enumerate(tasks)]
        return backend.schedule([[call] for call in calls], parts) if calls else None


def _quantized(op: Quantize, out: Array, x: Array, scale: Array, zero_point: Array | None = None, *, scratch: Array) -> Call:
    t, (low, high) = scratch[: x.size].reshape(x.shape), map(np.float32, op.limits)

    def call() -> None:
        np.divide(x, scale, out=t)
        np.rint(t, out=t)
        if zero_point is not None:
            np.add(t, zero_point, out=t)
        np.fmax(t, low, out=t)  # of NaN and a number, the number
        np.minimum(t, high, out=t)
        np.copyto(out, t, casting="unsafe")

    return call


class DequantizePieces(Impl):
    """Convert, subtract, multiply, all in the result."""

    name = "dequantize"
    numerics = "float32 formula"
    packs = (1, 2)

    def supports(self, op: Dequantize, x: Spec, scale: Spec, zero_point: Spec | None = None) -> bool:
        """To float32, without blocks; what is subtracted from must be exact in float32."""
        return scale.dtype == np.float32 and not op.block and (x.dtype.itemsize <= 2 or zero_point is None)

    def pack(self, op: Dequantize, *constants: Any) -> tuple[Any, ...]:
        """Scales and zero points in float32."""
        return _packed(constants)

    def bind(
        self, backend: CpuBackend, op: Dequantize, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task a piece."""
        parts = backend.lanes_for(_FLOPS * outputs[0].size)
        calls = [_dequantized(*task) for task in _tasks(op, inputs, outputs[0])]
        return backend.schedule([[call] for call in calls], parts) if calls else None


def _dequantized(out: Array, x: Array, scale: Array, zero_point: Array | None = None) -> Call:
    def call() -> None:
        np.copyto(out, x, casting="unsafe")
        if zero_point is not None:
            np.subtract(out, zero_point, out=out)
        np.multiply(out, scale, out=out)

    return call
