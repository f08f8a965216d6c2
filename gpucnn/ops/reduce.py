"""Reductions: many elements to one, along some axes; and running sums along one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, normalise_dim, wrong

__all__ = ["REDUCE", "ArgReduce", "CumSum", "Reduce"]


def _mean(xp: Any, op: Reduce, x: Array, axes: tuple[int, ...]) -> Array:
    return x.sum(axis=axes, keepdims=True) / _count(x, axes)


def _count(x: Array, axes: tuple[int, ...]) -> int:
    return prod(x.shape[a] for a in axes)


def _variance(xp: Any, op: Reduce, x: Array, axes: tuple[int, ...]) -> Array:
    """About the mean, found first; a divisor below 0 counts as 0, as in PyTorch."""
    total = ((x - _mean(xp, op, x, axes)) ** 2).sum(axis=axes, keepdims=True)
    return total / xp.asarray(max(_count(x, axes) - op.correction, 0.0)).astype(x.dtype)


def _norm(xp: Any, op: Reduce, x: Array, axes: tuple[int, ...]) -> Array:
    size = xp.abs(x)
    if abs(op.p) == np.inf:
        return _extreme(xp, "amax" if op.p > 0 else "amin", size, axes)
    if op.p == 0:
        return (size != 0).astype(x.dtype).sum(axis=axes, keepdims=True)
    if op.p == 1:
        return size.sum(axis=axes, keepdims=True)
    if op.p == 2:
        return xp.sqrt((x * x).sum(axis=axes, keepdims=True))
    return (size**op.p).sum(axis=axes, keepdims=True) ** (1 / op.p)


def _log_sum_exp(xp: Any, op: Reduce, x: Array, axes: tuple[int, ...]) -> Array:
    """Less the maximum, so that nothing overflows; where that is infinite there is nothing to subtract."""
    top = _extreme(xp, "amax", x, axes)
    top = xp.where(xp.isinf(top), xp.zeros_like(top), top)
    return xp.log(xp.exp(x - top).sum(axis=axes, keepdims=True)) + top


def _extreme(xp: Any, kind: str, x: Array, axes: tuple[int, ...]) -> Array:
    if _count(x, axes):
        return (x.max if kind == "amax" else x.min)(axis=axes, keepdims=True)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    if x.dtype.kind == "f":
        return xp.full(shape, -np.inf if kind == "amax" else np.inf, dtype=x.dtype)
    lowest, highest = (0, 1) if x.dtype.kind == "b" else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
    return xp.full(shape, lowest if kind == "amax" else highest, dtype=x.dtype)


REDUCE: dict[str, Callable[..., Array]] = {
    "sum": lambda xp, op, x, axes: x.sum(axis=axes, keepdims=True),
    "mean": _mean,
    "prod": lambda xp, op, x, axes: x.prod(axis=axes, keepdims=True),
    "amax": lambda xp, op, x, axes: _extreme(xp, "amax", x, axes),
    "amin": lambda xp, op, x, axes: _extreme(xp, "amin", x, axes),
    "norm": _norm,
    "sum_square": lambda xp, op, x, axes: (x * x).sum(axis=axes, keepdims=True),
    "logsumexp": _log_sum_exp,
    "log_sum": lambda xp, op, x, axes: xp.log(x.sum(axis=axes, keepdims=True)),
    "var": _variance,
    "std": lambda xp, op, x, axes: xp.sqrt(_variance(xp, op, x, axes)),
    "any": lambda xp, op, x, axes: (x != 0).any(axis=axes, keepdims=True),
    "all": lambda xp, op, x, axes: (x != 0).all(axis=axes, keepdims=True),
}
"""By kind: all elements along ``axes``, in the type to sum in, made one; the axes stay, of size 1."""

_EXACT = ("amax", "amin", "any", "all")
"""Kinds that only choose."""

_WHOLE = ("sum", "prod", "sum_square")
"""Kinds that stay whole numbers: integers are added up in 64 bits."""

_REAL = ("var", "std", "logsumexp", "log_sum")
"""Kinds that integers have no type for."""


@dataclass(frozen=True)
class Reduce(Op):
    """All elements of x along ``dims`` made one.

    Parameters
    ----------
    kind : str
        A key of ``REDUCE``.
    dims : tuple of int
        Empty means all.
    keepdim : bool
        Whether those axes stay, of size 1.
    dtype : str, optional
        Type to convert to before, and of the result; that of x if not given. ``any`` and ``all`` give bool.
    p : float
        Of ``norm``: ``(Σ|x|ᵖ)^(1/p)``; ±inf take the largest and the smallest ``|x|``, 0 counts what is not 0.
    correction : float
        Of ``var`` and ``std``: the divisor is the count less this.

    Notes
    -----
    PyTorch's functions of these names, ONNX ``ReduceSum`` … (``ReduceL1`` and ``ReduceL2`` are ``norm`` with p 1 and 2). NaN goes
    through. Of nothing the sum is 0, the product 1, the mean NaN, ``amax`` −inf or the least of its type, ``amin`` the opposite.
    Integers keep their type: sums wrap around, means and roots are cut off towards 0.
    """

    kind: str
    dims: tuple[int, ...] = ()
    keepdim: bool = False
    dtype: str | None = None
    p: float = 2.0
    correction: float = 1.0
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        if self.kind not in REDUCE:
            raise ShapeError(f"reduce: kind must be one of {', '.join(REDUCE)}, got {self.kind!r}")
        object.__setattr__(self, "validation", "exact" if self.kind in _EXACT else "loose")

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def axes(self, ndim: int) -> tuple[int, ...]:
        """The axes that go, counted from the front, in rising order."""
        found = {normalise_dim(self.kind, d, ndim) for d in self.dims}
        return tuple(sorted(found)) if self.dims else tuple(range(ndim))

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The shape without ``dims``, or with size 1 there."""
        axes = self.axes(x.ndim)
        if self.dims and len(axes) < len(self.dims):
            raise wrong(self.kind, f"dims must name each axis once, got {self.dims}", x=x)
        kind = np.dtype(self.dtype).kind if self.dtype else x.dtype.kind
        if self.kind in _REAL and kind != "f":
            raise wrong(self.kind, f"x must be floating point, got {x.dtype}; convert it with .astype('float32')", x=x)
        if self.kind == "mean" and kind != "f" and 0 in (x.shape[a] for a in axes):
            raise wrong(self.kind, "no whole number is the mean of nothing", x=x)
        if kind not in "fiu" and self.kind not in _EXACT:
            raise wrong(self.kind, f"x must be a number, got {x.dtype}; say in which dtype to compute", x=x)
        dtype = np.dtype(bool) if self.kind in ("any", "all") else np.dtype(self.dtype) if self.dtype else x.dtype
        kept = (1 if a in axes else n for a, n in enumerate(x.shape) if self.keepdim or a not in axes)
        return (Spec(tuple(kept), dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The whole array in the type to sum in, then one or a few calls."""
        out = self.infer(Spec(x.shape, x.dtype))[0]
        axes = self.axes(x.ndim)
        if self.dtype and self.kind not in ("any", "all"):
            x = x.astype(self.dtype)
        if self.kind not in _EXACT:
            whole = x.dtype.kind in "iu" and self.kind in _WHOLE
            x = x.astype(np.int64 if whole else accumulator(x.dtype) if x.dtype.kind == "f" else np.float64)
        return (REDUCE[self.kind](xp, self, x, axes).astype(out.dtype).reshape(out.shape),)

    def flops(self, x: Spec) -> int:
        """One operation per input element."""
        return x.size

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the batch is among what goes."""
        return batched[0] and 0 not in self.axes(specs[0].ndim)


@dataclass(frozen=True)
class ArgReduce(Op):
    """Where along ``dim`` the largest or smallest element lies, int64; NaN counts as both the largest and the smallest.

    Parameters
    ----------
    kind : {"argmax", "argmin"}
    dim : int
    keepdim : bool
        Whether the axis stays, of size 1.
    select_last : bool
        Of equal elements the last one, instead of the first.

    Notes
    -----
    PyTorch and NumPy ``argmax`` and ``argmin``, ONNX ``ArgMax`` and ``ArgMin`` with ``select_last_index``.
    """

    kind: str
    dim: int = 0
    keepdim: bool = False
    select_last: bool = False
    layout: ClassVar[Layout] = "axiswise"

    def __post_init__(self) -> None:
        if self.kind not in ("argmax", "argmin"):
            raise ShapeError(f"argreduce: kind must be 'argmax' or 'argmin', got {self.kind!r}")

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """The shape without ``dim``, or with size 1 there."""
        dim = normalise_dim(self.kind, self.dim, x.ndim)
        if x.dtype.kind not in "fiu":
            raise wrong(self.kind, f"x must be a number, got {x.dtype}", x=x)
        if x.shape[dim] == 0:
            raise wrong(self.kind, f"axis {dim} is empty", x=x)
        return (Spec((*x.shape[:dim], *(1,) * self.keepdim, *x.shape[dim + 1 :]), np.dtype(np.int64)),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call, on the row turned around where the last is wanted."""
        out = self.infer(Spec(x.shape, x.dtype))[0]
        rows = xp.moveaxis(x, self.dim, -1)
        find = xp.argmax if self.kind == "argmax" else xp.argmin
        places = rows.shape[-1] - 1 - find(rows[..., ::-1], axis=-1) if self.select_last else find(rows, axis=-1)
        return (xp.asarray(places).astype(np.int64).reshape(out.shape),)

    def flops(self, x: Spec) -> int:
        """One comparison per input element."""
        return x.size

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the batch is what is searched."""
        return batched[0] and self.dim % specs[0].ndim != 0


@dataclass(frozen=True)
class CumSum(Op):
    """Each element plus all before it along ``dim``.

    Parameters
    ----------
    dim : int
    exclusive : bool
        Without the element itself: the first is 0.
    reverse : bool
        From the end.
    dtype : str, optional
        Type to convert to before, and of the result; that of x if not given.

    Notes
    -----
    PyTorch ``cumsum``, ONNX ``CumSum``.
    """

    dim: int
    exclusive: bool = False
    reverse: bool = False
    dtype: str | None = None
    layout: ClassVar[Layout] = "axiswise"
    validation: ClassVar[Validation] = "loose"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape of x."""
        normalise_dim("cumsum", self.dim, x.ndim)
        dtype = np.dtype(self.dtype) if self.dtype else x.dtype
        if dtype.kind not in "fiu":
            raise wrong("cumsum", f"x must be a number, got {x.dtype}; say in which dtype to compute", x=x)
        return (Spec(x.shape, dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One call, in the accumulator type, on a row that is turned around and shifted as asked."""
        dtype = np.dtype(self.dtype) if self.dtype else x.dtype
        rows = xp.moveaxis(x.astype(dtype).astype(accumulator(dtype) if dtype.kind == "f" else np.int64), self.dim, -1)
        rows = rows[..., ::-1] if self.reverse else rows
        if self.exclusive:
            rows = xp.concatenate([xp.zeros_like(rows[..., :1]), rows[..., :-1]], axis=-1)
        total = xp.cumsum(rows, axis=-1)
        total = total[..., ::-1] if self.reverse else total
        return (xp.moveaxis(total, -1, self.dim).astype(dtype),)

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Unless the batch is added up."""
        return batched[0] and self.dim % specs[0].ndim != 0
