"""Activations as chains of ufuncs over pieces that stay in the first-level cache, into memory that is there already."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from ...ops import Activation
from ...spec import Array
from ..base import Call, in_order

__all__ = ["SCRATCH", "WHOLE", "activate", "glu", "pieces", "prelu", "whole"]

_PIECE = 8192  # elements of a piece: 32 KB

SCRATCH = 3 * _PIECE
"""Elements of float32 scratch that ``activate`` may want."""

WHOLE = ("relu", "clip", "tanh")
"""Kinds that want none, and gain nothing from pieces."""


def whole(act: Activation, x: Array, out: Array, full: Callable[[float], Array]) -> list[Call] | None:
    """Calls that write the activation of ``x`` to ``out``, which may be the same array; None where that takes scratch.

    ``full(v)`` is an array of v that broadcasts to x: ``maximum`` with an array runs three times as fast as with a scalar,
    because NumPy vectorises only the former.
    """
    if act.kind == "relu":
        zero = full(0.0)
        return [lambda: np.maximum(x, zero, out=out)]
    if act.kind == "clip":
        with np.errstate(over="ignore"):  # a bound that the type cannot hold is no bound: infinite
            low, high = x.dtype.type(act.alpha), x.dtype.type(act.beta)
        return [lambda: x.clip(low, high, out=out)]  # as fast as one of maximum and minimum, and with scalars seven times as with arrays
    if act.kind == "tanh":
        return [lambda: np.tanh(x, out=out)]
    return None


def activate(act: Activation, x: Array, out: Array, scratch: Sequence[Array]) -> list[Call]:
    """Calls, one a piece, that write the activation of float32 ``x`` to ``out``, which may be the same array.

    Call i works in ``scratch[i % len(scratch)]``, a flat float32 array of ``SCRATCH`` elements; kinds of ``WHOLE`` want none.
    """
    calls = []
    for i, (target, part) in enumerate(pieces(out, x)):
        shape, size = part.shape, part.size

        def full(value: float, shape: tuple[int, ...] = shape, size: int = size) -> Array:
            return _constant(value)[:size].reshape(shape)

        simple = whole(act, part, target, full)
        if simple is None:
            memory = scratch[i % len(scratch)]
            rows = [memory[start : start + size].reshape(shape) for start in range(0, SCRATCH, _PIECE)]
            simple = [_CHAINS[act.kind](act, part, target, rows, full)]
        calls.append(in_order(simple))
    return calls


def prelu(x: Array, weight: Array, out: Array, scratch: Sequence[Array]) -> list[Call]:
    """Calls as of ``activate``; ``weight`` has x's shape, by strides of 0."""
    calls = []
    for i, (target, part, slope) in enumerate(pieces(out, x, weight)):
        t, mask = (scratch[i % len(scratch)][at : at + part.size].reshape(part.shape) for at in (0, _PIECE))
        calls.append(_prelu(part, slope, target, t, _mask(mask)))
    return calls


def _prelu(x: Array, weight: Array, out: Array, t: Array, above: Array) -> Call:
    zero = np.float32(0)

    def call() -> None:  # whatever the weight is, it has no part in what lies above 0
        np.greater(x, zero, out=above)
        np.multiply(x, weight, out=t)
        np.copyto(t, x, where=above)
        np.copyto(out, t)

    return call


def glu(a: Array, b: Array, out: Array, scratch: Sequence[Array]) -> list[Call]:
    """Calls as of ``activate``: ``a·sigmoid(b)``."""
    calls = []
    for i, (target, first, second) in enumerate(pieces(out, a, b)):
        calls.append(_glu(first, second, target, scratch[i % len(scratch)][: first.size].reshape(first.shape)))
    return calls


def _glu(a: Array, b: Array, out: Array, t: Array) -> Call:
    def call() -> None:  # a/(1 + exp(−b))
        np.negative(b, out=t)
        np.exp(t, out=t)
        np.add(t, 1, out=t)
        np.divide(a, t, out=out)

    return call


def pieces(out: Array, *inputs: Array) -> Iterator[tuple[Array, ...]]:
    """Matching parts of arrays of one shape, at most ``_PIECE`` elements each, in the order in which ``out`` lies."""
    order = sorted(range(out.ndim), key=lambda axis: -abs(out.strides[axis]))
    arrays = [a.transpose(order) for a in (out, *inputs)]
    if all(a.flags.c_contiguous for a in arrays):
        arrays = [a.reshape(-1) for a in arrays]
    yield from _split(*arrays)


def _split(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    size = arrays[0].size
    if size <= _PIECE:
        if size:
            yield arrays
        return
    inner = size // len(arrays[0])
    if inner > _PIECE:
        for rows in zip(*arrays):
            yield from _split(*rows)
        return
    step = _PIECE // inner
    for i in range(0, len(arrays[0]), step):
        yield tuple(a[i : i + step] for a in arrays)


@lru_cache(maxsize=64)
def _constant(value: float) -> Array:
    with np.errstate(over="ignore"):
        row = np.full(_PIECE, value, np.float32)
    row.flags.writeable = False
    return row


def _mask(row: Array) -> Array:
    """Booleans in the memory of a row of scratch."""
    return row.reshape(-1).view(np.bool_)[: row.size].reshape(row.shape)


# What writes f(x) to out, with rows as scratch in x's shape and full for constants; x may be out.
Chain = Callable[[Activation, Array, Array, Sequence[Array], Callable[[float], Array]], Call]


def _sigmoid(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    minus = np.float32(-1)

    def call() -> None:  # exp may become infinite, and 1/(1 + Inf) is right
        np.multiply(x, minus, out=out)  # np.negative of NumPy 2 is wrong from one map with gaps to another
        np.exp(out, out=out)
        np.add(out, 1, out=out)
        np.reciprocal(out, out=out)

    return call


def _logsigmoid(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, zero = rows[0], full(0.0)

    def call() -> None:  # min(x, 0) − log(1 + exp(−|x|))
        np.abs(x, out=t)
        np.negative(t, out=t)
        np.exp(t, out=t)
        np.log1p(t, out=t)
        np.minimum(x, zero, out=out)
        np.subtract(out, t, out=out)

    return call


def _hardsigmoid(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    slope, at_zero, zero, one = np.float32(act.alpha), np.float32(act.beta), full(0.0), full(1.0)

    def call() -> None:
        np.multiply(x, slope, out=out)
        np.add(out, at_zero, out=out)
        np.maximum(out, zero, out=out)
        np.minimum(out, one, out=out)

    return call


def _hardswish(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t = rows[0]
    gate = _hardsigmoid(Activation("hardsigmoid", 1 / 6, 0.5), x, t, rows, full)

    def call() -> None:
        gate()
        np.multiply(x, t, out=out)

    return call


def _silu(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t = rows[0]

    def call() -> None:  # x/(1 + exp(−x))
        np.negative(x, out=t)
        np.exp(t, out=t)
        np.add(t, 1, out=t)
        np.divide(x, t, out=out)

    return call


def _gelu_tanh(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, twice = rows[0], 2 * math.sqrt(2 / math.pi)
    first, third = np.float32(-twice), np.float32(-twice * 0.044715)

    def call() -> None:  # (1 + tanh(u))/2 = 1/(1 + exp(−2u))
        np.multiply(x, x, out=t)
        np.multiply(t, third, out=t)
        np.add(t, first, out=t)
        np.multiply(t, x, out=t)
        np.exp(t, out=t)
        np.add(t, 1, out=t)
        np.divide(x, t, out=out)

    return call


def _mish(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, u, most = rows[0], rows[1], full(20.0)  # above it the quotient is 1

    def call() -> None:  # tanh(log(1 + e)) = n/(n + 2) with n = e·(e + 2)
        np.minimum(x, most, out=t)
        np.exp(t, out=t)
        np.add(t, 2, out=u)
        np.multiply(t, u, out=t)
        np.add(t, 2, out=u)
        np.divide(t, u, out=t)
        np.multiply(x, t, out=out)

    return call


_ERF_ABOVE = (
    -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04,
    -2.95459980854025e-03, -1.60960333262415e-02,
)  # fmt: skip
_ERF_BELOW = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)
"""``erf(x) = x·P(x²)/Q(x²)`` up to 4, where float32 has 1: a rational interpolation to some ulps. The coefficients, highest power first,
are those that Eigen publishes (``generic_fast_erf_float``) and TVM, MLIR and XLA use too."""


def _erf(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, u, p = rows
    most, least, one, minus = full(4.0), full(-4.0), full(1.0), full(-1.0)
    above, below = ([np.float32(c) for c in coefficients] for coefficients in (_ERF_ABOVE, _ERF_BELOW))

    def horner(coefficients: list[np.float32], total: Array) -> None:
        np.multiply(u, coefficients[0], out=total)
        for c in coefficients[1:-1]:
            np.add(total, c, out=total)
            np.multiply(total, u, out=total)
        np.add(total, coefficients[-1], out=total)

    def call() -> None:
        np.minimum(x, most, out=t)
        np.maximum(t, least, out=t)
        np.multiply(t, t, out=u)
        horner(above, p)
        np.multiply(p, t, out=p)
        horner(below, t)
        np.divide(p, t, out=t)
        np.minimum(t, one, out=t)
        np.maximum(t, minus, out=out)

    return call


def _gelu(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, root, half = rows[0], np.float32(math.sqrt(0.5)), np.float32(0.5)
    inner = _erf(act, t, t, rows, full)

    def call() -> None:  # x·(1 + erf(x/√2))/2
        np.multiply(x, root, out=t)
        inner()
        np.multiply(t, half, out=t)
        np.add(t, half, out=t)
        np.multiply(x, t, out=out)

    return call


def _softplus(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, u, zero, scale = rows[0], rows[1], full(0.0), np.float32(act.alpha)
    bound = np.maximum if act.alpha > 0 else np.minimum
    # What is left of the logarithm at the threshold, beside it: below a half unit in the last place nobody sees the threshold.
    shows = act.beta <= 0 or math.exp(-act.beta) > act.beta * 2**-25
    limit, above = np.float32(act.beta), _mask(rows[2])

    def call() -> None:  # x where scale·x is positive, and log(1 + exp(−|scale·x|))/scale
        np.multiply(x, scale, out=t)
        if shows:
            np.greater(t, limit, out=above)
        np.abs(t, out=t)
        np.negative(t, out=t)
        np.exp(t, out=t)
        np.log1p(t, out=t)
        np.divide(t, scale, out=t)
        bound(x, zero, out=u)
        np.add(t, u, out=t)
        if shows:
            np.copyto(t, x, where=above)
        np.copyto(out, t)

    return call


def _softsign(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t = rows[0]

    def call() -> None:
        np.abs(x, out=t)
        np.add(t, 1, out=t)
        np.divide(x, t, out=out)

    return call


def _tanhshrink(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t = rows[0]

    def call() -> None:
        np.tanh(x, out=t)
        np.subtract(x, t, out=out)

    return call


def _leaky_relu(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, slope, zero = rows[0], np.float32(act.alpha), full(0.0)

    def steep() -> None:
        np.minimum(x, zero, out=t)
        np.multiply(t, slope, out=t)
        np.maximum(x, zero, out=out)
        np.add(out, t, out=out)

    def flat() -> None:  # the larger one of the two lines
        np.multiply(x, slope, out=t)
        np.maximum(x, t, out=out)

    return flat if 0 < slope <= 1 else steep


def _elu(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    """ELU, SELU and CELU: ``right·max(x, 0) + left·(exp(min(x, 0)/width) − 1)``."""
    left, right, width = {
        "elu": (act.alpha, 1.0, 1.0),
        "selu": (act.alpha * act.beta, act.beta, 1.0),
        "celu": (act.alpha, 1.0, act.alpha),
    }[act.kind]
    t, zero = rows[0], full(0.0)

    def call() -> None:
        np.minimum(x, zero, out=t)
        if width != 1.0:
            np.divide(t, np.float32(width), out=t)
        np.expm1(t, out=t)
        np.multiply(t, np.float32(left), out=t)
        np.maximum(x, zero, out=out)
        if right != 1.0:
            np.multiply(out, np.float32(right), out=out)
        np.add(out, t, out=out)

    return call


def _shrink(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    t, low, by = rows[0], np.float32(act.alpha), np.float32(act.beta)
    inside = _mask(rows[1])

    def call() -> None:
        np.abs(x, out=t)
        np.less_equal(t, low, out=inside)
        np.copysign(by, x, out=t)
        np.subtract(x, t, out=out)
        np.copyto(out, 0, where=inside)

    return call


def _threshold(act: Activation, x: Array, out: Array, rows: Sequence[Array], full: Callable[[float], Array]) -> Call:
    low, value, below = np.float32(act.alpha), np.float32(act.beta), _mask(rows[0])

    def call() -> None:
        np.less_equal(x, low, out=below)
        np.copyto(out, x)
        np.copyto(out, value, where=below)

    return call


_CHAINS: dict[str, Chain] = {
    "sigmoid": _sigmoid,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _elu,
    "celu": _elu,
    "silu": _silu,
    "mish": _mish,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "erf": _erf,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "softplus": _softplus,
    "softsign": _softsign,
    "logsigmoid": _logsigmoid,
    "shrink": _shrink,
    "tanhshrink": _tanhshrink,
    "threshold": _threshold,
}
