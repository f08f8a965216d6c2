"""Activations and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from gpucnn.ops import GLU, Activation, LogSoftmax, Op, PReLU, Softmax

from .base import Oracle, onnx

CURVES: dict[str, Any] = {
    "relu": lambda x, a, b: np.clip(x, 0, None),
    "clip": lambda x, a, b: np.clip(x, a, b),
    "sigmoid": lambda x, a, b: special.expit(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "leaky_relu": lambda x, a, b: np.where(x < 0, a * x, x),
    "elu": lambda x, a, b: np.where(x < 0, a * special.expm1(x), x),
    "selu": lambda x, a, b: b * np.where(x < 0, a * special.expm1(x), x),
    "celu": lambda x, a, b: np.maximum(x, 0) + np.minimum(0, a * special.expm1(x / a)),
    "silu": lambda x, a, b: x * special.expit(x),
    "mish": lambda x, a, b: x * np.tanh(np.logaddexp(0, x)),
    "hardsigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "hardswish": lambda x, a, b: x * (np.clip(x + 3, 0, 6) / 6),
    "erf": lambda x, a, b: special.erf(x),
    "gelu": lambda x, a, b: x * special.ndtr(x),
    "gelu_tanh": lambda x, a, b: x * special.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)),  # (1 + tanh(u))/2 = expit(2u)
    "softplus": lambda x, a, b: np.where(a * x > b, x, np.logaddexp(0, a * x) / a),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "logsigmoid": lambda x, a, b: special.log_expit(x),
    "shrink": lambda x, a, b: np.select([np.isnan(x), x < -a, x > a], [x, x + b, x - b], 0.0),
    "tanhshrink": lambda x, a, b: x - np.tanh(x),
    "threshold": lambda x, a, b: np.select([np.isnan(x), x > a], [x, x], b),
}
"""The formulas of papers and of PyTorch's documentation, in float64, with SciPy's functions."""

NODES: dict[str, tuple[str, tuple[str, ...]]] = {
    "relu": ("Relu", ()),
    "sigmoid": ("Sigmoid", ()),
    "tanh": ("Tanh", ()),
    "leaky_relu": ("LeakyRelu", ("alpha",)),
    "elu": ("Elu", ("alpha",)),
    "selu": ("Selu", ("alpha", "gamma")),
    "celu": ("Celu", ("alpha",)),
    "mish": ("Mish", ()),
    "hardsigmoid": ("HardSigmoid", ("alpha", "beta")),
    "hardswish": ("HardSwish", ()),
    "erf": ("Erf", ()),
    "gelu": ("Gelu", ()),
    "softsign": ("Softsign", ()),
    "shrink": ("Shrink", ("lambd", "bias")),
}
"""ONNX's operator of a kind, and what it calls alpha and beta."""


def curve(op: Activation, x: Any) -> Any:
    return CURVES[op.kind](x, op.alpha, op.beta)


def by_formula(op: Activation, x: Any) -> tuple[Any, ...]:
    return (curve(op, x.astype(np.float64) if x.dtype.kind == "f" else x),)


def activation(op: Activation, x: Any) -> tuple[Any, ...]:
    """ONNX's node, where there is one that says the same; its attributes are float32, which float64 would show."""
    if op.kind == "clip":
        # The bounds are held in x's type.
        bounds = [np.asarray(v, x.dtype).astype(np.float64 if x.dtype.kind == "f" else x.dtype) for v in (op.alpha, op.beta)]
        return onnx("Clip", x, *bounds)
    if op.kind == "gelu_tanh":
        return onnx("Gelu", x, approximate="tanh")
    if op.kind == "softplus" and op.alpha == 1 and op.beta == np.inf:
        return onnx("Softplus", x)
    if op.kind == "threshold" and op.beta == 0:
        return onnx("ThresholdedRelu", x, alpha=op.alpha)
    kind, names = NODES.get(op.kind, ("", ()))
    if not kind or (names and x.dtype == np.float64):
        return by_formula(op, x)
    return onnx(kind, x, **dict(zip(names, (op.alpha, op.beta))))


def prelu(op: PReLU, x: Any, weight: Any) -> tuple[Any, ...]:
    wide = x.astype(np.float64)
    return (np.where(wide < 0, wide * weight.astype(np.float64), wide),)


def glu(op: GLU, x: Any) -> tuple[Any, ...]:
    a, b = np.split(x.astype(np.float64), 2, axis=op.dim)
    return (a * special.expit(b),)


def log_softmax(op: LogSoftmax, x: Any) -> tuple[Any, ...]:
    """SciPy's, which moves a row by nothing where its maximum is infinite; moved by that, it is NaN throughout."""
    if not x.size:
        return (x,)
    most = x.astype(np.float64).max(axis=op.dim, keepdims=True)
    return (np.where(np.isinf(most), np.nan, special.log_softmax(x.astype(np.float64), axis=op.dim)),)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Activation: (activation, by_formula),
    PReLU: (lambda op, x, weight: onnx("PRelu", x, weight), prelu),
    GLU: (glu,),
    LogSoftmax: (log_softmax,),
    Softmax: (lambda op, x: (special.softmax(x.astype(np.float64), axis=op.dim) if x.size else x,),),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("Activation", "hardswish float64"): "the evaluator holds 1/6 in float32",
    ("Activation", "erf float64"): "the evaluator's erf is a float32 number",
    ("Activation", "gelu float64"): "as erf",
    ("Activation", "gelu_tanh float64"): "the evaluator holds its constants in float32",
    ("Activation", "shrink NaN and Inf"): "the evaluator makes 0 of NaN; PyTorch lets it through",
    ("Activation", "threshold to 0 NaN and Inf"): "as shrink",
}
"""By op and case: why the first oracle, ONNX's, cannot be asked. Each of them has a second one."""
