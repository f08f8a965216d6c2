"""Products of matrices: dense layers whose weight arrives at run time, one a matrix of the stack."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...ops import Einsum, Identity, Linear, MatMul
from ...spec import Array, Spec
from ..base import Call, Impl, Packed, in_order
from .backend import CudaBackend
from .geometry import address
from .layout import MOST_AXES, CopyKernel, element_strides, moved_rows
from .linear import ALIGNED, LinearCublas, padded

__all__ = ["EinsumCublas", "MatMulCublas"]

_GAP = 256  # bytes: alignment of what lies in the workspace
_COPY, _IDENTITY, _DENSE, _LINEAR = CopyKernel(), Identity(), LinearCublas(), Linear()


def _up(nbytes: int) -> int:
    return -(-nbytes // _GAP) * _GAP


def _room(k: int, n: int, dtype: np.dtype[Any]) -> int:
    """Bytes for one right-hand matrix, turned, and for what a dense layer of it wants."""
    rows, weight = Spec((1, k), dtype), Spec((n, k), dtype)
    return _up(n * padded(k, dtype) * dtype.itemsize) + _up(_DENSE.workspace(_LINEAR, rows, weight))


class _Dense:
    """Dense layers of right-hand matrices b (n, k), one after the other in one workspace."""

    def __init__(self, backend: CudaBackend, name: str, b: Array, memory: Array) -> None:
        self._backend, self._name, self._there = backend, name, -1
        self._shape = n, k = b.shape[-2:]
        wide = padded(k, b.dtype)
        self._copy = backend.view(memory, 0, Spec((n, wide), b.dtype), (wide, 1))
        self._rest = memory[_up(n * wide * b.dtype.itemsize) :]

    def product(self, a: Array, b: Array, out: Array) -> list[Call]:
        """Calls for ``out (…, n) = a (…, k) · bᵀ``: b is copied where cuBLAS would not read it as an aligned weight, once in a row."""
        calls: list[Call] = []
        if self._copy.shape != b.shape or element_strides(b) != (b.shape[1], 1) or address(b) % ALIGNED:
            if self._there != address(b) and b.size:
                calls.append(moved_rows(self._backend, self._name, self._copy, b))
            b, self._there = self._copy, address(b)
        call = _DENSE.bind(self._backend, _LINEAR, (a, Packed(b, self._shape), None, None), (out,), (self._rest,))
        return calls if call is None else [*calls, call]


def _stacked(dense: _Dense, a: Array, b: Array, out: Array) -> list[Call]:
    """Calls for ``out (…, m, n) = a (…, m, k) · b (…, n, k)ᵀ``; stacks of size 1 in a or b serve all of the result."""
    calls: list[Call] = []
    for at in np.ndindex(*out.shape[:-2]):
        mine, its = (tuple(i if size > 1 else 0 for i, size in zip(at, x.shape)) for x in (a, b))
        calls += dense.product(a[mine], b[its], out[at])
    return calls


class MatMulCublas(Impl):
    """The right-hand matrix copied the other way round, then ``LinearCublas``, matrix by matrix; a single one serves all rows at once."""

    name = "matmul_cublas"
    numerics = _DENSE.numerics

    def supports(self, op: MatMul, x: Spec, y: Spec) -> bool:
        """Float32 and float16."""
        return x.dtype in (np.float32, np.float16)

    def workspace(self, op: MatMul, x: Spec, y: Spec) -> int:
        """One matrix, and a dense layer's."""
        return _room(x.shape[-1], y.shape[-1] if y.ndim > 1 else 1, x.dtype)

    def bind(
        self, backend: CudaBackend, op: MatMul, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Per matrix a copy and a dense layer."""
        (x, y), out = inputs, outputs[0]
        if y.ndim == 1:
            y, out = y[:, None], out[..., None]
        if x.ndim == 1:
            x, out = x[None], out[..., None, :]
        turned = y.swapaxes(-1, -2)
        dense, front = _Dense(backend, op.name, turned, workspace[0]), out.ndim - 2
        if y.ndim == 2:
            return in_order(dense.product(x, turned, out))
        a, b = (v[(None,) * (front + 2 - v.ndim)] if v.ndim < front + 2 else v for v in (x, turned))
        return in_order(_stacked(dense, a, b, out))


class EinsumCublas(Impl):
    """Two operands as a stack of matrix products: axes brought in order by copies, then as ``MatMulCublas``, then the result's order."""

    name = "einsum_cublas"
    numerics = _DENSE.numerics

    def supports(self, op: Einsum, *specs: Spec) -> bool:
        """Float32 and float16, up to five axes, and an equation that is a stack of products."""
        few = all(s.ndim <= MOST_AXES for s in (*specs, *op.infer(*specs)))
        return few and specs[0].dtype in (np.float32, np.float16) and op.products(*(s.shape for s in specs)) is not None

    def workspace(self, op: Einsum, *specs: Spec) -> int:
        """Both operands and the result in order, one matrix, and a dense layer's."""
        (k, n), (y,) = self._sizes(op, *(s.shape for s in specs)), op.infer(*specs)
        return sum(_up(s.nbytes) for s in (*specs, y)) + _room(k, n, y.dtype)

    def _sizes(self, op: Einsum, *shapes: tuple[int, ...]) -> tuple[int, int]:
        """Length of a sum, and columns of a product."""
        found, groups = op.explicit(*shapes), op.products(*shapes)
        assert groups is not None
        return prod(found.sizes[c] for c in groups.summed), prod(found.sizes[c] for c in groups.right)

    def bind(
        self, backend: CudaBackend, op: Einsum, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Copies, products, a copy."""
        (x, y), out = inputs, outputs[0]
        shapes = (tuple(x.shape), tuple(y.shape))
        found, groups = op.explicit(*shapes), op.products(*shapes)
        assert groups is not None
        memory, calls, made = workspace[0], [], []
        terms = (*found.terms, found.result)
        orders = ((groups.left, groups.summed), (groups.right, groups.summed), (groups.left, groups.right))
        for array, term, order in zip((x, y, out), terms, orders):
            split = (groups.first, groups.shared, *order)
            ordered = array.transpose([term.index(c) for group in split for c in group if c in term])
            dense = backend.view(memory, 0, Spec(tuple(ordered.shape), array.dtype), _steps(ordered.shape))
            memory = memory[_up(array.nbytes) :]
            sizes = [prod(array.shape[term.index(c)] for c in group if c in term) for group in split]
            made.append((ordered, dense, dense.reshape(sizes)))
        for ordered, dense, _ in made[:2]:
            if dense.size:
                calls.append(_copied(backend, dense, ordered))
        a, b, z = (matrices for *_, matrices in made)
        calls += _stacked(_Dense(backend, op.name, b, memory), a, b, z)
        calls.append(_copied(backend, made[2][0], made[2][1]))
        return in_order(calls)


def _steps(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides without gaps, the last axis innermost."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def _copied(backend: CudaBackend, target: Array, source: Array) -> Call:
    call = _COPY.bind(backend, _IDENTITY, (source,), (target,), ())
    assert call is not None
    return call
