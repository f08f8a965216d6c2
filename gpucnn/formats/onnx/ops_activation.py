"""Activations, softmax, dropout."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, ShapeError, UnsupportedError
from ...graph import Value
from ...ops import Activation, Binary, Reshape
from ...ops import Hardmax as HardmaxOp
from ...ops import LogSoftmax as LogSoftmaxOp
from ...ops import PReLU as PReLUOp
from ...ops import Softmax as SoftmaxOp

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = [
    "Celu", "Clip_1", "Clip_11", "Dropout_1", "Dropout_7", "Dropout_10", "Dropout_12", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish",
    "Hardmax_1", "Hardmax_13", "LeakyRelu", "LogSoftmax_1", "LogSoftmax_13", "Mish", "PRelu_1", "PRelu_7", "Relu", "Selu_1", "Selu_6",
    "Shrink", "Sigmoid", "Softmax_1", "Softmax_13", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
]  # fmt: skip

# `consumed_inputs`, which opset 1 has, let a backend compute in place; it has no part in what is computed.


def Relu(g: Recorder, x: Value, *, consumed_inputs: Ints | None = None) -> Value:
    return g.append(Activation("relu"), x)


def Sigmoid(g: Recorder, x: Value, *, consumed_inputs: Ints | None = None) -> Value:
    return g.append(Activation("sigmoid"), x)


def Tanh(g: Recorder, x: Value, *, consumed_inputs: Ints | None = None) -> Value:
    return g.append(Activation("tanh"), x)


def Erf(g: Recorder, x: Value) -> Value:
    return g.append(Activation("erf"), x)


def Mish(g: Recorder, x: Value) -> Value:
    return g.append(Activation("mish"), x)


def HardSwish(g: Recorder, x: Value) -> Value:
    return g.append(Activation("hardswish"), x)


def HardSigmoid(g: Recorder, x: Value, *, alpha: float = 0.2, beta: float = 0.5, consumed_inputs: Ints | None = None) -> Value:
    return g.append(Activation("hardsigmoid", alpha=alpha, beta=beta), x)


def Softplus(g: Recorder, x: Value) -> Value:
    return g.append(Activation("softplus", alpha=1.0, beta=inf), x)


def Softsign(g: Recorder, x: Value) -> Value:
    return g.append(Activation("softsign"), x)


def LeakyRelu(g: Recorder, x: Value, *, alpha: float = 0.01, consumed_inputs: Ints | None = None) -> Value:
    return g.append(Activation("leaky_relu", alpha=alpha), x)


def Elu(g: Recorder, x: Value, *, alpha: float = 1.0, consumed_inputs: Ints | None = None) -> Value:
    return g.append(Activation("elu", alpha=alpha), x)


def Selu_1(g: Recorder, x: Value, *, alpha: float = 1.6732, consumed_inputs: Ints | None = None, gamma: float = 1.0507) -> Value:
    return g.append(Activation("selu", alpha=alpha, beta=gamma), x)


def Selu_6(g: Recorder, x: Value, *, alpha: float = 1.6732631921768188, gamma: float = 1.0507010221481323) -> Value:
    return g.append(Activation("selu", alpha=alpha, beta=gamma), x)


def Celu(g: Recorder, x: Value, *, alpha: float = 1.0) -> Value:
    return g.append(Activation("celu", alpha=alpha), x)


def Gelu(g: Recorder, x: Value, *, approximate: str = "none") -> Value:
    kinds = {"none": "gelu", "tanh": "gelu_tanh"}
    if approximate not in kinds:
        raise ModelError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
    return g.append(Activation(kinds[approximate]), x)


def Swish(g: Recorder, x: Value, *, alpha: float = 1.0) -> Value:
    if alpha == 1:
        return g.append(Activation("silu"), x)
    scaled = g.append(Binary("mul"), x, np.asarray(alpha, x.dtype))
    return g.append(Binary("mul"), x, g.append(Activation("sigmoid"), scaled))


def ThresholdedRelu(g: Recorder, x: Value, *, alpha: float = 1.0) -> Value:
    return g.append(Activation("threshold", alpha=alpha, beta=0.0), x)


def Shrink(g: Recorder, x: Value, *, bias: float = 0.0, lambd: float = 0.5) -> Value:
    return g.append(Activation("shrink", alpha=lambd, beta=bias), x)


def PRelu_1(g: Recorder, x: Value, slope: Value, *, consumed_inputs: Ints | None = None) -> Value:
    size = slope.spec.size
    if slope.ndim > 1 or size not in (1, x.shape[1] if x.ndim > 1 else 1):
        raise ShapeError(f"slope must have 1 value, or one a channel of x {x.spec} (before opset 7), got {slope.spec}")
    return g.append(PReLUOp(), x, g.append(Reshape((size, *(1,) * (x.ndim - 2)) if size > 1 else ()), slope))


def PRelu_7(g: Recorder, x: Value, slope: Value) -> Value:
    return g.append(PReLUOp(), x, slope)


# -- bounds


def Clip_1(g: Recorder, x: Value, *, consumed_inputs: Ints | None = None, max: float = inf, min: float = -inf) -> Value:
    return _clip(g, x, min, max)


def Clip_11(g: Recorder, x: Value, min: Value | None = None, max: Value | None = None) -> Value:
    for name, bound in (("min", min), ("max", max)):
        if bound is not None and (bound.spec.size != 1 or bound.dtype != x.dtype):
            raise ShapeError(f"{name} must be one {x.dtype} number like x {x.spec}, got {bound.spec}")
    if x.dtype.kind == "f" and all(v is None or v.is_constant for v in (min, max)):
        low, high = (absent if v is None else float(v.data.reshape(())) for v, absent in ((min, -inf), (max, inf)))
        return _clip(g, x, low, high)
    for kind, bound in (("maximum", min), ("minimum", max)):
        if bound is not None:
            x = g.append(Binary(kind), x, g.append(Reshape(()), bound) if bound.ndim else bound)
    return x


def _clip(g: Recorder, x: Value, low: float, high: float) -> Value:
    if (low, high) == (-inf, inf):
        return x
    return g.append(Activation("clip", min(low, high), high), x)  # the upper bound wins where they cross


# -- softmax and its like


def Softmax_1(g: Recorder, x: Value, *, axis: int = 1) -> Value:
    return _of_rows(g, SoftmaxOp, x, axis)


def Softmax_13(g: Recorder, x: Value, *, axis: int = -1) -> Value:
    return g.append(SoftmaxOp(axis), x)


def LogSoftmax_1(g: Recorder, x: Value, *, axis: int = 1) -> Value:
    return _of_rows(g, LogSoftmaxOp, x, axis)


def LogSoftmax_13(g: Recorder, x: Value, *, axis: int = -1) -> Value:
    return g.append(LogSoftmaxOp(axis), x)


def Hardmax_1(g: Recorder, x: Value, *, axis: int = 1) -> Value:
    return _of_rows(g, HardmaxOp, x, axis)


def Hardmax_13(g: Recorder, x: Value, *, axis: int = -1) -> Value:
    return g.append(HardmaxOp(axis), x)


def _of_rows(g: Recorder, kind: type[SoftmaxOp | LogSoftmaxOp | HardmaxOp], x: Value, axis: int) -> Value:
    """Before opset 13 all axes from ``axis`` on are one row."""
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"axis must lie in [{-x.ndim}, {x.ndim - 1}] for x {x.spec}, got {axis}")
    axis %= x.ndim
    if prod(x.shape[axis + 1 :]) == 1:
        return g.append(kind(axis), x)
    rows = g.append(Reshape((*x.shape[:axis], prod(x.shape[axis:]))), x)
    return g.append(Reshape(x.shape), g.append(kind(axis), rows))


# -- dropout: nothing is dropped at inference


def Dropout_1(g: Recorder, x: Value, *, consumed_inputs: Ints | None = None, is_test: int = 0, ratio: float = 0.5) -> tuple[Value, ...]:
    _refuse_dropping(not is_test, ratio, "is_test=0")
    return _kept(g, x, x.dtype)


def Dropout_7(g: Recorder, x: Value, *, ratio: float = 0.5) -> tuple[Value, ...]:
    return _kept(g, x, x.dtype)


def Dropout_10(g: Recorder, x: Value, *, ratio: float = 0.5) -> tuple[Value, ...]:
    return _kept(g, x, np.dtype(bool))


def Dropout_12(
    g: Recorder, x: Value, ratio: Value | None = None, training_mode: Value | None = None, *, seed: int | None = None
) -> tuple[Value, ...]:
    if training_mode is not None and g.host(training_mode, "training_mode").any():
        _refuse_dropping(True, 0.5 if ratio is None else float(g.number(ratio, "ratio")), "training_mode is true")
    return _kept(g, x, np.dtype(bool))


def _refuse_dropping(training: bool, ratio: float, why: str) -> None:
    if training and ratio != 0:
        raise UnsupportedError(f"drops a share of {ratio:.4g} at random ({why}), as in training; export the model for inference")


def _kept(g: Recorder, x: Value, mask: np.dtype[np.generic]) -> tuple[Value, ...]:
    """All of x, and a mask that says so."""
    if not any(g.wanted[1:]):
        return (x,)
    g.allow(x.shape, mask)
    return x, g.constant(np.ones(x.shape, mask))
