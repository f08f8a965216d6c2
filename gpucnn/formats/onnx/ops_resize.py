"""Resizing of maps, and exchange of channels for pixels."""

from __future__ import annotations

from dataclasses import replace
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
    x = _by_scales(g, x, replace(way, nearest="ceil"), dims, tuple(min(s, 1.0) for s in scales))
    return _by_scales(g, x, way, dims, tuple(max(s, 1.0) for s in scales))


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
    if 0 in old:
        return _resized(g, x, way, dims, wanted, None)
    if keep_aspect_ratio_policy == "stretch":
        return _resized(g, x, way, dims, wanted, None)
    return _resized(g, x, way, dims, *aspect_sizes(keep_aspect_ratio_policy, old, wanted))


def _floats(g: Recorder, x: Value, what: str) -> Floats:
    array = g.host(x, what)
    if array.dtype.kind != "f" or array.ndim > 1:
        raise ShapeError(f"{what} must be a list of floating-point numbers, got {x.spec}")
    return tuple(array.reshape(-1).tolist())


def _by_scales(g: Recorder, x: Value, way: ResizeOp, dims: Ints, scales: Floats) -> Value:
    """Sizes cut off to whole numbers; in float32, as by ONNX's shape inference: 10·0.7 is 7 there, and a little less in float64."""
    if not all(s > 0 for s in scales):
        raise ShapeError(f"resize: scales must be above 0, got {scales}")
    shares = way.roi or ((0.0, 1.0),) * len(dims)
    sizes = tuple(
        int(np.float32(x.shape[d]) * np.float32(last - first) * np.float32(s)) for d, s, (first, last) in zip(dims, scales, shares)
    )
    return _resized(g, x, way, dims, sizes, scales)


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
