"""Pooling."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from gpucnn.ops import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
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

from .base import Case, Draw, each, of, pads_of
from .conv import HARD, RELU, RELU6, conv

Windows = MaxPool | MinPool | AvgPool | LpPool


def pool(
    kind: type[Windows], id: str, x: tuple[int, ...], k: Any, s: Any = None, padding: Any = 0, *,
    dilation: Any = 1, dtype: str = "float32", fill: str = "normal", **fields: Any,
) -> Case:  # fmt: skip
    axes = len(x) - 2
    kernel = each(k, axes)
    stride = kernel if s is None else each(s, axes)
    op = kind(kernel, stride, pads_of(padding, axes), dilation=each(dilation, axes), **fields)
    return of(id, op, x, dtype=dtype, fill=fill)


def _pools(kind: type[Windows]) -> tuple[Case, ...]:
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
    pool(MaxPool, "indices 1-d", (2, 3, 11), 3, 2, 1, return_indices=True),
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
    of("many pixels", GlobalAvgPool(), (2, 3, 12, 17), fill="offset"),
    of("1-d many", GlobalAvgPool(), (2, 3, 200), fill="offset"),
    of("3-d many", GlobalAvgPool(), (2, 3, 5, 6, 7), fill="offset"),
)

_ADAPTIVE = (
    *(of(id, AdaptiveAvgPool((3, 2)), shape, **kw) for id, shape, kw in _MAPS),
    of("whole map", AdaptiveAvgPool((1, 1)), (2, 3, 5, 7)),
    of("every pixel", AdaptiveAvgPool((5, 7)), (2, 3, 5, 7)),
    of("more windows than pixels", AdaptiveAvgPool((7, 9)), (2, 3, 5, 4)),
    of("1-d", AdaptiveAvgPool((4,)), (2, 3, 11)),
    of("3-d", AdaptiveAvgPool((2, 3, 4)), (2, 3, 5, 4, 6)),
)


def fractional(
    id: str, x: tuple[int, ...], k: Any, out: Any, images: int | None = None, *, indices: bool = False, samples: str = "float64", **kw: Any
) -> Case:
    """With one sample a channel and axis, or with one for each of so many images too; they are constants of a net."""
    axes = len(x) - 2
    op = FractionalMaxPool(each(k, axes), each(out, axes), indices)
    return Case(id, op, (Draw(x, **kw), Draw((images or 1, x[1], axes), samples, "unit")))


def unpool(id: str, x: tuple[int, ...], out: Any, *, places: str = "int64", least: int = 0, most: int | None = None, **kw: Any) -> Case:
    """With places drawn from ``least`` up to the end of the plane, or to ``most``."""
    sizes = each(out, len(x) - 2)
    return of(id, MaxUnpool(sizes), Draw(x, **kw), Draw(x, places, within=(least, most or prod(sizes))))


_LP_POOL = (
    *_pools(LpPool),
    pool(LpPool, "p 1", (2, 3, 7, 5), 3, 2, 1, p=1.0),
    pool(LpPool, "p 3", (2, 3, 7, 5), 3, 2, 1, p=3.0),
    pool(LpPool, "p 2.5", (2, 3, 7, 5), 3, 2, 1, p=2.5),
    pool(LpPool, "p 0.5", (2, 3, 7, 5), 3, 2, 1, p=0.5),
    pool(LpPool, "p 11", (2, 3, 7, 5), 3, 2, 1, p=11.0),
    pool(LpPool, "p 1, NaN and Inf", (2, 3, 9, 9), 3, 2, 1, p=1.0, fill="special"),
    pool(LpPool, "p 3, NaN and Inf", (2, 3, 9, 9), 3, 2, 1, p=3.0, fill="special"),
    pool(LpPool, "far", (2, 3, 9, 9), 3, 2, 1, fill="far"),
    pool(LpPool, "p 3, far", (2, 3, 9, 9), 2, 1, 0, p=3.0, fill="far"),
    pool(LpPool, "p 7, far", (2, 3, 9, 9), 2, 1, 0, p=7.0, fill="far"),
    pool(LpPool, "p 11, far", (2, 3, 9, 9), 2, 1, 0, p=11.0, fill="far"),
    pool(LpPool, "zero", (2, 3, 5, 5), 3, 2, 1, fill="zero"),
)

_NUMBERS = (
    ("int32", (2, 3, 7, 5), {"dtype": "int32"}),
    ("uint8", (2, 3, 7, 5), {"dtype": "uint8"}),
    ("all -Inf", (2, 3, 7, 5), {"fill": "lowest"}),
    ("all NaN", (2, 3, 7, 5), {"fill": "nan"}),
    ("below", (2, 3, 7, 5), {"fill": "below"}),
)


def _global(op: Op) -> tuple[Case, ...]:
    return (
        *(of(id, op, shape, **kw) for id, shape, kw in _MAPS),
        of("1-d", op, (2, 3, 11)),
        of("3-d", op, (2, 3, 4, 5, 6)),
        of("one line", op, (2, 3, 1, 40)),
    )


def _global_extreme(op: Op) -> tuple[Case, ...]:
    return (*_global(op), *(of(id, op, shape, **kw) for id, shape, kw in _NUMBERS))


_GLOBAL_LP = (
    *_global(GlobalLpPool()),
    of("p 1", GlobalLpPool(1.0), (2, 3, 7, 5)),
    of("p 3", GlobalLpPool(3.0), (2, 3, 33, 31)),
    of("p 2.5", GlobalLpPool(2.5), (2, 3, 7, 5)),
    of("p 0.5", GlobalLpPool(0.5), (2, 3, 7, 5)),
    of("far", GlobalLpPool(), (2, 3, 9, 9), fill="far"),
    of("p 11, far", GlobalLpPool(11.0), (2, 3, 9, 9), fill="far"),
    of("infinite", GlobalLpPool(3.0), (9, 5, 3, 3), fill="infinite"),
    of("zero", GlobalLpPool(), (2, 3, 5, 5), fill="zero"),
)

_ADAPTIVE_MAX = (
    *(of(id, AdaptiveMaxPool((3, 2)), shape, **kw) for id, shape, kw in (*_MAPS, *_NUMBERS)),
    of("whole map", AdaptiveMaxPool((1, 1)), (2, 3, 5, 7)),
    of("every pixel", AdaptiveMaxPool((5, 7)), (2, 3, 5, 7)),
    of("more windows than pixels", AdaptiveMaxPool((7, 9)), (2, 3, 5, 4)),
    of("1-d", AdaptiveMaxPool((4,)), (2, 3, 11)),
    of("3-d", AdaptiveMaxPool((2, 3, 4)), (2, 3, 5, 4, 6)),
    of("indices", AdaptiveMaxPool((3, 4), True), (2, 3, 7, 9)),
    of("indices of ties", AdaptiveMaxPool((3, 2), True), (2, 3, 7, 5), fill="ties"),
    of("indices of NaN and Inf", AdaptiveMaxPool((3, 2), True), (2, 8, 9, 9), fill="special"),
    of("indices of -Inf", AdaptiveMaxPool((3, 2), True), (2, 8, 5, 5), fill="lowest"),
    of("indices of more windows than pixels", AdaptiveMaxPool((7, 9), True), (2, 3, 5, 4)),
    of("indices 1000 channels", AdaptiveMaxPool((2, 3), True), (2, 1000, 5, 4)),
    of("indices 1-d", AdaptiveMaxPool((4,), True), (2, 3, 11)),
    of("indices 3-d", AdaptiveMaxPool((2, 3, 4), True), (2, 3, 5, 4, 6)),
)

_FRACTIONAL = (
    fractional("one pixel", (1, 1, 1, 1), 1, 1),
    fractional("odd sizes", (1, 3, 7, 5), (3, 2), (4, 3)),
    fractional("batch 0", (0, 3, 7, 5), 2, 3),
    fractional("batch 7", (7, 5, 9, 8), 2, (6, 5)),
    fractional("1000 channels", (2, 1000, 7, 6), 2, (5, 3)),
    fractional("as many as fit", (2, 3, 7, 5), 2, (6, 4)),
    fractional("one window", (2, 3, 7, 5), (3, 5), 1),
    fractional("windows apart", (2, 3, 40, 31), 2, (7, 5)),
    fractional("samples for each image", (5, 3, 9, 8), 2, (6, 5), 5),
    fractional("samples for each of no image", (0, 3, 9, 8), 2, (6, 5), 0),
    fractional("float32 samples", (5, 3, 99, 98), 2, (60, 55), 5, samples="float32"),
    fractional("float16 samples", (5, 3, 19, 18), 2, (11, 9), 5, samples="float16"),
    fractional("NaN and Inf", (2, 3, 9, 9), 3, (5, 4), fill="special"),
    fractional("all -Inf", (2, 3, 7, 5), 2, 3, fill="lowest"),
    fractional("float64", (2, 3, 7, 5), 2, 3, dtype="float64"),
    fractional("float16", (2, 3, 7, 5), 2, 3, dtype="float16"),
    fractional("int32", (2, 3, 7, 5), 2, 3, dtype="int32"),
    fractional("uint8", (2, 3, 7, 5), 2, 3, dtype="uint8"),
    fractional("3-d", (2, 3, 7, 5, 6), (2, 1, 3), (4, 3, 2), 2),
    replace(fractional("1-d, samples with the images", (4, 3, 11), 2, 7, 4), flows=(0, 1)),
    fractional("indices", (2, 3, 9, 7), 2, (5, 4), 2, indices=True),
    fractional("indices of ties", (2, 3, 9, 7), 3, (5, 4), indices=True, fill="ties"),
    fractional("indices of NaN and Inf", (2, 8, 9, 9), 2, 5, indices=True, fill="special"),
    fractional("indices 3-d", (2, 3, 5, 4, 6), 2, (3, 2, 4), indices=True),
)

_UNPOOL = (
    unpool("one pixel", (1, 1, 1, 1), 1),
    unpool("odd sizes", (1, 3, 3, 2), (7, 5)),
    unpool("batch 0", (0, 3, 3, 2), (7, 5)),
    unpool("batch 7", (7, 5, 2, 3), (4, 6)),
    unpool("1000 channels", (2, 1000, 2, 2), (4, 5)),
    unpool("no pixel", (2, 3, 0, 2), (2, 4)),
    unpool("several at a place", (2, 3, 5, 6), (6, 7), most=9),
    unpool("all at one place", (2, 3, 3, 3), 3, most=1),
    unpool("some at no place", (2, 3, 5, 6), (6, 7), least=-1, most=3),
    unpool("smaller plane", (2, 3, 5, 6), (2, 3)),
    unpool("int32 places", (2, 3, 3, 2), (7, 5), places="int32"),
    unpool("uint8 places", (2, 3, 3, 2), (7, 5), places="uint8"),
    unpool("NaN and Inf", (2, 3, 5, 5), 9, fill="special"),
    unpool("float64", (2, 3, 3, 2), (7, 5), dtype="float64"),
    unpool("float16", (2, 3, 3, 2), (7, 5), dtype="float16"),
    unpool("int32", (2, 3, 3, 2), (7, 5), dtype="int32"),
    unpool("1-d", (2, 3, 5), 11),
    unpool("3-d", (2, 3, 2, 3, 2), (4, 6, 5)),
)

def conv_pool(id: str, x: tuple[int, ...], w: tuple[int, ...], **fields: Any) -> Case:
    """As ``conv``, with the maximum of each 2×2 of its results."""
    whole = conv(id, x, w, **fields)
    return Case(id, ConvMaxPool(whole.op), whole.inputs, whole.flows)


_CONV_POOL = (
    conv_pool("four by four", (1, 16, 16, 16), (16, 16, 3, 3), padding=1, bias=True, pre=RELU),
    conv_pool("odd sizes", (2, 16, 17, 31), (17, 16, 3, 3), padding=1, bias=True, post=RELU6),
    conv_pool("two by two", (4, 16, 7, 8), (16, 16, 3, 3), padding=1, bias=True),
    conv_pool("batch 0", (0, 16, 16, 16), (16, 16, 3, 3), padding=1),
    conv_pool("batch 7", (7, 16, 13, 14), (24, 16, 3, 3), padding=1, pre=HARD),
    conv_pool("one line of two", (1, 16, 3, 140), (16, 16, 3, 3), padding=((0, 1), (2, 0)), bias=True),
    conv_pool("same", (1, 20, 19, 18), (16, 20, 3, 3), padding="same"),
    conv_pool("1000 channels out", (1, 16, 15, 17), (1000, 16, 3, 3), padding=1, bias=True),
    conv_pool("1000 channels in", (1, 1000, 12, 12), (16, 1000, 3, 3), padding=1),
    conv_pool("few channels", (1, 5, 16, 16), (16, 5, 3, 3), padding=1, bias=True),
    conv_pool("few tiles", (1, 16, 4, 4), (16, 16, 3, 3), padding=1, bias=True),
    conv_pool("5x5", (1, 16, 16, 16), (16, 16, 5, 5), padding=2, bias=True),
    conv_pool("groups, stride 2", (1, 32, 16, 16), (32, 16, 3, 3), padding=1, groups=2, stride=2),
    conv_pool("NaN and Inf", (1, 16, 28, 21), (16, 16, 3, 3), padding=1, fill="special"),
    conv_pool("float64", (1, 16, 16, 16), (16, 16, 3, 3), padding=1, bias=True, dtype="float64"),
    conv_pool("float16", (1, 16, 16, 16), (16, 16, 3, 3), padding=1, bias=True, dtype="float16"),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    ConvMaxPool: _CONV_POOL,
    MaxPool: _MAX_POOL,
    MinPool: _MIN_POOL,
    AvgPool: _AVG_POOL,
    LpPool: _LP_POOL,
    GlobalAvgPool: _GLOBAL,
    GlobalMaxPool: _global_extreme(GlobalMaxPool()),
    GlobalMinPool: _global_extreme(GlobalMinPool()),
    GlobalLpPool: _GLOBAL_LP,
    AdaptiveAvgPool: _ADAPTIVE,
    AdaptiveMaxPool: _ADAPTIVE_MAX,
    FractionalMaxPool: _FRACTIONAL,
    MaxUnpool: _UNPOOL,
}
