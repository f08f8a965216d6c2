"""Pooling."""

from __future__ import annotations

from typing import Any

from gpucnn.ops import AdaptiveAvgPool, AvgPool, GlobalAvgPool, MaxPool, MinPool, Op

from .base import Case, each, of, pads_of


def pool(
    kind: type[MaxPool | MinPool | AvgPool], id: str, x: tuple[int, ...], k: Any, s: Any = None, padding: Any = 0, *,
    dilation: Any = 1, dtype: str = "float32", fill: str = "normal", **fields: Any,
) -> Case:  # fmt: skip
    axes = len(x) - 2
    kernel = each(k, axes)
    stride = kernel if s is None else each(s, axes)
    op = kind(kernel, stride, pads_of(padding, axes), dilation=each(dilation, axes), **fields)
    return of(id, op, x, dtype=dtype, fill=fill)


def _pools(kind: type[MaxPool | MinPool | AvgPool]) -> tuple[Case, ...]:
    """What all window pools are asked."""
    return (
        pool(kind, "1x1", (1, 1, 1, 1), 1),
        pool(kind, "1x1 strided", (1, 3, 5, 4), 1, 2),
        pool(kind, "2x2", (1, 3, 6, 8), 2),
        pool(kind, "odd sizes", (1, 5, 7, 5), 3, 2, 1),
        pool(kind, "batch 0", (0, 3, 7, 5), 3, 2, 1),
        pool(kind, "batch 7", (7, 3, 7, 5), 3, 2, 1),
        pool(kind, "1000 channels", (2, 1000, 5, 5), 3, 1, 1),
        pool(kind, "several blocks", (1, 64, 70, 71), 3, 1, 1),
        pool(kind, "several blocks strided", (2, 64, 131, 70), (3, 2), (2, 1), 1),
        pool(kind, "ceil mode", (1, 3, 6, 8), 3, 2, 0, ceil_mode=True),
        pool(kind, "ceil mode drops a window", (1, 3, 5, 5), 2, 3, 1, ceil_mode=True),
        pool(kind, "ceil mode, padding", (2, 3, 7, 8), 3, (2, 3), 1, ceil_mode=True),
        pool(kind, "dilation", (1, 3, 9, 8), 3, 1, 1, dilation=2),
        pool(kind, "asymmetric padding", (1, 3, 6, 7), 3, 2, ((0, 1), (2, 0))),
        pool(kind, "same", (1, 3, 6, 7), 3, 2, "same"),
        pool(kind, "same_lower", (1, 3, 6, 7), (2, 4), 2, "same_lower"),
        pool(kind, "valid", (1, 3, 6, 7), 3, 2, "valid"),
        pool(kind, "1x5", (1, 3, 4, 9), (1, 5), 1, (0, 2)),
        pool(kind, "5x1", (1, 3, 9, 4), (5, 1), 1, (2, 0)),
        pool(kind, "kernel larger than the image", (1, 3, 2, 3), 5, 2, 2),
        pool(kind, "stride above kernel", (2, 3, 11, 10), 2, (4, 3)),
        pool(kind, "windows in the padding alone", (1, 3, 3, 3), 2, 2, 4),
        pool(kind, "NaN and Inf", (2, 3, 9, 9), 3, 2, 1, fill="special"),
        pool(kind, "float64", (2, 3, 7, 5), 3, 2, 1, dtype="float64"),
        pool(kind, "float16", (2, 3, 7, 5), 3, 2, 1, dtype="float16"),
        pool(kind, "1-d", (3, 4, 11), 3, 2, 1),
        pool(kind, "3-d", (2, 3, 5, 4, 6), (2, 3, 2), 2, ((0, 1), (1, 1), (1, 0)), ceil_mode=True),
    )


_MAX_POOL = (
    *_pools(MaxPool),
    pool(MaxPool, "all -Inf", (1, 3, 5, 5), 3, 2, 1, fill="lowest"),
    pool(MaxPool, "int32", (2, 3, 7, 5), 3, 2, 1, dtype="int32"),
    pool(MaxPool, "uint8", (2, 3, 7, 5), 3, 2, 1, dtype="uint8"),
    pool(MaxPool, "indices", (2, 3, 7, 5), 3, 2, 1, return_indices=True),
    pool(MaxPool, "indices of ties", (2, 3, 7, 5), 3, 2, 1, return_indices=True, fill="ties"),
    pool(MaxPool, "indices of NaN and Inf", (2, 8, 9, 9), 2, 1, return_indices=True, fill="special"),
    pool(MaxPool, "indices of -Inf", (2, 8, 5, 5), 3, 2, 1, return_indices=True, fill="lowest"),
    pool(MaxPool, "indices of windows in the padding alone", (1, 6, 3, 3), 2, 2, 4, return_indices=True),
    pool(MaxPool, "indices 1000 channels", (2, 1000, 5, 4), (2, 3), 2, 1, ceil_mode=True, dilation=2, return_indices=True),
    pool(MaxPool, "indices 3-d", (2, 3, 5, 4, 6), 2, return_indices=True),
)

_MIN_POOL = (
    *_pools(MinPool),
    pool(MinPool, "all -Inf", (1, 3, 5, 5), 3, 2, 1, fill="lowest"),
    pool(MinPool, "int32", (2, 3, 7, 5), 3, 2, 1, dtype="int32"),
    pool(MinPool, "uint8", (2, 3, 7, 5), 3, 2, 1, dtype="uint8"),
    pool(MinPool, "uint8, windows in the padding alone", (1, 3, 3, 3), 2, 2, 4, dtype="uint8"),
)

_AVG_POOL = (
    *_pools(AvgPool),
    pool(AvgPool, "padding not counted", (2, 3, 7, 5), 3, 2, 1, count_include_pad=False),
    pool(AvgPool, "padding not counted, ceil mode", (2, 3, 7, 8), 3, (2, 3), 1, ceil_mode=True, count_include_pad=False),
    pool(AvgPool, "padding not counted, asymmetric", (1, 3, 6, 7), 3, 2, ((0, 1), (2, 0)), count_include_pad=False),
    pool(AvgPool, "padding not counted, same", (1, 3, 6, 7), 3, 2, "same", count_include_pad=False),
    pool(AvgPool, "windows of nothing", (1, 3, 3, 3), 2, 2, 4, count_include_pad=False),
    pool(AvgPool, "divisor", (2, 3, 7, 5), 3, 2, 1, divisor_override=4),
    pool(AvgPool, "divisor and 1x1", (2, 3, 7, 5), 1, 1, divisor_override=-2),
)

_MAPS: tuple[tuple[str, tuple[int, ...], dict[str, str]], ...] = (
    ("one pixel", (1, 1, 1, 1), {}),
    ("odd sizes", (1, 3, 7, 5), {}),
    ("batch 0", (0, 3, 7, 5), {}),
    ("batch 7", (7, 5, 4, 9), {}),
    ("1000 channels", (3, 1000, 7, 7), {}),
    ("large map", (1, 3, 113, 97), {}),
    ("offset", (2, 3, 33, 31), {"fill": "offset"}),
    ("NaN and Inf", (2, 3, 9, 9), {"fill": "special"}),
    ("float64", (2, 3, 7, 5), {"dtype": "float64"}),
    ("float16", (2, 3, 7, 5), {"dtype": "float16"}),
)

_GLOBAL = (
    *(of(id, GlobalAvgPool(), shape, **kw) for id, shape, kw in _MAPS),
    of("1-d", GlobalAvgPool(), (2, 3, 11)),
    of("3-d", GlobalAvgPool(), (2, 3, 4, 5, 6)),
)

_ADAPTIVE = (
    *(of(id, AdaptiveAvgPool((3, 2)), shape, **kw) for id, shape, kw in _MAPS),
    of("whole map", AdaptiveAvgPool((1, 1)), (2, 3, 5, 7)),
    of("every pixel", AdaptiveAvgPool((5, 7)), (2, 3, 5, 7)),
    of("more windows than pixels", AdaptiveAvgPool((7, 9)), (2, 3, 5, 4)),
    of("1-d", AdaptiveAvgPool((4,)), (2, 3, 11)),
    of("3-d", AdaptiveAvgPool((2, 3, 4)), (2, 3, 5, 4, 6)),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    MaxPool: _MAX_POOL,
    MinPool: _MIN_POOL,
    AvgPool: _AVG_POOL,
    GlobalAvgPool: _GLOBAL,
    AdaptiveAvgPool: _ADAPTIVE,
}
