"""Activations, and the epilogue that carries them into convolution and linear layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, normalise_dim, require_float, wrong
from .erf import erf

__all__ = ["ACTIVATIONS", "GLU", "RELU6", "Activation", "Epilogue", "PReLU"]


def _relu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.maximum(x, x.dtype.type(0))  # maximum, not a comparison: NaN goes through


def _clip(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.minimum(xp.maximum(x, x.dtype.type(alpha)), x.dtype.type(beta))


def _sigmoid(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    small = xp.exp(-xp.abs(x))  # never above 1, so nothing overflows
    return xp.where(x >= 0, x.dtype.type(1), small) / (x.dtype.type(1) + small)


def _tanh(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.tanh(x)


def _leaky_relu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.where(x > 0, x, x * x.dtype.type(alpha))


def _below_zero(xp: Any, x: Array) -> Array:
    """``exp(x) − 1`` left of 0; what is right of it is of no use to anybody, and must not overflow."""
    return xp.expm1(xp.minimum(x, x.dtype.type(0)))


def _elu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.where(x > 0, x, _below_zero(xp, x) * x.dtype.type(alpha))


def _selu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return _elu(xp, x, alpha, 0.0) * x.dtype.type(beta)


def _celu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.where(x > 0, x, _below_zero(xp, x / x.dtype.type(alpha)) * x.dtype.type(alpha))


def _silu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return x * _sigmoid(xp, x, 0.0, 0.0)


def _log1p_exp(xp: Any, x: Array) -> Array:
    """``log(1 + exp(x))`` of any finite x, without overflow."""
    return xp.maximum(x, x.dtype.type(0)) + xp.log1p(xp.exp(-xp.abs(x)))


def _mish(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return x * xp.tanh(_log1p_exp(xp, x))


def _hardsigmoid(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return _clip(xp, x * x.dtype.type(alpha) + x.dtype.type(beta), 0.0, 1.0)


def _hardswish(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return x * _hardsigmoid(xp, x, 1 / 6, 0.5)


def _erf(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return erf(xp, x.astype("float64")).astype(x.dtype)


def _gelu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    wide = x.astype("float64")
    return (wide * (1 + erf(xp, wide * math.sqrt(0.5))) / 2).astype(x.dtype)


def _gelu_tanh(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    wide = x.astype("float64")
    return (wide * (1 + xp.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide * wide * wide))) / 2).astype(x.dtype)


def _softplus(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    scaled = x * x.dtype.type(alpha)  # may become infinite, and then is above every threshold, or exp(−|scaled|) is 0
    line = (xp.maximum if alpha > 0 else xp.minimum)(x, x.dtype.type(0))
    return xp.where(scaled > x.dtype.type(beta), x, line + xp.log1p(xp.exp(-xp.abs(scaled))) / x.dtype.type(alpha))


def _softsign(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return x / (xp.abs(x) + x.dtype.type(1))


def _logsigmoid(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.minimum(x, x.dtype.type(0)) - xp.log1p(xp.exp(-xp.abs(x)))


def _shrink(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.where(xp.abs(x) <= x.dtype.type(alpha), x.dtype.type(0), x - xp.copysign(x.dtype.type(beta), x))


def _tanhshrink(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return x - xp.tanh(x)


def _threshold(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.where(x <= x.dtype.type(alpha), x.dtype.type(beta), x)  # not above, but not NaN either


ACTIVATIONS: dict[str, Callable[[Any, Array, float, float], Array]] = {
    "relu": _relu,
    "clip": _clip,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "celu": _celu,
    "silu": _silu,
    "mish": _mish,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "erf": _erf,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "softplus": _softplus,
    "softsign": _softsign,
    "logsigmoid": _logsigmoid,
    "shrink": _shrink,
    "tanhshrink": _tanhshrink,
    "threshold": _threshold,
}
"""Formula by kind; every backend has the same keys."""

_FINITE: dict[str, tuple[str, ...]] = {
    "leaky_relu": ("negative_slope",),
    "elu": ("alpha",),
    "selu": ("alpha", "scale"),
    "celu": ("alpha",),
    "hardsigmoid": ("alpha", "beta"),
    "softplus": ("beta",),
}
"""Names of the parameters that are factors and so must be finite: Inf·0 would be NaN in one formula and not in another."""

_EXACT = frozenset({"relu", "clip"})


@dataclass(frozen=True)
class Activation(Op):
    """An element-wise function of one input, any shape.

    Parameters
    ----------
    kind : str
        A key of ``ACTIVATIONS``.
    alpha, beta : float
        The kind's parameters; others ignore them.

    Notes
    -----
    ============================  ============================  =================================
    kind                          alpha                         beta
    ============================  ============================  =================================
    ``clip``                      lower bound                   upper bound
    ``leaky_relu``                slope left of 0
    ``elu``, ``celu``             alpha
    ``selu``                      alpha                         scale
    ``hardsigmoid``               slope                         value at 0
    ``softplus``                  the factor called beta        threshold
    ``shrink``                    lambd                         bias
    ``threshold``                 threshold                     what stands below it
    ============================  ============================  =================================
    """

    kind: str
    alpha: float = 0.0
    beta: float = 0.0
    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "rounded"

    def __post_init__(self) -> None:
        if self.kind not in ACTIVATIONS:
            raise ShapeError(f"activation: kind must be one of {', '.join(ACTIVATIONS)}, got {self.kind!r}")
        if self.kind == "clip" and not self.alpha <= self.beta:
            raise ShapeError(f"clip: the lower bound {self.alpha} is not below the upper bound {self.beta}")
        for name, value in zip(_FINITE.get(self.kind, ()), (self.alpha, self.beta)):
            if not math.isfinite(value):
                raise ShapeError(f"{self.kind}: {name} must be finite, got {value}")
        if self.kind == "celu" and not self.alpha > 0:
            raise ShapeError(f"celu: alpha must be above 0, got {self.alpha}")
        if self.kind == "softplus" and self.alpha == 0:
            raise ShapeError("softplus: beta must not be 0")
        if self.kind == "shrink" and not self.alpha >= 0:
            raise ShapeError(f"shrink: lambd must be at least 0, got {self.alpha}")

    @property
    def name(self) -> str:
        """The kind; a clip to 0…6 by its usual name."""
        return "relu6" if self == RELU6 else self.kind

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        if self.kind not in _EXACT:
            require_float(self.name, x=x)
        if self.kind == "clip" and x.dtype.kind in "iu":
            limits = np.iinfo(x.dtype)
            if not all(limits.min <= v <= limits.max and v == int(v) for v in (self.alpha, self.beta)):
                raise wrong(self.name, f"the bounds {self.alpha} and {self.beta} must be {x.dtype} numbers", x=x)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The formula of the table, in the type of x (16-bit through float32)."""
        if self.kind in _EXACT or x.dtype.itemsize >= 4:
            return (ACTIVATIONS[self.kind](xp, x, self.alpha, self.beta),)
        return (ACTIVATIONS[self.kind](xp, x.astype("float32"), self.alpha, self.beta).astype(x.dtype),)


RELU6 = Activation("clip", 0.0, 6.0)


@dataclass(frozen=True)
class Epilogue:
    """What happens to a sum before it is stored: ``post(pre(sum + bias) + residual)``."""

    pre: Activation | None = None
    post: Activation | None = None

    def __bool__(self) -> bool:
        return self.pre is not None or self.post is not None

    def __str__(self) -> str:
        return "+".join(a.name for a in (self.pre, self.post) if a is not None)

    def reference(self, xp: Any, acc: Array, residual: Array | None) -> Array:
        """The formula on ``acc``, which already holds the bias."""
        if self.pre is not None:
            acc = ACTIVATIONS[self.pre.kind](xp, acc, self.pre.alpha, self.pre.beta)
        if residual is not None:
            acc = acc + residual.astype(acc.dtype)
        if self.post is not None:
            acc = ACTIVATIONS[self.post.kind](xp, acc, self.post.alpha, self.post.beta)
        return acc


NO_EPILOGUE = Epilogue()


@dataclass(frozen=True)
class PReLU(Op):
    """``x`` right of 0, ``weight·x`` left of it; the weight broadcasts to x as in ONNX. PyTorch's channels are the functional's matter."""

    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "rounded"

    def infer(self, x: Spec, weight: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_float("prelu", x=x, weight=weight)
        padded = (1,) * (x.ndim - weight.ndim) + weight.shape
        if weight.ndim > x.ndim or any(k not in (1, n) for k, n in zip(padded, x.shape)):
            raise wrong("prelu", "weight does not broadcast to x: its axes, from the last, must be x's or 1", x=x, weight=weight)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array, weight: Array) -> tuple[Array, ...]:
        """As leaky_relu."""
        return (xp.where(x > 0, x, x * weight),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the weights are the same for every row, or batched too."""
        x, weight = specs
        alike = weight.ndim < x.ndim or weight.shape[0] == 1
        return batched[0] and (alike if not batched[1] else weight.ndim == x.ndim)


@dataclass(frozen=True)
class GLU(Op):
    """``a·sigmoid(b)`` of the halves a, b of x along ``dim``."""

    dim: int
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "rounded"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Half of ``dim``."""
        require_float("glu", x=x)
        dim = normalise_dim("glu", self.dim, x.ndim)
        if x.shape[dim] % 2:
            raise wrong("glu", f"dim {self.dim} must have an even size, to be halved, got {x.shape[dim]}", x=x)
        return (Spec((*x.shape[:dim], x.shape[dim] // 2, *x.shape[dim + 1 :]), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The formula, in the type of x (16-bit through float32)."""
        wide = x.astype("float32") if x.dtype.itemsize < 4 else x
        a, b = self.halves(wide)
        return ((a * _sigmoid(xp, b, 0.0, 0.0)).astype(x.dtype),)

    def halves(self, x: Array) -> tuple[Array, Array]:
        """Views of both halves."""
        dim = self.dim % x.ndim
        size = x.shape[dim] // 2
        first, second = ((slice(None),) * dim + (half,) for half in (slice(0, size), slice(size, None)))
        return x[first], x[second]

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the batch is halved."""
        return batched[0] and self.dim % specs[0].ndim != 0
