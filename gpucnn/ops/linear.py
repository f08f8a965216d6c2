"""The dense layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..spec import Array, Spec
from .activation import NO_EPILOGUE, Epilogue
from .base import Layout, Op, Validation, accumulator, require_float, require_rank, wrong

__all__ = ["Linear"]


@dataclass(frozen=True)
class Linear(Op):
    """``y = x·weightᵀ + bias`` for x (…, in), weight (out, in), bias (out,) or None, residual (…, out) or None.

    Beside float16 the bias may be float32, the type of the sum that it is added to.

    Parameters
    ----------
    epilogue : Epilogue
        What a pass has fused behind the sum.
    out_dtype : {None, "float32"}
        Type of the result where it is not that of x: a 16-bit net's scores are worth the sum's own precision.

    Notes
    -----
    PyTorch ``linear``; ONNX ``Gemm`` with ``transB=1``.
    """

    epilogue: Epilogue = NO_EPILOGUE
    out_dtype: str | None = None
    layout: ClassVar[Layout] = "logical"
    maps: ClassVar[tuple[int, ...]] = (0, 3)
    validation: ClassVar[Validation] = "loose"

    def infer(self, x: Spec, weight: Spec, bias: Spec | None = None, residual: Spec | None = None) -> tuple[Spec, ...]:
        """(…, out)."""
        given = {"x": x, "weight": weight, "bias": bias, "residual": residual}
        require_rank("linear", x, 1)
        if weight.ndim != 2:
            raise wrong("linear", f"weight must have 2 axes (out, in), got {weight.ndim}", **given)
        require_float("linear", wide=("bias",), **given)
        if x.shape[-1] != weight.shape[1]:
            raise wrong("linear", f"weight takes {weight.shape[1]} features, the last axis of x has {x.shape[-1]}", **given)
        if bias is not None and bias.shape != weight.shape[:1]:
            raise wrong("linear", f"bias must have shape {weight.shape[0]}, one value an output feature", **given)
        shape = (*x.shape[:-1], weight.shape[0])
        if residual is not None and residual.shape != shape:
            raise wrong("linear", f"residual must have the output's shape {shape}", **given)
        return (Spec(shape, np.dtype(self.out_dtype or x.dtype)),)

    def reference(
        self, xp: Any, x: Array, weight: Array, bias: Array | None = None, residual: Array | None = None
    ) -> tuple[Array, ...]:
        """One matrix product a row, in the accumulator type: BLAS sums the rows of one product in different orders."""
        wide = accumulator(x.dtype)
        acc = xp.matmul(x.astype(wide)[..., None, :], weight.astype(wide).T)[..., 0, :]
        if bias is not None:
            acc = acc + bias.astype(wide)
        return (self.epilogue.reference(xp, acc, residual).astype(self.out_dtype or x.dtype),)

    def flops(self, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Two per multiply-add."""
        return 2 * self.infer(x, weight)[0].size * weight.shape[1]

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec | None) -> bool:
        """With constant weights, and a residual that is batched too or absent."""
        x = specs[0]
        fits = x is not None and x.ndim >= 2
        return fits and batched[0] and not any(batched[1:3]) and (len(specs) < 4 or specs[3] is None or batched[3])
