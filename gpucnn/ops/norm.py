"""Normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, require_float, require_rank, wrong

__all__ = ["BatchNorm"]


@dataclass(frozen=True)
class BatchNorm(Op):
    """``(x − mean)/sqrt(var + eps)·weight + bias`` per channel, with the statistics of training.

    Inputs: x (n, c, …); mean, var, and weight and bias or None: (c,), which may be float32 beside a float16 x (a variance does not fit
    the range of float16).

    Notes
    -----
    Ioffe & Szegedy 2015, arXiv:1502.03167; PyTorch ``batch_norm`` (inference), ONNX ``BatchNormalization``.
    """

    eps: float = 1e-5
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "rounded"

    @property
    def name(self) -> str:
        """``batch_norm``."""
        return "batch_norm"

    def infer(self, x: Spec, mean: Spec, var: Spec, weight: Spec | None = None, bias: Spec | None = None) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        given = {"x": x, "running_mean": mean, "running_var": var, "weight": weight, "bias": bias}
        require_rank(self.name, x, 2)
        require_float(self.name, wide=("running_mean", "running_var", "weight", "bias"), **given)
        for name, spec in given.items():
            if name != "x" and spec is not None and spec.shape != (x.shape[1],):
                raise wrong(self.name, f"{name} must have shape {x.shape[1]}, one value a channel of x", **given)
        return (Spec(x.shape, x.dtype),)

    def reference(
        self, xp: Any, x: Array, mean: Array, var: Array, weight: Array | None = None, bias: Array | None = None
    ) -> tuple[Array, ...]:
        """The formula, in the accumulator type."""
        wide = accumulator(x.dtype)
        per_channel = (x.shape[1], *(1,) * (x.ndim - 2))
        y = (x.astype(wide) - mean.astype(wide).reshape(per_channel)) / xp.sqrt(var.astype(wide) + self.eps).reshape(per_channel)
        if weight is not None:
            y = y * weight.astype(wide).reshape(per_channel)
        if bias is not None:
            y = y + bias.astype(wide).reshape(per_channel)
        return (y.astype(x.dtype),)

    def flops(self, x: Spec, *rest: Spec | None) -> int:
        """A multiply and an add per element."""
        return 2 * x.size
