"""Transposed convolution."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod
from typing import Any, ClassVar

from ..errors import ShapeError
from ..spec import Array, Spec, shape_text
from .activation import NO_EPILOGUE, Epilogue
from .base import Layout, Op, Validation, accumulator, require_float, wrong
from .window import Padding, require_places, windows

__all__ = ["ConvTranspose"]


@dataclass(frozen=True)
class ConvTranspose(Op):
    """The adjoint of a convolution: every element of x (n, c, …) times the kernel (c, k/groups, …), added up where the copies overlap.

    Inputs: x, weight, bias (k,) or None, residual of the output's shape or None. Beside float16 the bias may be float32, the type of the
    sum that it is added to.

    Parameters
    ----------
    stride, dilation : tuple of int
        One per spatial axis: pixels between the copies of the kernel, and between its elements.
    padding : tuple of (int, int), or {"same", "same_lower", "valid"}
        Pixels cut off before and after, per spatial axis: the zeros of the convolution that this one is the adjoint of. ``"same"`` cuts
        the result to ``in·stride``, the odd pixel at the end; ``"same_lower"`` at the beginning.
    output_padding : tuple of int
        Pixels added after the last, where only the bias is, or a kernel reaches: below stride or dilation.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).
    output_shape : tuple of int, optional
        Sizes of the result, which decide how much is cut; ``padding`` is then ``"same"`` or ``"same_lower"`` and says where the odd pixel
        is.
    epilogue : Epilogue
        What a pass has fused behind the sum.

    Notes
    -----
    ``out = (in − 1)·stride + dilation·(kernel−1) + 1 + output_padding − before − after``; PyTorch ``conv_transpose2d``, ONNX
    ``ConvTranspose`` (its ``output_shape`` goes with ``"same"`` for SAME_UPPER and ``"same_lower"`` for everything else).
    """

    stride: tuple[int, ...] = (1, 1)
    padding: Padding = ((0, 0), (0, 0))
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    output_padding: tuple[int, ...] = (0, 0)
    output_shape: tuple[int, ...] | None = None
    epilogue: Epilogue = NO_EPILOGUE
    layout: ClassVar[Layout] = "spatial"
    maps: ClassVar[tuple[int, ...]] = (0, 3)
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        lengths = {"dilation": self.dilation, "output_padding": self.output_padding, "output_shape": self.output_shape or self.stride}
        for field, values in lengths.items():
            if len(values) != len(self.stride):
                raise ShapeError(f"{self.name}: stride {self.stride} and {field} {values} differ in length")
        least = {"stride": self.stride, "dilation": self.dilation, "groups": (self.groups,), "output_shape": self.output_shape or (1,)}
        for field, values in least.items():
            if min(values) < 1:
                raise ShapeError(f"{self.name}: {field} must be at least 1, got {values if len(values) > 1 else values[0]}")
        if isinstance(self.padding, tuple) and any(p < 0 for pair in self.padding for p in pair):
            raise ShapeError(f"{self.name}: padding must not be negative, got {self.padding}; use output_padding, or F.pad behind it")
        if any(not 0 <= o < max(s, d) for o, s, d in zip(self.output_padding, self.stride, self.dilation)):
            raise ShapeError(
                f"{self.name}: output_padding must be at least 0 and below stride or dilation, "
                f"got {self.output_padding} with stride {self.stride} and dilation {self.dilation}"
            )
        if self.output_shape is not None and self.padding not in ("same", "same_lower"):
            raise ShapeError(
                f"{self.name}: output_shape decides how much is cut, padding must then be 'same' or 'same_lower' and say where, "
                f"got {self.padding!r}"
            )

    @property
    def name(self) -> str:
        """``conv_transpose2d`` for two spatial axes."""
        return f"conv_transpose{len(self.stride)}d"

    def geometry(self, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Pixels cut off before the first, and sizes of the result, per spatial axis.

        Examples
        --------
        >>> ConvTranspose((2, 2), ((1, 1), (1, 0)), output_padding=(1, 0)).geometry((5, 5), (3, 3))
        ((1, 1), (10, 10))
        """
        spans = [(n - 1) * s + (k - 1) * d + 1 + o for n, k, s, d, o in zip(sizes, kernel, self.stride, self.dilation, self.output_padding)]
        if isinstance(self.padding, tuple):
            if len(self.padding) != len(sizes):
                raise ShapeError(f"{self.name}: padding is given for {len(self.padding)} spatial axes, x has {len(sizes)}")
            before = tuple(b for b, _ in self.padding)
            return before, tuple(span - b - a for span, (b, a) in zip(spans, self.padding))
        if self.padding == "valid":
            return (0,) * len(sizes), tuple(spans)
        if self.padding not in ("same", "same_lower"):
            raise ShapeError(f"{self.name}: padding must be pixels, 'same', 'same_lower' or 'valid', got {self.padding!r}")
        out = self.output_shape or tuple(n * s for n, s in zip(sizes, self.stride))
        cut = [max(0, span - size) for span, size in zip(spans, out)]
        return tuple(c // 2 if self.padding == "same" else c - c // 2 for c in cut), out

    def taps(self, kernel: tuple[int, ...]) -> int:
        """Most elements of the kernel that meet in one pixel of the result."""
        return prod(-(-k // (s // gcd(s, d))) for k, s, d in zip(kernel, self.stride, self.dilation))

    def infer(self, x: Spec, weight: Spec, bias: Spec | None = None, residual: Spec | None = None) -> tuple[Spec, ...]:
        """(n, k, …) with the sizes of the formula above."""
        given = {"x": x, "weight": weight, "bias": bias, "residual": residual}
        rank = len(self.stride) + 2
        if x.ndim != rank or weight.ndim != rank:
            raise wrong(
                self.name, f"x and weight must have {rank} axes (n, c, …) and (c, k/groups, …), got {x.ndim} and {weight.ndim}", **given
            )
        require_float(self.name, wide=("bias",), **given)
        c, (takes, per_group) = x.shape[1], weight.shape[:2]
        if takes != c:
            raise wrong(self.name, f"weight takes {takes} input channels, x has {c}; weights are (in, out/groups, …) here", **given)
        if c % self.groups:
            raise wrong(self.name, f"groups {self.groups} must divide the channels of x, {c}", **given)
        if 0 in weight.shape[2:] or not c:
            raise wrong(self.name, "the kernel is empty", **given)
        if 0 in x.shape[2:]:
            raise wrong(self.name, "the map is empty", **given)
        require_places(self.name, weight.shape[2:])
        k = per_group * self.groups
        if bias is not None and bias.shape != (k,):
            raise wrong(self.name, f"bias must have shape {k}, one value an output channel", **given)
        _, out = self.geometry(x.shape[2:], weight.shape[2:])
        if min(out) < 1:
            raise wrong(self.name, f"padding {self.padding} leaves {shape_text(out)} of the result, use less", **given)
        shape = (x.shape[0], k, *out)
        if residual is not None and residual.shape != shape:
            raise wrong(self.name, f"residual must have the output's shape {shape}", **given)
        return (Spec(shape, x.dtype),)

    def reference(self, xp: Any, x: Array, weight: Array, bias: Array | None = None, residual: Array | None = None) -> tuple[Array, ...]:
        """Every element of x times the kernel, added where it belongs: one kernel position at a time, in the accumulator type."""
        sizes, kernel, g, wide = x.shape[2:], weight.shape[2:], self.groups, accumulator(x.dtype)
        before, out = self.geometry(sizes, kernel)
        n, c, k = x.shape[0], x.shape[1], weight.shape[1] * g
        spans = ((m - 1) * s + (r - 1) * d + 1 for m, r, s, d in zip(sizes, kernel, self.stride, self.dilation))
        whole = tuple(max(span, b + p) for span, b, p in zip(spans, before, out))
        sums = xp.zeros((n, k, *whole), dtype=wide)
        parts, w = x.astype(wide).reshape(n, g, c // g, *sizes), weight.astype(wide).reshape(g, c // g, k // g, *kernel)
        for offset, window in windows(sums, kernel, self.stride, self.dilation, sizes):
            tap = (..., *offset)
            window += xp.einsum("ngc...,gck->ngk...", parts, w[tap]).reshape(window.shape)
        cut = (slice(None), slice(None), *(slice(b, b + p) for b, p in zip(before, out)))
        acc = sums[cut]
        if bias is not None:
            acc = acc + bias.astype(wide).reshape(k, *(1,) * len(out))
        return (self.epilogue.reference(xp, acc, residual).astype(x.dtype),)

    def flops(self, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Two per multiply-add, those that the padding cuts off among them."""
        return 2 * x.size * prod(weight.shape[1:])

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec | None) -> bool:
        """With constant weights, and a residual that is batched too or absent."""
        return batched[0] and not any(batched[1:3]) and (len(specs) < 4 or specs[3] is None or batched[3])
