"""Geometry of sliding windows, shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import Any

import numpy as np

from ..errors import ShapeError, UnsupportedError
from ..spec import Array, Spec, shape_text
from .base import wrong

__all__ = [
    "Padding", "output_sizes", "pad_spatial", "require_axes", "require_map", "require_number", "require_places", "resolve_padding",
    "running_best", "taps_inside", "windows",
]  # fmt: skip

Padding = tuple[tuple[int, int], ...] | str
"""Pixels (before, after) along each spatial axis, or ``"same"``, ``"same_lower"``, ``"valid"``."""

MOST_PLACES = 1 << 16
"""Of a window that is walked place by place: seconds on a CPU, far above the windows of any network."""


def require_axes(op: str, x: Spec, spatial: int) -> None:
    """Raise unless x has batch, channels and so many spatial axes."""
    if x.ndim != spatial + 2:
        raise wrong(op, f"x must have {spatial + 2} axes (n, c, …), got {x.ndim}", x=x)


def require_number(op: str, x: Spec) -> None:
    """Raise unless x holds numbers that can be compared."""
    if x.dtype.kind not in "fiu":
        raise wrong(op, f"x must be a number, got {x.dtype}", x=x)


def require_places(op: str, kernel: tuple[int, ...]) -> None:
    """Raise for a window whose places, walked one by one, would keep a CPU for more than seconds."""
    if prod(kernel) > MOST_PLACES:
        raise UnsupportedError(
            f"{op}: a window of {shape_text(kernel)} has {prod(kernel)} places, which are walked one by one; "
            f"at most {MOST_PLACES} are supported"
        )


def require_map(op: str, x: Spec) -> None:
    """Raise where a channel has no pixel."""
    if 0 in x.shape[2:]:
        raise wrong(op, "the map is empty", x=x)


def resolve_padding(
    op: str, padding: Padding, sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Padding in pixels for inputs of ``sizes``.

    ``"same"`` gives ``ceil(in/stride)`` outputs with the odd pixel at the end (ONNX SAME_UPPER, TensorFlow SAME),
    ``"same_lower"`` with the odd pixel at the beginning.
    """
    if isinstance(padding, tuple):
        if len(padding) != len(sizes):
            raise ShapeError(f"{op}: padding is given for {len(padding)} spatial axes, x has {len(sizes)}")
        return padding
    if padding == "valid":
        return ((0, 0),) * len(sizes)
    if padding not in ("same", "same_lower"):
        raise ShapeError(f"{op}: padding must be pixels, 'same', 'same_lower' or 'valid', got {padding!r}")
    pads = []
    for n, k, s, d in zip(sizes, kernel, stride, dilation):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        small, large = total // 2, total - total // 2
        pads.append((small, large) if padding == "same" else (large, small))
    return tuple(pads)


def output_sizes(
    op: str,
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    ceil_mode: bool = False,
) -> tuple[int, ...]:
    """Number of windows along each axis: ``floor((in + before + after − dilation·(k−1) − 1)/stride) + 1``.

    With ``ceil_mode`` the division rounds up, but a window that would start in the padding after the input is dropped. A window that
    is larger than the padded input by less than the stride is then one window, as in PyTorch.

    No kernel reaches over billions of pixels: a number like that is damage, and arithmetic in 64 bits would go wrong with it.
    """
    for what, bits, values in (("kernel", 31, kernel), ("stride", 40, stride), ("padding", 31, sum(pads, ())), ("dilation", 31, dilation)):
        if max(values, default=0) >> bits:
            raise ShapeError(f"{op}: {what} must be below 2^{bits}, got {max(values)} (input {shape_text(sizes)})")
    out = []
    for n, k, s, (before, after), d in zip(sizes, kernel, stride, pads, dilation):
        reach = (k - 1) * d + 1
        room = n + before + after - reach
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if room < 0 and (not ceil_mode or count < 1):
            raise ShapeError(
                f"{op}: the kernel reaches over {reach} pixels, the padded input has {n + before + after} "
                f"(input {shape_text(sizes)}, kernel {shape_text(kernel)}, dilation {shape_text(dilation)}, padding {pads}); "
                "use a larger input, a smaller kernel, or more padding"
            )
        if ceil_mode and (count - 1) * s >= n + before:
            count -= 1
        out.append(count)
    return tuple(out)


def taps_inside(count: int, k: int, s: int, before: int, d: int, lowest: int, highest: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many of a window's places lie in [lowest, highest), for each of ``count`` windows along an axis.

    Counted, not listed: a kernel may reach over a billion pixels of padding.
    """
    start = np.arange(count, dtype=np.int64) * s - before
    first, behind = (np.clip(-((start - bound) // d), 0, k) for bound in (lowest, highest))
    return behind - first


def pad_spatial(
    xp: Any,
    x: Array,
    pads: tuple[tuple[int, int], ...],
    value: float,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out: tuple[int, ...],
) -> Array:
    """``x`` (n, c, …) padded with ``value``, and further at the end where the last window reaches beyond the padding."""
    full = []
    for n, k, s, (before, after), d, count in zip(x.shape[2:], kernel, stride, pads, dilation, out):
        full.append((before, max(after, (count - 1) * s + (k - 1) * d + 1 - n - before)))
    padded = xp.full((*x.shape[:2], *(n + b + a for n, (b, a) in zip(x.shape[2:], full))), value, dtype=x.dtype)
    inner = (slice(None), slice(None), *(slice(b, b + n) for n, (b, _) in zip(x.shape[2:], full)))
    padded[inner] = x
    return padded


def windows(
    padded: Array, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], out: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yield each kernel position and the strided view (n, c, *out) of the inputs that it meets."""
    for offset in np.ndindex(*kernel):
        lines = (slice(r * d, r * d + (p - 1) * s + 1, s) for r, d, p, s in zip(offset, dilation, out, stride))
        cut = (slice(None), slice(None), *lines)
        yield offset, padded[cut]


def running_best(
    xp: Any,
    met: Iterable[tuple[Array, Array]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    worst: Any,
    beats: Callable[[Any, Any], Any],
) -> tuple[Array, Array]:
    """Best of each window and its place, from what the windows meet: pairs of values and places, a place below 0 being none.

    The first of equals, and NaN before all numbers; ``worst`` and −1 where a window meets nothing.
    """
    best, where = xp.full(shape, worst, dtype=dtype), xp.full(shape, -1, dtype=np.int64)
    for values, places in met:
        better = (places >= 0) & (beats(values, best) | (where < 0))
        if dtype.kind == "f":
            better = better | ((places >= 0) & xp.isnan(values) & ~xp.isnan(best))
        where = xp.where(better, places, where)
        best = xp.where(better, values, best)
    return best, where
