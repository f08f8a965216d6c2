"""Normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import BatchNorm, Op

from .base import Oracle, onnx


def batch_norm(op: BatchNorm, x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None) -> tuple[Any, ...]:
    weight = np.ones_like(mean) if weight is None else weight
    bias = np.zeros_like(mean) if bias is None else bias
    # The attribute epsilon is a float32: 1e-5 would be off by 2.5e-8 of itself, which float64 shows. So eps goes in with the variance.
    return onnx("BatchNormalization", x, weight, bias, mean, var.astype(np.float64) + op.eps, epsilon=0.0)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    BatchNorm: (batch_norm,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
