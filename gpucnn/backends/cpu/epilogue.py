"""Epilogues and activations in place, on blocks that are still in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...ops import Activation, Epilogue
from ...spec import Array
from ..base import Call

__all__ = ["activate", "finish"]

_ROW = 8192  # elements of a constant row: 32 KB, it stays in the first-level cache


def activate(act: Activation, x: Array, out: Array, full: Callable[[float], Array]) -> list[Call]:
    """Calls that write the activation of ``x`` to ``out``, which may be the same array.

    ``full(v)`` is an array of v that broadcasts to x: ``maximum`` with an array runs three times as fast as with a scalar,
    because NumPy vectorises only the former.
    """
    if act.kind == "relu":
        zero = full(0.0)
        return [lambda: np.maximum(x, zero, out=out)]
    if act.kind == "clip":
        with np.errstate(over="ignore"):  # a bound that the type cannot hold is no bound: infinite
            low, high = full(act.alpha), full(act.beta)
        return [lambda: np.maximum(x, low, out=out), lambda: np.minimum(out, high, out=out)]
    if act.kind == "tanh":
        return [lambda: np.tanh(x, out=out)]
    if act.kind == "sigmoid":
        return [lambda: _sigmoid(x, out)]
    raise KeyError(act.kind)


def _sigmoid(x: Array, out: Array) -> None:
    # exp(−|x|) never overflows: 1/(1+e) right of zero, e/(1+e) left of it, and NaN goes through both.
    small = np.exp(-np.abs(x))
    np.divide(np.where(x >= 0, np.float32(1), small), small + np.float32(1), out=out)


def finish(epilogue: Epilogue, acc: Array, bias: Array | None, residual: Array | None, out: Array) -> list[Call]:
    """Calls that turn sums into results: ``out = post(pre(acc + bias) + residual)``, with acc as scratch.

    Parameters
    ----------
    epilogue : Epilogue
    acc : array, (…, k)
        The sums; may be ``out`` itself.
    bias : array, (k,), optional
    residual, out : array, shape of acc
    """
    k, arrays = acc.shape[-1], [a for a in (acc, residual, out) if a is not None]
    if all(a.flags.c_contiguous for a in arrays):
        # One long row for several pixels: NumPy's inner loop then runs over thousands of elements instead of k.
        pixels = acc.size // k
        repeat = max(t for t in range(1, max(1, min(pixels, _ROW // k)) + 1) if pixels % t == 0)
        acc, out = acc.reshape(-1, repeat * k), (acc if out is acc else out).reshape(-1, repeat * k)
        residual = None if residual is None else residual.reshape(-1, repeat * k)
        bias = None if bias is None else np.tile(bias, repeat)
        k *= repeat

    def full(value: float) -> Array:
        return np.full(k, value, np.float32)

    makers: list[Callable[[Array, Array], list[Call]]] = []
    if bias is not None:
        makers.append(lambda x, y, b=bias: [lambda: np.add(x, b, out=y)])  # type: ignore[misc]
    if epilogue.pre is not None:
        makers.append(lambda x, y, a=epilogue.pre: activate(a, x, y, full))  # type: ignore[misc]
    if residual is not None:
        makers.append(lambda x, y, r=residual: [lambda: np.add(x, r, out=y)])  # type: ignore[misc]
    if epilogue.post is not None:
        makers.append(lambda x, y, a=epilogue.post: activate(a, x, y, full))  # type: ignore[misc]
    if not makers:
        return [] if acc is out or _same(acc, out) else [lambda: np.copyto(out, acc)]
    calls: list[Call] = []
    for make in makers[:-1]:  # in place on the block; the last one writes where the result belongs
        calls += make(acc, acc)
    return calls + makers[-1](acc, out)


def _same(a: Array, b: Array) -> bool:
    here: int = a.__array_interface__["data"][0]
    there: int = b.__array_interface__["data"][0]
    return here == there and a.strides == b.strides
