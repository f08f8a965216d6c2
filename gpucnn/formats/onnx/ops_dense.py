"""Dense layers and products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...graph import Value
from ...ops import Binary, Linear, Transpose
from ...ops import MatMul as MatMulOp

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["Gemm", "MatMul"]


def MatMul(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(MatMulOp(), a, b)


def Gemm(
    g: Recorder, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0
) -> Value:
    if transA:
        a = g.append(Transpose((1, 0)), a)
    weight = b if transB else g.append(Transpose((1, 0)), b)
    if alpha != 1.0:
        weight = g.append(Binary("mul"), weight, np.asarray(alpha, b.dtype))
    if c is not None and beta != 1.0:
        c = g.append(Binary("mul"), c, np.asarray(beta, c.dtype))
    if c is not None and c.shape == weight.shape[:1]:
        return g.append(Linear(), a, weight, c)
    y = g.append(Linear(), a, weight)
    return y if c is None else g.append(Binary("add"), y, c)
