"""Elements put at places that another array names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, normalise_dim, wrong
from .gather import places_inside

__all__ = ["SCATTERED", "ScatterElements", "ScatterND"]

SCATTERED: dict[str, Callable[[Any], Callable[..., Array]] | None] = {
    "none": None,
    "sum": lambda xp: xp.add,
    "prod": lambda xp: xp.multiply,
    "amax": lambda xp: xp.maximum,
    "amin": lambda xp: xp.minimum,
}
"""By reduction: what is made of the element that is there and the one that comes; without it the latter."""

_SUMMED = ("sum", "prod")


def _check(op: ScatterElements | ScatterND, x: Spec, indices: Spec, updates: Spec) -> None:
    given = {"x": x, "indices": indices, "updates": updates}
    if indices.dtype.kind not in "iu":
        raise wrong(op.name, f"indices must be whole numbers, got {indices.dtype}", **given)
    if updates.dtype != x.dtype:
        raise wrong(op.name, f"updates are {updates.dtype} where x is {x.dtype}; convert one of them", **given)
    if op.reduction != "none" and x.dtype.kind not in "fiu":
        raise wrong(op.name, f"reduction {op.reduction!r} is of numbers, x holds {x.dtype}", **given)


def _put(xp: Any, op: ScatterElements | ScatterND, x: Array, places: Array, updates: Array) -> Array:
    """Rows ``updates`` (n, m) put into, or combined with, the rows ``places`` (n,) of x (cells, m), in their order.

    Equal places take turns, so that each turn meets every row once at most: what comes out depends on no order of execution.
    """
    dtype, found = x.dtype, SCATTERED[op.reduction]
    if not len(places):
        return x.copy()
    order = xp.argsort(places, kind="stable")
    places, updates = places[order], updates[order]
    others = places[1:] != places[:-1]
    end = xp.ones(1, dtype=bool)
    if found is None:
        last = xp.concatenate([others, end])
        cells = x.copy()
        cells[places[last]] = updates[last]
        return cells
    wide = np.promote_types(dtype, np.float32) if dtype.kind == "f" and op.reduction in _SUMMED else dtype
    cells, combine = x.astype(wide), found(xp)
    first = xp.concatenate([end, others])
    at = xp.arange(len(places))
    turn = at - at[first][xp.cumsum(first.astype("int64")) - 1]
    order, start = xp.argsort(turn, kind="stable"), 0
    for count in xp.bincount(turn).tolist():
        now = order[start : start + count]
        cells[places[now]] = combine(cells[places[now]], updates[now].astype(wide))
        start += count
    return cells.astype(dtype)


def _check_reduction(op: ScatterElements | ScatterND) -> None:
    if op.reduction not in SCATTERED:
        raise ShapeError(f"{op.name}: reduction must be one of {', '.join(SCATTERED)}, got {op.reduction!r}")
    object.__setattr__(op, "validation", "loose" if op.reduction in _SUMMED else "exact")


@dataclass(frozen=True)
class ScatterElements(Op):
    """x with single elements replaced, or combined with others: along ``dim`` at the place that ``indices`` names.

    Inputs: x; ``indices`` and ``updates`` of one shape, with as many axes as x and, but along ``dim``, no larger.

    Parameters
    ----------
    dim : int
    reduction : {"none", "sum", "prod", "amax", "amin"}
        ``"none"`` replaces; of several updates at one place the last one in C order stays. The others combine what is there with every
        update, in that order.

    Notes
    -----
    ``y[i, indices[i, j, k], k] = updates[i, j, k]`` for ``dim`` 1, the inverse of ``GatherElements``. Negative indices count from the
    end. One out of range is an error when the op runs, on every backend. ONNX ``ScatterElements`` (and its former ``Scatter``; ``add``,
    ``mul``, ``max`` and ``min`` are the reductions' names there), PyTorch ``scatter`` and ``scatter_reduce``. Sums and products of 16-bit
    floating point are made in float32.
    """

    dim: int = 0
    reduction: str = "none"
    layout: ClassVar[Layout] = "axiswise"
    maps: ClassVar[tuple[int, ...]] = (0, 1, 2)
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        _check_reduction(self)

    @property
    def name(self) -> str:
        """``scatter``."""
        return "scatter"

    def infer(self, x: Spec, indices: Spec, updates: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        given = {"x": x, "indices": indices, "updates": updates}
        _check(self, x, indices, updates)
        dim = normalise_dim(self.name, self.dim, x.ndim)
        if indices.ndim != x.ndim:
            raise wrong(self.name, f"indices must have {x.ndim} axes, got {indices.ndim}", **given)
        if updates.shape != indices.shape:
            raise wrong(self.name, "every update needs an index: their shapes must agree", **given)
        if any(i > n for axis, (i, n) in enumerate(zip(indices.shape, x.shape)) if axis != dim):
            raise wrong(self.name, f"indices must not be larger than x, but along dim {dim}", **given)
        if x.shape[dim] == 0 and indices.size:
            raise wrong(self.name, f"axis {dim} of x is empty, nothing can be put there", **given)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array, indices: Array, updates: Array) -> tuple[Array, ...]:
        """Places checked and counted through the whole of x, then one turn after another."""
        dim = self.dim % x.ndim
        flat = places_inside(xp, self.name, indices, x.shape[dim], dim) * prod(x.shape[dim + 1 :])
        for axis in range(x.ndim):
            if axis != dim:
                along = xp.arange(indices.shape[axis], dtype=np.int64) * prod(x.shape[axis + 1 :])
                flat = flat + along.reshape((-1,) + (1,) * (x.ndim - 1 - axis))
        cells = _put(xp, self, x.reshape(-1, 1), flat.reshape(-1), updates.reshape(-1, 1))
        return (cells.reshape(x.shape),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where all come in batches of one size, and another axis is searched."""
        x, indices = specs[:2]
        return all(batched) and self.dim % x.ndim != 0 and x.shape[0] == indices.shape[0]


@dataclass(frozen=True)
class ScatterND(Op):
    """x with elements or slices replaced, or combined with others, at places that are named by whole indices.

    Inputs: x; ``indices`` (…, k), each row an index of the first k axes of x; ``updates`` (…, *x.shape[k:]).

    Parameters
    ----------
    reduction : {"none", "sum", "prod", "amax", "amin"}
        As of ``ScatterElements``.

    Notes
    -----
    ``y[tuple(indices[i])] = updates[i]``. Negative indices count from the end. One out of range is an error when the op runs, on every
    backend. ONNX ``ScatterND``; PyTorch ``index_put`` does this with one array an axis.
    """

    reduction: str = "none"
    layout: ClassVar[Layout] = "logical"
    maps: ClassVar[tuple[int, ...]] = (0, 2)
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        _check_reduction(self)

    @property
    def name(self) -> str:
        """``scatter_nd``."""
        return "scatter_nd"

    def infer(self, x: Spec, indices: Spec, updates: Spec) -> tuple[Spec, ...]:
        """Shape and dtype of x."""
        given = {"x": x, "indices": indices, "updates": updates}
        _check(self, x, indices, updates)
        if not indices.ndim or not 1 <= indices.shape[-1] <= x.ndim:
            raise wrong(self.name, f"the last axis of indices must name from 1 to {x.ndim} axes of x", **given)
        k = indices.shape[-1]
        if updates.shape != (*indices.shape[:-1], *x.shape[k:]):
            raise wrong(self.name, f"updates must have shape {(*indices.shape[:-1], *x.shape[k:])}, a part of x an index", **given)
        if 0 in x.shape[:k] and indices.size:
            raise wrong(self.name, "an axis of x is empty, nothing can be put there", **given)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array, indices: Array, updates: Array) -> tuple[Array, ...]:
        """Places checked and counted through the first axes, then one turn after another."""
        k, count = indices.shape[-1], prod(indices.shape[:-1])
        rows = indices.reshape(count, k)
        flat = xp.zeros(count, dtype=np.int64)
        for axis in range(k):
            flat = flat * x.shape[axis] + places_inside(xp, self.name, rows[:, axis], x.shape[axis], axis)
        size = prod(x.shape[k:])
        cells = _put(xp, self, x.reshape(prod(x.shape[:k]), size), flat, updates.reshape(count, size))
        return (cells.reshape(x.shape),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Indices may name any row."""
        return False
