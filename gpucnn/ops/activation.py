"""Activations, the epilogue that carries them into convolution and linear layers, and softmax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, normalise_dim, require_float, wrong

__all__ = ["ACTIVATIONS", "RELU6", "Activation", "Epilogue", "Softmax"]


def _relu(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.maximum(x, x.dtype.type(0))  # maximum, not a comparison: NaN goes through


def _clip(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.minimum(xp.maximum(x, x.dtype.type(alpha)), x.dtype.type(beta))


def _sigmoid(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    small = xp.exp(-xp.abs(x))  # never above 1, so nothing overflows
    return xp.where(x >= 0, x.dtype.type(1), small) / (x.dtype.type(1) + small)


def _tanh(xp: Any, x: Array, alpha: float, beta: float) -> Array:
    return xp.tanh(x)


ACTIVATIONS: dict[str, Callable[[Any, Array, float, float], Array]] = {
    "relu": _relu,
    "clip": _clip,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
}
"""Formula by kind; every backend has the same keys. ``alpha`` and ``beta`` are the bounds of clip, unused by the others."""

_EXACT = frozenset({"relu", "clip"})


@dataclass(frozen=True)
class Activation(Op):
    """An element-wise function of one input, any shape.

    Parameters
    ----------
    kind : str
        A key of ``ACTIVATIONS``.
    alpha, beta : float
        The kind's parameters; for ``"clip"`` the lower and upper bound.
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
class Softmax(Op):
    """``exp(x − max(x)) / sum(exp(x − max(x)))`` along ``dim``; the maximum is subtracted, so nothing overflows."""

    dim: int
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "loose"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_float("softmax", x=x)
        normalise_dim("softmax", self.dim, x.ndim)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The formula, summed in the accumulator type."""
        if x.size == 0:
            return (x,)
        wide = x.astype(accumulator(x.dtype))
        e = xp.exp(wide - wide.max(axis=self.dim, keepdims=True))
        return ((e / e.sum(axis=self.dim, keepdims=True)).astype(x.dtype),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the sum runs over the batch."""
        return batched[0] and self.dim % specs[0].ndim != 0
