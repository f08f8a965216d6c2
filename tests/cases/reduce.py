"""Reductions and running sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import ArgReduce, CumSum, Op, Reduce

from .base import Case, of

X = (2, 5, 4, 7)


def over(
    kind: str, id: str, dims: tuple[int, ...], shape: tuple[int, ...], *, fill: str = "normal", dtype: str = "float32", **kw: Any
) -> Case:
    return of(f"{kind} {id}", Reduce(kind, dims, **kw), shape, fill=fill, dtype=dtype)


_SHAPES: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("everything", (), X, {}),
    ("channels", (1,), X, {"keepdim": True}),
    ("rows", (1,), (7, 9), {}),
    ("float16", (1,), (3, 40), {"dtype": "float16"}),
    ("float64", (-1,), (3, 9), {"dtype": "float64"}),
    ("NaN and Inf", (1,), (40, 5), {"fill": "special"}),
)
"""What every kind is asked."""

_MORE: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("space", (2, 3), X, {}),
    ("space, kept", (-1, -2), X, {"keepdim": True}),
    ("batch", (0,), (7, 3, 2, 2), {}),
    ("all axes", (0, 1, 2, 3), X, {"keepdim": True}),
    ("lines", (2,), X, {}),
    ("batch 0", (1, 2), (0, 3, 4, 5), {}),
    ("over batch 0", (0,), (0, 3), {}),
    ("of nothing", (1,), (3, 0), {}),
    ("scalar", (), (), {}),
    ("rank 1", (0,), (1000,), {"fill": "offset"}),
    ("1000 channels", (1,), (3, 1000, 2, 1), {}),
    ("one element", (1,), (3, 1), {}),
    ("rank 3", (2,), (2, 3, 5), {"keepdim": True}),
    ("3-d", (2, 3, 4), (2, 3, 2, 4, 5), {}),
    ("int32", (1,), (3, 5), {"dtype": "int32"}),
    ("int64", (0, 1), (3, 5), {"dtype": "int64"}),
)


def _kinds() -> tuple[Case, ...]:
    found = []
    for kind in ("sum", "mean", "amax", "amin", "logsumexp", "norm"):
        found += [over(kind, id, dims, shape, **kw) for id, dims, shape, kw in (*_SHAPES, *_MORE[: -2 if kind == "logsumexp" else None])]
    for kind in ("prod", "sum_square", "var", "std"):
        found += [over(kind, id, dims, shape, **kw) for id, dims, shape, kw in _SHAPES]
    found += [over("log_sum", id, dims, shape, **{"fill": "positive", **kw}) for id, dims, shape, kw in _SHAPES]
    for p in (0.0, 1.0, 3.0, -1.5, np.inf, -np.inf):
        found += [over("norm", f"{p} {id}", dims, shape, p=p, **kw) for id, dims, shape, kw in _SHAPES[1:4]]
    for kind in ("any", "all"):
        found += [
            over(kind, "bool", (1,), (9, 3), dtype="bool"),
            over(kind, "bool, kept", (1, -1), (9, 2, 1, 1), dtype="bool", keepdim=True),
            over(kind, "bool of nothing", (1,), (3, 0), dtype="bool"),
            over(kind, "numbers", (2,), (2, 3, 2), fill="zeros"),
            over(kind, "all axes", (), (2, 3, 2), fill="zeros"),
            over(kind, "over the batch", (0,), (7, 3), dtype="bool"),
            over(kind, "batch 0", (1,), (0, 3), dtype="bool"),
            over(kind, "NaN and Inf", (1,), (2, 9), fill="special"),
        ]
    return tuple(found)


_REDUCE = (
    *_kinds(),
    of("sum of bool", Reduce("sum", (1,), dtype="int64"), (5, 9), dtype="bool"),
    of("sum of uint8 in int64", Reduce("sum", (1,), dtype="int64"), (5, 9), dtype="uint8"),
    of("mean of uint8 in float32", Reduce("mean", (1,), dtype="float32"), (5, 9), dtype="uint8"),
    of("prod of int64", Reduce("prod", (1,)), (5, 7), dtype="int64"),
    of("prod of nothing", Reduce("prod", (1,)), (3, 0)),
    of("sum_square of uint8", Reduce("sum_square", (1,)), (5, 3), dtype="uint8"),
    of("amax of uint8", Reduce("amax", (1,)), (5, 3), dtype="uint8"),
    of("amin of bool", Reduce("amin", (1,)), (5, 3), dtype="bool"),
    of("norm of uint8", Reduce("norm", (1,), p=1.0), (5, 3), dtype="uint8"),
    of("var of a population", Reduce("var", (2, 3), correction=0.0), X),
    of("var about a large mean", Reduce("var", (1,)), (3, 50), fill="offset"),
    of("var of one", Reduce("var", (1,)), (3, 1)),
    of("var of nothing", Reduce("var", (1,), correction=0.0), (3, 0)),
    of("std of a population", Reduce("std", (2, 3), True, correction=0.0), X),
    of("std about a large mean", Reduce("std", (1,)), (3, 50), fill="offset"),
    of("logsumexp of numbers whose exp is no float64", Reduce("logsumexp", (1,)), (7, 40), fill="far"),
    of("logsumexp of numbers whose exp is no float32", Reduce("logsumexp", (1,)), (7, 40), dtype="float16", fill="wide"),
    of("logsumexp of all -Inf", Reduce("logsumexp", (1,)), (3, 4), fill="lowest"),
)

_ARG = tuple(
    of(f"{kind} {id}", ArgReduce(kind, dim, **fields), shape, **kw)
    for kind in ("argmax", "argmin")
    for id, dim, shape, fields, kw in (
        ("rows", 1, (7, 9), {}, {}),
        ("rank 1", 0, (5,), {}, {}),
        ("one", 1, (3, 1), {}, {}),
        ("batch", 0, (7, 3, 2, 2), {}, {}),
        ("batch 0", 1, (0, 3, 4, 5), {}, {}),
        ("channels, kept", 1, X, {"keepdim": True}, {}),
        ("columns", -1, X, {}, {}),
        ("1000 channels", 1, (3, 1000), {}, {"fill": "wide"}),
        ("ties", 1, (9, 12), {}, {"fill": "ties"}),
        ("last of ties", 1, (9, 12), {"select_last": True}, {"fill": "ties"}),
        ("zeros of both signs", 1, (5, 9), {}, {"fill": "zeros"}),
        ("Inf", 1, (40, 5), {}, {"fill": "infinite"}),
        ("NaN and Inf", 1, (40, 5), {}, {"fill": "special"}),
        ("last of NaN and Inf", 1, (40, 5), {"select_last": True}, {"fill": "special"}),
        ("float16", 1, (3, 9), {}, {"dtype": "float16"}),
        ("float64", 1, (3, 9), {}, {"dtype": "float64"}),
        ("int32", 1, (3, 9), {}, {"dtype": "int32"}),
        ("uint8", 0, (9, 3), {"keepdim": True}, {"dtype": "uint8"}),
    )
)

_CUMSUM = tuple(
    of(id, CumSum(dim, **fields), shape, **kw)
    for id, dim, shape, fields, kw in (
        ("rank 1", 0, (5,), {}, {}),
        ("rows", 1, (7, 9), {}, {}),
        ("batch", 0, (7, 3), {}, {}),
        ("batch 0", 1, (0, 3), {}, {}),
        ("of nothing", 1, (3, 0), {}, {}),
        ("of nothing, exclusive", 1, (3, 0), {"exclusive": True}, {}),
        ("channels", 1, X, {}, {}),
        ("columns backwards", -1, X, {"reverse": True}, {}),
        ("exclusive", 2, X, {"exclusive": True}, {}),
        ("exclusive backwards", 1, X, {"exclusive": True, "reverse": True}, {}),
        ("1000 channels", 1, (2, 1000), {}, {"fill": "offset"}),
        ("NaN and Inf", 1, (40, 5), {}, {"fill": "special"}),
        ("float16", 1, (3, 40), {}, {"dtype": "float16"}),
        ("float64", 1, (3, 9), {}, {"dtype": "float64"}),
        ("int32", 1, (3, 9), {}, {"dtype": "int32"}),
        ("uint8 in int64", 1, (3, 9), {"dtype": "int64"}, {"dtype": "uint8"}),
    )
)

CASES: dict[type[Op], tuple[Case, ...]] = {Reduce: _REDUCE, ArgReduce: _ARG, CumSum: _CUMSUM}
