"""Resizing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx.reference.ops.op_resize import _cubic_coeffs, _cubic_coeffs_antialias, _interpolate_nd

from gpucnn.ops import Op, Resize

from .base import Oracle, ints, onnx


def resize(op: Resize, x: Any) -> tuple[Any, ...]:
    """ONNX, told of every axis: with a list of axes its evaluator goes image by image."""
    roi, scales, sizes = [0.0] * x.ndim + [1.0] * x.ndim, [1.0] * x.ndim, list(x.shape)
    for i, dim in enumerate(op.dims):
        if op.scales:
            scales[dim] = op.scales[i]
        if op.roi:
            roi[dim % x.ndim], roi[dim % x.ndim + x.ndim] = op.roi[i]
        sizes[dim] = op.sizes[i]
    given = (np.asarray(scales), None) if op.scales else (None, ints(*sizes))
    if op.mode == "cubic" and x.size:  # asked directly: the attribute a is a float32, in which NumPy then computes the weights
        weights = _cubic_coeffs_antialias if op.antialias else _cubic_coeffs
        return (
            _interpolate_nd(
                x.astype(np.float64), lambda ratio, scale: weights(ratio, scale, op.cubic_a), None if op.scales else sizes,
                np.asarray(scales) if op.scales else None, roi=np.asarray(roi), exclude_outside=op.exclude_outside,
                coordinate_transformation_mode=op.coordinates, extrapolation_value=op.extrapolation,
            ),
        )  # fmt: skip
    fields = {"antialias": int(op.antialias), "exclude_outside": int(op.exclude_outside), "extrapolation_value": op.extrapolation}
    return onnx(
        "Resize", x, np.asarray(roi), *given, mode=op.mode, nearest_mode=op.nearest,
        coordinate_transformation_mode=op.coordinates, keep_aspect_ratio_policy="stretch", **fields,
    )  # fmt: skip


def _place(op: Resize, i: int, n: int, out: int, scale: float, roi: tuple[float, float]) -> float:
    """The formulas of ONNX's documentation, letter by letter; ``tf_half_pixel_for_nn`` as it stood there until opset 11."""
    start, end = roi
    full = scale * n
    match op.coordinates:
        case "half_pixel":
            return (i + 0.5) / scale - 0.5
        case "half_pixel_symmetric":
            adjustment = out / full
            return n / 2 * (1 - adjustment) + (i + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (i + 0.5) / scale - 0.5 if out > 1 else 0.0
        case "align_corners":
            return i * (n - 1) / (out - 1) if out > 1 else 0.0
        case "asymmetric":
            return i / scale
        case "tf_half_pixel_for_nn":
            return (i + 0.5) / scale
        case _:
            if out > 1:
                return start * (n - 1) + i * (end - start) * (n - 1) / (out - 1)
            return 0.5 * (start + end) * (n - 1)


def _round(place: float, mode: str) -> int:
    low = math.floor(place)
    apart = place - low
    if apart == 0:
        return low
    up = {"floor": False, "ceil": True, "round_prefer_floor": apart > 0.5, "round_prefer_ceil": apart >= 0.5}[mode]
    return low + up


def _weight(op: Resize, distance: float) -> float:
    d, a = abs(distance), op.cubic_a
    if op.mode == "linear":
        return max(0.0, 1 - d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def _line(op: Resize, values: list[Any], out: int, scale: float, roi: tuple[float, float]) -> list[Any]:
    """One row of elements resized; None where it shows nothing of x."""
    n, found = len(values), []
    for i in range(out):
        place = _place(op, i, n, out, scale, roi)
        if op.coordinates == "tf_crop_and_resize" and not 0 <= place <= n - 1:
            found.append(None)
            continue
        if op.mode == "nearest":
            found.append(values[min(max(_round(place, op.nearest), 0), n - 1)])
            continue
        stretch = min(scale, 1.0) if op.antialias else 1.0
        reach = (1 if op.mode == "linear" else 2) / stretch
        terms = []
        for j in range(math.floor(place - reach), math.ceil(place + reach) + 1):
            if not op.exclude_outside or 0 <= j < n:
                terms.append((_weight(op, (j - place) * stretch), min(max(j, 0), n - 1)))
        total = sum(w for w, _ in terms) if op.antialias or op.exclude_outside else 1.0
        if any(values[j] is None for w, j in terms if w):
            found.append(None)
        else:
            found.append(sum(w / total * values[j] for w, j in terms if w))
    return found


def resize_by_hand(op: Resize, x: Any) -> tuple[Any, ...]:
    """Row by row in Python's numbers."""
    y = x.astype(object)
    for i, (dim, out) in enumerate(zip(op.dims, op.sizes)):
        rows = np.moveaxis(y, dim, -1)
        scale = op.scales[i] if op.scales else out / x.shape[dim]
        made = np.empty((*rows.shape[:-1], out), object)
        for at in np.ndindex(*rows.shape[:-1]):
            made[at] = _line(op, rows[at].tolist(), out, scale, op.roi[i] if op.roi else (0.0, 1.0))
        y = np.moveaxis(made, -1, dim)
    filled = [op.extrapolation if v is None else v for v in y.reshape(-1)]
    return (np.asarray(filled, np.float64 if x.dtype.kind == "f" else x.dtype).reshape(y.shape),)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {Resize: (resize, resize_by_hand)}

_REASONS = {
    "NaN and Inf": "there a weight of 0 makes NaN of NaN and Inf, and nearest is a sum of two; here such an element takes no part",
    "align_corners by factors": "the evaluator takes size·factor for the length of the result, a fraction; the specification its length",
    "tf_half_pixel_for_nn": "opset 13 dropped the mode, and the evaluator does not know it",
    "tf_half_pixel_for_nn by factors": "as tf_half_pixel_for_nn",
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("Resize", f"{mode} {id}"): why for mode in ("nearest", "linear", "cubic") for id, why in _REASONS.items()
}
