"""What cuts, joins, repeats and pads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, ShapeError
from ...graph import Value
from ...ops import Concat as ConcatOp
from ...ops import Expand as ExpandOp
from ...ops import Gather
from ...ops import Pad as PadOp
from ...ops import Slice as SliceOp
from ...ops import Tile as TileOp
from ...ops.base import normalise_dim
from .ops_shape import each_once

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = [
    "CenterCropPad", "Concat", "Concat_4", "Expand", "Pad", "Pad_2", "Pad_11", "Pad_18", "Slice", "Slice_10", "Split", "Split_2",
    "Split_13", "Split_18", "Tile", "Tile_6",
]  # fmt: skip


# -- joining and cutting


def Concat(g: Recorder, *xs: Value, axis: int = 1) -> Value:
    if any(x is None for x in xs):
        raise ModelError("lacks an input: none of them is optional")
    return g.append(ConcatOp(axis), *xs)


def Concat_4(g: Recorder, *xs: Value, axis: int) -> Value:
    return Concat(g, *xs, axis=axis)


def cut(g: Recorder, x: Value, ranges: dict[int, tuple[int, int]]) -> Value:
    """The elements of x from one index to before another, by axis; x itself where that is all."""
    kept = {axis: r for axis, r in ranges.items() if r != (0, x.shape[axis])}
    if not kept:
        return x
    starts, stops = zip(*kept.values())
    return g.append(SliceOp(starts, stops, tuple(kept)), x)


def _parts(g: Recorder, x: Value, axis: int, sizes: Ints) -> tuple[Value, ...]:
    axis = normalise_dim("split", axis, x.ndim)
    if any(s < 0 for s in sizes) or sum(sizes) != x.shape[axis]:
        raise ShapeError(f"split: sizes must be at least 0 and add up to axis {axis} of x, got {sizes} (x {x.spec})")
    if len(sizes) != len(g.wanted):
        raise ModelError(f"split: {len(sizes)} sizes are given, {len(g.wanted)} outputs are named")
    ends = np.cumsum(sizes).tolist()
    return tuple(cut(g, x, {axis: (end - size, end)}) for size, end in zip(sizes, ends))


def _equal(g: Recorder, x: Value, axis: int, count: int, uneven: bool = False) -> tuple[Value, ...]:
    """Parts of one size; of an axis that does not divide, the last may be smaller."""
    size = x.shape[normalise_dim("split", axis, x.ndim)]
    each = -(-size // count) if count > 0 else 0
    last = size - each * (count - 1)
    if count < 1 or last < 0 or (last != each and not uneven):
        raise ShapeError(
            f"split: axis {axis} of size {size} has no {count} {'' if uneven else 'equal '}parts; give their sizes (x {x.spec})"
        )
    return _parts(g, x, axis, (*(each,) * (count - 1), last))


def Split(g: Recorder, x: Value, sizes: Value | None = None, *, axis: int = 0, split: Ints | None = None) -> tuple[Value, ...]:
    if sizes is not None:
        split = g.ints(sizes, "split")
    return _equal(g, x, axis, len(g.wanted)) if split is None else _parts(g, x, axis, split)


def Split_2(g: Recorder, x: Value, *, axis: int = 0, split: Ints | None = None) -> tuple[Value, ...]:
    return Split(g, x, axis=axis, split=split)


def Split_13(g: Recorder, x: Value, split: Value | None = None, *, axis: int = 0) -> tuple[Value, ...]:
    return Split(g, x, split, axis=axis)


def Split_18(g: Recorder, x: Value, split: Value | None = None, *, axis: int = 0, num_outputs: int | None = None) -> tuple[Value, ...]:
    if num_outputs is None:
        return Split(g, x, split, axis=axis)
    if split is not None:
        raise ModelError(f"split: takes either sizes or num_outputs, got both ({num_outputs} outputs)")
    return _equal(g, x, axis, num_outputs, uneven=True)


def Slice(g: Recorder, x: Value, *, starts: Ints, ends: Ints, axes: Ints | None = None) -> Value:
    return _sliced(g, x, starts, ends, axes, None)


def Slice_10(g: Recorder, x: Value, starts: Value, ends: Value, axes: Value | None = None, steps: Value | None = None) -> Value:
    some = (None if v is None else g.ints(v, what) for v, what in ((axes, "axes"), (steps, "steps")))
    return _sliced(g, x, g.ints(starts, "starts"), g.ints(ends, "ends"), *some)


def _sliced(g: Recorder, x: Value, starts: Ints, ends: Ints, axes: Ints | None, steps: Ints | None) -> Value:
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ShapeError(f"slice: starts, ends, axes and steps must be of one length, got {starts}, {ends}, {axes}, {steps}")
    if not starts:
        return x
    dims = each_once("slice", axes, x.ndim)
    # Going backwards from before the first element, ONNX begins at the first, where Python finds none.
    starts = tuple(max(start, -x.shape[dim]) if step < 0 else start for start, dim, step in zip(starts, dims, steps))
    return g.append(SliceOp(starts, ends, dims, steps), x)


# -- repeating


def Expand(g: Recorder, x: Value, shape: Value) -> Value:
    return g.append(ExpandOp(g.ints(shape, "shape")), x)


def Tile(g: Recorder, x: Value, tiles: Value, axis: Value) -> Value:
    repeats, along = (g.number(v, what) for v, what in ((tiles, "tiles"), (axis, "axis")))  # of the type of x, before opset 6
    for what, number in (("tiles", repeats), ("axis", along)):
        if not float(number).is_integer():
            raise ShapeError(f"{what} must be a whole number, got {number}")
    dim = normalise_dim("tile", int(along), x.ndim)
    return g.append(TileOp(tuple(int(repeats) if d == dim else 1 for d in range(x.ndim))), x)


def Tile_6(g: Recorder, x: Value, repeats: Value) -> Value:
    return g.append(TileOp(g.ints(repeats, "repeats")), x)


# -- padding

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def Pad(g: Recorder, x: Value, *, paddings: Ints, mode: str = "constant", value: float = 0.0) -> Value:
    return _padded(g, x, paddings, range(x.ndim), mode, value)


def Pad_2(g: Recorder, x: Value, *, pads: Ints, mode: str = "constant", value: float = 0.0) -> Value:
    return _padded(g, x, pads, range(x.ndim), mode, value)


def Pad_11(g: Recorder, x: Value, pads: Value, value: Value | None = None, *, mode: str = "constant") -> Value:
    return Pad_18(g, x, pads, value, mode=mode)


def Pad_18(g: Recorder, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *, mode: str = "constant") -> Value:
    dims = range(x.ndim) if axes is None else each_once("pad", g.ints(axes, "axes"), x.ndim)
    filling = 0.0
    if mode == "constant" and value is not None:
        filling = g.number(value, "constant_value")
    return _padded(g, x, g.ints(pads, "pads"), dims, mode, filling)


def _padded(g: Recorder, x: Value, pads: Ints, dims: Sequence[int], mode: str, value: float) -> Value:
    """x padded along ``dims``; negative amounts cut off, before the rest is added."""
    if mode not in _PAD_MODES:
        raise ModelError(f"pad: mode must be one of {', '.join(_PAD_MODES)}, got {mode!r}")
    if len(pads) != 2 * len(dims):
        raise ShapeError(f"pad: pads must hold {2 * len(dims)} numbers for {len(dims)} axes, got {len(pads)} (x {x.spec})")
    pairs = {dim: (pads[i], pads[i + len(dims)]) for i, dim in enumerate(dims)}
    kept = {dim: (max(0, -before), x.shape[dim] - max(0, -after)) for dim, (before, after) in pairs.items()}
    for dim, (start, stop) in kept.items():
        if start > stop:
            raise ShapeError(f"pad: pads {pairs[dim]} cut more off axis {dim} than it has (x {x.spec})")
    x = cut(g, x, kept)
    added = [tuple(max(0, n) for n in pairs.get(dim, (0, 0))) for dim in range(x.ndim)]
    for dim, (size, pair) in enumerate(zip(x.shape, added)):
        if size and max(pair) > {"reflect": size - 1, "wrap": size}.get(mode, max(pair)):  # further than once around
            g.allow((size + sum(pair),), np.dtype(np.int64))
            places = np.pad(np.arange(size), pair, mode="reflect" if mode == "reflect" else "wrap")
            x, added[dim] = g.append(Gather(dim), x, places), (0, 0)
    if not any(map(any, added)):
        return x
    return g.append(PadOp(tuple((before, after) for before, after in added), _PAD_MODES[mode], value), x)


def CenterCropPad(g: Recorder, x: Value, shape: Value, *, axes: Ints | None = None) -> Value:
    sizes = g.ints(shape, "shape")
    dims = range(x.ndim) if axes is None else each_once("center_crop_pad", axes, x.ndim)
    if len(sizes) != len(dims) or any(s < 0 for s in sizes):
        raise ShapeError(f"center_crop_pad: shape must hold {len(dims)} sizes, one an axis, got {sizes} (x {x.spec})")
    # The element too many is cut off at the end, and is added at the end.
    less = {dim: (x.shape[dim] - size) // 2 for dim, size in zip(dims, sizes) if size < x.shape[dim]}
    more = {dim: size - x.shape[dim] for dim, size in zip(dims, sizes) if size > x.shape[dim]}
    x = cut(g, x, {dim: (less[dim], less[dim] + size) for dim, size in zip(dims, sizes) if dim in less})
    if not more:
        return x
    return g.append(PadOp(tuple((n // 2, n - n // 2) for n in (more.get(dim, 0) for dim in range(x.ndim)))), x)
