"""From bytes to numbers."""

from __future__ import annotations

from typing import Any

from gpucnn.ops import RELU6, Lookup, LookupConv, Op

from .base import Case, Draw
from .conv import ALL, HARD, RELU, conv


def lookup(id: str, x: tuple[int, ...], dtype: str = "float32") -> Case:
    return Case(id, Lookup(), (Draw(x, "uint8"), Draw((256, x[1]), dtype)))


def lookup_conv(id: str, x: tuple[int, ...], w: tuple[int, ...], **fields: Any) -> Case:
    """As ``conv``, from bytes and a table."""
    whole = conv(id, x, w, **fields)
    values, weight, *rest = whole.inputs
    table = Draw((256, x[1]), values.dtype, values.fill)
    return Case(id, LookupConv(whole.op), (Draw(x, "uint8"), table, weight, *rest), (0, 4) if 3 in whole.flows else (0,))


_LOOKUP = (
    lookup("one pixel", (1, 1, 1, 1)),
    lookup("photograph", (1, 3, 17, 13)),
    lookup("batch 0", (0, 3, 5, 5)),
    lookup("batch 7", (7, 3, 5, 5)),
    lookup("five channels", (2, 5, 4, 3)),
    lookup("rank 2", (4, 3)),
    lookup("rank 3", (4, 3, 2)),
    lookup("1000 channels", (1, 1000, 2, 1)),
    lookup("float64", (2, 3, 5, 5), "float64"),
    lookup("float16", (2, 3, 5, 5), "float16"),
)

_LOOKUP_CONV = (
    lookup_conv("one pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    lookup_conv("photograph", (1, 3, 17, 13), (5, 3, 3, 3), stride=2, padding=1, bias=True, pre=RELU6),
    lookup_conv("batch 0", (0, 3, 5, 5), (4, 3, 3, 3), padding=1),
    lookup_conv("batch 7", (7, 3, 9, 8), (8, 3, 3, 3), stride=2, padding="same", bias=True),
    lookup_conv("grey", (2, 1, 12, 12), (6, 1, 5, 5), padding=2, pre=RELU),
    lookup_conv("two channels", (1, 2, 6, 7), (3, 2, 2, 4), stride=(1, 3), bias=True),
    lookup_conv("four channels", (2, 4, 9, 11), (8, 4, 3, 3), padding=1, **ALL),
    lookup_conv("asymmetric padding", (1, 3, 6, 7), (5, 3, 3, 3), padding=((0, 1), (2, 0)), bias=True),
    lookup_conv("7x7 stride 2", (1, 3, 33, 37), (16, 3, 7, 7), stride=2, padding=3, bias=True, pre=RELU),
    lookup_conv("11x11 stride 4", (1, 3, 67, 51), (8, 3, 11, 11), stride=4, padding=2, bias=True, pre=RELU),
    lookup_conv("21x21 stride 2", (1, 3, 25, 23), (4, 3, 21, 21), stride=2, padding=10),
    lookup_conv("1x1", (1, 3, 5, 4), (4, 3, 1, 1), bias=True, post=HARD),
    lookup_conv("1000 channels in", (1, 1000, 2, 3), (3, 1000, 1, 1)),
    lookup_conv("1000 channels out", (1, 3, 4, 5), (1000, 3, 3, 3), padding=1, bias=True),
    lookup_conv("no channels out", (2, 3, 5, 5), (0, 3, 3, 3)),
    lookup_conv("residual, then relu", (2, 3, 7, 7), (8, 3, 3, 3), padding=1, bias=True, residual=True, post=RELU),
    lookup_conv("NaN and Inf", (1, 3, 14, 21), (4, 3, 3, 3), padding=1, fill="special"),
    lookup_conv("Inf beside the window", (1, 3, 9, 40), (4, 3, 3, 3), fill="infinite", bias=True),
    lookup_conv("many channels in", (1, 5, 6, 6), (4, 5, 3, 3), padding=1),
    lookup_conv("groups", (1, 4, 6, 6), (6, 2, 3, 3), groups=2, dilation=2, padding=2),
    lookup_conv("float64", (1, 3, 7, 5), (4, 3, 3, 3), padding=1, dtype="float64", **ALL),
    lookup_conv("float16", (1, 3, 7, 5), (4, 3, 3, 3), padding=1, dtype="float16", **ALL),
    lookup_conv("1-d", (2, 3, 11), (4, 3, 3), stride=2, padding=1, bias=True),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    Lookup: _LOOKUP,
    LookupConv: _LOOKUP_CONV,
}
