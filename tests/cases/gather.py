"""Elements from places that another array names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpucnn.ops import Gather, GatherElements, GatherND, Op

from .base import Case, Draw, of


@dataclass(frozen=True)
class Places(Draw):
    """Indices of an axis of ``size``, from both ends."""

    size: int = 1

    def array(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(-self.size, self.size, self.shape).astype(self.dtype)


@dataclass(frozen=True)
class Rows(Draw):
    """Whole indices: the last axis names one of each of ``sizes``, from both ends."""

    sizes: tuple[int, ...] = ()

    def array(self, rng: np.random.Generator) -> np.ndarray:
        limits = np.asarray(self.sizes)
        return rng.integers(-limits, limits, self.shape).astype(self.dtype)


def gather_nd(
    id: str, x: tuple[int, ...], indices: tuple[int, ...], batch_dims: int = 0, *, dtype: str = "float32", places: str = "int64",
    fill: str = "normal", flows: tuple[int, ...] = (0, 1),
) -> Case:  # fmt: skip
    sizes = x[batch_dims : batch_dims + indices[-1]]
    return Case(id, GatherND(batch_dims), (Draw(x, dtype, fill), Rows(indices, places, sizes=sizes)), flows)


def gather(
    kind: type[Gather | GatherElements], id: str, dim: int, x: tuple[int, ...], indices: tuple[int, ...], *,
    dtype: str = "float32", places: str = "int64", fill: str = "normal", flows: tuple[int, ...] = (0, 1),
) -> Case:  # fmt: skip
    return Case(id, kind(dim), (Draw(x, dtype, fill), Places(indices, places, size=x[dim])), flows)


X = (2, 5, 4, 7)

_GATHER = (
    gather(Gather, "rank 1", 0, (5,), (9,)),
    gather(Gather, "a scalar index", 0, (5, 3), ()),
    gather(Gather, "rows of a table", 0, (9, 4), (7,), flows=(1,)),
    gather(Gather, "a matrix of rows", 0, (9, 4), (7, 3), flows=(1,)),
    gather(Gather, "images", 0, X, (5,)),
    gather(Gather, "channels", 1, X, (3,), flows=(0,)),
    gather(Gather, "one channel", 1, X, (), flows=(0,)),
    gather(Gather, "channels by a matrix", 1, (7, 5, 3), (2, 3), flows=(0,)),
    gather(Gather, "columns", -1, X, (9,), flows=(0,)),
    gather(Gather, "batch 0", 1, (0, 5, 4, 7), (3,), flows=(0,)),
    gather(Gather, "no indices", 1, X, (0,), flows=(0,)),
    gather(Gather, "of nothing", 1, (3, 0), (0,)),
    gather(Gather, "1000 channels", 1, (3, 1000), (40,), flows=(0,)),
    gather(Gather, "int32 indices", 1, (7, 5), (4,), places="int32"),
    gather(Gather, "NaN and Inf", 1, (7, 9), (40,), fill="special"),
    gather(Gather, "float16", 1, (7, 5), (4,), dtype="float16"),
    gather(Gather, "float64", 1, (7, 5), (4,), dtype="float64"),
    gather(Gather, "int64", 1, (7, 5), (4,), dtype="int64"),
    of("uint8 indices", Gather(0), (256, 3), Draw((7,), "uint8")),
)

_ELEMENTS = (
    gather(GatherElements, "rank 1", 0, (5,), (9,)),
    gather(GatherElements, "rows", 1, (7, 5), (7, 9)),
    gather(GatherElements, "rows of a constant", 0, (5, 4), (7, 4), flows=(1,)),
    gather(GatherElements, "constant places", 1, (7, 5), (7, 3), flows=(0,)),
    gather(GatherElements, "batch", 0, X, (3, 5, 4, 7)),
    gather(GatherElements, "channels", 1, X, (2, 3, 4, 7)),
    gather(GatherElements, "columns", -1, X, (2, 5, 4, 2)),
    gather(GatherElements, "fewer on other axes", 1, X, (1, 9, 2, 5)),
    gather(GatherElements, "batch 0", 1, (0, 5), (0, 3)),
    gather(GatherElements, "no indices", 1, (3, 5), (3, 0)),
    gather(GatherElements, "of nothing", 1, (3, 0), (3, 0)),
    gather(GatherElements, "1000 channels", 1, (3, 1000), (3, 40)),
    gather(GatherElements, "rank 3", 2, (2, 3, 5), (2, 3, 4)),
    gather(GatherElements, "int32 indices", 1, (7, 5), (7, 4), places="int32"),
    gather(GatherElements, "NaN and Inf", 1, (7, 9), (7, 9), fill="special"),
    gather(GatherElements, "float16", 1, (7, 5), (7, 4), dtype="float16"),
    gather(GatherElements, "float64", 1, (7, 5), (7, 4), dtype="float64"),
    gather(GatherElements, "uint8", 1, (7, 5), (7, 4), dtype="uint8"),
)

_ND = (
    gather_nd("rank 1", (5,), (9, 1)),
    gather_nd("one element", (5, 3), (2,)),
    gather_nd("elements", (5, 3), (7, 2)),
    gather_nd("slices", X, (3, 1)),
    gather_nd("rows of a table", (9, 4), (7, 1), flows=(1,)),
    gather_nd("elements of a table", (9, 4), (7, 2, 2), flows=(1,)),
    gather_nd("a matrix of slices", X, (3, 2, 2)),
    gather_nd("all axes", X, (2, 3, 4)),
    gather_nd("a batch of places", (7, 5), (7, 1), 1),
    gather_nd("a batch of lists", (7, 5, 3), (7, 4, 2), 1),
    gather_nd("two batch axes", (2, 3, 4, 5), (2, 3, 2, 1), 2),
    gather_nd("an odd batch", (1, 3, 7), (1, 5, 1), 1),
    gather_nd("batch 0", (0, 5, 4), (0, 3, 1), 1),
    gather_nd("no indices", X, (0, 2)),
    gather_nd("of nothing", (3, 0), (0, 2)),
    gather_nd("1000 channels", (3, 1000, 2), (3, 40, 1), 1),
    gather_nd("int32 indices", (7, 5), (4, 2), places="int32"),
    gather_nd("NaN and Inf", (7, 9), (40, 2), fill="special"),
    gather_nd("float16", (7, 5), (4, 1), dtype="float16"),
    gather_nd("float64", (7, 5), (4, 1), dtype="float64"),
    gather_nd("uint8", (7, 5), (4, 2), dtype="uint8"),
    gather_nd("bool", (7, 5), (4, 2), dtype="bool"),
)

CASES: dict[type[Op], tuple[Case, ...]] = {Gather: _GATHER, GatherElements: _ELEMENTS, GatherND: _ND}
