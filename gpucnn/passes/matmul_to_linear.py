"""Make dense layers of products with a constant matrix."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Einsum, Linear, MatMul
from .rewriter import Rewriter

__all__ = ["matmul_to_linear"]


def matmul_to_linear(graph: Graph) -> None:
    """Turn ``x @ w`` with a constant matrix on the right into a linear layer with wᵀ, whose weight is packed, and that has an epilogue.

    An ``einsum`` that is one, as ``"nc,kc->nk"`` or ``"...c,ck->...k"``, too. A matrix that several products read is transposed once.
    """
    turned: dict[tuple[Value, bool], Value] = {}
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            found = _product(node)
            if found is None:
                continue
            x, matrix, inner_first = found
            if (matrix, inner_first) not in turned:
                turned[matrix, inner_first] = _weight(graph, matrix, inner_first)
            rewriter.replace((node,), Linear(), (x, turned[matrix, inner_first], None), at=node, name=node.name)
            graph.note("matrix products made linear layers")


def _weight(graph: Graph, matrix: Value, inner_first: bool) -> Value:
    """A matrix as a linear layer has it, (out, in); axes of size 1 before it are dropped."""
    if inner_first:
        turned = np.asarray(matrix.data).reshape(matrix.shape[-2:]).T
        return graph.constant(np.ascontiguousarray(turned), f"transposed({matrix.name})")
    return matrix


def _product(node: Node) -> tuple[Value, Value, bool] | None:
    """x (…, in), the constant matrix, and whether that is (in, out) rather than (out, in)."""
    if not isinstance(node.op, (MatMul, Einsum)) or len(node.inputs) != 2:
        return None
    a, b = node.inputs
    assert a is not None
    assert b is not None
    swapped = isinstance(node.op, Einsum) and a.is_constant
    x, matrix = (b, a) if swapped else (a, b)
    if x.is_constant or not matrix.is_constant or x.dtype.kind != "f" or x.ndim < 2 or 0 in matrix.shape:
        return None
    if isinstance(node.op, MatMul):
        plain = 2 <= matrix.ndim <= x.ndim and set(matrix.shape[:-2]) <= {1}
        return (x, matrix, True) if plain else None
    found = node.op.explicit(a.shape, b.shape)
    left, right = found.terms[::-1] if swapped else found.terms
    rows, inner = left[:-1], left[-1]
    if matrix.ndim != 2 or len(set(left)) != len(left) or matrix.shape != tuple(found.sizes[c] for c in right):
        return None
    for inner_first, outer in ((True, right[1]), (False, right[0])):
        if right == (inner + outer if inner_first else outer + inner) and outer not in left and found.result == rows + outer:
            # An axis of size 1 may stretch by its letter: only the matrix has these two, and x must have the inner one whole.
            return (x, matrix, inner_first) if x.shape[-1] == found.sizes[inner] else None
    return None
