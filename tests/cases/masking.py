"""One-hot vectors, and what is left of x in a triangle or at its maximum."""

from __future__ import annotations

from gpucnn.ops import Hardmax, OneHot, Op, Trilu

from .base import Case, Draw, of

Shape = tuple[int, ...]


def one_hot(
    id: str, x: Shape, depth: int, dim: int = -1, *, dtype: str = "int64", values: str = "float32", within: tuple[int, int] | None = None
) -> Case:
    low, high = within or (-depth - 2, depth + 2)
    numbers = Draw(x, dtype, "wide") if dtype.startswith("float") else Draw(x, dtype, within=(low, high))
    return Case(id, OneHot(depth, dim), (numbers, Draw((2,), values)), (0,))


_ONE_HOT = (
    one_hot("a scalar", (), 5),
    one_hot("classes", (7,), 10),
    one_hot("1000 classes", (3,), 1000),
    one_hot("1000 numbers", (1000,), 3),
    one_hot("depth 1", (9,), 1),
    one_hot("depth 0", (3,), 0),
    one_hot("in front", (2, 3), 5, 0),
    one_hot("channels", (2, 4, 5), 3, 1),
    one_hot("before the last", (2, 4, 5), 3, -2),
    one_hot("batch 0", (0, 3), 5),
    one_hot("batch 7", (7, 2, 3), 4),
    one_hot("inside alone", (40,), 6, within=(0, 6)),
    one_hot("int32", (9, 3), 4, dtype="int32"),
    one_hot("uint8", (9, 3), 4, dtype="uint8", within=(0, 7)),
    one_hot("float32", (9, 3), 90, dtype="float32"),
    one_hot("float16", (9, 3), 90, dtype="float16"),
    one_hot("values float16", (9,), 4, values="float16"),
    one_hot("values float64", (9,), 4, values="float64"),
    one_hot("values int64", (9,), 4, values="int64"),
    one_hot("values bool", (9,), 4, values="bool"),
)

_HARDMAX = (
    of("one of one", Hardmax(1), (1, 1)),
    of("rank 1", Hardmax(0), (5,)),
    of("1000 classes", Hardmax(-1), (7, 1000)),
    of("batch 0", Hardmax(1), (0, 5)),
    of("no classes", Hardmax(1), (3, 0)),
    of("over the batch", Hardmax(0), (7, 3)),
    of("channels", Hardmax(1), (2, 5, 3, 7)),
    of("columns", Hardmax(3), (1, 5, 3, 7)),
    of("ties", Hardmax(1), (7, 40), fill="ties"),
    of("zeros of both signs", Hardmax(1), (7, 11), fill="zeros"),
    of("NaN and Inf", Hardmax(1), (9, 40), fill="special"),
    of("NaNs", Hardmax(1), (3, 7), fill="nan"),
    of("all -Inf", Hardmax(1), (2, 5), fill="lowest"),
    of("float64", Hardmax(1), (3, 9), dtype="float64"),
    of("float16", Hardmax(1), (3, 9), dtype="float16"),
)

_TRILU = (
    *(
        of(f"{name} {id}", Trilu(k, upper), shape, dtype=dtype, fill=fill)
        for name, upper in (("triu", True), ("tril", False))
        for id, k, shape, dtype, fill in (
            ("square", 0, (5, 5), "float32", "normal"),
            ("wide", 1, (3, 7), "float32", "normal"),
            ("tall", -1, (7, 3), "float32", "normal"),
            ("stacks", 2, (7, 3, 5, 4), "float32", "normal"),
            ("all of it or nothing", -9, (3, 5), "float32", "normal"),
            ("nothing or all of it", 9, (3, 5), "float32", "normal"),
            ("batch 0", 0, (0, 3, 5), "float32", "normal"),
            ("no rows", 0, (2, 0, 5), "float32", "normal"),
            ("one element", 0, (1, 1), "float32", "normal"),
            ("1000 columns", 3, (2, 1000), "float32", "normal"),
            ("NaN and Inf", 0, (9, 9), "float32", "special"),
            ("float16", 0, (4, 5), "float16", "normal"),
            ("float64", 0, (4, 5), "float64", "normal"),
            ("int64", -1, (2, 4, 5), "int64", "normal"),
            ("bool", 1, (4, 5), "bool", "normal"),
        )
    ),
)

CASES: dict[type[Op], tuple[Case, ...]] = {OneHot: _ONE_HOT, Hardmax: _HARDMAX, Trilu: _TRILU}
