"""What only moves elements, and how arrays of any strides become walks that kernels can take."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ...errors import LimitError
from ...ops import Concat, Op, Pad, Transpose
from ...spec import Array, Spec, spec_of
from ..base import Call, Impl, in_order
from .backend import CudaBackend, launch
from .geometry import address, divisor, scalars

__all__ = [
    "MOST_AXES",
    "Axis",
    "ConcatKernel",
    "CopyKernel",
    "PadKernel",
    "RouteKernel",
    "element_strides",
    "fold",
    "is_float",
    "movable",
    "moved_rows",
    "same_place",
    "walk",
]

MOST_AXES = 5
_MOST_ITEMS = 2**31 - 2**12  # an index of the last block must still be an int32
_THREADS, _EACH, _TILE = 256, 4, 32  # as in kernels/copy.cu
_LEAST_TILED = 8  # on an axis shorter than that, most of a tile would lie idle
_PAD_MODES = {"reflect": 0, "replicate": 1, "circular": 2}  # as in kernels/copy.cu

Args = tuple[Any, ...]


class Axis(NamedTuple):
    """One axis of several arrays.

    Attributes
    ----------
    size : int
        Elements.
    strides : tuple of int
        Per array, in elements.
    before, inside : int
        Where something is padded: what lies before it, and its own size.
    """

    size: int
    strides: tuple[int, ...]
    before: int
    inside: int


def element_strides(x: Array) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple(int(s) // x.dtype.itemsize for s in x.strides)


def fold(
    shape: Sequence[int], *strides: Sequence[int], pads: Sequence[tuple[int, int]] | None = None, mapped: bool = False
) -> tuple[Axis, ...]:
    """The fewest axes on which all arrays are regular, outermost of the first array first; axes of size 1 are gone.

    With ``mapped`` a padded axis stays by itself, because its padding is found by its own indices.

    Examples
    --------
    >>> [axis.size for axis in fold((2, 3, 4, 5), (60, 1, 15, 3), (60, 1, 15, 3))]
    [120]
    """
    around = pads or ((0, 0),) * len(shape)
    each = [Axis(n, s, b, n - b - a) for n, s, (b, a) in zip(shape, zip(*strides), around) if n != 1]
    each.sort(key=lambda axis: -axis.strides[0])
    found: list[Axis] = []
    for axis in each:
        outer = found[-1] if found else None
        if mapped and outer and outer.inside != outer.size:
            outer = None
        if outer and axis.inside == axis.size and all(o == i * axis.size for o, i in zip(outer.strides, axis.strides)):
            found[-1] = Axis(outer.size * axis.size, axis.strides, outer.before * axis.size, outer.inside * axis.size)
        else:
            found.append(axis)
    return tuple(found)


def _filled(axes: Sequence[Axis], arrays: int) -> list[Axis]:
    """The axes from the innermost on, and as many of size 1 as are missing."""
    return [*axes[::-1], *[Axis(1, (0,) * arrays, 0, 1)] * (MOST_AXES - len(axes))]


def walk(name: str, axes: Sequence[Axis], arrays: int, vec: int = 1) -> tuple[int, Args]:
    """Items of ``vec`` elements, and what ``place_of`` and ``offset_of`` of ``kernels/include/walk.cuh`` take: divisors, then strides.

    Raises
    ------
    LimitError
        More than five axes, or 2³¹ items.
    """
    if len(axes) > MOST_AXES:
        raise LimitError(f"{name}: the kernel walks at most {MOST_AXES} axes, the arrays lie on {len(axes)}")
    full = _filled(axes, arrays)
    counts = [-(-full[0].size // vec), *(axis.size for axis in full[1:])]
    items = prod(counts)
    if items > _MOST_ITEMS:
        raise LimitError(f"{name}: the kernel takes at most {_MOST_ITEMS} items of {vec} elements, got {items}; use a smaller batch")
    sizes: list[Any] = []
    for n in counts[:-1]:
        sizes += [np.int32(n), *divisor(n)]
    return items, (*sizes, *(np.int64(axis.strides[i]) for i in range(arrays) for axis in full))


def same_place(x: Array, y: Array) -> bool:
    """Whether two arrays of one shape are the same memory, element by element."""
    strides = zip(x.shape, element_strides(x), element_strides(y))
    return address(x) == address(y) and all(a == b for n, a, b in strides if n > 1)


def is_float(x: Spec) -> bool:
    """Whether x is float32 or float16, on no more axes than a kernel walks."""
    return x.dtype in (np.float32, np.float16) and x.ndim <= MOST_AXES


def movable(*specs: Spec | None) -> bool:
    """Whether the copy kernels take such arrays."""
    return all(s is None or (s.dtype.itemsize in (1, 2, 4, 8) and s.ndim <= MOST_AXES) for s in specs)


def _widened(axes: tuple[Axis, ...], size: int, *arrays: Array) -> tuple[int, tuple[Axis, ...]]:
    """Bytes of the widest item in which all arrays can be moved, and the axes in such items."""
    if not axes or any(s != 1 for s in axes[-1].strides):
        return size, axes
    inner, outer, width = axes[-1], axes[:-1], 16 // size

    def fits(width: int) -> bool:
        counts = (inner.size, inner.before, inner.inside, *(s for axis in outer for s in axis.strides))
        return all(c % width == 0 for c in counts) and all(address(a) % (width * size) == 0 for a in arrays)

    while not fits(width):
        width //= 2
    wide = Axis(inner.size // width, inner.strides, inner.before // width, inner.inside // width)
    return size * width, (*(axis._replace(strides=tuple(s // width for s in axis.strides)) for axis in outer), wide)


def _copy(backend: CudaBackend, name: str, y: Array, x: Array, shape: Sequence[int], *strides: Sequence[int]) -> Call:
    """A launch that moves ``shape`` elements; ``strides`` are those of y and of x in elements."""
    axes = fold(shape, *strides)
    tiled = [i for i, axis in enumerate(axes) if axis.strides[1] == 1 and axis.size >= _LEAST_TILED]
    if tiled and tiled[0] < len(axes) - 1 and axes[-1].strides[0] == 1 and axes[-1].size >= _LEAST_TILED:
        return _transposed(backend, name, y, x, axes, tiled[0])
    size, axes = _widened(axes, y.dtype.itemsize, x, y)
    items, rest = walk(name, axes, 2)
    kernel = backend.kernel("copy.cu", "copy", HALF=0, SIZE=size)
    return launch(kernel, (-(-items // (_THREADS * _EACH)), 1, 1), (_THREADS, 1, 1), (*scalars(x=x, y=y, items=items), *rest))


def _transposed(backend: CudaBackend, name: str, y: Array, x: Array, axes: tuple[Axis, ...], at: int) -> Call:
    """A launch of tiles between the last axis, on which y's neighbours lie side by side, and axis ``at``, on which x's do."""
    a, b, outer = axes[at], axes[-1], _filled([axis for i, axis in enumerate(axes[:-1]) if i != at], 2)[:3]
    tiles = [-(-a.size // _TILE), -(-b.size // _TILE), *(axis.size for axis in outer)]
    if len(axes) > MOST_AXES or prod(tiles) > _MOST_ITEMS:
        raise LimitError(f"{name}: the kernel takes at most {MOST_AXES} axes and {_MOST_ITEMS} tiles, got {len(axes)} and {prod(tiles)}")
    by = [divisor(n) for n in tiles]
    args = scalars(
        x=x, y=y, a_size=a.size, b_size=b.size, a_y=np.int64(a.strides[0]), b_x=np.int64(b.strides[1]),
        a_tiles=tiles[0], a_magic=by[0].magic, a_shift=by[0].shift, b_tiles=tiles[1], b_magic=by[1].magic, b_shift=by[1].shift,
        n1=tiles[2], magic1=by[2].magic, shift1=by[2].shift, n2=tiles[3], magic2=by[3].magic, shift2=by[3].shift,
        y1=np.int64(outer[0].strides[0]), y2=np.int64(outer[1].strides[0]), y3=np.int64(outer[2].strides[0]),
        x1=np.int64(outer[0].strides[1]), x2=np.int64(outer[1].strides[1]), x3=np.int64(outer[2].strides[1]),
    )  # fmt: skip
    kernel = backend.kernel("copy.cu", "transpose", HALF=0, SIZE=y.dtype.itemsize)
    return launch(kernel, (prod(tiles), 1, 1), (_THREADS, 1, 1), args)


def _reshaped(shape: Sequence[int], strides: Sequence[int], new: Sequence[int]) -> tuple[int, ...] | None:
    """Strides of the same elements under another shape, None where no strides can say it."""
    old = [(n, s) for n, s in zip(shape, strides) if n != 1]
    found: list[int] = []
    at = i = 0
    while at < len(new):
        if new[at] == 1:
            found.append(1)
            at += 1
            continue
        j, k, have, want = i + 1, at + 1, old[i][0], new[at]
        while have != want:  # the shortest runs of axes on both sides that hold as many elements
            if have < want:
                have *= old[j][0]
                j += 1
            else:
                want *= new[k]
                k += 1
        if any(old[m][1] != old[m + 1][1] * old[m + 1][0] for m in range(i, j - 1)):
            return None
        step, run = old[j - 1][1], []
        for n in reversed(new[at:k]):
            run.append(step)
            step *= n
        found += run[::-1]
        at, i = k, j
    return tuple(found)


class CopyKernel(Impl):
    """``kernels/copy.cu``: reorder, transpose, reshape, flatten and identity where they are no view."""

    name = "copy"
    numerics = "exact"

    def supports(self, op: Op, *specs: Spec | None) -> bool:
        """Elements of 1, 2, 4 or 8 bytes, up to five axes on both sides."""
        return movable(*specs, *op.infer(*specs))

    def bind(self, backend: CudaBackend, op: Op, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]) -> Call | None:
        """One launch, none where the result is in place."""
        x, y = inputs[0], outputs[0]
        shape, x_strides, y_strides = y.shape, element_strides(x), element_strides(y)
        if isinstance(op, Transpose):
            x_strides = tuple(x_strides[d] for d in op.dims)
        elif x.shape != y.shape:
            moved = _reshaped(x.shape, x_strides, y.shape)
            if moved is not None:
                x_strides = moved
            else:  # the result is dense by plan, so the gathering can be done on its side: y in x's shape
                moved = _reshaped(y.shape, y_strides, x.shape)
                if moved is None:
                    raise LimitError(f"{op.name}: the kernel wants x or the result without gaps")
                shape, y_strides = x.shape, moved
        if address(x) == address(y) and all(a == b for n, a, b in zip(shape, x_strides, y_strides) if n > 1):
            return None
        return _copy(backend, op.name, y, x, shape, y_strides, x_strides)


class RouteKernel(Impl):
    """``kernels/copy.cu``: the loop nest of an op that takes elements from places that follow from strides."""

    name = "route"
    numerics = "exact"

    def supports(self, op: Any, x: Spec) -> bool:
        """Elements of 1, 2, 4 or 8 bytes; up to five loops, when those that follow evenly in both orders of memory are one."""
        y = op.infer(x)[0]
        orders = ("channels_last",) if op.layout == "spatial" else ("channels_last", "logical")
        return x.dtype.itemsize in (1, 2, 4, 8) and all(_loops(op, x, y, order) <= MOST_AXES for order in orders)

    def bind(self, backend: CudaBackend, op: Any, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]) -> Call | None:
        """One launch."""
        x, y = inputs[0], outputs[0]
        route = op.route(spec_of(x), element_strides(x), element_strides(y))
        start = x[route.start]
        return _copy(backend, op.name, y, start, route.shape, route.y_strides, route.x_strides)


def _loops(op: Any, x: Spec, y: Spec, order: str) -> int:
    """Loops that are left of an op's where pixels or rows lie apart, as in slices of larger buffers."""

    def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
        last = order == "channels_last" and len(shape) >= 3
        axes = (0, *range(2, len(shape)), 1) if last else tuple(range(len(shape)))
        found, step = [0] * len(shape), 1
        for axis in reversed(axes):
            found[axis] = step
            step *= max(shape[axis], 1) + (last and axis == 1)
        return tuple(found)

    route = op.route(x, strides(x.shape), strides(y.shape))
    return len(fold(route.shape, route.y_strides, route.x_strides))


class ConcatKernel(Impl):
    """``kernels/copy.cu``: copies of the parts that are not in place already."""

    name = "concat_copy"
    numerics = "exact"

    def supports(self, op: Concat, *specs: Spec) -> bool:
        """Elements of 1, 2, 4 or 8 bytes, up to five axes."""
        return movable(*specs)

    def bind(
        self, backend: CudaBackend, op: Concat, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch a part."""
        calls: list[Call] = []
        out, at = outputs[0], 0
        axis = op.dim % out.ndim
        for x in inputs:
            part = out[(slice(None),) * axis + (slice(at, at + x.shape[axis]),)]
            at += x.shape[axis]
            if x.size and not same_place(x, part):
                calls.append(_copy(backend, op.name, part, x, x.shape, element_strides(part), element_strides(x)))
        return in_order(calls) if calls else None


def _pad(
    backend: CudaBackend, name: str, y: Array, x: Array, pads: Sequence[tuple[int, int]], value: float, mode: str = "constant"
) -> Call:
    """A launch that puts x into y, and around it ``value``, or what ``mode`` makes of x."""
    mapped = mode != "constant"
    axes = fold(y.shape, element_strides(y), element_strides(x), pads=pads, mapped=mapped)
    size, source = y.dtype.itemsize, (x,) if x.size else ()
    if not (mapped and axes and axes[-1].inside != axes[-1].size):  # a mirrored run lies the other way round
        size, axes = _widened(axes, size, y, *source)
    items, rest = walk(name, axes, 2)
    if mapped:
        first = scalars(x=x, y=y, mode=_PAD_MODES[mode], items=items)
    else:
        with np.errstate(over="ignore"):  # infinite beyond the type
            filled = np.array(value).astype(y.dtype)
        pattern = np.frombuffer(filled.tobytes() * (8 // filled.itemsize), np.uint64)[0]
        first = scalars(x=x if x.size else None, y=y, value=pattern, items=items)
    bounds = [np.int32(n) for axis in _filled(axes, 2) for n in (axis.before, axis.inside)]
    kernel = backend.kernel("copy.cu", "pad_mapped" if mapped else "pad", HALF=0, SIZE=size)
    return launch(kernel, (-(-items // (_THREADS * _EACH)), 1, 1), (_THREADS, 1, 1), (*first, *rest, *bounds))


def moved_rows(backend: CudaBackend, name: str, y: Array, x: Array) -> Call:
    """A launch that copies x (m, c) into y (m, at least c), zeros behind every row."""
    if x.shape == y.shape:
        return _copy(backend, name, y, x, x.shape, element_strides(y), element_strides(x))
    return _pad(backend, name, y, x, ((0, 0), (0, y.shape[1] - x.shape[1])), 0.0)


class PadKernel(Impl):
    """``kernels/copy.cu``: inside and borders in one launch, all modes."""

    name = "pad"
    numerics = "exact"

    def supports(self, op: Pad, x: Spec) -> bool:
        """Elements of 1, 2, 4 or 8 bytes, up to five axes."""
        return movable(x)

    def bind(self, backend: CudaBackend, op: Pad, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]) -> Call | None:
        """One launch."""
        return _pad(backend, op.name, outputs[0], inputs[0], op.pads, op.value, op.mode)
