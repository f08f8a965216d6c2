"""What only moves values."""

from __future__ import annotations

import numpy as np

from gpucnn.ops import Concat, Flatten, Identity, Op, Pad, Reorder, Reshape, Transpose

from .base import Case, of


def moves(*ops: tuple[str, Op, tuple[int, ...]]) -> tuple[Case, ...]:
    """One case a line, and the last one in further dtypes."""
    id, op, shape = ops[-1]
    kinds = ("float16", "float64", "int64", "uint8")
    return (*(of(*row) for row in ops), *(of(f"{id} {kind}", op, shape, dtype=kind) for kind in kinds))


_SHAPES = (
    ("scalar", ()), ("rank 1", (5,)), ("rank 2", (7, 3)), ("rank 3", (2, 3, 5)), ("batch 0", (0, 3, 7, 5)),
    ("1000 channels", (1, 1000, 3, 1)), ("3-d", (2, 3, 2, 4, 5)), ("rank 4", (2, 3, 7, 5)),
)  # fmt: skip

_IDENTITY = moves(*((id, Identity(), shape) for id, shape in _SHAPES))

_REORDER = (
    *moves(*((id, Reorder("channels_last"), shape) for id, shape in _SHAPES)),
    *moves(*((f"back, {id}", Reorder("logical"), shape) for id, shape in _SHAPES)),
)

_RESHAPE = moves(
    ("to a row", Reshape((-1,)), (2, 3, 4, 5)),
    ("to a scalar", Reshape(()), (1, 1)),
    ("from a scalar", Reshape((1, 1, 1)), ()),
    ("batch 0", Reshape((0, 15)), (0, 3, 5)),
    ("rank up", Reshape((2, 3, 4, -1)), (2, 60)),
    ("channels to batch", Reshape((6, 1, 4, 5)), (2, 3, 4, 5)),
    ("axes split", Reshape((2, 3, 2, 2, 5)), (2, 3, 4, 5)),
    ("one pixel", Reshape((7, 1000)), (7, 1000, 1, 1)),
    ("to rows", Reshape((2, -1)), (2, 3, 4, 5)),
)

_FLATTEN = moves(
    ("scalar", Flatten(0), ()),
    ("rank 1", Flatten(0), (5,)),
    ("everything", Flatten(0), (2, 3, 4, 5)),
    ("batch 0", Flatten(1), (0, 3, 4, 5)),
    ("space", Flatten(2), (2, 3, 4, 5)),
    ("channels and lines", Flatten(1, 2), (2, 3, 4, 5)),
    ("one axis", Flatten(1, 1), (2, 3, 4, 5)),
    ("one pixel", Flatten(1), (7, 1000, 1, 1)),
    ("rows", Flatten(1), (2, 3, 4, 5)),
)

_TRANSPOSE = moves(
    ("scalar", Transpose(()), ()),
    ("rank 2", Transpose((1, 0)), (7, 5)),
    ("rank 3", Transpose((2, 0, 1)), (2, 3, 5)),
    ("nothing", Transpose((0, 1, 2, 3)), (2, 3, 4, 5)),
    ("to channels last", Transpose((0, 2, 3, 1)), (2, 3, 4, 5)),
    ("to channels first", Transpose((0, 3, 1, 2)), (2, 4, 5, 3)),
    ("batch 0", Transpose((0, 2, 3, 1)), (0, 3, 4, 5)),
    ("all axes", Transpose((3, 2, 1, 0)), (2, 3, 4, 5)),
    ("from the end", Transpose((0, -1, 1, -2)), (2, 3, 4, 5)),
    ("tiles", Transpose((0, 2, 3, 1)), (2, 40, 5, 7)),
)

_CONCAT = (
    of("one", Concat(1), (2, 3, 4, 5)),
    of("channels", Concat(1), (2, 3, 4, 5), (2, 1, 4, 5), (2, 5, 4, 5)),
    of("batch", Concat(0), (2, 3, 4, 5), (7, 3, 4, 5)),
    of("lines", Concat(2), (2, 3, 4, 5), (2, 3, 1, 5)),
    of("columns", Concat(-1), (2, 3, 4, 5), (2, 3, 4, 1)),
    of("an empty part", Concat(1), (2, 0, 4, 5), (2, 3, 4, 5)),
    of("batch 0", Concat(1), (0, 3, 4, 5), (0, 2, 4, 5)),
    of("rank 1", Concat(0), (5,), (1,), (3,)),
    of("rank 2", Concat(1), (7, 1000), (7, 3)),
    of("rank 3", Concat(1), (2, 3, 5), (2, 1, 5)),
    of("float16", Concat(1), (2, 3, 4, 5), (2, 1, 4, 5), dtype="float16"),
    of("int64", Concat(1), (2, 3), (2, 1), dtype="int64"),
)

_PAD = (
    *moves(
        ("scalar", Pad(()), ()),
        ("rank 1", Pad(((1, 2),), value=0.5), (5,)),
        ("channels", Pad(((0, 0), (1, 2), (0, 0), (0, 0))), (2, 3, 4, 5)),
        ("batch", Pad(((1, 0), (0, 0))), (7, 3)),
        ("of nothing", Pad(((0, 0), (2, 1)), value=1.0), (3, 0)),
        ("batch 0", Pad(((0, 0), (1, 1), (0, 0))), (0, 3, 5)),
        ("nothing added", Pad(((0, 0),) * 4), (2, 3, 4, 5)),
        ("space", Pad(((0, 0), (0, 0), (2, 1), (0, 3)), value=3.0), (2, 3, 4, 5)),
    ),
    of("-Inf", Pad(((0, 0), (0, 0), (1, 1), (1, 1)), value=-np.inf), (2, 3, 4, 5)),
    *(
        of(f"{mode}{id}", Pad(pads, mode), shape, dtype=dtype)
        for mode in ("reflect", "replicate", "circular")
        for id, pads, shape, dtype in (
            ("", ((0, 0), (0, 0), (2, 1), (0, 3)), (2, 3, 4, 5), "float32"),
            (" 8 channels", ((0, 0), (0, 0), (2, 1), (0, 3)), (2, 8, 4, 5), "float32"),
            (" lines", ((0, 0), (0, 0), (3, 3), (0, 0)), (2, 4, 4, 5), "float32"),
            (" all axes", ((1, 0), (2, 1), (2, 3), (1, 2)), (2, 3, 4, 5), "float32"),
            (" batch 0", ((0, 0), (0, 0), (2, 1), (0, 3)), (0, 3, 4, 5), "float32"),
            (" one channel", ((0, 0), (0, 0), (1, 1), (1, 1)), (1, 1, 40, 40), "float32"),
            (" rank 1", ((3, 2),), (4,), "int64"),
            (" bytes", ((0, 0), (0, 0), (1, 1), (2, 0)), (2, 3, 4, 5), "uint8"),
        )
    ),
    of("replicate far", Pad(((0, 0), (0, 0), (9, 0), (0, 9)), "replicate"), (1, 2, 3, 1)),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    Identity: _IDENTITY,
    Reorder: _REORDER,
    Reshape: _RESHAPE,
    Flatten: _FLATTEN,
    Transpose: _TRANSPOSE,
    Concat: _CONCAT,
    Pad: _PAD,
}
