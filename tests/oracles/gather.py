"""Elements from places that another array names."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import Gather, GatherElements, GatherND, Op

from .base import Oracle, onnx


def _places(indices: Any) -> Any:
    """ONNX knows int32 and int64."""
    return indices.astype(np.int64)


def gather_by_hand(op: Gather, x: Any, indices: Any) -> tuple[Any, ...]:
    """One slice after another."""
    dim = op.dim % x.ndim
    rows = [np.moveaxis(x, dim, 0)[int(i)] for i in indices.reshape(-1)]
    rest = (*x.shape[:dim], *x.shape[dim + 1 :])
    y = np.stack(rows) if rows else np.empty((0, *rest), x.dtype)
    return (np.moveaxis(y.reshape(*indices.shape, *rest), range(indices.ndim), range(dim, dim + indices.ndim)),)


def elements_by_hand(op: GatherElements, x: Any, indices: Any) -> tuple[Any, ...]:
    """One element after another."""
    y = np.empty(indices.shape, x.dtype)
    for at in np.ndindex(*indices.shape):
        source = list(at)
        source[op.dim] = int(indices[at])
        y[at] = x[tuple(source)]
    return (y,)


def elements(op: GatherElements, x: Any, indices: Any) -> tuple[Any, ...]:
    """ONNX wants the other sizes equal."""
    dim = op.dim % x.ndim
    part = x[tuple(slice(None if axis == dim else n) for axis, n in enumerate(indices.shape))]
    return onnx("GatherElements", part, _places(indices), axis=op.dim)


def nd_by_hand(op: GatherND, x: Any, indices: Any) -> tuple[Any, ...]:
    """One index after another."""
    b = op.batch_dims
    y = np.empty((*indices.shape[:-1], *x.shape[b + indices.shape[-1] :]), x.dtype)
    for at in np.ndindex(*indices.shape[:-1]):
        y[at] = x[(*at[:b], *indices[at].tolist())]
    return (y,)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Gather: (lambda op, x, indices: onnx("Gather", x, _places(indices), axis=op.dim), gather_by_hand),
    GatherElements: (elements, elements_by_hand),
    GatherND: (lambda op, x, indices: onnx("GatherND", x, _places(indices), batch_dims=op.batch_dims), nd_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("GatherElements", "columns"): "the evaluator compares other axes than it should where the axis counts from the end",
    ("GatherElements", "1000 channels"): "the evaluator can choose among few elements only, as many as numpy.choose takes",
    ("GatherND", "batch 0"): "the evaluator cannot reshape nothing",
}
