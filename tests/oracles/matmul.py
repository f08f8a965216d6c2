"""Products of matrices, and sums of products over named indices."""

from __future__ import annotations

from itertools import product
from string import ascii_letters
from typing import Any

import numpy as np

from gpucnn.ops import Einsum, MatMul, Op

from .base import Oracle, onnx


def _wide(a: Any) -> Any:
    return a.astype(np.float64) if a.dtype.kind == "f" else a


def matmul(op: MatMul, x: Any, y: Any) -> tuple[Any, ...]:
    if x.dtype.kind == "f":
        return onnx("MatMul", x, y)
    return (np.asarray(np.dot(x, y) if y.ndim < 3 else np.stack([np.dot(a, b) for a, b in zip(x, y)])),)


def matmul_by_rows(op: MatMul, x: Any, y: Any) -> tuple[Any, ...]:
    """Every element as the sum of the products of a row and a column."""
    a, b = _wide(x if x.ndim > 1 else x[None]), _wide(y if y.ndim > 1 else y[:, None])
    front = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*front, *a.shape[-2:])), np.broadcast_to(b, (*front, *b.shape[-2:]))
    z = np.zeros((*front, a.shape[-2], b.shape[-1]), a.dtype)
    for at in np.ndindex(*z.shape):
        *stack, i, j = at
        row, column = (*stack, i), (*stack, slice(None), j)
        z[at] = (a[row] * b[column]).sum(dtype=a.dtype)
    drop = ((-2,) if x.ndim == 1 else ()) + ((-1,) if y.ndim == 1 else ())
    return (z.squeeze(drop),)


def _summed(op: Einsum, arrays: tuple[Any, ...]) -> str:
    """The equation with a result; axes of an ellipsis that it lacks become letters, because ONNX and NumPy do not sum over those."""
    left, arrow, right = op.equation.replace(" ", "").partition("->")
    if not arrow or "..." not in left or "..." in right:
        return op.equation
    (free,) = (len(a.shape) - len(t.replace("...", "")) for a, t in zip(arrays, left.split(",")) if "..." in t)
    names = [c for c in ascii_letters if c not in op.equation][:free]
    return f"{left.replace('...', ''.join(names))}->{right}"


def einsum(op: Einsum, *arrays: Any) -> tuple[Any, ...]:
    return onnx("Einsum", *arrays, equation=_summed(op, arrays))


def einsum_by_loops(op: Einsum, *arrays: Any) -> tuple[Any, ...]:
    """For every value of all indices, a product added where it belongs. Ellipses become letters first."""
    left, arrow, right = op.equation.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [c for c in ascii_letters if c not in op.equation]
    dots = [a.ndim - len(t.replace("...", "")) for a, t in zip(arrays, terms)]
    most = max(dots)
    stand = "".join(free[:most])
    full = [t.replace("...", stand[most - d :]) for t, d in zip(terms, dots)]
    if not arrow:
        every = left.replace("...", "").replace(",", "")
        right = "..." + "".join(sorted(c for c in set(every) if every.count(c) == 1))
    right = right.replace("...", stand)
    sizes: dict[str, int] = {}
    for a, t in zip(arrays, full):
        for c, n in zip(t, a.shape):
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    wide = [_wide(a) for a in arrays]
    y = np.zeros([sizes[c] for c in right], wide[0].dtype)
    for values in product(*(range(n) for n in sizes.values())):
        at = dict(zip(sizes, values))
        term = wide[0].dtype.type(1)
        for a, t in zip(wide, full):
            term = term * a[tuple(at[c] if n > 1 else 0 for c, n in zip(t, a.shape))]
        y[tuple(at[c] for c in right)] += term
    return (y,)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {MatMul: (matmul, matmul_by_rows), Einsum: (einsum, einsum_by_loops)}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
