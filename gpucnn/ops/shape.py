"""Operations that only move values: reshape, transpose, concatenate, pad, and the order in memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal

from ..errors import ShapeError
from ..spec import Array, Spec, shape_text
from .base import Layout, Op, Validation, normalise_dim, wrong

__all__ = ["Concat", "Flatten", "Identity", "Order", "Pad", "Reorder", "Reshape", "Transpose"]

Order = Literal["logical", "channels_last"]


@dataclass(frozen=True)
class Identity(Op):
    """The input as it is: dropout at inference, and other layers that only training knows."""

    layout: ClassVar[Layout] = "pointwise"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """x."""
        return (x,)


@dataclass(frozen=True)
class Reorder(Op):
    """The same value in another order in memory; put in by the layout pass alone."""

    order: Order
    layout: ClassVar[Layout] = "pointwise"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """x: logical order sees no difference."""
        return (x,)


@dataclass(frozen=True)
class Reshape(Op):
    """The elements in C order under another shape; one size may be −1 and is then computed."""

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.shape.count(-1) > 1 or any(s < -1 for s in self.shape):
            raise ShapeError(f"reshape: sizes must be at least 0, and at most one may be -1, got {self.shape}")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The shape asked for, with −1 resolved."""
        shape = self.shape
        if -1 in shape:
            known = prod(s for s in shape if s != -1)
            if known == 0 or x.size % known:
                raise wrong("reshape", f"cannot infer the -1 of {shape}: {x.size} elements do not divide by {known}", x=x)
            shape = tuple(x.size // known if s == -1 else s for s in shape)
        if prod(shape) != x.size:
            raise wrong("reshape", f"shape {shape_text(shape)} has {prod(shape)} elements, x has {x.size}", x=x)
        return (Spec(shape, x.dtype, x.value),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call."""
        return (x.reshape(self.shape),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the first axis stays: then each row keeps its elements."""
        out = self.infer(specs[0])[0].shape
        return batched[0] and bool(out) and out[0] == specs[0].shape[0]


@dataclass(frozen=True)
class Flatten(Op):
    """Axes ``start_dim`` to ``end_dim`` become one, in NCHW order whatever the layout in memory. PyTorch ``flatten``."""

    start_dim: int = 1
    end_dim: int = -1

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The shape with one axis for several."""
        if x.ndim == 0:
            return (Spec((1,), x.dtype),)
        start, end = normalise_dim("flatten", self.start_dim, x.ndim), normalise_dim("flatten", self.end_dim, x.ndim)
        if start > end:
            raise wrong("flatten", f"start_dim {self.start_dim} lies behind end_dim {self.end_dim}", x=x)
        return (Spec((*x.shape[:start], prod(x.shape[start : end + 1]), *x.shape[end + 1 :]), x.dtype, x.value),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """A reshape."""
        return (x.reshape(self.infer(Spec(x.shape, x.dtype))[0].shape),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the batch is not among the axes."""
        x = specs[0]
        return batched[0] and (self.start_dim % x.ndim > 0 or self.end_dim % x.ndim == 0)


@dataclass(frozen=True)
class Transpose(Op):
    """Axes in another order: axis i of the result is axis ``dims[i]`` of x. PyTorch ``permute``, ONNX ``Transpose``."""

    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        rank = len(self.dims)
        counted = tuple(d + rank if -rank <= d < 0 else d for d in self.dims)
        if sorted(counted) != list(range(rank)):
            raise ShapeError(f"permute: dims must name each axis once, got {self.dims}")
        object.__setattr__(self, "dims", counted)

    @property
    def name(self) -> str:
        """``permute``."""
        return "permute"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The shape in that order."""
        if len(self.dims) != x.ndim:
            raise wrong("permute", f"dims {self.dims} names {len(self.dims)} axes, x has {x.ndim}", x=x)
        return (Spec(tuple(x.shape[d] for d in self.dims), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call."""
        return (xp.transpose(x, self.dims),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the batch stays in front."""
        return batched[0] and bool(self.dims) and self.dims[0] == 0


@dataclass(frozen=True)
class Concat(Op):
    """The inputs one after another along ``dim``. PyTorch ``cat``, ONNX ``Concat``."""

    dim: int = 0
    layout: ClassVar[Layout] = "axiswise"

    @property
    def name(self) -> str:
        """``cat``."""
        return "cat"

    def infer(self, *specs: Spec) -> tuple[Spec, ...]:
        """The first shape, with the sizes along ``dim`` added up."""
        given = {f"tensors[{i}]": s for i, s in enumerate(specs)}
        if not specs:
            raise ShapeError("cat: needs at least one tensor, got none")
        first = specs[0]
        dim = normalise_dim("cat", self.dim, first.ndim)
        for name, spec in given.items():
            if spec.dtype != first.dtype:
                raise wrong("cat", f"{name} is {spec.dtype} where tensors[0] is {first.dtype}", **given)
            if spec.ndim != first.ndim or any(a != b for i, (a, b) in enumerate(zip(spec.shape, first.shape)) if i != dim):
                raise wrong("cat", f"all sizes but that of dim {dim} must agree, {name} differs", **given)
        return (Spec((*first.shape[:dim], sum(s.shape[dim] for s in specs), *first.shape[dim + 1 :]), first.dtype),)

    def reference(self, xp: Any, *arrays: Array) -> tuple[Array, ...]:
        """One call."""
        return (xp.concatenate(arrays, axis=self.dim),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where all inputs are batched and another axis grows."""
        return all(batched) and self.dim % specs[0].ndim != 0


_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@dataclass(frozen=True)
class Pad(Op):
    """Elements added before and after along each axis.

    Parameters
    ----------
    pads : tuple of (int, int)
        (before, after) for every axis of x, none negative.
    mode : {"constant", "reflect", "replicate", "circular"}
        PyTorch's names; ``"replicate"`` is NumPy's and ONNX's ``edge``, ``"circular"`` their ``wrap``.
    value : float
        For ``"constant"``.
    """

    pads: tuple[tuple[int, int], ...]
    mode: str = "constant"
    value: float = 0.0
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ShapeError(f"pad: mode must be one of {', '.join(_MODES)}, got {self.mode!r}")
        if any(p < 0 for pair in self.pads for p in pair):
            raise ShapeError(f"pad: amounts must not be negative, got {self.pads}; crop with a slice instead")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The sizes with the padding added."""
        if len(self.pads) != x.ndim:
            raise wrong("pad", f"amounts are given for {len(self.pads)} axes, x has {x.ndim}", x=x)
        for axis, (size, pair) in enumerate(zip(x.shape, self.pads)):
            limit = {"reflect": size - 1, "circular": size, "replicate": None if size else 0}.get(self.mode)
            if limit is not None and max(pair) > max(limit, 0):
                raise wrong("pad", f"mode {self.mode!r} can add at most {max(limit, 0)} to axis {axis}, got {pair}", x=x)
        return (Spec(tuple(s + b + a for s, (b, a) in zip(x.shape, self.pads)), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call; a scalar has no axis to pad."""
        if not self.pads:
            return (x,)
        if self.mode == "constant":
            return (xp.pad(x, self.pads, mode="constant", constant_values=self.value),)
        return (xp.pad(x, self.pads, mode=_MODES[self.mode]),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where nothing is added to the batch."""
        return batched[0] and self.pads[0] == (0, 0)
