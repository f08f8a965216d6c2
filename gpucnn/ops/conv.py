"""Convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .activation import NO_EPILOGUE, Epilogue
from .base import Layout, Op, Validation, accumulator, require_float, wrong
from .window import Padding, output_sizes, pad_spatial, resolve_padding, windows

__all__ = ["Conv"]


@dataclass(frozen=True)
class Conv(Op):
    """Cross-correlation of x (n, c, …) with weight (k, c/groups, …), zero padding, in any number of spatial dimensions.

    Inputs: x, weight, bias (k,) or None, residual of the output's shape or None. The kernel is not flipped. Beside float16 the bias may
    be float32, the type of the sum that it is added to.

    Parameters
    ----------
    stride, dilation : tuple of int
        One per spatial axis, pixels.
    padding : tuple of (int, int), or {"same", "same_lower", "valid"}
        Zeros before and after, per spatial axis.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).
    epilogue : Epilogue
        What a pass has fused behind the sum.

    Notes
    -----
    ONNX ``Conv``; ``out = floor((in + before + after − dilation·(kernel−1) − 1)/stride) + 1``.
    """

    stride: tuple[int, ...] = (1, 1)
    padding: Padding = ((0, 0), (0, 0))
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    epilogue: Epilogue = NO_EPILOGUE
    layout: ClassVar[Layout] = "spatial"
    maps: ClassVar[tuple[int, ...]] = (0, 3)
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        if len(self.stride) != len(self.dilation):
            raise ShapeError(f"{self.name}: stride {self.stride} and dilation {self.dilation} differ in length")
        for field, values in (("stride", self.stride), ("dilation", self.dilation), ("groups", (self.groups,))):
            if min(values) < 1:
                raise ShapeError(f"{self.name}: {field} must be at least 1, got {values if len(values) > 1 else values[0]}")
        if isinstance(self.padding, tuple) and any(p < 0 for pair in self.padding for p in pair):
            raise ShapeError(f"{self.name}: padding must not be negative, got {self.padding}; crop with a slice instead")

    @property
    def name(self) -> str:
        """``conv2d`` for two spatial axes."""
        return f"conv{len(self.stride)}d"

    def pads(self, x: Spec, weight: Spec) -> tuple[tuple[int, int], ...]:
        """Padding in pixels for these inputs."""
        return resolve_padding(self.name, self.padding, x.shape[2:], weight.shape[2:], self.stride, self.dilation)

    def infer(self, x: Spec, weight: Spec, bias: Spec | None = None, residual: Spec | None = None) -> tuple[Spec, ...]:
        """(n, k, …) with the sizes of the formula above."""
        given = {"x": x, "weight": weight, "bias": bias, "residual": residual}
        rank = len(self.stride) + 2
        if x.ndim != rank or weight.ndim != rank:
            raise wrong(
                self.name, f"x and weight must have {rank} axes (n, c, …) and (k, c/groups, …), got {x.ndim} and {weight.ndim}", **given
            )
        require_float(self.name, wide=("bias",), **given)
        c, (k, per_group) = x.shape[1], weight.shape[:2]
        if c % self.groups or k % self.groups:
            raise wrong(self.name, f"groups {self.groups} must divide both channel counts, x has {c}, the output {k}", **given)
        if per_group * self.groups != c:
            takes = f"{per_group * self.groups}" if self.groups == 1 else f"{per_group} × {self.groups} groups = {per_group * self.groups}"
            raise wrong(self.name, f"weight takes {takes} input channels, x has {c}", **given)
        if 0 in weight.shape[1:]:
            raise wrong(self.name, "the kernel is empty", **given)
        if bias is not None and bias.shape != (k,):
            raise wrong(self.name, f"bias must have shape {k}, one value an output channel", **given)
        out = output_sizes(self.name, x.shape[2:], weight.shape[2:], self.stride, self.pads(x, weight), self.dilation)
        shape = (x.shape[0], k, *out)
        if residual is not None and residual.shape != shape:
            raise wrong(self.name, f"residual must have the output's shape {shape}", **given)
        return (Spec(shape, x.dtype),)

    def reference(
        self, xp: Any, x: Array, weight: Array, bias: Array | None = None, residual: Array | None = None
    ) -> tuple[Array, ...]:
        """One multiply-add per kernel position over the whole image, in the accumulator type."""
        kernel, g, wide = weight.shape[2:], self.groups, accumulator(x.dtype)
        pads = resolve_padding(self.name, self.padding, x.shape[2:], kernel, self.stride, self.dilation)
        out = output_sizes(self.name, x.shape[2:], kernel, self.stride, pads, self.dilation)
        n, c, k = x.shape[0], x.shape[1], weight.shape[0]
        padded = pad_spatial(xp, x.astype(wide), pads, 0, kernel, self.stride, self.dilation, out)
        w = weight.astype(wide).reshape(g, k // g, c // g, *kernel)
        acc = xp.zeros((n, g, k // g, *out), dtype=wide)
        for offset, window in windows(padded, kernel, self.stride, self.dilation, out):
            tap = (..., *offset)
            acc += xp.einsum("ngc...,gkc->ngk...", window.reshape(n, g, c // g, *out), w[tap])
        acc = acc.reshape(n, k, *out)
        if bias is not None:
            acc += bias.astype(wide).reshape(k, *(1,) * len(out))
        return (self.epilogue.reference(xp, acc, residual).astype(x.dtype),)

    def flops(self, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Two per multiply-add."""
        return 2 * self.infer(x, weight)[0].size * int(np.prod(weight.shape[1:]))

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec | None) -> bool:
        """With constant weights, and a residual that is batched too or absent."""
        return batched[0] and not any(batched[1:3]) and (len(specs) < 4 or specs[3] is None or batched[3])
