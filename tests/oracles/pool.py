"""Pooling."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from gpucnn.ops import AdaptiveAvgPool, AvgPool, Conv, GlobalAvgPool, MaxPool, MinPool, Op
from gpucnn.spec import spec_of

from .base import Oracle, auto_pad, onnx
from .conv import conv


def max_pool(op: MaxPool, x: Any) -> tuple[Any, ...]:
    """ONNX; its indices count through the whole array, ours through the plane."""
    fields = {"strides": op.stride, "dilations": op.dilation, "kernel_shape": op.kernel_size, "ceil_mode": int(op.ceil_mode)}
    y, *where = onnx("MaxPool", x, outputs=1 + op.return_indices, **fields, **auto_pad(op.padding))
    return (y, *(w % prod(x.shape[2:]) for w in where))


def windows_by_hand(op: MaxPool | MinPool, x: Any) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
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
        best, place = None, -1
        for i in under:
            v = x[i]
            if best is None or v > best or (v != v and best == best):
                best, place = v, int(np.ravel_multi_index(i[2:], x.shape[2:]))
        nothing = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        y[at], where[at] = nothing if best is None else best, place
    return (y, where) if op.return_indices else (y,)


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


def adaptive_avg_pool(op: AdaptiveAvgPool, x: Any) -> tuple[Any, ...]:
    """Both grids laid over the same length: a window's mean is over the pixels that it touches. All in whole numbers."""
    y = x.astype(np.float64)
    for axis, p in enumerate(op.output_size, 2):
        n = x.shape[axis]
        touched = [[i for i in range(n) if i * p < (k + 1) * n and (i + 1) * p > k * n] for k in range(p)]
        y = np.stack([np.take(y, t, axis).mean(axis) for t in touched], axis)
    return (y,)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    MaxPool: (max_pool, max_pool_by_hand),
    MinPool: (min_pool, min_pool_by_hand),
    AvgPool: (avg_pool,),
    GlobalAvgPool: (lambda op, x: onnx("GlobalAveragePool", x),),
    AdaptiveAvgPool: (adaptive_avg_pool,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("MaxPool", "NaN and Inf"): "the evaluator skips NaN: max([nan, 1.29]) is 1.29 there; PyTorch and NumPy let NaN through",
    ("MaxPool", "windows in the padding alone"): "the evaluator gives 0 for a window without a pixel, whatever lies below 0",
    ("MaxPool", "indices of NaN and Inf"): "as NaN and Inf",
    ("MaxPool", "indices of windows in the padding alone"): "as windows in the padding alone",
    ("MaxPool", "same_lower"): "the evaluator gives 3 windows for 7 pixels at stride 2; the specification says ceil(7/2) = 4",
    ("MaxPool", "1x5"): "the evaluator takes the maximum of an empty slice where padding is given for one axis alone",
    ("MaxPool", "5x1"): "as 1x5",
    ("MinPool", "NaN and Inf"): "as for MaxPool",
    ("MinPool", "windows in the padding alone"): "as for MaxPool",
    ("MinPool", "uint8, windows in the padding alone"): "as for MaxPool",
    ("MinPool", "same_lower"): "as for MaxPool",
    ("MinPool", "1x5"): "as for MaxPool",
    ("MinPool", "5x1"): "as for MaxPool",
    ("GlobalAvgPool", "batch 0"): "the evaluator divides by the size of the array",
}
"""By op and case: why the first oracle, ONNX's, cannot be asked. Each of them has a second one or a value computed by hand."""
