"""Pooling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from gpucnn.ops import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Conv,
    ConvMaxPool,
    FractionalMaxPool,
    GlobalAvgPool,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMinPool,
    LpPool,
    MaxPool,
    MaxUnpool,
    MinPool,
    Op,
)
from gpucnn.spec import spec_of

from .base import Oracle, auto_pad, onnx
from .conv import conv


def max_pool(op: MaxPool, x: Any) -> tuple[Any, ...]:
    """ONNX; its indices count through the whole array, ours through the plane."""
    fields = {"strides": op.stride, "dilations": op.dilation, "kernel_shape": op.kernel_size, "ceil_mode": int(op.ceil_mode)}
    y, *where = onnx("MaxPool", x, outputs=1 + op.return_indices, **fields, **auto_pad(op.padding))
    return (y, *(w % prod(x.shape[2:]) for w in where))


def windows_by_hand(op: MaxPool | MinPool | LpPool, x: Any) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    """The place of each result, and those of the values under its window that lie on the image."""
    pads = op.pads(spec_of(x))
    for n, c, *at in np.ndindex(*op.infer(spec_of(x))[0].shape):
        taps = itertools.product(*map(range, op.kernel_size))
        met = [tuple(p * s - b + t * d for p, s, (b, _), t, d in zip(at, op.stride, pads, tap, op.dilation)) for tap in taps]
        yield (n, c, *at), [(n, c, *i) for i in met if all(0 <= k < size for k, size in zip(i, x.shape[2:]))]


def max_pool_by_hand(op: MaxPool, x: Any) -> tuple[Any, ...]:
    """Of the values under a window those that lie on the image, one window after another."""
    shape = op.infer(spec_of(x))[0].shape
    y, where = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    for at, under in windows_by_hand(op, x):
        y[at], where[at] = largest_of(x, under)
    return (y, where) if op.return_indices else (y,)


def largest_of(x: Any, under: list[tuple[int, ...]]) -> tuple[Any, int]:
    """The largest of the values under a window, and the place in the plane of the first that is: NaN before all, −1 for nothing."""
    best, place = None, -1
    for i in under:
        v = x[i]
        if best is None or v > best or (v != v and best == best):
            best, place = v, int(np.ravel_multi_index(i[2:], x.shape[2:]))
    nothing = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return nothing if best is None else best, place


def min_pool(op: MinPool, x: Any) -> tuple[Any, ...]:
    """Its definition: −max(−x), in a type that has −x."""
    negative = -x.astype(np.float64 if x.dtype.kind == "f" else np.int64)
    return (-max_pool(MaxPool(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode), negative)[0],)


def min_pool_by_hand(op: MinPool, x: Any) -> tuple[Any, ...]:
    """The least of a list, which NumPy lets be NaN; of none the highest that there is."""
    y = np.empty(op.infer(spec_of(x))[0].shape, x.dtype)
    highest = np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    for at, under in windows_by_hand(op, x):
        y[at] = np.min([x[i] for i in under]) if under else highest
    return (y,)


def avg_pool(op: AvgPool, x: Any) -> tuple[Any, ...]:
    fields = {"strides": op.stride, "dilations": op.dilation, "kernel_shape": op.kernel_size, "ceil_mode": int(op.ceil_mode)}
    if op.divisor_override is not None:
        ones = np.ones((1, 1, *op.kernel_size)) / op.divisor_override
        channels = Conv(op.stride, op.padding, op.dilation)
        y = [conv(channels, x[:, c : c + 1], ones)[0] for c in range(x.shape[1])]
        return (np.concatenate(y, axis=1),)
    (y,) = onnx("AveragePool", x, count_include_pad=int(op.count_include_pad), **fields, **auto_pad(op.padding))
    if op.padding == ((4, 4), (4, 4)) and not op.count_include_pad:
        y = np.where(np.isnan(y), 0, y)  # windows of nothing: ONNX divides 0 by 0, PyTorch's kernel says 0, and so do we
    return (y,)


def norm_by_hand(values: Any, p: float) -> float:
    """``(Σ |x|^p)^(1/p)``, the sum in whole digits, of what share of the largest each is."""
    values = [abs(float(v)) for v in values]
    top = max(values, default=0.0)
    if any(v != v for v in values):
        return math.nan
    if top in (0.0, math.inf):
        return top
    return top * math.fsum((v / top) ** p for v in values) ** (1 / p)


def lp_pool(op: LpPool, x: Any) -> tuple[Any, ...]:
    """ONNX, whose p is a whole number."""
    fields = {"strides": op.stride, "dilations": op.dilation, "kernel_shape": op.kernel_size, "ceil_mode": int(op.ceil_mode)}
    return onnx("LpPool", x, p=int(op.p), **fields, **auto_pad(op.padding))


def lp_pool_by_hand(op: LpPool, x: Any) -> tuple[Any, ...]:
    y = np.empty(op.infer(spec_of(x))[0].shape)
    for at, under in windows_by_hand(op, x):
        y[at] = norm_by_hand([x[i] for i in under], op.p)
    return (y,)


def global_lp_pool(op: GlobalLpPool, x: Any) -> tuple[Any, ...]:
    """ONNX's LpPool with one window: its evaluator has no GlobalLpPool."""
    return onnx("LpPool", x, p=int(op.p), kernel_shape=x.shape[2:])


def global_lp_pool_by_hand(op: GlobalLpPool, x: Any) -> tuple[Any, ...]:
    y = np.empty((*x.shape[:2], *(1,) * (x.ndim - 2)))
    for at in np.ndindex(*x.shape[:2]):
        y[at] = norm_by_hand(x[at].ravel(), op.p)
    return (y,)


def global_max_pool(op: GlobalMaxPool, x: Any) -> tuple[Any, ...]:
    """ONNX; its evaluator computes in the type given, so integers are widened, which is exact."""
    (y,) = onnx("GlobalMaxPool", x.astype(np.float64))
    return (y,)


def by_sorting(x: Any, last: int) -> tuple[Any, ...]:
    """The first or last of the sorted pixels; NaN, which sorts last, where there is one."""
    ordered = np.sort(x.reshape(*x.shape[:2], prod(x.shape[2:])), axis=2)
    y = ordered[..., last] if x.dtype.kind != "f" else np.where(np.isnan(ordered[..., -1]), np.nan, ordered[..., last])
    return (y.reshape(*x.shape[:2], *(1,) * (x.ndim - 2)),)


def adaptive_avg_pool(op: AdaptiveAvgPool, x: Any) -> tuple[Any, ...]:
    """Both grids laid over the same length: a window's mean is over the pixels that it touches. All in whole numbers."""
    y = x.astype(np.float64)
    for axis, p in enumerate(op.output_size, 2):
        n = x.shape[axis]
        touched = [[i for i in range(n) if i * p < (k + 1) * n and (i + 1) * p > k * n] for k in range(p)]
        y = np.stack([np.take(y, t, axis).mean(axis) for t in touched], axis)
    return (y,)


def adaptive_lines(n: int, p: int) -> list[range]:
    """The pixels of every window: ``start = floor(i·in/out)``, ``end = ceil((i+1)·in/out)``, of exact fractions."""
    return [range(math.floor(Fraction(i * n, p)), math.ceil(Fraction((i + 1) * n, p))) for i in range(p)]


def under_lines(x: Any, c: tuple[int, int], lines: Sequence[Sequence[range]], at: Sequence[int]) -> list[tuple[int, ...]]:
    """The places under one window, of an image and channel, that meets these lines of each axis."""
    return [(*c, *i) for i in itertools.product(*(line[k] for line, k in zip(lines, at)))]


def adaptive_avg_pool_by_hand(op: AdaptiveAvgPool, x: Any) -> tuple[Any, ...]:
    """One window after another."""
    y = np.empty((*x.shape[:2], *op.output_size))
    lines = [adaptive_lines(n, p) for n, p in zip(x.shape[2:], op.output_size)]
    for at in np.ndindex(*op.output_size):
        window = x.astype(np.float64)[(slice(None), slice(None), *np.ix_(*(line[k] for line, k in zip(lines, at))))]
        y[(slice(None), slice(None), *at)] = window.mean(axis=tuple(range(2, x.ndim)))
    return (y,)


def adaptive_max_pool(op: AdaptiveMaxPool, x: Any) -> tuple[Any, ...]:
    """One window after another."""
    shape = (*x.shape[:2], *op.output_size)
    y, where = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    lines = [adaptive_lines(n, p) for n, p in zip(x.shape[2:], op.output_size)]
    for n, c, *at in np.ndindex(*shape):
        y[(n, c, *at)], where[(n, c, *at)] = largest_of(x, under_lines(x, (n, c), lines, at))
    return (y, where)[: 1 + op.return_indices]


def fractional_starts(u: Any, n: int, p: int, k: int) -> list[int]:
    """``alpha = (in − k)/(out − 1)``, ``start_i = int((i+u)·alpha) − int(u·alpha)``, the last ``in − k``, in the type of u."""
    real = type(u) if u.itemsize > 2 else np.float32
    u = real(u)
    starts = []
    for i in range(p - 1):
        alpha = real(n - k) / real(p - 1)
        starts.append(int((real(i) + u) * alpha) - int(u * alpha))
    return [*starts, n - k]


def fractional_max_pool(op: FractionalMaxPool, x: Any, samples: Any) -> tuple[Any, ...]:
    """One window after another; the samples of a plane are for width and height in this order, else for depth, height, width."""
    shape = (*x.shape[:2], *op.output_size)
    y, where = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    for n, c in np.ndindex(*x.shape[:2]):
        u = list(samples[n if len(samples) > 1 else 0, c])
        if len(op.kernel_size) == 2:
            u = [u[1], u[0]]
        geometry = zip(u, x.shape[2:], op.output_size, op.kernel_size)
        lines = [[range(s, s + k) for s in fractional_starts(u, size, p, k)] for u, size, p, k in geometry]
        for at in np.ndindex(*op.output_size):
            y[(n, c, *at)], where[(n, c, *at)] = largest_of(x, under_lines(x, (n, c), lines, at))
    return (y, where)[: 1 + op.return_indices]


def max_unpool(op: MaxUnpool, x: Any, indices: Any) -> tuple[Any, ...]:
    """ONNX; its indices count through the whole array, and its plane follows from a window."""
    planes = np.arange(prod(x.shape[:2])).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
    kernel = [p - n + 1 for n, p in zip(x.shape[2:], op.output_size)]
    (y,) = onnx("MaxUnpool", x, indices.astype(np.int64) + planes * prod(op.output_size), kernel_shape=kernel)
    return (y,)


def max_unpool_by_hand(op: MaxUnpool, x: Any, indices: Any) -> tuple[Any, ...]:
    """One value after another, each over what was there."""
    y = np.zeros((*x.shape[:2], *op.output_size), x.dtype)
    for n, c, *at in np.ndindex(*x.shape):
        place = int(indices[(n, c, *at)])
        if place >= 0:
            y[(n, c, *np.unravel_index(place, op.output_size))] = x[(n, c, *at)]
    return (y,)


def conv_max_pool(op: ConvMaxPool, x: Any, *rest: Any) -> tuple[Any, ...]:
    return max_pool(MaxPool((2, 2), (2, 2)), *conv(op.conv, x, *rest))


def conv_max_pool_by_hand(op: ConvMaxPool, x: Any, *rest: Any) -> tuple[Any, ...]:
    return max_pool_by_hand(MaxPool((2, 2), (2, 2)), *conv(op.conv, x, *rest))


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    ConvMaxPool: (conv_max_pool, conv_max_pool_by_hand),
    MaxPool: (max_pool, max_pool_by_hand),
    MinPool: (min_pool, min_pool_by_hand),
    AvgPool: (avg_pool,),
    LpPool: (lp_pool, lp_pool_by_hand),
    GlobalAvgPool: (lambda op, x: onnx("GlobalAveragePool", x),),
    GlobalMaxPool: (global_max_pool, lambda op, x: by_sorting(x, -1)),
    GlobalMinPool: (lambda op, x: by_sorting(x, 0),),
    GlobalLpPool: (global_lp_pool, global_lp_pool_by_hand),
    AdaptiveAvgPool: (adaptive_avg_pool, adaptive_avg_pool_by_hand),
    AdaptiveMaxPool: (adaptive_max_pool,),
    FractionalMaxPool: (fractional_max_pool,),
    MaxUnpool: (max_unpool, max_unpool_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("MaxPool", "NaN and Inf"): "the evaluator skips NaN: max([nan, 1.29]) is 1.29 there; PyTorch and NumPy let NaN through",
    ("MaxPool", "windows in the padding alone"): "the evaluator gives 0 for a window without a pixel, whatever lies below 0",
    ("MaxPool", "indices of NaN and Inf"): "as NaN and Inf",
    ("MaxPool", "indices of windows in the padding alone"): "as windows in the padding alone",
    ("MaxPool", "same_lower"): "the evaluator gives 3 windows for 7 pixels at stride 2; the specification says ceil(7/2) = 4",
    ("MaxPool", "1x5"): "the evaluator takes the maximum of an empty slice where padding is given for one axis alone",
    ("MaxPool", "5x1"): "as 1x5",
    ("ConvMaxPool", "NaN and Inf"): "as for MaxPool",
    ("MinPool", "NaN and Inf"): "as for MaxPool",
    ("MinPool", "windows in the padding alone"): "as for MaxPool",
    ("MinPool", "uint8, windows in the padding alone"): "as for MaxPool",
    ("MinPool", "same_lower"): "as for MaxPool",
    ("MinPool", "1x5"): "as for MaxPool",
    ("MinPool", "5x1"): "as for MaxPool",
    ("LpPool", "ceil mode"): "the evaluator scales the mean of what a window meets up to a whole window, as PyTorch does",
    ("LpPool", "ceil mode, padding"): "as ceil mode",
    ("LpPool", "3-d"): "as ceil mode",
    ("LpPool", "NaN and Inf"): "as for MaxPool",
    ("LpPool", "p 1, NaN and Inf"): "as for MaxPool",
    ("LpPool", "p 3, NaN and Inf"): "as for MaxPool",
    ("LpPool", "p 2.5"): "ONNX's p is a whole number",
    ("LpPool", "p 0.5"): "as p 2.5",
    ("LpPool", "p 11, far"): "the evaluator's powers leave float64",
    ("GlobalLpPool", "NaN and Inf"): "as for MaxPool",
    ("GlobalLpPool", "p 2.5"): "as for LpPool",
    ("GlobalLpPool", "p 0.5"): "as for LpPool",
    ("GlobalLpPool", "p 11, far"): "as for LpPool",
    ("GlobalMaxPool", "1-d"): "the evaluator takes the maximum over the channels too where there is one spatial axis",
    ("GlobalMaxPool", "3-d"): "the evaluator takes the maximum over two of three spatial axes",
    ("MaxUnpool", "some at no place"): "ONNX has no index for no place: there −1 is the last element",
    ("GlobalAvgPool", "batch 0"): "the evaluator divides by the size of the array",
}
"""By op and case: why the first oracle, ONNX's, cannot be asked. Each of them has a second one or a value computed by hand."""
