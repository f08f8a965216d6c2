"""Ranking."""

from __future__ import annotations

from gpucnn.ops import Op, TopK

from .base import Case, of

_TOPK = (
    of("one of one", TopK(1), (1, 1)),
    of("1000 classes", TopK(5), (7, 1000), fill="wide"),
    of("batch 0", TopK(2), (0, 5)),
    of("none", TopK(0), (3, 5)),
    of("no classes", TopK(0), (3, 0)),
    of("all", TopK(13), (7, 13)),
    of("all of many", TopK(300, largest=False), (2, 300)),
    of("a long row", TopK(3), (2, 5003)),
    of("smallest", TopK(4, largest=False), (7, 33)),
    of("ties", TopK(7), (7, 40), fill="ties"),
    of("smallest of ties", TopK(7, largest=False), (7, 40), fill="ties"),
    of("many ties", TopK(9), (2, 700), fill="ties"),
    of("zeros of both signs", TopK(6), (3, 11), fill="zeros"),
    of("smallest zeros of both signs", TopK(6, largest=False), (3, 11), fill="zeros"),
    of("NaN and Inf", TopK(40), (9, 40), fill="special"),
    of("smallest of NaN and Inf", TopK(40, largest=False), (9, 40), fill="special"),
    of("NaNs", TopK(5), (3, 7), fill="nan"),
    of("smallest of NaNs", TopK(5, largest=False), (3, 7), fill="nan"),
    of("all -Inf", TopK(3), (2, 5), fill="lowest"),
    of("rank 1", TopK(2, 0), (5,)),
    of("channels", TopK(3, 1), (2, 5, 3, 7)),
    of("lines", TopK(2, -2), (2, 5, 3, 7)),
    of("columns", TopK(3, 3), (1, 5, 3, 7)),
    of("over the batch", TopK(4, 0), (7, 3, 2, 2)),
    of("rank 5", TopK(2, 1), (2, 3, 2, 3, 2)),
    of("float64", TopK(4), (3, 9), dtype="float64"),
    of("float16", TopK(4), (3, 9), dtype="float16"),
    of("int32", TopK(4), (3, 9), dtype="int32"),
    of("uint8", TopK(4, largest=False), (3, 9), dtype="uint8"),
)

CASES: dict[type[Op], tuple[Case, ...]] = {TopK: _TOPK}
