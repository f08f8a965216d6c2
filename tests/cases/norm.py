"""Normalisation."""

from __future__ import annotations

from math import inf

from gpucnn.ops import RELU6, Activation, BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, Normalize, Op

from .base import Case, Draw, of

Shape = tuple[int, ...]


def norm(
    id: str, x: Shape, affine: str = "wb", *, eps: float = 1e-5, act: Activation | None = None, dtype: str = "float32", fill: str = "normal"
) -> Case:
    c, shift = (x[1],), "offset" if fill == "offset" else "normal"
    extra = (Draw(c, dtype) if "w" in affine else None, Draw(c, dtype) if "b" in affine else None)
    return Case(id, BatchNorm(eps, act), (Draw(x, dtype, fill), Draw(c, dtype, shift), Draw(c, dtype, "positive"), *extra))


_NORM = (
    norm("rank 2", (7, 5)),
    norm("rank 3", (2, 5, 7)),
    norm("odd sizes", (1, 3, 7, 5)),
    norm("3-d", (2, 3, 2, 4, 5)),
    norm("batch 0", (0, 3, 7, 5)),
    norm("batch 7", (7, 1, 3, 3), eps=1e-3),
    norm("1000 channels", (2, 1000, 3, 3)),
    norm("no weight, no bias", (2, 3, 4, 5), ""),
    norm("no bias", (2, 3, 4, 5), "w"),
    norm("no weight", (2, 3, 4, 5), "b"),
    norm("cancellation", (2, 3, 4, 5), fill="offset"),
    norm("NaN and Inf", (2, 3, 9, 9), fill="special"),
    norm("float64", (2, 3, 7, 5), dtype="float64"),
    norm("float16", (2, 3, 7, 5), dtype="float16"),
    norm("more than one piece", (3, 24, 25, 31)),
    norm("more than one piece, relu", (2, 40, 15, 29), act=Activation("relu")),
    norm("relu", (2, 3, 4, 5), act=Activation("relu")),
    norm("relu6, rank 2", (7, 5), act=RELU6),
    norm("silu", (2, 8, 4, 5), act=Activation("silu")),
    norm("leaky_relu, rank 3", (2, 5, 7), "", act=Activation("leaky_relu", 0.1)),
    norm("hardswish, float16", (2, 3, 7, 5), act=Activation("hardswish"), dtype="float16"),
    norm("sigmoid, float64", (2, 3, 3, 2), act=Activation("sigmoid"), dtype="float64"),
    norm("relu, NaN and Inf", (2, 3, 9, 9), act=Activation("relu"), fill="special"),
    norm("relu, cancellation", (2, 3, 4, 5), act=Activation("relu"), fill="offset"),
    Case(
        "float16, statistics float32",
        BatchNorm(),
        (Draw((2, 8, 7, 5), "float16"), Draw((8,)), Draw((8,), fill="positive"), Draw((8,)), Draw((8,))),
    ),
    Case("no variance", BatchNorm(1e-5), (Draw((2, 3, 2, 2)), Draw((3,)), Draw((3,), fill="zero"), None, None)),
)

_EPS = 2.0**-17
"""A float32 too, which ONNX's attribute is: in float64 another one would show."""


def row_norm(
    id: str, x: Shape, dims: int = 1, affine: str = "wb", *, centred: bool = True, dtype: str = "float32", fill: str = "normal"
) -> Case:
    row = x[len(x) - dims :]
    extra = (Draw(row, dtype) if "w" in affine else None, Draw(row, dtype) if "b" in affine else None)
    return Case(id, LayerNorm(dims, _EPS, centred), (Draw(x, dtype, fill), *extra))


_LAYER = (
    row_norm("rank 1", (5,)),
    row_norm("rank 2", (7, 5)),
    row_norm("channels behind", (2, 3, 5, 12)),
    row_norm("odd sizes", (1, 3, 7, 5)),
    row_norm("whole images", (2, 3, 4, 5), 3),
    row_norm("two axes", (2, 3, 4, 5), 2),
    row_norm("five axes", (2, 3, 2, 3, 4), 2),
    row_norm("one element", (3, 2, 1)),
    row_norm("batch 0", (0, 4, 8)),
    row_norm("batch 7", (7, 1000)),
    row_norm("many rows", (150, 128)),
    row_norm("long rows", (3, 5000)),
    row_norm("the batch in the row", (3, 4, 5), 3),
    row_norm("no weight, no bias", (2, 5, 12), affine=""),
    row_norm("no bias", (2, 5, 12), affine="w"),
    row_norm("no weight", (2, 5, 12), affine="b"),
    row_norm("a large mean", (5, 33), fill="offset"),
    row_norm("no variance", (5, 33), fill="zero"),
    row_norm("NaN and Inf", (40, 9), fill="special"),
    row_norm("float64", (3, 7), dtype="float64"),
    row_norm("float16", (3, 5, 24), dtype="float16"),
    Case("float16, parameters float32", LayerNorm(1, 1e-6), (Draw((2, 3, 24), "float16", "offset"), Draw((24,)), Draw((24,)))),
    row_norm("rms", (2, 5, 24), affine="w", centred=False),
    row_norm("rms of two axes, no weight", (2, 5, 24), 2, affine="", centred=False),
    row_norm("rms of a large mean", (5, 33), affine="w", centred=False, fill="offset"),
    row_norm("rms, batch 0", (0, 4, 8), affine="w", centred=False),
    row_norm("rms of a row of one", (3, 1), affine="w", centred=False),
    row_norm("rms, odd sizes", (1, 3, 7, 5), 3, affine="w", centred=False),
    row_norm("rms, float64", (2, 3, 7), affine="w", centred=False, dtype="float64"),
    row_norm("rms, float16", (2, 3, 7), affine="w", centred=False, dtype="float16"),
)


def group_norm(
    id: str, groups: int | None, x: Shape, affine: str = "wb", *, dtype: str = "float32", fill: str = "normal"
) -> Case:
    c = (x[1],)
    extra = (Draw(c, dtype) if "w" in affine else None, Draw(c, dtype) if "b" in affine else None)
    return Case(id, GroupNorm(groups, _EPS), (Draw(x, dtype, fill), *extra))


_GROUP = (
    group_norm("rank 2", 2, (7, 6)),
    group_norm("rank 3", 3, (2, 6, 7)),
    group_norm("odd sizes", 1, (1, 3, 7, 5)),
    group_norm("3-d", 2, (2, 4, 2, 4, 5)),
    group_norm("batch 0", 3, (0, 3, 7, 5)),
    group_norm("batch 7", 4, (7, 8, 3, 3)),
    group_norm("1000 channels", 8, (2, 1000, 3, 3)),
    group_norm("a channel a group", 5, (2, 5, 4, 3)),
    group_norm("no weight, no bias", 2, (2, 4, 4, 5), ""),
    group_norm("no bias", 2, (2, 4, 4, 5), "w"),
    group_norm("no weight", 2, (2, 4, 4, 5), "b"),
    group_norm("a large mean", 2, (2, 6, 9, 9), fill="offset"),
    group_norm("no variance", 2, (2, 6, 3, 3), fill="zero"),
    group_norm("NaN and Inf", 2, (7, 4, 5, 5), fill="special"),
    group_norm("float64", 2, (2, 6, 7, 5), dtype="float64"),
    group_norm("float16", 2, (2, 6, 7, 5), dtype="float16"),
    Case("float16, parameters float32", GroupNorm(2, 1e-6), (Draw((2, 8, 5, 4), "float16", "offset"), Draw((8,)), Draw((8,)))),
    group_norm("instances", None, (2, 5, 7, 4)),
    group_norm("instances, batch 7", None, (7, 1, 3, 3)),
    group_norm("instances, rank 3", None, (2, 5, 7)),
    group_norm("instances, 3-d, no weight, no bias", None, (2, 5, 3, 4, 2), ""),
    group_norm("instances, 1000 channels", None, (1, 1000, 3, 3)),
    group_norm("instances, long lines", None, (1, 3, 2, 700), fill="offset"),
    group_norm("instances, batch 0", None, (0, 3, 7, 5)),
    group_norm("instances, NaN and Inf", None, (7, 5, 3, 4), fill="special"),
    group_norm("instances, float64", None, (2, 3, 7, 5), dtype="float64"),
    group_norm("instances, float16", None, (2, 3, 7, 5), dtype="float16"),
)


def neighbours(id: str, x: Shape, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, **drawn: str) -> Case:
    return of(id, LocalResponseNorm(size, alpha, beta, k), x, **drawn)


_NEIGHBOURS = (
    neighbours("AlexNet", (2, 16, 5, 3), 5, 5e-4, 0.75, 2.0, fill="wide"),
    neighbours("rank 2", (7, 5), 3, 0.5),
    neighbours("rank 3", (2, 5, 7), 3, 0.5),
    neighbours("odd sizes", (1, 3, 7, 5), 3, 1.0, 0.5),
    neighbours("3-d", (2, 4, 2, 3, 5), 3, 1.0),
    neighbours("batch 0", (0, 3, 7, 5), 3),
    neighbours("batch 7", (7, 4, 3, 3), 2, 2.0),
    neighbours("1000 channels", (2, 1000, 3, 1), 5, 2.0, 1.0),
    neighbours("even size", (2, 7, 3, 4), 4, 2.0, 0.75),
    neighbours("alone", (2, 5, 4, 3), 1, 1.0, 0.6),
    neighbours("a window wider than the channels", (2, 3, 4, 3), 9, 2.0, 1.5),
    neighbours("one channel", (2, 1, 4, 3), 5, 2.0, 2.0),
    neighbours("no bias", (2, 5, 4, 3), 3, 1.0, 0.5, 0.0, fill="positive"),
    neighbours("NaN and Inf", (2, 5, 9, 9), 3, 1.0, fill="special"),
    neighbours("float64", (2, 6, 7, 5), 5, 2.0, dtype="float64"),
    neighbours("float16", (2, 6, 7, 5), 5, 2.0, dtype="float16", fill="wide"),
)

_VECTORS = (
    of("rank 1", Normalize(dim=0), (5,)),
    of("rank 2", Normalize(), (7, 5)),
    of("1000 channels", Normalize(), (3, 1000), fill="wide"),
    of("channels", Normalize(), (2, 5, 3, 7)),
    of("columns", Normalize(dim=-1), (1, 5, 3, 7)),
    of("over the batch", Normalize(dim=0), (7, 3, 2, 2)),
    of("batch 0", Normalize(), (0, 5, 3)),
    of("p 1", Normalize(1.0), (3, 33)),
    of("p 1, odd sizes", Normalize(1.0), (2, 5, 3, 7)),
    of("p 3", Normalize(3.0, -1), (2, 5, 7)),
    of("p 0.5", Normalize(0.5), (3, 5)),
    of("p infinite", Normalize(inf), (2, 5, 3, 7)),
    of("zeros", Normalize(), (2, 5), fill="zero"),
    of("below eps", Normalize(eps=1e3), (2, 5)),
    of("NaN and Inf", Normalize(), (40, 9), fill="special"),
    of("p infinite, NaN and Inf", Normalize(inf), (40, 9), fill="special"),
    of("float64", Normalize(), (3, 7), dtype="float64"),
    of("float16", Normalize(), (3, 24), dtype="float16", fill="wide"),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    BatchNorm: _NORM,
    LayerNorm: _LAYER,
    GroupNorm: _GROUP,
    LocalResponseNorm: _NEIGHBOURS,
    Normalize: _VECTORS,
}
