"""Resizing."""

from __future__ import annotations

from typing import Any

from gpucnn.ops import Op, Resize
from gpucnn.ops.resize import COORDINATES

from .base import Case, of

X = (2, 3, 5, 4)


def space(id: str, sizes: tuple[int, ...], shape: tuple[int, ...] = X, *, fill: str = "normal", dtype: str = "float32", **kw: Any) -> Case:
    """Of the last axes."""
    return of(id, Resize(tuple(range(-len(sizes), 0)), sizes, **kw), shape, fill=fill, dtype=dtype)


def _modes() -> tuple[Case, ...]:
    """What every mode is asked."""
    found = []
    for mode in ("nearest", "linear", "cubic"):
        for id, sizes, shape, kw in (
            ("larger", (7, 9), X, {}),
            ("smaller", (2, 3), X, {}),
            ("to one pixel", (1, 1), X, {}),
            ("from one pixel", (3, 2), (2, 3, 1, 1), {}),
            ("same", (5, 4), X, {}),
            ("batch 0", (7, 9), (0, 3, 5, 4), {}),
            ("batch 7", (3, 8), (7, 1, 5, 4), {}),
            ("1000 channels", (3, 2), (1, 1000, 2, 3), {}),
            ("1-d", (7,), (2, 3, 5), {}),
            ("3-d", (2, 5, 3), (1, 2, 3, 4, 2), {}),
            ("rank 2", (7,), (3, 5), {}),
            ("by factors", (7, 3), X, {"scales": (1.5, 0.75)}),
            ("NaN and Inf", (9, 11), (2, 3, 9, 9), {"fill": "special"}),
            ("float16", (7, 3), X, {"dtype": "float16"}),
            ("float64", (7, 3), X, {"dtype": "float64"}),
        ):
            found.append(space(f"{mode} {id}", sizes, shape, mode=mode, **kw))
        for coordinates in COORDINATES:
            if coordinates == "tf_crop_and_resize":
                kw = {"roi": ((0.25, 0.5), (-0.5, 1.25)), "extrapolation": 3.0}
                found.append(space(f"{mode} {coordinates} to one pixel", (1, 1), mode=mode, coordinates=coordinates, **kw))
            else:
                kw = {}
                found.append(space(f"{mode} {coordinates} by factors", (7, 3), mode=mode, coordinates=coordinates, scales=(1.5, 0.8)))
            found.append(space(f"{mode} {coordinates}", (8, 3), mode=mode, coordinates=coordinates, **kw))
    for mode in ("linear", "cubic"):
        for id, kw in (
            ("without the outside", {"exclude_outside": True}),
            ("antialias", {"antialias": True}),
            ("antialias without the outside", {"antialias": True, "exclude_outside": True}),
        ):
            found.append(space(f"{mode} {id}", (3, 7), (2, 3, 11, 5), mode=mode, **kw))
            found.append(space(f"{mode} {id} by factors", (4, 2), (2, 3, 11, 9), mode=mode, scales=(0.4, 0.25), **kw))
    return tuple(found)


_RESIZE = (
    *_modes(),
    *(
        space(f"{nearest} of {coordinates}", (4, 10), (2, 3, 8, 4), nearest=nearest, coordinates=coordinates)
        for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        for coordinates in ("half_pixel", "asymmetric", "align_corners")
    ),
    space("cubic another a", (7, 3), mode="cubic", cubic_a=-0.5),
    of("channels", Resize((1,), (5,), mode="linear"), X),
    of("batch", Resize((0, 2), (5, 3), mode="linear"), X),
    of("all axes", Resize((0, 1, 2, 3), (3, 2, 4, 7), mode="cubic"), X),
    space("many pixels", (40, 3), (1, 2, 3, 60), mode="linear"),
    space("int64", (7, 3), dtype="int64"),
    space("uint8", (7, 3), dtype="uint8"),
)

CASES: dict[type[Op], tuple[Case, ...]] = {Resize: _RESIZE}
