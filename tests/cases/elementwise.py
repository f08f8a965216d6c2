"""Arithmetic and conversion."""

from __future__ import annotations

from gpucnn.ops import Binary, Cast, Op

from .base import Case, of

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

_CAST = tuple(
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
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    Binary: _BINARY,
    Cast: _CAST,
}
