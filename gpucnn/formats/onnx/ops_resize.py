"""Resizing of maps, and exchange of channels for pixels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, ShapeError
from ...graph import Value
from ...ops import DepthToSpace as DepthToSpaceOp
from ...ops import Resize as ResizeOp
from ...ops import SpaceToDepth as SpaceToDepthOp
from ...ops import aspect_sizes
from .ops_shape import each_once

if TYPE_CHECKING:
    from .recorder import Floats, Ints, Recorder

__all__ = ["DepthToSpace", "Resize_10", "Resize_11", "SpaceToDepth", "Upsample", "Upsample_7", "Upsample_9"]


def DepthToSpace(g: Recorder, x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    return g.append(DepthToSpaceOp(blocksize, mode), x)


def SpaceToDepth(g: Recorder, x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    return g.append(SpaceToDepthOp(blocksize, mode), x)


# -- until opset 10: by factors from the corner


def Upsample(g: Recorder, x: Value, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Value:
    return _from_corner(g, x, (1.0, 1.0, height_scale, width_scale), mode)


def Upsample_7(g: Recorder, x: Value, *, scales: Floats, mode: str = "nearest") -> Value:
    return _from_corner(g, x, scales, mode)


def Upsample_9(g: Recorder, x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    return _from_corner(g, x, _floats(g, scales, "scales"), mode)


def Resize_10(g: Recorder, x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    return _from_corner(g, x, _floats(g, scales, "scales"), mode)


def _from_corner(g: Recorder, x: Value, scales: Floats, mode: str) -> Value:
    """What these opsets leave open, ONNX Runtime decided: element i shows the place i/scale, and of a place between two elements nearest
    takes the one before, but where the axis gets shorter the one after."""
    modes = {"nearest": "nearest", "linear": "linear", "bilinear": "linear"}
    if mode not in modes:
        raise ModelError(f"mode must be one of {', '.join(modes)}, got {mode!r}")
    if len(scales) != x.ndim:
        raise ShapeError(f"scales must hold one number an axis, got {scales} (x {x.spec})")
    way, dims = ResizeOp((), (), mode=modes[mode], coordinates="asymmetric", nearest="floor"), tuple(range(x.ndim))
    if way.mode == "linear":
        return _by_scales(g, x, way, dims, scales)
    sizes = _whole(x.shape, scales)
    if sizes == x.shape:
        return x
    shorter = [i for i in dims if scales[i] < 1]
    for at, nearest in ((shorter, "ceil"), ([i for i in dims if i not in shorter], "floor")):
        by = tuple(_meant(scales[i]) for i in at)
        x = _resized(g, x, replace(way, nearest=nearest), tuple(at), tuple(sizes[i] for i in at), by)
    return x


# -- from opset 11


def Resize_11(
    g: Recorder, x: Value, roi: Value | None = None, scales: Value | None = None, sizes: Value | None = None, *,
    coordinate_transformation_mode: str = "half_pixel", cubic_coeff_a: float = -0.75, exclude_outside: int = 0,
    extrapolation_value: float = 0.0, mode: str = "nearest", nearest_mode: str = "round_prefer_floor",
    antialias: int = 0, axes: Ints | None = None, keep_aspect_ratio_policy: str = "stretch",
) -> Value:  # fmt: skip
    way = ResizeOp(
        (), (), mode=mode, coordinates=coordinate_transformation_mode, nearest=nearest_mode, cubic_a=cubic_coeff_a,
        antialias=bool(antialias) and mode != "nearest", exclude_outside=bool(exclude_outside), extrapolation=extrapolation_value,
    )  # fmt: skip
    dims = tuple(range(x.ndim)) if axes is None else each_once("resize", axes, x.ndim)
    if way.coordinates == "tf_crop_and_resize":
        shares = (0.0,) * len(dims) + (1.0,) * len(dims) if roi is None else _floats(g, roi, "roi")
        if len(shares) != 2 * len(dims):
            raise ShapeError(f"roi must hold {2 * len(dims)} numbers for {len(dims)} axes, got {len(shares)} (x {x.spec})")
        way = replace(way, dims=dims, sizes=(0,) * len(dims), roi=tuple(zip(shares[: len(dims)], shares[len(dims) :])))
    factors = () if scales is None else _floats(g, scales, "scales")  # an empty list stands for none, as with sizes
    wanted = () if sizes is None else g.ints(sizes, "sizes")
    if bool(factors) == bool(wanted):
        raise ModelError(f"resize takes either scales or sizes, got scales {factors or 'none'} and sizes {wanted or 'none'}")
    if len(factors or wanted) != len(dims):
        raise ShapeError(f"resize: {'scales' if factors else 'sizes'} must hold {len(dims)} numbers, got {factors or wanted} (x {x.spec})")
    if factors:
        return _by_scales(g, x, way, dims, factors)
    old = tuple(x.shape[d] for d in dims)
    if keep_aspect_ratio_policy == "stretch" or 0 in old:
        return _resized(g, x, way, dims, wanted, None)
    return _resized(g, x, way, dims, *aspect_sizes(keep_aspect_ratio_policy, old, wanted))


def _floats(g: Recorder, x: Value, what: str) -> Floats:
    array = g.host(x, what)
    if array.dtype.kind != "f" or array.ndim > 1:
        raise ShapeError(f"{what} must be a list of floating-point numbers, got {x.spec}")
    return tuple(array.reshape(-1).tolist())


def _whole(old: Ints, scales: Floats) -> Ints:
    """Sizes cut off to whole numbers; in float32, as by ONNX's shape inference: 10·0.7 is 7 there, and a little less in float64.

    The text multiplies by the part that ``roi`` shows, too; neither shape inference, ONNX Runtime nor the evaluator does.
    """
    if not all(0 < s < np.inf for s in scales):
        raise ShapeError(f"resize: scales must be above 0 and finite, got {scales}")
    return tuple(int(np.float32(n) * np.float32(s)) for n, s in zip(old, scales))


def _by_scales(g: Recorder, x: Value, way: ResizeOp, dims: Ints, scales: Floats) -> Value:
    old = tuple(x.shape[d] for d in dims)
    sizes = _whole(old, scales)
    if sizes == old and not way.roi:
        return x  # 1.2 times 4 is 4: the text's scale, of the lengths, is then 1
    scales = tuple(map(_meant, scales))
    full = [n * s for n, s in zip(old, scales)]
    if way.coordinates == "align_corners" and way.mode != "nearest" and not way.antialias and list(sizes) != full:
        # ONNX's text puts the last element of the result on the last one of x. Its test data has there what the place n·scale − 1 would
        # show, which need not be whole: with weights between elements that decides.
        scales = tuple((f - 1) / (n - 1) if f > 1 and n > 1 else 1.0 for f, n in zip(full, old))
        way = replace(way, coordinates="asymmetric")
    return _resized(g, x, way, dims, sizes, scales)


def _meant(scale: float) -> float:
    """The simplest fraction that is this float32: 0.3 in float32 is more than 3/10, and places that should be whole would fall short."""
    simple = float(Fraction(scale).limit_denominator(1000))
    return simple if np.float32(simple) == np.float32(scale) else scale


def _resized(g: Recorder, x: Value, way: ResizeOp, dims: Ints, sizes: Ints, scales: Floats | None) -> Value:
    """Those axes resized that change."""
    shares = way.roi or ((0.0, 1.0),) * len(dims)
    each = [
        (dim, size, scale, share)
        for dim, size, scale, share in zip(dims, sizes, scales or (1.0,) * len(dims), shares)
        if size != x.shape[dim] or (scales and scale != 1.0) or share != (0.0, 1.0)
    ]
    if not each:
        return x
    at, out, by, shown = zip(*each)
    return g.append(replace(way, dims=at, sizes=out, scales=by if scales else (), roi=shown if way.roi else ()), x)
