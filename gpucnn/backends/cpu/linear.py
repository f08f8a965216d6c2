"""The dense layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...ops import Linear
from ...spec import Spec
from ..base import Call, Impl
from .backend import CpuBackend, product
from .epilogue import finish, room

__all__ = ["LinearGemm"]


class LinearGemm(Impl):
    """One matrix product; the weight stays as it is and BLAS reads it transposed."""

    name = "linear_gemm"
    numerics = "gemm over c"
    packs = (2,)  # the epilogue repeats the bias once, when it is bound

    def supports(self, op: Linear, x: Spec, *rest: Spec | None) -> bool:
        """Float32 with at least a batch axis."""
        return x.dtype == np.float32 and x.ndim >= 2

    def workspace(self, op: Linear, x: Spec, *rest: Spec | None) -> int:
        """What the epilogue wants."""
        return room(op.epilogue)

    def bind(
        self, backend: CpuBackend, op: Linear, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """All rows at once where a row's bits do not depend on its place, else one by one."""
        x, weight, bias, residual = (*inputs, None, None)[:4]
        count = prod(x.shape[:-1])
        out, rows = outputs[0].reshape(count, outputs[0].shape[-1]), x.reshape(count, x.shape[-1])
        addend = None if residual is None else residual.reshape(out.shape)
        together = len(rows) == 1 or backend.places_agree(len(rows), 1, weight.T)
        step = len(rows) if together else 1
        calls = [product(rows[i : i + step], weight.T, out[i : i + step]) for i in range(0, len(rows), step)]
        return backend.schedule([calls + finish(op.epilogue, out, bias, addend, out, workspace[0])], 1)
