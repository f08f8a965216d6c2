"""Pooling by windows of one size."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .activation import Epilogue
from .base import Layout, Op, Validation, accumulator, require_float
from .conv import Conv
from .power import check_power, norm_of, unit_of
from .window import (
    Padding,
    output_sizes,
    pad_spatial,
    require_axes,
    require_number,
    require_places,
    resolve_padding,
    running_best,
    taps_inside,
    windows,
)  # fmt: skip

__all__ = ["AvgPool", "ConvMaxPool", "LpPool", "MaxPool", "MinPool"]


def _check(op: str, kernel: tuple[int, ...], **fields: tuple[int, ...]) -> None:
    for field, values in {"kernel_size": kernel, **fields}.items():
        if len(values) != len(kernel):
            raise ShapeError(f"{op}: {field} {values} must have one value a spatial axis, kernel_size has {len(kernel)}")
        if min(values) < 1:
            raise ShapeError(f"{op}: {field} must be at least 1, got {values}")


def _check_padding(op: str, padding: Padding) -> None:
    if isinstance(padding, tuple) and any(p < 0 for pair in padding for p in pair):
        raise ShapeError(f"{op}: padding must not be negative, got {padding}; crop with a slice instead")


def _infer_extreme(op: MaxPool | MinPool, x: Spec) -> Spec:
    """Spec of the values of both."""
    require_axes(op.name, x, len(op.kernel_size))
    require_number(op.name, x)
    out = output_sizes(op.name, x.shape[2:], op.kernel_size, op.stride, op.pads(x), op.dilation, op.ceil_mode)
    return Spec((*x.shape[:2], *out), x.dtype)


def _extremes(xp: Any, op: MaxPool | MinPool, x: Array, worst: Any, beats: Callable[[Any, Any], Any]) -> tuple[Array, Array]:
    """Best of each window and its place in the plane, running over the kernel positions: the first of equals, NaN before all numbers."""
    spec = Spec(x.shape, x.dtype)
    pads, out = op.pads(spec), op.infer(spec)[0].shape[2:]
    geometry = op.kernel_size, op.stride, op.dilation, out
    padded = pad_spatial(xp, x, pads, worst, *geometry)
    plane = xp.arange(prod(x.shape[2:]), dtype=np.int64).reshape(1, 1, *x.shape[2:])
    places = windows(pad_spatial(xp, plane, pads, -1, *geometry), *geometry)
    met = ((window, place) for (_, window), (_, place) in zip(windows(padded, *geometry), places))
    return running_best(xp, met, (*x.shape[:2], *out), x.dtype, worst, beats)


@dataclass(frozen=True)
class MaxPool(Op):
    """Maximum of each window of x (n, c, …); padding counts as −inf, NaN in a window gives NaN.

    Parameters
    ----------
    kernel_size, stride, dilation : tuple of int
        One per spatial axis, pixels.
    padding : tuple of (int, int), or {"same", "same_lower", "valid"}
    ceil_mode : bool
        Round the number of windows up.
    return_indices : bool
        Also give the place of each maximum: int64, flat index into the spatial plane of its image and channel (PyTorch's).

    Notes
    -----
    PyTorch ``max_pool2d``, ONNX ``MaxPool``.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding = ((0, 0), (0, 0))
    dilation: tuple[int, ...] = (1, 1)
    ceil_mode: bool = False
    return_indices: bool = False
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        _check(self.name, self.kernel_size, stride=self.stride, dilation=self.dilation)
        _check_padding(self.name, self.padding)

    @property
    def name(self) -> str:
        """``max_pool2d`` for two spatial axes."""
        return f"max_pool{len(self.kernel_size)}d"

    def pads(self, x: Spec) -> tuple[tuple[int, int], ...]:
        """Padding in pixels for this input."""
        return resolve_padding(self.name, self.padding, x.shape[2:], self.kernel_size, self.stride, self.dilation)

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, …), and the indices where asked for."""
        values = _infer_extreme(self, x)
        if self.return_indices:
            require_places(self.name, self.kernel_size)
        return (values, Spec(values.shape, np.dtype(np.int64))) if self.return_indices else (values,)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """A running maximum over the kernel positions."""
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        best, where = _extremes(xp, self, x, lowest, operator.gt)
        return (best, where) if self.return_indices else (best,)

    def flops(self, x: Spec) -> int:
        """One comparison per window element."""
        return self.infer(x)[0].size * prod(self.kernel_size)


@dataclass(frozen=True)
class MinPool(Op):
    """Minimum of each window of x (n, c, …), ``−max(−x)``; padding counts as +inf, NaN in a window gives NaN.

    Parameters
    ----------
    kernel_size, stride, dilation : tuple of int
        One per spatial axis, pixels.
    padding : tuple of (int, int), or {"same", "same_lower", "valid"}
    ceil_mode : bool
        Round the number of windows up.

    Notes
    -----
    No framework defines it; the windows are those of ``MaxPool``.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding = ((0, 0), (0, 0))
    dilation: tuple[int, ...] = (1, 1)
    ceil_mode: bool = False
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        _check(self.name, self.kernel_size, stride=self.stride, dilation=self.dilation)
        _check_padding(self.name, self.padding)

    @property
    def name(self) -> str:
        """``min_pool2d`` for two spatial axes."""
        return f"min_pool{len(self.kernel_size)}d"

    def pads(self, x: Spec) -> tuple[tuple[int, int], ...]:
        """Padding in pixels for this input."""
        return resolve_padding(self.name, self.padding, x.shape[2:], self.kernel_size, self.stride, self.dilation)

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, …)."""
        return (_infer_extreme(self, x),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """A running minimum over the kernel positions: negating would overflow where x is unsigned."""
        highest = np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
        return (_extremes(xp, self, x, highest, operator.lt)[0],)

    def flops(self, x: Spec) -> int:
        """One comparison per window element."""
        return self.infer(x)[0].size * prod(self.kernel_size)


@dataclass(frozen=True)
class AvgPool(Op):
    """Mean of each window of x (n, c, …).

    Parameters
    ----------
    kernel_size, stride : tuple of int
    padding : tuple of (int, int), or {"same", "same_lower", "valid"}
        Zeros before and after.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the padding is never counted.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor.
    divisor_override : int or None
        Divide by this instead.
    dilation : tuple of int
        One per spatial axis (ONNX opset 19 has it, PyTorch does not); empty means 1.

    Notes
    -----
    PyTorch ``avg_pool2d`` (there ``count_include_pad`` defaults to True), ONNX ``AveragePool`` (there to 0).
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding = ((0, 0), (0, 0))
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None
    dilation: tuple[int, ...] = ()
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        if not self.dilation:
            object.__setattr__(self, "dilation", (1,) * len(self.kernel_size))
        _check(self.name, self.kernel_size, stride=self.stride, dilation=self.dilation)
        _check_padding(self.name, self.padding)
        if self.divisor_override == 0:
            raise ShapeError(f"{self.name}: divisor_override must not be 0")

    @property
    def name(self) -> str:
        """``avg_pool2d`` for two spatial axes."""
        return f"avg_pool{len(self.kernel_size)}d"

    def pads(self, x: Spec) -> tuple[tuple[int, int], ...]:
        """Padding in pixels for this input."""
        return resolve_padding(self.name, self.padding, x.shape[2:], self.kernel_size, self.stride, self.dilation)

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, …)."""
        require_axes(self.name, x, len(self.kernel_size))
        require_float(self.name, x=x)
        out = output_sizes(self.name, x.shape[2:], self.kernel_size, self.stride, self.pads(x), self.dilation, self.ceil_mode)
        return (Spec((*x.shape[:2], *out), x.dtype),)

    def divisors(self, x: Spec) -> np.ndarray[Any, np.dtype[np.float64]]:
        """What each window's sum is divided by, of the output's spatial shape; 1 where a window meets nothing."""
        out = self.infer(x)[0].shape[2:]
        if self.divisor_override is not None:
            return np.full(out, float(self.divisor_override))
        count = np.ones(out)
        sides = zip(out, x.shape[2:], self.kernel_size, self.stride, self.pads(x), self.dilation)
        for axis, (p, n, k, s, (before, after), d) in enumerate(sides):
            lowest, highest = (-before, n + after) if self.count_include_pad else (0, n)
            met = taps_inside(p, k, s, before, d, lowest, highest)
            count = count * met.reshape(-1, *(1,) * (len(out) - 1 - axis))
        return np.maximum(count, 1)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """A running sum over the kernel positions, in the accumulator type, then one division."""
        spec, wide = Spec(x.shape, x.dtype), accumulator(x.dtype)
        out = self.infer(spec)[0].shape[2:]
        geometry = self.kernel_size, self.stride, self.dilation, out
        total = xp.zeros((*x.shape[:2], *out), dtype=wide)
        for _, window in windows(pad_spatial(xp, x.astype(wide), self.pads(spec), 0, *geometry), *geometry):
            total = total + window
        return ((total / xp.asarray(self.divisors(spec)).astype(wide)).astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """One addition per window element."""
        return self.infer(x)[0].size * prod(self.kernel_size)


@dataclass(frozen=True)
class LpPool(Op):
    """Lp norm of each window of x (n, c, …): ``(Σ |x|^p)^(1/p)``; padding counts as 0.

    Parameters
    ----------
    kernel_size, stride, dilation : tuple of int
        One per spatial axis, pixels.
    padding : tuple of (int, int), or {"same", "same_lower", "valid"}
    ceil_mode : bool
        Round the number of windows up; what lies beyond the input adds nothing.
    p : float
        Above 0 and finite.

    Notes
    -----
    ONNX ``LpPool``. PyTorch ``lp_pool2d`` adds ``x^p`` with its sign, so that an odd p there gives NaN where the negative values are the
    larger ones, and windows that ``ceil_mode`` cuts off are scaled up.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding = ((0, 0), (0, 0))
    dilation: tuple[int, ...] = (1, 1)
    ceil_mode: bool = False
    p: float = 2.0
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        _check(self.name, self.kernel_size, stride=self.stride, dilation=self.dilation)
        _check_padding(self.name, self.padding)
        check_power(self.name, self.p)

    @property
    def name(self) -> str:
        """``lp_pool2d`` for two spatial axes."""
        return f"lp_pool{len(self.kernel_size)}d"

    def pads(self, x: Spec) -> tuple[tuple[int, int], ...]:
        """Padding in pixels for this input."""
        return resolve_padding(self.name, self.padding, x.shape[2:], self.kernel_size, self.stride, self.dilation)

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, …)."""
        require_axes(self.name, x, len(self.kernel_size))
        require_float(self.name, x=x)
        out = output_sizes(self.name, x.shape[2:], self.kernel_size, self.stride, self.pads(x), self.dilation, self.ceil_mode)
        return (Spec((*x.shape[:2], *out), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The largest of each window, then a running sum of powers of what share of it each value is: so nothing overflows."""
        spec = Spec(x.shape, x.dtype)
        out = self.infer(spec)[0].shape[2:]
        geometry = self.kernel_size, self.stride, self.dilation, out
        padded = pad_spatial(xp, xp.abs(x.astype(accumulator(x.dtype))), self.pads(spec), 0, *geometry)
        largest = xp.zeros((*x.shape[:2], *out), dtype=padded.dtype)
        for _, window in windows(padded, *geometry):
            largest = xp.maximum(largest, window)
        scale, total = unit_of(xp, largest), xp.zeros_like(largest)
        for _, window in windows(padded, *geometry):
            total = total + (window / scale) ** self.p
        return (norm_of(xp, largest, total, self.p).astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """A power and an addition per window element."""
        return 2 * self.infer(x)[0].size * prod(self.kernel_size)


_HALVED = MaxPool((2, 2), (2, 2))


@dataclass(frozen=True)
class ConvMaxPool(Op):
    """``conv``, then the maximum of each 2×2 of its results.

    Inputs: x (n, c, h, w), weight, bias or None. Made by a pass where a backend can do both at once: the results, four times as many as
    what is left of them, are then never written to memory.

    Parameters
    ----------
    conv : Conv
        With its stride, padding and epilogue.
    """

    conv: Conv
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    @property
    def name(self) -> str:
        """``conv2d_max_pool2d``."""
        return f"{self.conv.name}_{_HALVED.name}"

    @property
    def epilogue(self) -> Epilogue:
        """Of the convolution."""
        return self.conv.epilogue

    def infer(self, x: Spec, weight: Spec, bias: Spec | None = None) -> tuple[Spec, ...]:
        """Half the convolution's sizes, without what is left of an odd one."""
        return _HALVED.infer(self.conv.infer(x, weight, bias)[0])

    def reference(self, xp: Any, x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, ...]:
        """One after the other."""
        return _HALVED.reference(xp, *self.conv.reference(xp, x, weight, bias))

    def flops(self, x: Spec, weight: Spec, bias: Spec | None = None) -> int:
        """Of both."""
        return self.conv.flops(x, weight) + _HALVED.flops(self.conv.infer(x, weight, bias)[0])

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec | None) -> bool:
        """As the convolution."""
        return self.conv.keeps_batch(batched, *specs)
