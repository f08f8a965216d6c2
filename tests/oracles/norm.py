"""Normalisation."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from gpucnn.ops import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, Normalize, Op

from .activation import curve
from .base import Oracle, onnx


def batch_norm(op: BatchNorm, x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None) -> tuple[Any, ...]:
    weight = np.ones_like(mean) if weight is None else weight
    bias = np.zeros_like(mean) if bias is None else bias
    # The attribute epsilon is a float32: 1e-5 would be off by 2.5e-8 of itself, which float64 shows. So eps goes in with the variance.
    (y,) = onnx("BatchNormalization", x, weight, bias, mean, var.astype(np.float64) + op.eps, epsilon=0.0)
    return (y if op.activation is None else curve(op.activation, y),)


def layer_norm(op: LayerNorm, x: Any, weight: Any = None, bias: Any = None) -> tuple[Any, ...]:
    axis = x.ndim - op.dims
    weight = np.ones(x.shape[axis:]) if weight is None else weight
    if not op.centred:
        # In the opset of its own; the evaluator has it in plain NumPy.
        from onnx.reference.ops.op_rms_normalization import _rms_normalization

        return (_rms_normalization(x.astype(np.float64), weight.astype(np.float64), axis=axis, epsilon=op.eps),)
    return onnx("LayerNormalization", x, weight, np.zeros(x.shape[axis:]) if bias is None else bias, axis=axis, epsilon=op.eps)


def _sum(values: Any) -> float:
    """Rounded once; where it has no value, as IEEE adds."""
    values = list(values)
    return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)


def _row(values: list[float], eps: float, centred: bool = True) -> list[float]:
    mean = _sum(values) / len(values) if centred else 0.0
    apart = [v - mean for v in values]
    root = math.sqrt(_sum(d * d for d in apart) / len(values) + eps)
    return [d / root for d in apart]


def row_by_row(op: LayerNorm, x: Any, weight: Any = None, bias: Any = None) -> tuple[Any, ...]:
    """Plain loops with exact sums."""
    row = x.shape[x.ndim - op.dims :]
    y = np.asarray([_row(r, op.eps, op.centred) for r in x.astype(np.float64).reshape(-1, math.prod(row)).tolist()]).reshape(x.shape)
    return (y * (1.0 if weight is None else weight) + (0.0 if bias is None else bias),)


def group_by_group(op: GroupNorm, x: Any, weight: Any = None, bias: Any = None) -> tuple[Any, ...]:
    """Plain loops with exact sums."""
    n, c = x.shape[:2]
    wide, y, size = x.astype(np.float64), np.zeros(x.shape), c // (op.groups or c)
    for i, g in itertools.product(range(n), range(0, c, size)):
        part = wide[i, g : g + size]
        y[i, g : g + size] = np.asarray(_row(part.reshape(-1).tolist(), op.eps)).reshape(part.shape)
        for k in range(g, g + size):
            y[i, k] = y[i, k] * (1.0 if weight is None else float(weight[k])) + (0.0 if bias is None else float(bias[k]))
    return (y,)


def instance_norm(op: GroupNorm, x: Any, weight: Any = None, bias: Any = None) -> tuple[Any, ...]:
    """ONNX's for instances; groups are instances of as many channels, whose scale comes afterwards."""
    n, c = x.shape[:2]
    groups = op.groups or c
    rows = (n, groups, math.prod(x.shape[1:]) // groups)
    y = onnx("InstanceNormalization", x.reshape(rows), np.ones(groups), np.zeros(groups), epsilon=op.eps)[0].reshape(x.shape)
    shape = (c, *(1,) * (x.ndim - 2))
    return (y * (1.0 if weight is None else weight.reshape(shape)) + (0.0 if bias is None else bias.reshape(shape)),)


def neighbour_by_neighbour(op: LocalResponseNorm, x: Any) -> tuple[Any, ...]:
    """The sentence of ONNX's LRN, element by element."""
    wide, c = x.astype(np.float64), x.shape[1]
    before, after = math.floor((op.size - 1) / 2), math.ceil((op.size - 1) / 2)
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        seen = range(max(0, at[1] - before), min(c - 1, at[1] + after) + 1)
        total = _sum(float(wide[(at[0], i, *at[2:])]) ** 2 for i in seen)
        y[at] = np.divide(wide[at], np.power(np.float64(op.k + op.alpha / op.size * total), op.beta))
    return (y,)


def vector_by_vector(op: Normalize, x: Any) -> tuple[Any, ...]:
    """PyTorch's formula, with NumPy's norm."""
    norm = np.linalg.norm(np.moveaxis(x.astype(np.float64), op.dim, -1), op.p, axis=-1) if x.size else np.ones(())
    least = np.where(norm < op.eps, op.eps, norm)  # NaN is not below
    return (x / np.expand_dims(least, op.dim) if x.size else x,)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    BatchNorm: (batch_norm,),
    LayerNorm: (layer_norm, row_by_row),
    GroupNorm: (instance_norm, group_by_group),
    # ONNX's evaluator (1.23) walks over as many channels as there are images in LRN, and adds without magnitudes for p = 1.
    LocalResponseNorm: (neighbour_by_neighbour,),
    Normalize: (vector_by_vector,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
