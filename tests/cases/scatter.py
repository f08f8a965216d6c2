"""Elements put at places that another array names."""

from __future__ import annotations

from typing import Any

from gpucnn.ops import Op, ScatterElements, ScatterND

from .base import Case, Draw
from .gather import Places, Rows

Shape = tuple[int, ...]


def scatter(
    id: str, dim: int, x: Shape, indices: Shape, reduction: str = "none", *, dtype: str = "float32", places: str = "int64",
    fill: str = "normal", flows: tuple[int, ...] = (0, 1, 2),
) -> Case:  # fmt: skip
    draws = (Draw(x, dtype, fill), Places(indices, places, size=x[dim]), Draw(indices, dtype, fill))
    return Case(id, ScatterElements(dim, reduction), draws, flows)


def scatter_nd(
    id: str, x: Shape, indices: Shape, reduction: str = "none", *, dtype: str = "float32", places: str = "int64", fill: str = "normal",
    flows: tuple[int, ...] = (0, 1, 2),
) -> Case:  # fmt: skip
    k = indices[-1]
    draws = (Draw(x, dtype, fill), Rows(indices, places, sizes=x[:k]), Draw((*indices[:-1], *x[k:]), dtype, fill))
    return Case(id, ScatterND(reduction), draws, flows)


X = (2, 5, 4, 7)
REDUCTIONS = ("none", "sum", "prod", "amax", "amin")

_KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("float32", {}),
    ("NaN and Inf", {"fill": "special"}),
    ("float16", {"dtype": "float16"}),
    ("float64", {"dtype": "float64"}),
    ("int32", {"dtype": "int32"}),
    ("uint8", {"dtype": "uint8"}),
)

_ELEMENTS = (
    scatter("rank 1", 0, (5,), (9,)),
    scatter("rows", 1, (7, 5), (7, 9)),
    scatter("rows of a constant", 0, (5, 4), (7, 4), flows=(1, 2)),
    scatter("constant places", 1, (7, 5), (7, 3), flows=(0, 2)),
    scatter("batch", 0, X, (3, 5, 4, 7)),
    scatter("channels", 1, X, (2, 3, 4, 7)),
    scatter("columns", -1, X, (2, 5, 4, 2)),
    scatter("fewer on other axes", 1, X, (1, 9, 2, 5)),
    scatter("fewer on other axes, added", 1, X, (1, 9, 2, 5), "sum"),
    scatter("batch 0", 1, (0, 5), (0, 3)),
    scatter("batch 0, added", 1, (0, 5), (0, 3), "sum"),
    scatter("no indices", 1, (3, 5), (3, 0), "prod"),
    scatter("of nothing", 1, (3, 0), (3, 0)),
    scatter("1000 channels", 1, (3, 1000), (3, 40)),
    scatter("1000 at few places", 1, (3, 4), (3, 1000), "sum"),
    scatter("rank 3", 2, (2, 3, 5), (2, 3, 4), "amax"),
    scatter("int32 indices", 1, (7, 5), (7, 4), places="int32"),
    scatter("bool", 1, (7, 5), (7, 4), dtype="bool"),
    *(scatter(f"{how}, {id}", 1, (2, 7, 9), (2, 11, 3), how, **kw) for how in REDUCTIONS for id, kw in _KINDS),
)

_ND = (
    scatter_nd("rank 1", (5,), (9, 1)),
    scatter_nd("one element", (5, 3), (2,)),
    scatter_nd("one slice, added", (5, 3), (1,), "sum"),
    scatter_nd("elements", (5, 3), (7, 2)),
    scatter_nd("slices", X, (3, 1)),
    scatter_nd("into a constant", (9, 4), (7, 1), flows=(1, 2)),
    scatter_nd("constant places", (9, 4), (7, 2), flows=(0, 2)),
    scatter_nd("a matrix of slices", X, (3, 2, 2), "amin"),
    scatter_nd("all axes", X, (2, 3, 4)),
    scatter_nd("batch 0", (0, 5), (0, 2)),
    scatter_nd("batch 0, slices", (0, 5), (0, 1), "sum"),
    scatter_nd("slices of nothing", (3, 0), (4, 1), "sum"),
    scatter_nd("no indices", X, (0, 2), "prod"),
    scatter_nd("1000 channels", (3, 1000), (5, 1)),
    scatter_nd("1000 at few places", (3, 2), (1000, 2), "sum"),
    scatter_nd("int32 indices", (7, 5), (4, 2), places="int32"),
    scatter_nd("bool", (7, 5), (4, 2), dtype="bool"),
    *(scatter_nd(f"{how}, {id}", (4, 3, 9), (2, 11, 2), how, **kw) for how in REDUCTIONS for id, kw in _KINDS),
)

CASES: dict[type[Op], tuple[Case, ...]] = {ScatterElements: _ELEMENTS, ScatterND: _ND}
