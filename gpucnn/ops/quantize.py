"""Numbers as small integers times a scale, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, normalise_dim, wrong

__all__ = ["QUANTIZED", "Dequantize", "Quantize"]

QUANTIZED = ("uint8", "int8", "uint16", "int16")
"""Types that numbers are rounded to."""


def scale_along(xp: Any, op: Quantize | Dequantize, values: Array, shape: tuple[int, ...]) -> Array:
    """Scales or zero points as they broadcast to x."""
    if values.size == 1 and values.ndim <= 1:
        return values.reshape(())
    dim = op.dim % len(shape)
    if op.block:
        cut: tuple[Any, ...] = (*(slice(None),) * dim, slice(shape[dim]))
        return xp.repeat(values, op.block, axis=dim)[cut]
    return values.reshape((-1,) + (1,) * (len(shape) - 1 - dim))


def _check(op: Quantize | Dequantize, x: Spec, scale: Spec, zero_point: Spec | None) -> None:
    """Raise unless the scales are one, one an index of ``dim``, or one a block, with as many zero points."""
    given = {"x": x, "scale": scale, "zero_point": zero_point}
    if scale.dtype.kind != "f":
        raise wrong(op.name, f"scale must be floating point, got {scale.dtype}", **given)
    if zero_point is not None and zero_point.shape != scale.shape:
        raise wrong(op.name, "zero_point must have the shape of scale", **given)
    if scale.size == 1 and scale.ndim <= 1:
        return
    dim = normalise_dim(op.name, op.dim, x.ndim)
    if op.block:
        wanted = (*x.shape[:dim], -(-x.shape[dim] // op.block), *x.shape[dim + 1 :])
        if scale.shape != wanted:
            raise wrong(op.name, f"scale must have shape {wanted}, one a block of {op.block} along dim {op.dim}", **given)
    elif scale.shape != x.shape[dim : dim + 1]:
        raise wrong(op.name, f"scale must be one number, or {x.shape[dim]} of them, one an index of dim {op.dim}", **given)


def _keeps_batch(op: Quantize | Dequantize, batched: tuple[bool, ...], specs: tuple[Spec, ...]) -> bool:
    x, scale = specs[:2]
    alike = (scale.size == 1 and scale.ndim <= 1) or (not op.block and op.dim % x.ndim != 0)
    return batched[0] and not any(batched[1:]) and alike


@dataclass(frozen=True)
class Quantize(Op):
    """``x/scale``, rounded to nearest even, plus ``zero_point``; what the type cannot hold becomes its end.

    Inputs: x, any shape; scale (), or (k,) for the k indices of ``dim``, or for blocks the shape of x with one a block along ``dim``;
    zero_point of the shape of scale and the result's type, or None, which is 0. The scale may be float32 beside a float16 x.

    Parameters
    ----------
    dtype : {"uint8", "int8", "uint16", "int16"}
        Of the result.
    dim : int
    block : int
        Elements along ``dim`` that share a scale, the last block may be shorter; 0 is for scales that are no blocks.

    Notes
    -----
    The quotient is computed, and rounded, in the type of x (16-bit in float32). NaN becomes the least number, as in ONNX Runtime. ONNX
    ``QuantizeLinear``; PyTorch ``quantize_per_tensor`` and ``quantize_per_channel``.
    """

    dtype: str
    dim: int = 1
    block: int = 0
    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        if self.dtype not in QUANTIZED:
            raise ShapeError(f"quantize_linear: dtype must be one of {', '.join(QUANTIZED)}, got {self.dtype!r}")
        if self.block < 0:
            raise ShapeError(f"quantize_linear: block_size must be at least 0, got {self.block}")

    @property
    def name(self) -> str:
        """``quantize_linear``."""
        return "quantize_linear"

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest number of the type."""
        ends = np.iinfo(self.dtype)
        return float(ends.min), float(ends.max)

    def infer(self, x: Spec, scale: Spec, zero_point: Spec | None = None) -> tuple[Spec, ...]:
        """Shape of x."""
        given = {"x": x, "scale": scale, "zero_point": zero_point}
        _check(self, x, scale, zero_point)
        if x.dtype.kind != "f":
            raise wrong(self.name, f"x must be floating point, got {x.dtype}; convert it with .astype('float32')", **given)
        if scale.dtype != x.dtype and not (x.dtype == np.float16 and scale.dtype == np.float32):
            raise wrong(self.name, f"scale is {scale.dtype} where x is {x.dtype}; convert one of them", **given)
        if zero_point is not None and zero_point.dtype != np.dtype(self.dtype):
            raise wrong(self.name, f"zero_point must have the result's type {self.dtype}, got {zero_point.dtype}", **given)
        return (Spec(x.shape, np.dtype(self.dtype)),)

    def reference(self, xp: Any, x: Array, scale: Array, zero_point: Array | None = None) -> tuple[Array, ...]:
        """The formula, in the type of x (16-bit through float32)."""
        wide, (low, high) = np.promote_types(x.dtype, np.float32), self.limits
        y = xp.rint(x.astype(wide) / scale_along(xp, self, scale, x.shape).astype(wide))
        if zero_point is not None:
            y = y + scale_along(xp, self, zero_point, x.shape).astype(wide)
        return (xp.minimum(xp.fmax(y, wide.type(low)), wide.type(high)).astype(self.dtype),)

    def flops(self, x: Spec, *rest: Spec | None) -> int:
        """A division, an addition, and the ends."""
        return 4 * x.size

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where every row has the same constant scales."""
        return _keeps_batch(self, batched, specs)


@dataclass(frozen=True)
class Dequantize(Op):
    """``(x − zero_point)·scale``, in the type of scale.

    Inputs: x, integers, any shape; scale and zero_point as of ``Quantize``, the latter of the type of x.

    Parameters
    ----------
    dim, block : int
        As of ``Quantize``.

    Notes
    -----
    The difference is exact; 16-bit scales are multiplied in float32. ONNX ``DequantizeLinear``; PyTorch ``dequantize``.
    """

    dim: int = 1
    block: int = 0
    layout: ClassVar[Layout] = "pointwise"
    validation: ClassVar[Validation] = "rounded"

    def __post_init__(self) -> None:
        if self.block < 0:
            raise ShapeError(f"dequantize_linear: block_size must be at least 0, got {self.block}")

    @property
    def name(self) -> str:
        """``dequantize_linear``."""
        return "dequantize_linear"

    def infer(self, x: Spec, scale: Spec, zero_point: Spec | None = None) -> tuple[Spec, ...]:
        """Shape of x, dtype of scale."""
        given = {"x": x, "scale": scale, "zero_point": zero_point}
        _check(self, x, scale, zero_point)
        if x.dtype.name not in (*QUANTIZED, "int32"):
            raise wrong(self.name, f"x must be one of {', '.join(QUANTIZED)} and int32, got {x.dtype}", **given)
        if zero_point is not None and zero_point.dtype != x.dtype:
            raise wrong(self.name, f"zero_point must have the type of x, {x.dtype}, got {zero_point.dtype}", **given)
        return (Spec(x.shape, scale.dtype),)

    def reference(self, xp: Any, x: Array, scale: Array, zero_point: Array | None = None) -> tuple[Array, ...]:
        """The difference of whole numbers, then one product."""
        wide, apart = np.promote_types(scale.dtype, np.float32), x.astype(np.int64)
        if zero_point is not None:
            apart = apart - scale_along(xp, self, zero_point, x.shape).astype(np.int64)
        return ((apart.astype(wide) * scale_along(xp, self, scale, x.shape).astype(wide)).astype(scale.dtype),)

    def flops(self, x: Spec, *rest: Spec | None) -> int:
        """A subtraction and a product."""
        return 2 * x.size

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where every row has the same constant scales."""
        return _keeps_batch(self, batched, specs)
