"""Elements from places that another array names."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, normalise_dim, wrong

__all__ = ["Gather", "GatherElements", "GatherND"]


def _check(op: str, x: Spec, indices: Spec, dim: int) -> int:
    if indices.dtype.kind not in "iu":
        raise wrong(op, f"indices must be whole numbers, got {indices.dtype}", x=x, indices=indices)
    dim = normalise_dim(op, dim, x.ndim)
    if x.shape[dim] == 0 and indices.size:
        raise wrong(op, f"axis {dim} of x is empty, nothing can be taken from it", x=x, indices=indices)
    return dim


def places_inside(xp: Any, op: str, indices: Array, size: int, dim: int) -> Array:
    """Indices counted from the front; raises where one does not lie on the axis."""
    places = indices.astype("int64")
    if places.size and bool(((places < -size) | (places >= size)).any()):
        raise ShapeError(f"{op}: indices must lie in [{-size}, {size - 1}] for axis {dim}, got {int(places.min())} to {int(places.max())}")
    return xp.where(places < 0, places + size, places)


@dataclass(frozen=True)
class Gather(Op):
    """Whole slices of x along ``dim``, in the order that ``indices`` names: its axes stand where that axis stood.

    Parameters
    ----------
    dim : int

    Notes
    -----
    Negative indices count from the end. One out of range is an error when the op runs, on every backend. ONNX ``Gather``, PyTorch
    ``index_select`` and ``embedding``, NumPy ``take``.
    """

    dim: int = 0
    layout: ClassVar[Layout] = "axiswise"

    def infer(self, x: Spec, indices: Spec) -> tuple[Spec, ...]:
        """The shape of x with that of ``indices`` for its axis."""
        dim = _check("gather", x, indices, self.dim)
        return (Spec((*x.shape[:dim], *indices.shape, *x.shape[dim + 1 :]), x.dtype),)

    def reference(self, xp: Any, x: Array, indices: Array) -> tuple[Array, ...]:
        """Checked, then one call."""
        dim = self.dim % x.ndim
        return (xp.take(x, places_inside(xp, "gather", indices, x.shape[dim], dim), axis=dim),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """From a batch by places that are the same for all, along another axis; or by a batch of places from one table."""
        return batched == ((False, True) if self.dim % specs[0].ndim == 0 else (True, False))


@dataclass(frozen=True)
class GatherElements(Op):
    """Single elements: along ``dim`` the one that ``indices`` names, on the other axes the one at the same place.

    Parameters
    ----------
    dim : int

    Notes
    -----
    ``y[i, j, k] = x[i, indices[i, j, k], k]`` for ``dim`` 1. Negative indices count from the end. One out of range is an error when the
    op runs, on every backend. On other axes ``indices`` may be smaller than x. ONNX ``GatherElements``, PyTorch ``gather``.
    """

    dim: int = 0
    layout: ClassVar[Layout] = "axiswise"

    @property
    def name(self) -> str:
        """``gather_elements``."""
        return "gather_elements"

    def infer(self, x: Spec, indices: Spec) -> tuple[Spec, ...]:
        """The shape of ``indices``."""
        dim = _check("gather_elements", x, indices, self.dim)
        if indices.ndim != x.ndim:
            raise wrong("gather_elements", f"indices must have {x.ndim} axes, got {indices.ndim}", x=x, indices=indices)
        if any(i > n for axis, (i, n) in enumerate(zip(indices.shape, x.shape)) if axis != dim):
            raise wrong("gather_elements", f"indices must not be larger than x, but along dim {dim}", x=x, indices=indices)
        return (Spec(indices.shape, x.dtype),)

    def reference(self, xp: Any, x: Array, indices: Array) -> tuple[Array, ...]:
        """Checked, then one call on as much of x as there are indices."""
        dim = self.dim % x.ndim
        places = places_inside(xp, "gather_elements", indices, x.shape[dim], dim)
        part = x[tuple(slice(None) if axis == dim else slice(n) for axis, n in enumerate(indices.shape))]
        return (xp.take_along_axis(part, places, axis=dim),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where both are batched, of one size, and another axis is searched; or by a batch of places from one table."""
        x, indices = specs
        if self.dim % x.ndim == 0:
            return batched == (False, True)
        return batched == (True, True) and x.shape[0] == indices.shape[0]


@dataclass(frozen=True)
class GatherND(Op):
    """Elements or slices of x at places that are named by whole indices.

    Inputs: x (*b, …); ``indices`` (*b, …, k), each row an index of the k axes of x that come after the batch axes b.

    Parameters
    ----------
    batch_dims : int
        How many of the first axes x and ``indices`` share: each entry of those is looked up in its own part of x.

    Notes
    -----
    ``y[b, i] = x[b][tuple(indices[b, i])]``. Negative indices count from the end. One out of range is an error when the op runs, on every
    backend. ONNX ``GatherND``, TensorFlow ``gather_nd``.
    """

    batch_dims: int = 0
    layout: ClassVar[Layout] = "logical"

    def __post_init__(self) -> None:
        if self.batch_dims < 0:
            raise ShapeError(f"gather_nd: batch_dims must be at least 0, got {self.batch_dims}")

    @property
    def name(self) -> str:
        """``gather_nd``."""
        return "gather_nd"

    def infer(self, x: Spec, indices: Spec) -> tuple[Spec, ...]:
        """(*b, …, *rest of x)."""
        b, given = self.batch_dims, {"x": x, "indices": indices}
        if indices.dtype.kind not in "iu":
            raise wrong(self.name, f"indices must be whole numbers, got {indices.dtype}", **given)
        if b >= min(x.ndim, indices.ndim):
            raise wrong(self.name, f"batch_dims {b} leaves no axis to look up along: x and indices need more axes than that", **given)
        if x.shape[:b] != indices.shape[:b]:
            raise wrong(self.name, f"x and indices must agree in the first {b} axes", **given)
        k = indices.shape[-1]
        if not 1 <= k <= x.ndim - b:
            raise wrong(self.name, f"the last axis of indices must name from 1 to {x.ndim - b} axes of x, it names {k}", **given)
        if 0 in x.shape[b : b + k] and indices.size:
            raise wrong(self.name, "an axis of x is empty, nothing can be taken from it", **given)
        return (Spec((*indices.shape[:-1], *x.shape[b + k :]), x.dtype),)

    def reference(self, xp: Any, x: Array, indices: Array) -> tuple[Array, ...]:
        """Checked and counted through the axes in front, then one call."""
        b, k = self.batch_dims, indices.shape[-1]
        batch, count = prod(x.shape[:b]), prod(indices.shape[b:-1])
        rows = indices.reshape(batch * count, k)
        flat = xp.arange(batch).repeat(count)
        for axis in range(b, b + k):
            flat = flat * x.shape[axis] + places_inside(xp, self.name, rows[:, axis - b], x.shape[axis], axis)
        table = x.reshape(prod(x.shape[: b + k]), prod(x.shape[b + k :]))
        return (xp.take(table, flat, axis=0).reshape((*indices.shape[:-1], *x.shape[b + k :])),)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """From a batch by a batch of places; or by a batch of places from one table."""
        if self.batch_dims:
            return batched == (True, True)
        return batched == (False, True) and specs[1].ndim > 1
