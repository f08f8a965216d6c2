"""Numbers as small integers times a scale, and back."""

from __future__ import annotations

from gpucnn.ops import Dequantize, Op, Quantize

from .base import Case, Draw

Shape = tuple[int, ...]
_ZEROS = {"uint8": (0, 256), "int8": (-128, 128), "uint16": (0, 9999), "int16": (-999, 999), "int32": (-999, 999)}


def quantize(
    id: str, x: Shape, scale: Shape = (), *, dim: int = 1, block: int = 0, to: str = "uint8", dtype: str = "float32", scales: str = "",
    zero: bool = True, fill: str = "wide", flows: tuple[int, ...] = (0,),
) -> Case:  # fmt: skip
    point = Draw(scale, to, within=_ZEROS[to]) if zero else None
    return Case(id, Quantize(to, dim, block), (Draw(x, dtype, fill), Draw(scale, scales or dtype, "positive"), point), flows)


def dequantize(
    id: str, x: Shape, scale: Shape = (), *, dim: int = 1, block: int = 0, of: str = "uint8", dtype: str = "float32", zero: bool = True,
    fill: str = "positive", flows: tuple[int, ...] = (0,),
) -> Case:  # fmt: skip
    limits = None if of in ("uint8", "int8", "int32") else (_ZEROS[of][0] * 3, _ZEROS[of][1] * 3)
    point = Draw(scale, of, within=_ZEROS[of]) if zero else None
    return Case(id, Dequantize(dim, block), (Draw(x, of, within=limits), Draw(scale, dtype, fill), point), flows)


_QUANTIZE = (
    quantize("scalar", ()),
    quantize("odd sizes", (1, 3, 7, 5)),
    quantize("one of a list", (2, 3), (1,)),
    quantize("no zero point", (2, 3, 7, 5), zero=False),
    quantize("channels", (2, 3, 7, 5), (3,)),
    quantize("channels, no zero point", (2, 3, 7, 5), (3,), zero=False, to="int8"),
    quantize("columns", (2, 3, 7, 5), (5,), dim=-1),
    quantize("rows of a weight", (5, 3, 3, 3), (5,), dim=0, to="int8"),
    quantize("one channel", (2, 1, 5), (1,)),
    quantize("blocks", (4, 6), (4, 3), block=2),
    quantize("blocks, the last shorter", (3, 7, 5), (3, 3, 5), block=3),
    quantize("blocks along the first axis", (5, 3), (2, 3), dim=0, block=3, to="int8"),
    quantize("batch 0", (0, 3, 7)),
    quantize("batch 0, channels", (0, 3, 7), (3,)),
    quantize("batch 7", (7, 3, 4, 4), (3,)),
    quantize("1000 channels", (2, 1000), (1000,)),
    quantize("a long row", (2, 20000)),
    quantize("int8", (2, 3, 7, 5), to="int8"),
    quantize("uint16", (2, 3, 7), (3,), to="uint16"),
    quantize("int16", (2, 3, 7), to="int16"),
    quantize("beyond every type", (2, 3, 7), fill="huge"),
    quantize("NaN and Inf", (2, 3, 9, 9), fill="special", to="int8"),
    quantize("ties", (7, 40), fill="ties", zero=False),
    quantize("float16", (2, 3, 7), (3,), dtype="float16"),
    quantize("float16, scale float32", (2, 3, 7), (3,), dtype="float16", scales="float32"),
    quantize("float64", (2, 3, 7), (3,), dtype="float64"),
    quantize("all arrive at run time", (2, 3, 7), (3,), flows=(0, 1, 2)),
    quantize("a scalar arrives at run time", (2, 3, 7), flows=(0, 1, 2)),
)

_DEQUANTIZE = (
    dequantize("scalar", ()),
    dequantize("odd sizes", (1, 3, 7, 5)),
    dequantize("one of a list", (2, 3), (1,)),
    dequantize("no zero point", (2, 3, 7, 5), zero=False),
    dequantize("channels", (2, 3, 7, 5), (3,)),
    dequantize("columns", (2, 3, 7, 5), (5,), dim=-1),
    dequantize("rows of a weight", (5, 3, 3, 3), (5,), dim=0, of="int8"),
    dequantize("blocks", (4, 6), (4, 3), block=2),
    dequantize("blocks, the last shorter", (3, 7, 5), (3, 3, 5), block=3),
    dequantize("batch 0", (0, 3, 7)),
    dequantize("batch 7", (7, 3, 4, 4), (3,)),
    dequantize("1000 channels", (2, 1000), (1000,)),
    dequantize("a long row", (2, 20000)),
    dequantize("int8", (2, 3, 7, 5), of="int8"),
    dequantize("uint16", (2, 3, 7), (3,), of="uint16"),
    dequantize("int16", (2, 3, 7), of="int16"),
    dequantize("int32", (2, 3, 7), (3,), of="int32", zero=False),
    dequantize("int32 with a zero point", (2, 3, 7), of="int32"),
    dequantize("scales of NaN and Inf", (2, 40), (40,), fill="special"),
    dequantize("float16", (2, 3, 7), (3,), dtype="float16"),
    dequantize("float64", (2, 3, 7), (3,), dtype="float64"),
    dequantize("all arrive at run time", (2, 3, 7), (3,), flows=(0, 1, 2)),
)

CASES: dict[type[Op], tuple[Case, ...]] = {Quantize: _QUANTIZE, Dequantize: _DEQUANTIZE}
