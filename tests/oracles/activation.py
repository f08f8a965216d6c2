"""Activations and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from gpucnn.ops import Activation, Op, Softmax

from .base import Oracle, onnx


def activation(op: Activation, x: Any) -> tuple[Any, ...]:
    if op.kind == "clip":
        # The bounds are held in x's type.
        bounds = [np.asarray(v, x.dtype).astype(np.float64 if x.dtype.kind == "f" else x.dtype) for v in (op.alpha, op.beta)]
        return onnx("Clip", x, *bounds)
    return onnx({"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}[op.kind], x)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Activation: (activation,),
    Softmax: (lambda op, x: (special.softmax(x.astype(np.float64), axis=op.dim) if x.size else x,),),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
