"""Normalisation."""

from __future__ import annotations

from gpucnn.ops import BatchNorm, Op

from .base import Case, Draw


def norm(id: str, x: tuple[int, ...], affine: str = "wb", *, eps: float = 1e-5, dtype: str = "float32", fill: str = "normal") -> Case:
    c, shift = (x[1],), "offset" if fill == "offset" else "normal"
    extra = (Draw(c, dtype) if "w" in affine else None, Draw(c, dtype) if "b" in affine else None)
    return Case(id, BatchNorm(eps), (Draw(x, dtype, fill), Draw(c, dtype, shift), Draw(c, dtype, "positive"), *extra))


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
    Case(
        "float16, statistics float32",
        BatchNorm(),
        (Draw((2, 8, 7, 5), "float16"), Draw((8,)), Draw((8,), fill="positive"), Draw((8,)), Draw((8,))),
    ),
    Case("no variance", BatchNorm(1e-5), (Draw((2, 3, 2, 2)), Draw((3,)), Draw((3,), fill="zero"), None, None)),
)

CASES: dict[type[Op], tuple[Case, ...]] = {BatchNorm: _NORM}
