"""Dense layers: cuBLAS for the product, always of the same number of rows, and one kernel for what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import Linear
from ...spec import Array, Spec
from ..base import Call, Impl, Packed, in_order
from .backend import CudaBackend, activation_arguments, launch
from .geometry import address, divisor, on_host, scalars
from .layout import element_strides, moved_rows

__all__ = ["ALIGNED", "ROWS", "LinearCublas", "padded"]

ROWS = 64
"""Rows of every product. cuBLAS chooses its method by the number of rows, and with it the bits of each; so that number never changes.
The weight, which is what takes the time at small batches, is read once for 64 images."""

ALIGNED = 16  # bytes: cuBLAS's widest access; its choice depends on whether rows allow it, so all are made to
_GAP = 256  # bytes: alignment of what lies in the workspace
_THREADS = 256


def padded(c: int, dtype: np.dtype[Any]) -> int:
    """Features of a row that is a whole number of aligned accesses."""
    step = ALIGNED // dtype.itemsize
    return -(-c // step) * step


def _copy_bytes(c: int, dtype: np.dtype[Any]) -> int:
    return -(-ROWS * padded(c, dtype) * dtype.itemsize // _GAP) * _GAP


class LinearCublas(Impl):
    """``ROWS`` rows at a time by cuBLAS with float32 sums, then ``kernels/linear_epilogue.cu``."""

    name = "linear_cublas"
    numerics = f"cublas of {ROWS} rows"
    packs = (1, 2)

    def supports(self, op: Linear, x: Spec, weight: Spec, bias: Spec | None = None, residual: Spec | None = None) -> bool:
        """Float32 and float16; a residual of the result's type."""
        same = op.out_dtype in (None, str(x.dtype)) or (op.out_dtype == "float32" and residual is None)
        return x.dtype in (np.float32, np.float16) and x.ndim >= 1 and same

    def workspace(self, op: Linear, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """A copy of the rows that cannot be read where they lie, and the sums."""
        return _copy_bytes(x.shape[-1], x.dtype) + ROWS * weight.shape[0] * 4

    def pack(self, op: Linear, *constants: Any) -> tuple[Any, ...]:
        """Weight with zeros up to a whole number of accesses a row; bias as float32."""
        weight, bias, rest = constants[1], constants[2] if len(constants) > 2 else None, constants[3:]
        host = on_host(weight)
        k, c = host.shape
        packed = np.zeros((k, padded(c, host.dtype)), host.dtype)
        packed[:, :c] = host
        shift = None if bias is None else bias.astype(np.float32)
        return (constants[0], Packed(packed, (k, c)), shift, *rest)[: len(constants)]

    def bind(
        self, backend: CudaBackend, op: Linear, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """For every ``ROWS`` rows: a copy where they are too few or badly aligned, a product, an epilogue."""
        x, packed, bias, residual = (*inputs, None, None)[:4]
        out, (k, c) = outputs[0], packed.shape
        x, y = _rows(backend, op, x), _rows(backend, op, out)
        added = None if residual is None else _rows(backend, op, residual)
        count, wide = x.shape[0], packed.array.shape[1]
        driver, split = backend.driver, _copy_bytes(c, x.dtype)
        rows = driver.view(workspace[0], 0, Spec((ROWS, wide), x.dtype), (wide, 1))
        sums = driver.view(workspace[0], split, Spec((ROWS, k), np.dtype(np.float32)), (k, 1))
        in_place = wide == c and element_strides(x)[0] == c and address(x) % ALIGNED == 0
        driver.prepare_gemm()
        calls: list[Call] = []
        for start in range(0, count, ROWS):
            part = slice(start, min(start + ROWS, count))
            size = part.stop - start
            if c:
                a = x[part]
                if not in_place or size < ROWS:  # the rows behind them hold anything: a product keeps rows apart
                    calls.append(moved_rows(backend, op.name, rows[:size], a))
                    a = rows
                calls.append(_product(driver, a, packed.array, sums))
            there = None if added is None else added[part]
            calls.append(self._finish(backend, op, sums if c else None, bias, there, y[part]))
        return in_order(calls)

    def _finish(self, backend: CudaBackend, op: Linear, sums: Array | None, bias: Any, residual: Any, y: Array) -> Call:
        m, k = y.shape
        pitch, r_pitch = element_strides(y)[0], 0 if residual is None else element_strides(residual)[0]
        wide = 4 * y.dtype.itemsize
        fours = not any(v % 4 for v in (k, pitch, r_pitch)) and not any(address(a) % wide for a in (y, residual) if a is not None)
        vec = 4 if fours and (bias is None or address(bias) % 16 == 0) else 1
        by_chunk = divisor(k // vec)
        pre, post = activation_arguments(op.epilogue.pre), activation_arguments(op.epilogue.post)
        args = scalars(
            sums=sums, bias=bias, residual=residual, y=y, items=m * k // vec, k_total=k,
            chunks=k // vec, chunks_magic=by_chunk.magic, chunks_shift=by_chunk.shift,
            y_row=np.int64(pitch), residual_row=np.int64(r_pitch),
            pre=pre[0], pre_alpha=pre[1], pre_beta=pre[2], post=post[0], post_alpha=post[1], post_beta=post[2],
        )  # fmt: skip
        kernel = backend.kernel("linear_epilogue.cu", "linear_epilogue", HALF=int(y.dtype == np.float16), VEC=vec)
        return launch(kernel, (-(-m * k // (vec * _THREADS)), 1, 1), (_THREADS, 1, 1), args)


def _rows(backend: CudaBackend, op: Linear, x: Array) -> Array:
    """x (…, features) as (rows, features) in the same memory; features side by side, rows evenly spaced."""
    *lead, features = x.shape
    axes = [(n, s) for n, s in zip(lead, element_strides(x)) if n != 1]
    even = all(outer[1] == inner[0] * inner[1] for outer, inner in pairwise(axes))
    if not even or (features > 1 and element_strides(x)[-1] != 1):
        raise LimitError(f"{op.name}: the kernel wants the features of a row side by side, and rows evenly spaced")
    pitch = axes[-1][1] if axes else features
    size = x.dtype.itemsize
    return backend.xp.lib.stride_tricks.as_strided(x, (prod(lead), features), (pitch * size, size))


def _product(driver: Any, a: Array, b: Array, out: Array) -> Call:
    return lambda: driver.gemm(a, b, out)
