"""Arithmetic, comparison, mathematics and conversion."""

from __future__ import annotations

from gpucnn.ops import UNARY, Binary, Cast, Op, Unary, Where

from .base import Case, Draw, of

_BINARY = tuple(
    of(f"{kind} {id}", Binary(kind), x, y, **kw)
    for kind in ("add", "sub", "mul", "div")
    for id, x, y, kw in (
        ("scalars", (), (), {}),
        ("odd sizes", (1, 3, 7, 5), (1, 3, 7, 5), {}),
        ("batch 0", (0, 3, 7, 5), (0, 3, 7, 5), {}),
        ("batch 7", (7, 1000), (7, 1000), {}),
        ("a scalar", (2, 3, 7, 5), (), {}),
        ("a value a channel", (2, 3, 7, 5), (3, 1, 1), {}),
        ("a value an image's channel", (2, 3, 7, 5), (2, 3, 1, 1), {}),
        ("the first one smaller", (3, 1, 1), (2, 3, 7, 5), {}),
        ("both broadcast", (2, 3, 1, 5), (1, 3, 7, 1), {}),
        ("a row", (4, 5), (5,), {}),
        ("lower rank with its own order", (2, 3, 4, 5), (3, 4, 5), {}),
        ("NaN and Inf", (2, 3, 9, 9), (2, 3, 9, 9), {"fill": "special"}),
        ("by zero", (2, 3), (2, 3), {"fill": "zero"}),
        ("float64", (2, 3, 7, 5), (2, 3, 7, 5), {"dtype": "float64"}),
        ("float16", (2, 3, 7, 5), (2, 3, 7, 5), {"dtype": "float16"}),
        *([("int32", (2, 3), (2, 3), {"dtype": "int32"}), ("uint8", (2, 3), (3,), {"dtype": "uint8"})] if kind != "div" else ()),
    )
)

_FLOATS = (
    ("a value a channel", (2, 3, 7, 5), (3, 1, 1), {}),
    ("NaN and Inf", (2, 3, 9, 9), (2, 3, 9, 9), {"fill": "special"}),
    ("float64", (2, 3, 5), (2, 3, 5), {"dtype": "float64"}),
    ("float16", (2, 3, 5), (2, 3, 5), {"dtype": "float16"}),
)
_WHOLE = (("int32", (5, 9), (5, 9), {"dtype": "int32"}), ("uint8", (2, 3), (3,), {"dtype": "uint8"}))
_EQUALS = (
    ("equal ones", (2, 3, 5), (2, 3, 5), {"fill": "ties"}),
    ("zeros", (2, 9), (2, 9), {"fill": "zeros"}),
)
_TRUTHS = (("bool", (2, 3, 5), (3, 5), {"dtype": "bool"}), ("numbers", (2, 9), (9,), {"fill": "zeros"}))
_SIZES = (("scalars", (), (), {}), ("batch 0", (0, 3, 5), (3, 1), {}))

_INTS = (
    ("odd sizes", (1, 3, 7, 5), (3, 1, 1), {"dtype": "int32"}),
    ("int64", (5, 9), (5, 9), {"dtype": "int64"}),
    ("int8", (5, 9), (9,), {"dtype": "int8"}),
    ("uint8 of all", (7, 9), (7, 9), {"dtype": "uint8"}),
    ("batch 0 of int32", (0, 3), (3,), {"dtype": "int32"}),
    ("scalars of int64", (), (), {"dtype": "int64"}),
)
_COUNTS = tuple(
    (f"{dtype} by {low} to {high}", (7, 9), Draw((7, 9), dtype, within=(low, high)), {"dtype": dtype})
    for dtype, low, high in (("int32", -3, 36), ("uint8", 0, 10), ("int64", 0, 66), ("int8", -1, 9))
)

_KINDS = {
    "pow": (*_FLOATS, ("positive", (2, 3, 5), (2, 3, 5), {"fill": "positive"}), ("zeros", (2, 9), (2, 9), {"fill": "zeros"}), *_WHOLE),
    "atan2": (*_SIZES, *_FLOATS, *_EQUALS),
    "maximum": (*_SIZES, *_FLOATS, *_WHOLE),
    "minimum": (*_SIZES, *_FLOATS, *_WHOLE),
    "remainder": (*_FLOATS, *_EQUALS, *_WHOLE),
    "fmod": (*_FLOATS, *_EQUALS, *_WHOLE),
    "floor_divide": (*_FLOATS, *_EQUALS, *_WHOLE),
    "trunc_divide": (*_FLOATS, *_EQUALS, *_WHOLE),
    **dict.fromkeys(("eq", "ne"), (*_SIZES, *_FLOATS[:2], *_EQUALS, *_WHOLE, _TRUTHS[0])),
    **dict.fromkeys(("lt", "le", "gt", "ge"), (*_SIZES, *_FLOATS[:2], *_EQUALS, *_WHOLE)),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), (*_INTS, *_WHOLE, _TRUTHS[0])),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift"), (*_INTS[4:], *_COUNTS, *_WHOLE)),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), (*_SIZES, *_FLOATS[1:3], *_TRUTHS, *_WHOLE)),
}
"""What else is combined, each kind on fewer shapes: all go the way of the first four."""

_FURTHER = tuple(of(f"{kind} {id}", Binary(kind), x, y, **kw) for kind, rows in _KINDS.items() for id, x, y, kw in rows)

_SHAPES = (
    ("odd sizes", (1, 3, 7, 5), {}),
    ("one channel", (2, 1, 7, 9), {}),
    ("NaN and Inf", (2, 3, 9, 9), {"fill": "special"}),
    ("float16", (2, 3, 5), {"dtype": "float16"}),
)
_MORE = (
    ("scalar", (), {}),
    ("rank 3", (2, 5, 3), {"fill": "wide"}),
    ("batch 0", (0, 3, 7, 5), {}),
    ("batch 7", (7, 1000), {"fill": "positive"}),
    ("zeros", (2, 9), {"fill": "zeros"}),
    ("float64", (2, 3, 7), {"dtype": "float64"}),
)
_INTEGERS = (
    ("int32", (2, 3), {"dtype": "int32"}),
    ("int32, one channel", (2, 1, 7, 5), {"dtype": "int32"}),
    ("uint8", (2, 3), {"dtype": "uint8"}),
)
_INSIDE = {"log", "log2", "log10", "sqrt", "rsqrt", "acosh"}
"""Kinds of positive numbers."""

_UNARY = tuple(
    of(f"{kind} {id}", Unary(kind), shape, **({"fill": "positive"} if kind in _INSIDE and id in ("odd sizes", "one channel") else {}), **kw)
    for kind in UNARY
    if kind != "bitwise_not"
    for id, shape, kw in (
        *_SHAPES,
        *_MORE,
        *(_INTEGERS if kind in ("neg", "abs", "sign", "square") else ()),
        *((("bool", (2, 3, 5), {"dtype": "bool"}),) if kind == "logical_not" else ()),
    )
)


_NOT = tuple(
    of(f"bitwise_not {id}", Unary("bitwise_not"), shape, dtype=dtype)
    for id, shape, dtype in (
        ("int32", (2, 3, 5), "int32"), ("uint8", (7, 5), "uint8"), ("int64", (2, 3), "int64"), ("int8", (9,), "int8"),
        ("bool", (2, 3, 5), "bool"), ("scalar", (), "int32"), ("batch 0", (0, 3), "int32"), ("1000 channels", (2, 1000), "uint8"),
    )
)  # fmt: skip

Shape = tuple[int, ...]


def where(id: str, condition: Shape, x: Shape, y: Shape, dtype: str = "float32", fill: str = "normal") -> Case:
    return of(id, Where(), Draw(condition, "bool"), x, y, dtype=dtype, fill=fill)


_WHERE = (
    where("scalars", (), (), ()),
    where("odd sizes", (1, 3, 7, 5), (1, 3, 7, 5), (1, 3, 7, 5)),
    where("batch 0", (0, 3, 7), (0, 3, 7), (0, 3, 7)),
    where("batch 7", (7, 1000), (7, 1000), (1000,)),
    where("a condition a pixel", (2, 1, 7, 5), (2, 3, 7, 5), ()),
    where("a condition a channel", (3, 1, 1), (2, 3, 7, 5), (2, 3, 7, 5)),
    where("all broadcast", (2, 1, 1), (3, 1), (4,)),
    where("NaN and Inf", (2, 3, 9, 9), (2, 3, 9, 9), (2, 3, 9, 9), fill="special"),
    where("float64", (2, 3), (2, 3), (2, 3), "float64"),
    where("float16", (2, 3), (2, 3), (2, 3), "float16"),
    where("int32", (2, 3), (2, 3), (2, 3), "int32"),
    where("uint8", (2, 3), (2, 3), (3,), "uint8"),
    where("bool", (2, 3), (2, 3), (3,), "bool"),
)

_CAST = (
    *(
        of(f"{source} to {target}, {id}", Cast(target), shape, dtype=source, fill=fill)
        for source, target in (("float32", "float16"), ("float16", "float32"), ("float32", "float32"), ("float64", "float16"))
        for id, shape, fill in (
            ("scalar", (), "normal"),
            ("rank 2", (7, 5), "wide"),
            ("odd sizes", (1, 3, 7, 5), "normal"),
            ("batch 0", (0, 3, 7, 5), "normal"),
            ("batch 7", (7, 16, 3, 3), "halves"),
            ("1000 channels", (2, 1000, 3, 1), "halves"),
            ("NaN and Inf", (2, 3, 9, 9), "special"),
        )
    ),
    *(
        of(f"{source} to {target}", Cast(target), (2, 3, 7, 5), dtype=source, fill=fill)
        for source, target, fill in (
            ("float32", "int32", "wide"),
            ("float32", "int8", "normal"),
            ("float16", "int64", "wide"),
            ("float32", "uint8", "positive"),
            ("float32", "bool", "zeros"),
            ("float64", "bool", "special"),
            ("int32", "float32", "normal"),
            ("int64", "float16", "normal"),
            ("uint8", "float32", "normal"),
            ("int32", "uint8", "normal"),
            ("int32", "int64", "normal"),
            ("uint8", "bool", "normal"),
            ("bool", "float32", "normal"),
            ("bool", "int32", "normal"),
        )
    ),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    Binary: (*_BINARY, *_FURTHER),
    Unary: (*_UNARY, *_NOT),
    Where: _WHERE,
    Cast: _CAST,
}
