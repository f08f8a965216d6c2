"""Resizing: each result a weighted sum of the elements around a place of x, axis by axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, prod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, normalise_dim, require_float, wrong

__all__ = ["COORDINATES", "Resize", "Taps", "aspect_sizes"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Axis(NamedTuple):
    """One axis that is resized.

    Attributes
    ----------
    size, out : int
        Elements of x and of the result.
    scale : float or None
        Where it was given; else it is ``out/size``, and places are computed without rounding it.
    roi : (float, float)
        First and last place of x that is shown, as a share of it.
    """

    size: int
    out: int
    scale: float | None
    roi: tuple[float, float]

    def back(self, place: Floats) -> Floats:
        """``place/scale``."""
        return place * self.size / self.out if self.scale is None else place / self.scale

    def along(self, first: float, last: float, i: Floats) -> Floats:
        """Evenly from ``first`` to ``last``."""
        return np.zeros_like(i) + (first + last) / 2 if self.out == 1 else first + i * (last - first) / (self.out - 1)


def _symmetric(axis: Axis, i: Floats) -> Floats:
    """The middle of the result shows the middle of x, whatever was cut off to make its size whole."""
    full = axis.out if axis.scale is None else axis.size * axis.scale
    return axis.size / 2 * (1 - axis.out / full) + axis.back(i + 0.5) - 0.5


COORDINATES: dict[str, Callable[[Axis, Floats], Floats]] = {
    "half_pixel": lambda axis, i: axis.back(i + 0.5) - 0.5,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda axis, i: axis.back(i + 0.5) - 0.5 if axis.out > 1 else 0 * i,
    "align_corners": lambda axis, i: axis.along(0.0, axis.size - 1, i) if axis.out > 1 else 0 * i,
    "asymmetric": lambda axis, i: axis.back(i),
    "tf_half_pixel_for_nn": lambda axis, i: axis.back(i + 0.5),
    "tf_crop_and_resize": lambda axis, i: axis.along(axis.roi[0] * (axis.size - 1), axis.roi[1] * (axis.size - 1), i),
}
"""By ONNX's name of the mode: the place of x that element i of the result shows."""

_NEAREST: dict[str, Callable[[Floats], Floats]] = {
    "round_prefer_floor": lambda place: np.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: np.floor(place + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _triangle(x: Floats, a: float) -> Floats:
    weight: Floats = np.maximum(1 - np.abs(x), 0)
    return weight


def _cubic(x: Floats, a: float) -> Floats:
    """Keys 1981, Cubic convolution interpolation for digital image processing, equation 4."""
    x = np.abs(x)
    near: Floats = ((a + 2) * x - (a + 3)) * x * x + 1
    far: Floats = np.where(x < 2, a * (((x - 5) * x + 8) * x - 4), 0.0)
    return np.where(x <= 1, near, far)


_FILTERS: dict[str, tuple[Callable[[Floats, float], Floats], int]] = {"linear": (_triangle, 1), "cubic": (_cubic, 2)}
"""The weight of an element by its distance, and how far that reaches."""


class Taps(NamedTuple):
    """How one axis is resized: result i is ``Σ_t weights[i, t]·x[places[i, t]]``, or a constant where it is outside.

    Attributes
    ----------
    dim : int
    places : array, (out, taps), int64
    weights : array, (out, taps), float64
        One of 0 takes no part, whatever stands there.
    outside : array, (out,), bool
    """

    dim: int
    places: np.ndarray[Any, np.dtype[np.int64]]
    weights: Floats
    outside: np.ndarray[Any, np.dtype[np.bool_]]


def aspect_sizes(policy: str, shape: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Sizes and scales under ONNX's ``keep_aspect_ratio_policy``, for the resized axes alone.

    Parameters
    ----------
    policy : {"stretch", "not_larger", "not_smaller"}
        Take the sizes as they are; or one scale for all, so that no size is above, or none below, what was asked for.
    shape, sizes : tuple of int
        Of x, and asked for.

    Examples
    --------
    >>> aspect_sizes("not_larger", (10, 20), (5, 5))
    ((3, 5), (0.25, 0.25))
    """
    scales = tuple(s / n for n, s in zip(shape, sizes))
    if policy == "stretch":
        return sizes, scales
    if policy not in ("not_larger", "not_smaller"):
        raise ShapeError(f"resize: keep_aspect_ratio_policy must be 'stretch', 'not_larger' or 'not_smaller', got {policy!r}")
    scale = min(scales) if policy == "not_larger" else max(scales)
    return tuple(floor(scale * n + 0.5) for n in shape), (scale,) * len(shape)


@dataclass(frozen=True)
class Resize(Op):
    """x with other sizes along ``dims``: each result from the elements around the place of x that it shows.

    Parameters
    ----------
    dims : tuple of int
    sizes : tuple of int
        Of the result along ``dims``.
    scales : tuple of float, optional
        Result by x, where they were given and sizes rounded; else they follow from the sizes.
    mode : {"nearest", "linear", "cubic"}
    coordinates : str
        A key of ``COORDINATES``: ONNX's ``coordinate_transformation_mode``.
    nearest : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}
        Of ``nearest``: which element a place between two shows.
    cubic_a : float
        Of ``cubic``: −0.75 as OpenCV and PyTorch, −0.5 as Pillow.
    antialias : bool
        Let the weights reach further where x is made smaller, so that all of it is seen.
    exclude_outside : bool
        Whether what lies beyond the edge takes no part, and the weights are scaled up; else the edge is repeated.
    roi : tuple of (float, float), optional
        Of ``tf_crop_and_resize``: per axis, the first and last place that is shown, as a share of it.
    extrapolation : float
        Of ``tf_crop_and_resize``: what stands where x is not.

    Notes
    -----
    ONNX ``Resize``; PyTorch ``interpolate``. Places and weights are computed in float64; only nearest takes integers.
    """

    dims: tuple[int, ...]
    sizes: tuple[int, ...]
    scales: tuple[float, ...] = ()
    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic_a: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False
    roi: tuple[tuple[float, float], ...] = ()
    extrapolation: float = 0.0
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        tables = {"mode": ("nearest", *_FILTERS), "coordinates": tuple(COORDINATES), "nearest": tuple(_NEAREST)}
        for field, known in tables.items():
            if getattr(self, field) not in known:
                raise ShapeError(f"resize: {field} must be one of {', '.join(known)}, got {getattr(self, field)!r}")
        for name, values in (("sizes", self.sizes), ("scales", self.scales or self.dims), ("roi", self.roi or self.dims)):
            if len(values) != len(self.dims):
                raise ShapeError(f"resize: {name} {values} must have one value for each of dims {self.dims}")
        if any(s < 0 for s in self.sizes) or any(not s > 0 for s in self.scales):
            raise ShapeError(f"resize: sizes must not be negative and scales be above 0, got {self.sizes} and {self.scales}")
        if self.antialias and self.mode == "nearest":
            raise ShapeError("resize: mode 'nearest' has no antialias; take 'linear' or 'cubic'")
        object.__setattr__(self, "validation", "exact" if self.mode == "nearest" else "loose")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The sizes asked for along ``dims``."""
        dims = [normalise_dim("resize", d, x.ndim) for d in self.dims]
        if len(set(dims)) < len(dims):
            raise wrong("resize", f"dims must name each axis once, got {self.dims}", x=x)
        if self.mode != "nearest":
            require_float("resize", x=x)
        shape = list(x.shape)
        for dim, size in zip(dims, self.sizes):
            if size and not x.shape[dim]:
                raise wrong("resize", f"axis {dim} is empty and cannot become {size} long", x=x)
            shape[dim] = size
        return (Spec(tuple(shape), x.dtype),)

    def taps(self, x: Spec) -> tuple[Taps, ...]:
        """Places and weights of every axis that is resized."""
        scales: tuple[float | None, ...] = self.scales or (None,) * len(self.dims)
        rois = self.roi or ((0.0, 1.0),) * len(self.dims)
        axes = zip(self.dims, self.sizes, scales, rois)
        return tuple(self._axis(d % x.ndim, Axis(x.shape[d], out, scale, roi)) for d, out, scale, roi in axes)

    def _axis(self, dim: int, axis: Axis) -> Taps:
        place = COORDINATES[self.coordinates](axis, np.arange(axis.out, dtype=np.float64))
        last = max(axis.size - 1, 0)
        crops = self.coordinates == "tf_crop_and_resize"
        outside = (place < 0) | (place > last) if crops else np.zeros(axis.out, bool)
        if self.mode == "nearest":
            at = np.clip(_NEAREST[self.nearest](place), 0, last).astype(np.int64)
            return Taps(dim, at[:, None], np.ones((axis.out, 1)), outside)
        weigh, reach = _FILTERS[self.mode]
        scale = (axis.out / axis.size if axis.size else 1.0) if axis.scale is None else axis.scale
        shrink = min(scale, 1.0) if self.antialias else 1.0
        first = np.floor(place - reach / shrink) + 1
        at = (first[:, None] + np.arange(2 * int(np.ceil(reach / shrink)))).astype(np.int64)
        weights = weigh((at - place[:, None]) * shrink, self.cubic_a)
        if self.exclude_outside:
            weights = np.where((at >= 0) & (at <= last), weights, 0.0)
        if self.antialias or self.exclude_outside:
            total = weights.sum(axis=1, keepdims=True)
            weights = weights / np.where(total == 0, 1.0, total)
        return Taps(dim, np.clip(at, 0, last), weights, outside)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One axis after another, one tap after another."""
        taps, dtype = self.taps(Spec(x.shape, x.dtype)), x.dtype
        y = x if self.mode == "nearest" else x.astype(accumulator(dtype))
        for dim, places, weights, _ in taps:
            if self.mode == "nearest":
                y = xp.take(y, xp.asarray(places[:, 0]), axis=dim)
                continue
            column = (-1,) + (1,) * (y.ndim - 1 - dim)
            total = xp.zeros((*y.shape[:dim], len(places), *y.shape[dim + 1 :]), dtype=y.dtype)
            for place, weight in zip(places.T, weights.T):
                by = xp.asarray(weight).astype(y.dtype).reshape(column)
                total = total + xp.where(by != 0, by * xp.take(y, xp.asarray(place), axis=dim), xp.zeros_like(by))
            y = total
        constant = xp.asarray(self.extrapolation).astype(y.dtype)
        for dim, _, _, outside in taps:
            if outside.any():
                y = xp.where(xp.asarray(outside).reshape((-1,) + (1,) * (y.ndim - 1 - dim)), constant, y)
        return (y.astype(dtype),)

    def flops(self, x: Spec) -> int:
        """A multiply-add per tap of the last axis, about that in all."""
        if self.mode == "nearest":
            return 0
        return 2 * self.infer(x)[0].size * sum(int(t.places.shape[1]) for t in self.taps(x))

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the batch is resized."""
        return batched[0] and 0 not in (d % specs[0].ndim for d in self.dims)

    def reduction_length(self, x: Spec) -> int:
        """Products that one result adds up."""
        return prod(int(t.places.shape[1]) for t in self.taps(x))
