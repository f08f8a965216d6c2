"""Operations that take elements from places that follow from strides: slices and repetitions."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec, shape_text
from .base import Layout, Op, broadcast_shape, normalise_dim, wrong
from .shape import Reshape

__all__ = ["Expand", "Route", "Slice", "Tile", "subscript"]

Strides = tuple[int, ...]

END = sys.maxsize
"""A stop behind every axis; a start there is its last element where the step is negative."""

BEFORE = -sys.maxsize - 1
"""A stop before the first element, for a negative step."""


class Route(NamedTuple):
    """One loop nest that does an op: at index i of ``shape`` the result at ``i·y_strides`` is x at ``first + i·x_strides``.

    Attributes
    ----------
    first : tuple of int
        Index of the element of x from which its strides count.
    shape : tuple of int
        Sizes of the loops.
    x_strides, y_strides : tuple of int
        One a loop, in the unit of the strides that came in; those of x may be 0 or negative.
    """

    first: tuple[int, ...]
    shape: tuple[int, ...]
    x_strides: Strides
    y_strides: Strides

    @property
    def start(self) -> tuple[Any, ...]:
        """Index of x that gives a view which begins at ``first``."""
        return (..., *(slice(i, i + 1) for i in self.first))


@dataclass(frozen=True)
class Slice(Op):
    """Every ``step``-th element from ``start`` to before ``stop``, along each of ``dims``.

    Parameters
    ----------
    starts, stops : tuple of int
        Negative ones count from the end, those out of range are cut off, as Python's slices do. With a negative step a stop before
        the first element is any number below −size.
    dims : tuple of int, optional
        The axes; empty means the first ones.
    steps : tuple of int, optional
        Not 0; empty means 1. A negative one goes backwards.

    Notes
    -----
    ONNX ``Slice``; PyTorch ``x[start:stop:step]``, ``narrow`` and ``flip``.
    """

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    dims: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    layout: ClassVar[Layout] = "axiswise"

    def __post_init__(self) -> None:
        if not self.dims:
            object.__setattr__(self, "dims", tuple(range(len(self.starts))))
        if not self.steps:
            object.__setattr__(self, "steps", (1,) * len(self.starts))
        if not len(self.starts) == len(self.stops) == len(self.dims) == len(self.steps):
            given = f"starts {self.starts}, stops {self.stops}, dims {self.dims}, steps {self.steps}"
            raise ShapeError(f"slice: starts, stops, dims and steps must be of one length, got {given}")
        if 0 in self.steps:
            raise ShapeError(f"slice: a step must not be 0, got {self.steps}")

    def ranges(self, shape: tuple[int, ...]) -> tuple[range, ...]:
        """Per axis of x, the indices that are taken."""
        found = [range(n) for n in shape]
        for start, stop, dim, step in zip(self.starts, self.stops, self.dims, self.steps):
            dim = normalise_dim("slice", dim, len(shape))
            found[dim] = range(*slice(start, stop, step).indices(shape[dim]))
        return tuple(found)

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """As many elements an axis as are taken."""
        if len({normalise_dim("slice", d, x.ndim) for d in self.dims}) < len(self.dims):
            raise wrong("slice", f"dims must name each axis once, got {self.dims}", x=x)
        return (Spec(tuple(map(len, self.ranges(x.shape))), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One basic index."""
        cut = [slice(None)] * x.ndim
        for start, stop, dim, step in zip(self.starts, self.stops, self.dims, self.steps):
            cut[dim] = slice(start, stop, step)
        return (x[tuple(cut)],)

    def route(self, x: Spec, x_strides: Strides, y_strides: Strides) -> Route:
        """Strides times steps."""
        ranges = self.ranges(x.shape)
        first = tuple(r.start if r else 0 for r in ranges)
        return Route(first, tuple(map(len, ranges)), tuple(s * r.step for s, r in zip(x_strides, ranges)), y_strides)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the batch stays whole and in its order."""
        n = specs[0].shape[0]
        return batched[0] and self.ranges(specs[0].shape)[0] == range(n)


@dataclass(frozen=True)
class Expand(Op):
    """x repeated along axes where it has size 1, and along new ones in front, without a copy where that is possible.

    Parameters
    ----------
    shape : tuple of int
        Broadcast with that of x, from the last axis on, as NumPy does; a size of 1 keeps x's.

    Notes
    -----
    ONNX ``Expand``, PyTorch ``expand``.
    """

    shape: tuple[int, ...]
    layout: ClassVar[Layout] = "axiswise"

    def __post_init__(self) -> None:
        if any(s < 0 for s in self.shape):
            raise ShapeError(f"expand: sizes must not be negative, got {self.shape}")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The broadcast shape."""
        shape = broadcast_shape(x.shape, self.shape)
        if shape is None:
            raise wrong("expand", f"only an axis of size 1 expands, to {shape_text(self.shape)} from the last axis on", x=x)
        return (Spec(shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call."""
        return (xp.broadcast_to(x, np.broadcast_shapes(x.shape, self.shape)),)

    def route(self, x: Spec, x_strides: Strides, y_strides: Strides) -> Route:
        """Strides of 0 where x repeats."""
        shape = self.infer(x)[0].shape
        new = len(shape) - x.ndim
        kept = (0 if n == 1 else s for n, s in zip(x.shape, x_strides))
        return Route((0,) * x.ndim, shape, (*(0,) * new, *kept), y_strides)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the first axis stays."""
        return batched[0] and self.infer(specs[0])[0].shape[:1] == specs[0].shape[:1] and len(self.shape) <= specs[0].ndim


@dataclass(frozen=True)
class Tile(Op):
    """x ``repeats[i]`` times one after another along each axis i.

    Parameters
    ----------
    repeats : tuple of int
        One an axis of x.

    Notes
    -----
    ONNX ``Tile``, PyTorch ``tile`` and ``Tensor.repeat``.
    """

    repeats: tuple[int, ...]
    layout: ClassVar[Layout] = "axiswise"

    def __post_init__(self) -> None:
        if any(r < 0 for r in self.repeats):
            raise ShapeError(f"tile: repeats must not be negative, got {self.repeats}")

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Sizes times repeats."""
        if len(self.repeats) != x.ndim:
            raise wrong("tile", f"repeats {self.repeats} are given for {len(self.repeats)} axes, x has {x.ndim}", x=x)
        return (Spec(tuple(n * r for n, r in zip(x.shape, self.repeats)), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call; it keeps a scalar one."""
        return (xp.tile(x, self.repeats),)

    def route(self, x: Spec, x_strides: Strides, y_strides: Strides) -> Route:
        """Two loops an axis: over the repetitions, where x stands still, and inside one."""
        pairs = list(zip(self.repeats, x.shape))
        shape = tuple(s for pair in pairs for s in pair)
        over_x = tuple(s for stride in x_strides for s in (0, stride))
        over_y = tuple(s for (_, n), stride in zip(pairs, y_strides) for s in (n * stride, stride))
        return Route((0,) * x.ndim, shape, over_x, over_y)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the batch is not repeated."""
        return batched[0] and self.repeats[0] == 1


def subscript(x: Spec, key: Any) -> tuple[Op, ...]:
    """The ops that ``x[key]`` stands for: a slice, then a reshape; whole numbers, slices, ``...`` and None, as NumPy reads them.

    Raises
    ------
    ShapeError
        The key holds something else, has too many axes, or a whole number is out of range.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    kinds = (int, np.integer, slice, type(Ellipsis), type(None))
    if any(not isinstance(k, kinds) or isinstance(k, bool) for k in keys):
        raise ShapeError(
            f"index: takes whole numbers, slices, ... and None, got {key!r}; for places in an array see functional.index_select and gather"
        )
    axes = sum(k is not None and k is not Ellipsis for k in keys)
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if axes > x.ndim or len(dots) > 1:
        raise wrong("index", f"{key!r} names {axes} axes, x has {x.ndim}" if axes > x.ndim else f"{key!r} has several ...", x=x)
    at = dots[0] if dots else len(keys)
    keys[at : at + 1] = [slice(None)] * (x.ndim - axes)
    starts, stops, steps, kept, dim = [], [], [], [], 0
    for k in keys:
        if k is None:
            kept.append(1)
            continue
        n = x.shape[dim]
        if isinstance(k, slice):
            start, stop, step = k.indices(n)
            kept.append(len(range(start, stop, step)))
            stop = BEFORE if stop < 0 else stop
        else:
            if not -n <= k < n:
                raise wrong("index", f"{k} is out of range for axis {dim} of size {n}", x=x)
            start, stop, step = k % n, k % n + 1, 1
        starts.append(start)
        stops.append(stop)
        steps.append(step)
        dim += 1
    cut = Slice(tuple(starts), tuple(stops), (), tuple(steps))
    found: list[Op] = [cut] if any(r != range(n) for r, n in zip(cut.ranges(x.shape), x.shape)) else []
    if tuple(kept) != cut.infer(x)[0].shape:
        assert prod(kept) == cut.infer(x)[0].size
        found.append(Reshape(tuple(kept)))
    return tuple(found)
