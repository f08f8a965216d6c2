"""Dense layers and products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ShapeError, UnsupportedError
from ...graph import Value
from ...ops import Binary, Expand, Linear, Reshape, Transpose, number_as
from ...ops import Einsum as EinsumOp
from ...ops import MatMul as MatMulOp

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["Einsum", "Gemm_1", "Gemm_7", "MatMul"]


def MatMul(g: Recorder, a: Value, b: Value) -> Value:
    fits = a.ndim > 0 and b.ndim == 2 and a.shape[-1] == b.shape[0] and a.dtype == b.dtype  # if not, MatMul says it in its words
    if fits and b.is_constant and not a.is_constant and a.dtype.kind == "f":  # weights, which Linear packs once
        return g.append(Linear(), a, g.append(Transpose((1, 0)), b))
    return g.append(MatMulOp(), a, b)


def Einsum(g: Recorder, *operands: Value, equation: str) -> Value:
    return g.append(EinsumOp(equation), *operands)


def Gemm_1(
    g: Recorder, a: Value, b: Value, c: Value, *, alpha: float = 1.0, beta: float = 1.0, broadcast: int = 0, transA: int = 0,
    transB: int = 0,
) -> Value:  # fmt: skip
    y = Gemm_7(g, a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    if not broadcast and c.shape != y.shape:
        raise ShapeError(f"with broadcast=0 C must have the shape of the product, {y.shape}, got {c.spec}")
    return y


def Gemm_7(
    g: Recorder, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0
) -> Value:
    if a.ndim != 2 or b.ndim != 2:
        raise ShapeError(f"A and B must have 2 axes, got A {a.spec} and B {b.spec}")
    (rows, inner), (takes, columns) = a.shape[:: -1 if transA else 1], b.shape[:: -1 if transB else 1]
    if inner != takes:
        raise ShapeError(f"A gives rows of {inner}, B takes {takes} (A {a.spec}, B {b.spec}, transA={transA}, transB={transB})")
    if beta == 0:
        c = None
    if c is not None and (c.ndim > 2 or any(k not in (1, n) for k, n in zip(c.shape[::-1], (columns, rows)))):
        raise ShapeError(f"C must broadcast to the product, {rows}×{columns}, got {c.spec}")
    c = None if c is None else _times(g, c, beta)
    a = g.append(Transpose((1, 0)), a) if transA else a
    if not b.is_constant or a.dtype.kind != "f":
        y = _times(g, g.append(MatMulOp(), a, g.append(Transpose((1, 0)), b) if transB else b), alpha)
        return y if c is None else g.append(Binary("add"), y, c)
    weight = _times(g, b if transB else g.append(Transpose((1, 0)), b), alpha)
    if c is not None and c.is_constant and c.shape[:-1] in ((), (1,)):
        return g.append(Linear(), a, weight, _as_bias(g, c, columns))
    y = g.append(Linear(), a, weight)
    return y if c is None else g.append(Binary("add"), y, c)


def _times(g: Recorder, x: Value, factor: float) -> Value:
    if x.dtype.kind != "f" and factor != int(factor):
        raise UnsupportedError(f"whole numbers can be scaled by whole numbers alone, got {x.spec} and a factor of {factor}")
    return x if factor == 1 else g.append(Binary("mul"), x, number_as("mul", factor, x.dtype))


def _as_bias(g: Recorder, c: Value, columns: int) -> Value:
    if c.ndim != 1:
        c = g.append(Reshape((c.spec.size,)), c)
    return c if c.shape == (columns,) else g.append(Expand((columns,)), c)
