"""Resizing."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops import AdaptiveAvgPool, Resize
from ..spec import shape_text
from .base import T, apply_op, number, shape_of, whole

__all__ = ["interpolate"]

_MODES = {
    "nearest": ("nearest", (1, 2, 3)),
    "nearest-exact": ("nearest", (1, 2, 3)),
    "linear": ("linear", (1,)),
    "bilinear": ("linear", (2,)),
    "trilinear": ("linear", (3,)),
    "bicubic": ("cubic", (2,)),
    "area": ("area", (1, 2, 3)),
}
"""By PyTorch's name: the op's mode, and for how many spatial axes there is one."""


def _each(name: str, value: Any, spatial: int) -> tuple[Any, ...]:
    found = tuple(value) if isinstance(value, Sequence) else (value,) * spatial
    if len(found) != spatial:
        raise ShapeError(f"interpolate: {name} must be a number or one for each of {spatial} spatial axes, got {value!r}")
    return found


def _sizes(size: Any, scale_factor: Any, recompute: bool | None, spatial: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Of the result, and the scales where they do not follow from those."""
    if (size is None) == (scale_factor is None):
        raise ShapeError("interpolate: give size or scale_factor, and not both")
    if size is not None:
        if recompute:
            raise ShapeError("interpolate: recompute_scale_factor is for scale_factor, not for size")
        found = tuple(whole("interpolate", "size", s) for s in _each("size", size, len(spatial)))
        scales: tuple[float, ...] = ()
    else:
        scales = tuple(number("interpolate", "scale_factor", s) for s in _each("scale_factor", scale_factor, len(spatial)))
        if not all(0 < s < np.inf for s in scales):
            raise ShapeError(f"interpolate: scale_factor must be above 0, got {scale_factor!r}")
        found = tuple(floor(n * s) for n, s in zip(spatial, scales))
        scales = () if recompute else scales
    if any(s < 1 for s in found):
        raise ShapeError(f"interpolate: the result would be {shape_text(found)} large, it must be at least 1 along each axis")
    return found, scales


def interpolate(
    x: T,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> T:
    """Resize maps.

    Parameters
    ----------
    x : array, (n, c, …), one to three spatial axes; floating point, any number type for the nearest modes
    size : int or sequence of int, optional
        Of the result, pixels.
    scale_factor : float or sequence of float, optional
        Instead of ``size``: ``floor(n·scale)`` pixels.
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"}
        ``"linear"`` is for one spatial axis, ``"bilinear"`` and ``"bicubic"`` for two, ``"trilinear"`` for three. ``"nearest-exact"`` takes
        the pixel whose middle is nearest, ``"nearest"`` the one before; ``"area"`` is adaptive average pooling.
    align_corners : bool, optional
        Of the linear and cubic modes: whether the middles of the corner pixels stay where they are, rather than the image's corners.
    recompute_scale_factor : bool, optional
        Whether places follow from the sizes, rounded as they are, rather than from ``scale_factor`` itself.
    antialias : bool
        Of ``"bilinear"`` and ``"bicubic"``: let every pixel of x be seen where it is made smaller, as Pillow does.

    Returns
    -------
    array, (n, c, *size), dtype of x

    Raises
    ------
    ShapeError
        Neither or both of ``size`` and ``scale_factor`` are given, or the mode is not for so many axes or has no such choice.

    Notes
    -----
    PyTorch ``interpolate``, ONNX ``Resize``. ``y[i] = Σ_t w_t·x[t]`` with weights by the distance of t from ``(i + 0.5)/scale − 0.5``, or
    ``i·(n − 1)/(size − 1)`` with ``align_corners``: Keys' cubic with a = −0.75, with ``antialias`` a = −0.5, both as in PyTorch.
    ``align_corners`` with ``antialias`` is refused: PyTorch's result is then shifted. The neighbour of "nearest" is computed exactly;
    PyTorch rounds in float32 on the way, and takes the one beside it for a few sizes (14 to 46 is one).

    Examples
    --------
    >>> import numpy as np
    >>> interpolate(np.float32([[[1, 3]]]), scale_factor=2, mode="linear")
    array([[[1. , 1.5, 2.5, 3. ]]], dtype=float32)
    """
    shape = shape_of(x)
    if mode not in _MODES:
        raise ShapeError(f"interpolate: mode must be one of {', '.join(_MODES)}, got {mode!r}")
    kind, ranks = _MODES[mode]
    if len(shape) - 2 not in ranks:
        wanted = " or ".join(str(r + 2) for r in ranks)
        raise ShapeError(f"interpolate: mode {mode!r} is for {wanted} axes (n, c, …), x has {len(shape)} (x {shape_text(shape)})")
    if align_corners is not None and kind not in ("linear", "cubic"):
        raise ShapeError(f"interpolate: mode {mode!r} has no align_corners; leave it out")
    if antialias and (mode not in ("bilinear", "bicubic") or align_corners):
        raise ShapeError("interpolate: antialias is for the modes 'bilinear' and 'bicubic' without align_corners")
    spatial = shape[2:]
    sizes, scales = _sizes(size, scale_factor, recompute_scale_factor, spatial)
    if kind == "area":
        pooled: T = apply_op(AdaptiveAvgPool(sizes), x)[0]
        return pooled
    if scales and mode != "nearest-exact":
        # As PyTorch, which copies an axis that keeps its size, and in nearest mode, if there are two of them, doubles one exactly.
        exact = {"nearest": (1, 2) if len(spatial) == 2 else (), "linear": (1,)}.get(kind, ())
        scales = tuple(float(s // n) if n and s in [k * n for k in exact] else scale for n, s, scale in zip(spatial, sizes, scales))
    coordinates = "align_corners" if align_corners else "asymmetric" if mode == "nearest" else "half_pixel"
    op = Resize(
        tuple(range(2, len(shape))), sizes, scales, kind, coordinates,
        nearest="floor" if mode == "nearest" else "round_prefer_ceil", cubic_a=-0.5 if antialias else -0.75,
        antialias=antialias, exclude_outside=antialias,
    )  # fmt: skip
    y: T = apply_op(op, x)[0]
    return y
