"""How far a result may lie from its op's reference: computed per element, from the op run on magnitudes. No number is typed in a test.

By ``op.validation``:

exact
    The same bits; NaN equals NaN.
rounded
    A few roundings of the magnitude that flows through the formula: the op on ``|x|`` and ``|parameters|``, nothing cancelling.
loose
    ``gamma_K · magnitude`` with ``gamma_K = K·eps/(1 − K·eps)``, K the length of the sum (Higham 2002, Accuracy and Stability of
    Numerical Algorithms, 3.1): it holds for every order of summation. eps is that of the type that sums are kept in.
"""

from __future__ import annotations

import math
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from curves import carried, size
from numpy.lib.stride_tricks import sliding_window_view

from gpucnn.backends.cpu.winograd import TRANSFORMS
from gpucnn.ops import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Binary,
    Conv,
    ConvMaxPool,
    ConvTranspose,
    CumSum,
    Dequantize,
    Einsum,
    Epilogue,
    GlobalAvgPool,
    GlobalLpPool,
    GroupNorm,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    Lookup,
    LookupConv,
    LpPool,
    MatMul,
    MaxPool,
    Normalize,
    Op,
    PReLU,
    Reduce,
    Resize,
    ScatterElements,
    ScatterND,
    Softmax,
    Unary,
)
from gpucnn.spec import spec_of

__all__ = ["FEW", "allowed", "assert_close", "gamma", "local_error", "magnitude", "reduction_length"]

FEW = 8
"""Roundings beside the sum: of folded constants, of the steps of a formula and of an epilogue, of the result."""

Arrays = tuple[Any, ...]


def gamma(k: int, eps: float) -> float:
    """Relative error of a sum of k products in any order."""
    assert k * eps < 1, f"a sum of {k} terms says nothing at eps {eps}"
    return k * eps / (1 - k * eps)


def reduction_length(op: Op, arrays: Arrays) -> int:
    """Products or terms that one element of the result adds up."""
    match op:
        case Conv() | Linear():
            return prod(arrays[1].shape[1:])
        case ConvTranspose():
            return arrays[1].shape[0] // op.groups * op.taps(arrays[1].shape[2:])
        case MatMul():
            return arrays[0].shape[-1]
        case Einsum():
            return op.terms_of_a_sum(*(a.shape for a in arrays))
        case AvgPool() | LpPool():
            return prod(op.kernel_size)
        case GlobalAvgPool() | GlobalLpPool():
            return prod(arrays[0].shape[2:])
        case AdaptiveAvgPool():
            return prod(n // p + 2 for n, p in zip(arrays[0].shape[2:], op.output_size))
        case Softmax() | LogSoftmax() | CumSum():
            return arrays[0].shape[op.dim]
        case Reduce():
            return prod(arrays[0].shape[a] for a in op.axes(arrays[0].ndim))
        case Resize():
            return op.reduction_length(spec_of(arrays[0]))
        case ScatterElements() | ScatterND():  # all updates at one place, with what is there
            return 1 + prod(arrays[1].shape[: -1 if isinstance(op, ScatterND) else None])
        case Normalize():  # a root of less than the first power is steeper
            return math.ceil(arrays[0].shape[op.dim] * max(1, 1 / op.p))
        case _:
            return 0


def _wide(arrays: Arrays) -> Arrays:
    return tuple(a.astype(np.float64) if a is not None and a.dtype.kind == "f" else a for a in arrays)


def _abs(arrays: Arrays) -> Arrays:
    return tuple(None if a is None else np.abs(a) for a in arrays)


def _resized(op: Resize, x: Any, steep: int | None) -> Any:
    """Absolute values with absolute weights; along axis number ``steep`` by 2, which no weight is steeper than."""
    y = np.abs(x)
    for axis, (dim, places, weights, _) in enumerate(op.taps(spec_of(x))):
        by = np.full_like(weights, 2) if axis == steep else np.abs(weights)
        terms = [np.where(w == 0, 0, np.moveaxis(np.take(y, p, dim), dim, -1) * w) for p, w in zip(places.T, by.T)]
        y = np.moveaxis(sum(terms), -1, dim)
    return y


def _resize_error(op: Resize, arrays: Arrays, unit: float, sum_eps: float) -> Any:
    """The sum's bound, and what a few roundings of a place do to the weights: places are float64, as far along as the axis is long."""
    x = arrays[0]
    sums = (gamma(reduction_length(op, arrays) + FEW, sum_eps) + FEW * unit) * _resized(op, x, None)
    shifts = (FEW * float(np.finfo(np.float64).eps) * max(x.shape[d], n) for d, n in zip(op.dims, op.sizes))
    moved = (shift * _resized(op, x, axis) for axis, shift in enumerate(shifts))
    return sums + sum(np.where(np.isfinite(m), m, 0) for m in moved)  # Inf where a weight of 0 is none of the sum's


def magnitude(op: Op, arrays: Arrays) -> Any:
    """The op on absolute values, in float64, with nothing cancelling; without the epilogue."""
    arrays = _wide(arrays)
    match op:
        case Conv() | ConvTranspose() | Linear():
            return replace(op, epilogue=Epilogue()).reference(np, *_abs(arrays[:3]))[0]
        case Activation():
            return size(op, arrays[0])
        case PReLU():
            return np.abs(arrays[0]) * np.maximum(1, np.abs(arrays[1]))
        case Binary("sub"):
            return np.add(*_abs(arrays))
        case Unary() | Binary("pow" | "atan2" | "maximum" | "minimum" | "remainder" | "fmod" | "floor_divide" | "trunc_divide"):
            # Functions of exact numbers, to a few roundings of the result, however steep they are; or the very result.
            return np.abs(op.reference(np, *arrays)[0])
        case BatchNorm():
            x, mean, var, weight, bias = (*arrays, None, None)[:5]
            x, mean, weight, bias = _abs((x, mean, weight, bias))
            return replace(op, activation=None).reference(np, x, -mean, var, weight, bias)[0]
        case Resize():
            return _resized(op, arrays[0], None)
        case Dequantize():  # the difference is exact
            return np.abs(op.reference(np, *arrays)[0])
        case ScatterElements() | ScatterND():
            return op.reference(np, np.abs(arrays[0]), arrays[1], np.abs(arrays[2]))[0]
        case AvgPool(divisor_override=int(d)):
            return replace(op, divisor_override=abs(d)).reference(np, *_abs(arrays))[0]
        case _:
            return op.reference(np, *_abs(arrays))[0]


def _activated_error(act: Activation, value: Any, error: Any, unit: float) -> Any:
    """What an activation makes of an error, and a few roundings of its own."""
    return carried(act, value, error) + FEW * unit * size(act, np.abs(value) + error)


def _tile_magnitude(op: Conv, arrays: Arrays, m: int) -> Any:
    """``|Aᵀ|(|G w Gᵀ| · |Bᵀ||d||B|)|A| + |bias|``: what flows through Winograd's formula, summed over channels, nothing cancelling."""
    x, weight, bias = np.abs(arrays[0]), arrays[1], _abs((*arrays[2:], None))[0]
    t = TRANSFORMS[m]
    (n, _, h, w), ((top, _), (left, _)) = x.shape, op.pads(spec_of(arrays[0]), spec_of(weight))
    _, k, p, q = op.infer(*(None if a is None else spec_of(a) for a in arrays[:2]))[0].shape
    down, across = -(-p // m), -(-q // m)
    padded = np.zeros((*x.shape[:2], down * m + 2, across * m + 2))
    lines, columns = min(h, down * m + 2 - top), min(w, across * m + 2 - left)
    padded[:, :, top : top + lines, left : left + columns] = x[:, :, :lines, :columns]
    tiles = sliding_window_view(padded, (m + 2, m + 2), (2, 3))[:, :, ::m, ::m]
    v = np.abs(t.input) @ tiles @ np.abs(t.input).T
    u = np.abs(t.kernel @ weight @ t.kernel.T)
    y = np.abs(t.output) @ np.einsum("nctuij,kcij->nktuij", v, u, optimize=True) @ np.abs(t.output).T
    total = y.transpose(0, 1, 2, 4, 3, 5).reshape(n, k, down * m, across * m)[:, :, :p, :q]
    return total if bias is None else total + bias[:, None, None]


def _epilogue_error(op: Conv | ConvTranspose | Linear, arrays: Arrays, unit: float, sum_eps: float, tile: int | None = None) -> Any:
    """The sum's own bound, what the activations make of it, and a few roundings of every value on the way."""
    x, weight, bias, residual = (*arrays, None, None)[:4]
    bare = replace(op, epilogue=Epilogue())
    total, length = magnitude(op, arrays), reduction_length(op, arrays)
    if tile:
        total, length = _tile_magnitude(op, arrays, tile), weight.shape[1] + 2 * (tile + 2) ** 2
    value = bare.reference(np, x, weight, bias)[0]
    error = (gamma(length + FEW, sum_eps) + FEW * unit) * total + FEW * unit * np.abs(value)
    for act, addend in ((op.epilogue.pre, residual), (op.epilogue.post, None)):
        if act is not None:
            error = _activated_error(act, value, error, unit)
            value = act.reference(np, value)[0]
        if addend is not None:
            value = value + addend
            error = error + FEW * unit * (np.abs(value) + np.abs(addend))
    # Where the sum is ±Inf or NaN nothing is rounded: what an activation makes of it is the same for all.
    # Winograd's tiles differ there: an infinity of any pixel makes NaN of all their results.
    return np.where(np.isfinite(total), error, np.inf if tile else 0)


def _softmax_error(op: Softmax, arrays: Arrays, unit: float, sum_eps: float) -> Any:
    """x − max is rounded, which exp turns into a relative error of |x − max| roundings, in the term itself and in the sum."""
    x = arrays[0]
    if x.size == 0:
        return np.zeros(x.shape)
    y = op.reference(np, x)[0]
    distance = 1 + np.where(y > 0, np.abs(x - x.max(axis=op.dim, keepdims=True)), 0)
    spread = (y * distance).sum(axis=op.dim, keepdims=True)
    return y * (gamma(x.shape[op.dim] + FEW, sum_eps) + FEW * unit * (distance + spread))


def _log_softmax_error(op: LogSoftmax, arrays: Arrays, unit: float, sum_eps: float) -> Any:
    """Of the sum, as for softmax, a relative error, which is the logarithm's absolute one; of each difference, a few roundings."""
    x = arrays[0]
    if x.size == 0:
        return np.zeros(x.shape)
    below = np.abs(x - x.max(axis=op.dim, keepdims=True))
    y = Softmax(op.dim).reference(np, x)[0]
    spread = (y * np.where(y > 0, 1 + below, 0)).sum(axis=op.dim, keepdims=True)
    return gamma(x.shape[op.dim] + FEW, sum_eps) + FEW * unit * (spread + below + np.log(x.shape[op.dim]))


def _reduce_error(op: Reduce, arrays: Arrays, unit: float, sum_eps: float) -> Any:
    """Sums by their magnitude; what is made of a sum by how steep it is there."""
    x = arrays[0]
    axes = op.axes(x.ndim)
    relative = gamma(reduction_length(op, arrays) + FEW, sum_eps) + FEW * unit
    kept = replace(op, keepdim=True, dtype=None)

    def of(kind: str, values: Any) -> Any:
        return replace(kept, kind=kind).reference(np, values)[0]

    match op.kind:
        case "logsumexp":  # x − top is rounded, which exp turns into a relative error of |x − top| roundings
            y = kept.reference(np, x)[0]
            share = np.exp(x - y)
            top = of("amax", np.abs(np.where(np.isfinite(x), x, 0)))
            distance = np.where(share > 0, np.abs(x - of("amax", x)), 0)
            error = relative + FEW * unit * of("sum", share * distance) + FEW * unit * (top + np.abs(y))
        case "log_sum":
            error = relative * of("sum", np.abs(x)) / np.abs(of("sum", x)) + FEW * unit * np.abs(kept.reference(np, x)[0])
        case "var" | "std":  # two passes, the second about a mean that is off by `shift`
            mean, count = of("mean", x), max(prod(x.shape[a] for a in axes), 1)
            shift = relative * of("mean", np.abs(x))
            apart = np.abs(x - mean)
            divisor = max(count - op.correction, 0.0)
            error = (relative * of("sum_square", apart) + 2 * shift * of("sum", apart) + 2 * count * shift**2) / divisor
            if op.kind == "std":
                value = of("var", x)
                error = np.sqrt(value + error) - np.sqrt(np.maximum(value - error, 0)) + FEW * unit * np.sqrt(value)
        case _:
            error = relative * kept.reference(np, np.abs(x))[0]
    return error if op.keepdim else np.squeeze(error, axes)


def _standard_error(rows: Any, eps: float, centred: bool, unit: float, sum_eps: float) -> Any:
    """Of ``(x − mean)/sqrt(var + eps)`` along the last axis, the sums in two passes.

    A mean that is off by m is off by it in every element: the squares then add up to a variance that is m² too large, but no more,
    because what is left of the elements adds up to nothing. The root halves the relative error of what it is taken of, and can do no more
    than lose the quotient altogether.
    """
    g = gamma(rows.shape[-1] + FEW, sum_eps)
    off = g * np.abs(rows).mean(axis=-1, keepdims=True) if centred else 0.0
    apart = rows - rows.mean(axis=-1, keepdims=True) if centred else rows
    square = (apart * apart).mean(axis=-1, keepdims=True) + eps
    relative = np.minimum(1, g + off * off / square)
    return (2 * off + np.abs(apart) * (relative + FEW * unit)) / np.sqrt(square)


def _norm_error(op: LayerNorm | GroupNorm, arrays: Arrays, unit: float, sum_eps: float) -> Any:
    """That of the quotient, scaled; and a few roundings of the scaled one and of the bias."""
    x, weight, bias = _abs_but_first((*arrays, None, None)[:3])
    if x.size == 0:
        return np.zeros(x.shape)
    if isinstance(op, LayerNorm):
        rows, shape = x.reshape(*x.shape[: x.ndim - op.dims], -1), x.shape[x.ndim - op.dims :]
        error = _standard_error(rows, op.eps, op.centred, unit, sum_eps).reshape(x.shape)
    else:
        rows, shape = x.reshape(x.shape[0], op.groups or x.shape[1], -1), (x.shape[1], *(1,) * (x.ndim - 2))
        error = _standard_error(rows, op.eps, True, unit, sum_eps).reshape(x.shape)
    error = error if weight is None else error * weight.reshape(shape)
    return error if bias is None else error + FEW * unit * bias.reshape(shape)


def _abs_but_first(arrays: Arrays) -> Arrays:
    return (arrays[0], *_abs(arrays[1:]))


def _neighbours_error(op: LocalResponseNorm, arrays: Arrays, unit: float, sum_eps: float) -> Any:
    """The base of the power is a sum; the power multiplies its relative error by beta."""
    squares, share = op.squares(np, arrays[0]), op.alpha / op.size
    relative = gamma(op.size + FEW, sum_eps) * (abs(op.k) + abs(share) * squares) / np.abs(op.k + share * squares)
    return np.abs(op.reference(np, arrays[0])[0]) * (abs(op.beta) * relative + FEW * unit)


def _lp_error(op: LpPool | GlobalLpPool, arrays: Arrays, unit: float, sum_eps: float) -> Any:
    """Relative, for nothing cancels: a share of the largest, once rounded, makes p roundings of its power; the root takes a p-th of all."""
    total = gamma(reduction_length(op, arrays) + FEW, sum_eps) + FEW * (1 + op.p) * unit
    return (total / op.p + FEW * unit) * magnitude(op, arrays)


def local_error(op: Op, arrays: Arrays, dtype: Any, tile: int | None = None) -> Any:
    """Bound of what rounding may do inside this one op, with inputs taken as exact, stored in ``dtype``: float64, per element.

    ``tile`` is the side of Winograd's tiles where an impl computes in such, and another magnitude flows.
    """
    dtype = np.dtype(dtype)
    if op.validation == "exact" or dtype.kind != "f":
        return np.zeros(())
    if isinstance(op, ConvMaxPool):  # a maximum is off by no more than what it is of
        return MaxPool((2, 2), (2, 2)).reference(np, local_error(op.conv, arrays, dtype, tile))[0]
    if isinstance(op, LookupConv):  # looking up is exact
        op, arrays = op.conv, (*Lookup().reference(np, *arrays[:2]), *arrays[2:])
    unit = float(np.finfo(dtype).eps)
    sum_eps = float(np.finfo(np.float64 if dtype.itemsize == 8 else np.float32).eps)
    with np.errstate(all="ignore"):
        arrays = _wide(arrays)
        if isinstance(op, (Conv, ConvTranspose, Linear)):
            error = _epilogue_error(op, arrays, unit, sum_eps, tile)
        elif isinstance(op, BatchNorm) and op.activation is not None:
            total, value = magnitude(op, arrays), replace(op, activation=None).reference(np, *arrays)[0]
            error = np.where(np.isfinite(total), _activated_error(op.activation, value, FEW * unit * total, unit), 0)
        elif isinstance(op, Softmax):
            error = _softmax_error(op, arrays, unit, sum_eps)
        elif isinstance(op, LogSoftmax):
            error = _log_softmax_error(op, arrays, unit, sum_eps)
        elif isinstance(op, Resize):
            error = _resize_error(op, arrays, unit, sum_eps)
        elif isinstance(op, Reduce):
            error = _reduce_error(op, arrays, unit, sum_eps)
        elif isinstance(op, (LayerNorm, GroupNorm)):
            error = _norm_error(op, arrays, unit, sum_eps)
        elif isinstance(op, LocalResponseNorm):
            error = _neighbours_error(op, arrays, unit, sum_eps)
        elif isinstance(op, (LpPool, GlobalLpPool)):
            error = _lp_error(op, arrays, unit, sum_eps)
        else:
            length = reduction_length(op, arrays)
            error = ((gamma(length + FEW, sum_eps) if length else 0.0) + FEW * unit) * magnitude(op, arrays)
        return np.nan_to_num(np.abs(error), nan=0.0, posinf=np.inf if tile else 0.0)


def allowed(op: Op, arrays: Arrays, expected: Any, tile: int | None = None) -> Any:
    """How far each element of a result may lie from ``expected``: the bound inside the op, rounding of the result, and underflow."""
    if op.validation == "exact" or expected.dtype.kind != "f":
        return np.zeros(expected.shape)
    kind = np.finfo(expected.dtype)
    with np.errstate(all="ignore"):
        rounding = np.nan_to_num(FEW * float(kind.eps) * np.abs(expected.astype(np.float64)), nan=0.0, posinf=0.0)
    return np.broadcast_to(local_error(op, arrays, expected.dtype, tile), expected.shape) + rounding + FEW * float(kind.smallest_normal)


def _bits(x: Any) -> Any:
    return np.ascontiguousarray(x).reshape(-1).view(f"u{x.dtype.itemsize}").reshape(x.shape)


def wrong_elements(actual: Any, expected: Any, limit: Any) -> Any:
    """Mask of the elements that are not as expected; non-finite ones have to be the same."""
    if expected.dtype.kind != "f":
        return actual != expected
    both_nan = np.isnan(actual) & np.isnan(expected)
    with np.errstate(all="ignore"):
        distance = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        near = np.where(np.isfinite(expected) & np.isfinite(actual), distance <= limit, actual == expected)
    same = _bits(actual) == _bits(expected)
    return ~(both_nan | same | (near & (limit > 0)) | np.isinf(limit))


def assert_close(op: Op, actual: Arrays, arrays: Arrays, tile: int | None = None) -> None:
    """Assert that ``actual`` is what the op's reference gives for ``arrays``, within what its class allows."""
    with np.errstate(all="ignore"):
        expected = op.reference(np, *arrays)
    assert len(actual) == len(expected), f"{op.name}: {len(expected)} outputs expected, got {len(actual)}"
    inferred = op.infer(*(None if a is None else spec_of(a) for a in arrays))
    for i, (got, want, spec) in enumerate(zip(actual, expected, inferred)):
        got, want = np.asarray(got), np.asarray(want)
        assert got.shape == spec.shape == want.shape, f"{op.name}: shape {spec.shape} expected, got {got.shape}, reference {want.shape}"
        assert got.dtype == spec.dtype == want.dtype, f"{op.name}: dtype {spec.dtype} expected, got {got.dtype}, reference {want.dtype}"
        limit = allowed(op, arrays, want, tile)
        wrong = wrong_elements(got, want, limit)
        if wrong.any():
            at = tuple(int(k) for k in np.argwhere(wrong)[0])
            raise AssertionError(
                f"{op}: output {i}, {int(wrong.sum())} of {wrong.size} elements are wrong, first at {at}: "
                f"expected {want[at]!r}, got {got[at]!r}, allowed ±{limit[at]:.3g}"
            )
