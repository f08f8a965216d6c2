"""Products of matrices by BLAS."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ...ops import Einsum, MatMul
from ...ops.einsum import Explicit
from ...spec import Array, Spec
from ..base import Call, Impl
from .backend import CpuBackend, Scratch
from .kinds import copy, product

__all__ = ["EinsumMatmul", "MatMulBlas"]


def _random_like(y: Array) -> Array:
    """Numbers to probe with, in y's shape and order in memory: what y will hold is not known when a step is bound."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(y.shape[::-1], np.float32).T if y.strides[0] < y.strides[1] else rng.standard_normal(y.shape, np.float32)


class MatMulBlas(Impl):
    """A stack matrix by matrix, so that each has the same bits alone; a single product at once where that gives its rows the same bits."""

    name = "matmul_blas"
    numerics = "gemm over k"

    def supports(self, op: MatMul, x: Spec, y: Spec) -> bool:
        """Float32."""
        return x.dtype == np.float32

    def bind(self, backend: CpuBackend, op: MatMul, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]) -> Call | None:
        """One call a lane."""
        (x, y), out = inputs, outputs[0]
        columns = () if y.ndim > 1 else (1,)
        out = out.reshape(*out.shape[: out.ndim - (x.ndim > 1) - (y.ndim > 1)], *(x.shape[-2:-1] or (1,)), *(columns or y.shape[-1:]))
        x, y = x if x.ndim > 1 else x[None], y if y.ndim > 1 else y[:, None]
        if out.ndim == 2:
            rows = len(x)
            step = rows if rows == 1 or backend.places_agree(rows, 1, _random_like(y)) else 1
            return backend.schedule([[product(x[i : i + step], y, out[i : i + step]) for i in range(0, rows, step)]], 1)
        x, y = (np.broadcast_to(a, (*out.shape[:-2], *a.shape[-2:])) for a in (x, y))
        parts = min(backend.lanes_for(2 * out.size * x.shape[-1]), len(out))
        edges = [len(out) * i // parts for i in range(parts + 1)]
        return backend.schedule([[product(x[a:b], y[a:b], out[a:b])] for a, b in pairwise(edges)], parts)


class EinsumMatmul(Impl):
    """Two operands as a stack of matrix products, axes in the order (first of the result, other shared, own, summed), copied if needed.

    The first index of the result is never among the rows or columns of a product: it may be the batch.
    """

    name = "einsum_matmul"
    numerics = "gemm over summed indices"

    def supports(self, op: Einsum, *specs: Spec) -> bool:
        """Float32, and an equation that is a stack of products."""
        return specs[0].dtype == np.float32 and op.products(*(s.shape for s in specs)) is not None

    def workspace(self, op: Einsum, *specs: Spec) -> int:
        """Both operands and the result in another order."""
        return 4 * (sum(s.size for s in specs) + op.infer(*specs)[0].size) + 3 * 64

    def bind(self, backend: CpuBackend, op: Einsum, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]) -> Call | None:
        """Copies, one product, a copy."""
        (x, y), out = inputs, outputs[0]
        found, groups, scratch = op.explicit(x.shape, y.shape), op.products(x.shape, y.shape), Scratch(workspace[0])
        assert groups is not None
        first, shared, left, right, summed = groups.first, groups.shared, groups.left, groups.right, groups.summed
        calls: list[Call] = []
        a = _matrices(x, found.terms[0], (first, shared, left, summed), scratch, calls)
        b = _matrices(y, found.terms[1], (first, shared, summed, right), scratch, calls)
        ordered = out.transpose([found.result.index(c) for c in first + shared + left + right])
        sizes = _sizes(found, (first, shared, left, right))
        made = _view(ordered, sizes)
        if made is not None and made.strides[-1] == made.itemsize:
            return backend.schedule([[*calls, product(a, b, made)]], 1)
        target = scratch.take(*sizes)
        return backend.schedule([[*calls, product(a, b, target), copy(ordered, target.reshape(ordered.shape))]], 1)


def _sizes(found: Explicit, groups: Sequence[Sequence[str]]) -> list[int]:
    return [prod(found.sizes[c] for c in group) for group in groups]


def _view(x: Array, shape: Sequence[int]) -> Array | None:
    """x under another shape in the same memory, None where that would copy."""
    made = x.reshape(shape)
    return made if np.shares_memory(made, x) else None


def _matrices(x: Array, term: str, groups: Sequence[Sequence[str]], scratch: Scratch, calls: list[Call]) -> Array:
    """x as (first, shared, rows, columns), copied where BLAS could not read it as it lies; ``first`` of size 1 where x lacks it."""
    axes = [term.index(c) for group in groups for c in group if c in term]
    ordered = x.transpose(axes)
    sizes = [prod(x.shape[term.index(c)] for c in group if c in term) for group in groups]
    made = _view(ordered, sizes)
    if made is not None and made.itemsize in made.strides[-2:]:
        return made
    dense = scratch.take(*sizes)
    calls.append(copy(dense.reshape(ordered.shape), ordered))
    return dense
