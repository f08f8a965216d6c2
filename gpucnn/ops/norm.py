"""Normalisation: by statistics of training, of a layer, of groups of channels, of neighbouring channels, of a vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import ShapeError
from ..spec import Array, Spec
from .activation import Activation, Epilogue
from .base import Layout, Op, Validation, accumulator, normalise_dim, require_float, require_rank, wrong

__all__ = ["BatchNorm", "GroupNorm", "LayerNorm", "LocalResponseNorm", "Normalize"]


@dataclass(frozen=True)
class BatchNorm(Op):
    """``(x − mean)/sqrt(var + eps)·weight + bias`` per channel, with the statistics of training.

    Inputs: x (n, c, …); mean, var, and weight and bias or None: (c,), which may be float32 beside a float16 x (a variance does not fit
    the range of float16).

    Parameters
    ----------
    eps : float
    activation : Activation or None
        What a pass has fused behind it.

    Notes
    -----
    Ioffe & Szegedy 2015, arXiv:1502.03167; PyTorch ``batch_norm`` (inference), ONNX ``BatchNormalization``.
    """

    eps: float = 1e-5
    activation: Activation | None = None
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
        return (Epilogue(self.activation).reference(xp, y, None).astype(x.dtype),)

    def flops(self, x: Spec, *rest: Spec | None) -> int:
        """A multiply and an add per element."""
        return 2 * x.size


def _standard(xp: Any, x: Array, axes: tuple[int, ...], eps: float, centred: bool = True) -> Array:
    """``(x − mean)/sqrt(var + eps)`` over the axes, with the variance of the elements themselves (divided by their number)."""
    d = x - x.mean(axis=axes, keepdims=True) if centred else x
    return d / xp.sqrt((d * d).mean(axis=axes, keepdims=True) + eps)


def _scaled(y: Array, weight: Array | None, bias: Array | None, shape: tuple[int, ...]) -> Array:
    """``y·weight + bias``, either of them absent or of ``shape``, in the type of y."""
    if weight is not None:
        y = y * weight.astype(y.dtype).reshape(shape)
    if bias is not None:
        y = y + bias.astype(y.dtype).reshape(shape)
    return y


@dataclass(frozen=True)
class LayerNorm(Op):
    """``(x − mean)/sqrt(var + eps)·weight + bias`` with mean and variance of the elements of the last ``dims`` axes.

    Inputs: x, any shape; weight and bias or None: the last ``dims`` sizes of x, which may be float32 beside a float16 x.

    Parameters
    ----------
    dims : int
        How many of the last axes make a row.
    eps : float
    centred : bool
        False leaves the mean where it is, and divides by the root of the mean square (RMS norm).

    Notes
    -----
    Ba, Kiros & Hinton 2016, arXiv:1607.06450; PyTorch ``layer_norm``, ONNX ``LayerNormalization`` with ``axis = −dims``. Not centred:
    Zhang & Sennrich 2019, arXiv:1910.07467; PyTorch ``rms_norm``, ONNX ``RMSNormalization``. The variance is that of the row itself: its
    squares divided by their number.
    """

    dims: int = 1
    eps: float = 1e-5
    centred: bool = True
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "loose"

    @property
    def name(self) -> str:
        """``layer_norm`` or ``rms_norm``."""
        return "layer_norm" if self.centred else "rms_norm"

    def infer(self, x: Spec, weight: Spec | None = None, bias: Spec | None = None) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        given = {"x": x, "weight": weight, "bias": bias}
        if not 1 <= self.dims <= x.ndim:
            raise wrong(self.name, f"from 1 to {x.ndim} of the last axes can be normalised, got {self.dims}", **given)
        require_float(self.name, wide=("weight", "bias"), **given)
        row = x.shape[x.ndim - self.dims :]
        for name, spec in given.items():
            if name != "x" and spec is not None and spec.shape != row:
                raise wrong(self.name, f"{name} must have the shape of the last {self.dims} axes of x, {row}", **given)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array, weight: Array | None = None, bias: Array | None = None) -> tuple[Array, ...]:
        """The formula in two passes, in the accumulator type."""
        if x.size == 0:
            return (x.copy(),)
        axes = tuple(range(x.ndim - self.dims, x.ndim))
        y = _standard(xp, x.astype(accumulator(x.dtype)), axes, self.eps, self.centred)
        return (_scaled(y, weight, bias, x.shape[axes[0] :]).astype(x.dtype),)

    def flops(self, x: Spec, *rest: Spec | None) -> int:
        """Two sums, a subtraction, and a multiply and an add per element."""
        return 6 * x.size

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec | None) -> bool:
        """Unless the batch is an axis of the row."""
        x = specs[0]
        return batched[0] and not any(batched[1:]) and x is not None and self.dims < x.ndim


@dataclass(frozen=True)
class GroupNorm(Op):
    """``(x − mean)/sqrt(var + eps)·weight + bias`` with mean and variance of an image's group of neighbouring channels.

    Inputs: x (n, c, …); weight and bias or None: (c,), which may be float32 beside a float16 x.

    Parameters
    ----------
    groups : int or None
        Groups of c/groups channels each; None makes every channel a group of its own, which is instance normalisation.
    eps : float

    Notes
    -----
    Wu & He 2018, arXiv:1803.08494; PyTorch ``group_norm``, ONNX ``GroupNormalization``. By channel: Ulyanov, Vedaldi & Lempitsky 2016,
    arXiv:1607.08022; PyTorch ``instance_norm``, ONNX ``InstanceNormalization``.
    """

    groups: int | None = None
    eps: float = 1e-5
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    @property
    def name(self) -> str:
        """``group_norm`` or ``instance_norm``."""
        return "instance_norm" if self.groups is None else "group_norm"

    def infer(self, x: Spec, weight: Spec | None = None, bias: Spec | None = None) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        given = {"x": x, "weight": weight, "bias": bias}
        require_rank(self.name, x, 3 if self.groups is None else 2)
        require_float(self.name, wide=("weight", "bias"), **given)
        c = x.shape[1]
        if self.groups is not None and (self.groups < 1 or c % self.groups):
            raise wrong(self.name, f"num_groups {self.groups} must be at least 1 and divide the channels of x, which are {c}", **given)
        for name, spec in given.items():
            if name != "x" and spec is not None and spec.shape != (c,):
                raise wrong(self.name, f"{name} must have shape {c}, one value a channel of x", **given)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array, weight: Array | None = None, bias: Array | None = None) -> tuple[Array, ...]:
        """The formula in two passes, in the accumulator type."""
        if x.size == 0:
            return (x.copy(),)
        n, c = x.shape[:2]
        rows = x.astype(accumulator(x.dtype)).reshape(n, self.groups or c, -1)
        y = _standard(xp, rows, (2,), self.eps).reshape(x.shape)
        return (_scaled(y, weight, bias, (c, *(1,) * (x.ndim - 2))).astype(x.dtype),)

    def flops(self, x: Spec, *rest: Spec | None) -> int:
        """Two sums, a subtraction, and a multiply and an add per element."""
        return 6 * x.size


@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """``x/(k + alpha/size·Σ x²)^beta``, the sum over ``size`` neighbouring channels, fewer at the ends.

    Channel i sees those from ``i − floor((size − 1)/2)`` to ``i + ceil((size − 1)/2)``.

    Notes
    -----
    Krizhevsky, Sutskever & Hinton 2012 (AlexNet), with ``alpha/size`` where the paper has ``alpha``; ONNX ``LRN``. PyTorch's
    ``local_response_norm`` is the same for an odd size; for an even one its window has the odd channel before, not after.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ShapeError(f"local_response_norm: size must be at least 1, got {self.size}")

    @property
    def name(self) -> str:
        """``local_response_norm``."""
        return "local_response_norm"

    @property
    def window(self) -> tuple[int, int]:
        """Channels before and after the one in the middle."""
        return (self.size - 1) // 2, self.size // 2

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_rank(self.name, x, 2)
        require_float(self.name, x=x)
        return (Spec(x.shape, x.dtype),)

    def squares(self, xp: Any, x: Array) -> Array:
        """Of every element, the sum of squares over its window."""
        before, after = self.window
        total = xp.zeros(x.shape, x.dtype)
        for i in range(x.shape[1]):
            seen = x[:, max(0, i - before) : i + after + 1]
            total[:, i] = (seen * seen).sum(axis=1)
        return total

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The formula, in the accumulator type."""
        wide = x.astype(accumulator(x.dtype))
        return ((wide / (self.k + self.alpha / self.size * self.squares(xp, wide)) ** self.beta).astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """A multiply-add a channel seen, and the division."""
        return (2 * self.size + 2) * x.size


@dataclass(frozen=True)
class Normalize(Op):
    """``x/max(‖x‖_p, eps)`` along ``dim``.

    Parameters
    ----------
    p : float
        Above 0; infinity is the largest magnitude.
    dim : int
    eps : float
        0 takes the quotient as it is: 0/0 is NaN.

    Notes
    -----
    PyTorch ``normalize``. ONNX ``LpNormalization`` has p = 1 or 2 and no eps, and says that a vector of zeros stays zero: any eps above 0
    that is below all norms does that.
    """

    p: float = 2.0
    dim: int = 1
    eps: float = 1e-12
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        if not self.p > 0:
            raise ShapeError(f"normalize: p must be above 0, got {self.p}")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        require_float(self.name, x=x)
        normalise_dim(self.name, self.dim, x.ndim)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The formula, summed in the accumulator type."""
        if x.size == 0:
            return (x.copy(),)
        wide = x.astype(accumulator(x.dtype))
        size = xp.abs(wide)
        if math.isinf(self.p):
            norm = size.max(axis=self.dim, keepdims=True)
        else:
            norm = (size**self.p).sum(axis=self.dim, keepdims=True) ** (1 / self.p)
        return ((wide / xp.maximum(norm, wide.dtype.type(self.eps))).astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """A multiply-add and a division per element."""
        return 3 * x.size

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the norm runs over the batch."""
        return batched[0] and self.dim % specs[0].ndim != 0
