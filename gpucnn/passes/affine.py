"""``Affine``: a factor and an addend per channel, read off a node and folded into constants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Node, Value
from ..ops import BatchNorm, Binary, Unary
from ..spec import Array

__all__ = ["Affine", "affine_of", "as_precise", "names_of", "rounded", "scaled", "wide"]

Wide = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Affine:
    """``y = (x − centre)·scale + shift`` along one axis of x: vectors of its size in float64, None where there is nothing to do.

    Attributes
    ----------
    x : Value
    size : int
        c.
    centre, scale, shift : array or None, (c,)
    text : str
        The op and the names of its constants: packed weights are kept by names that say what was folded into them.
    """

    x: Value
    size: int
    centre: Wide | None
    scale: Wide | None
    shift: Wide | None
    text: str

    @property
    def is_finite(self) -> bool:
        """Whether no number is Inf or NaN: times 0, or added up, those give something else in a weight than behind the sum."""
        return all(v is None or bool(np.isfinite(v).all()) for v in (self.centre, self.scale, self.shift))

    @property
    def moves(self) -> bool:
        """Whether 0 becomes something else anywhere."""
        return any(v is not None and bool(np.any(v != 0)) for v in (self.centre, self.shift))

    @property
    def adds(self) -> bool:
        """Whether there is anything to add or subtract."""
        return self.centre is not None or self.shift is not None

    def apply(self, values: Wide) -> Wide:
        """The formula on the last axis of ``values``."""
        if self.centre is not None:
            values = values - self.centre
        if self.scale is not None:
            values = values * self.scale
        return values if self.shift is None else values + self.shift


def affine_of(node: Node, axis: int) -> Affine | None:
    """What a node does to each index of an axis of its input, with constants; None where it is something else, or more.

    A batch norm; an addition, subtraction, multiplication or division with a scalar, or with a constant that varies along the axis alone
    and enlarges nothing; a change of sign. All of finite numbers.
    """
    y = node.outputs[0]
    if y.dtype.kind != "f" or not 0 <= axis < y.ndim:
        return None
    match node.op:
        case BatchNorm(activation=None) if axis == 1:
            found = _norm(node, node.op.eps)
        case Unary("neg"):
            assert node.inputs[0] is not None
            found = Affine(node.inputs[0], y.shape[axis], None, np.full(y.shape[axis], -1.0), None, "neg")
        case Binary("add" | "sub" | "mul" | "div"):
            found = _binary(node, node.op.kind, axis)
        case _:
            return None
    return found if found is not None and found.is_finite else None


def _norm(node: Node, eps: float) -> Affine | None:
    x, *rest = node.inputs
    if x is None or x.is_constant or not all(v is None or v.is_constant for v in rest):
        return None
    mean, var, gain, shift = (None if v is None else wide(v.data) for v in (*rest, None, None)[:4])
    assert mean is not None
    assert var is not None
    scale = (np.ones_like(var) if gain is None else gain) / np.sqrt(var + eps)
    return Affine(x, x.shape[1], mean, scale, shift, f"{names_of(rest)}, eps {eps}")


def _binary(node: Node, kind: str, axis: int) -> Affine | None:
    a, b = node.inputs
    assert a is not None
    assert b is not None
    x, c = (b, a) if a.is_constant else (a, b)
    if x.is_constant or not c.is_constant or x.shape != node.outputs[0].shape:
        return None
    shape = (1,) * (x.ndim - c.ndim) + c.shape
    if any(n != 1 for i, n in enumerate(shape) if i != axis) or shape[axis] not in (1, x.shape[axis]):
        return None
    size = x.shape[axis]
    vector = np.broadcast_to(wide(c.data).reshape(-1), (size,))
    first = x is a
    match kind:
        case "add":
            return Affine(x, size, None, None, vector, f"add {c.name}")
        case "sub" if first:
            return Affine(x, size, vector, None, None, f"sub {c.name}")
        case "sub":
            return Affine(x, size, None, np.full(size, -1.0), vector, f"from {c.name}")
        case "mul":
            return Affine(x, size, None, vector, None, f"mul {c.name}")
        case "div" if first:
            return Affine(x, size, None, 1 / vector, None, f"div {c.name}")
    return None  # what x divides


def names_of(values: Iterable[Value | None]) -> str:
    """Names of constants, for the name of what is made of them."""
    return "+".join("-" if v is None else v.name for v in values)


def wide(array: Any) -> Wide:
    """In float64."""
    return np.asarray(array, np.float64)


def scaled(weight: Array, factor: Wide, axis: int = 0) -> Array | None:
    """``weight·factor`` in float64, rounded once, without a float64 copy of the weight; None where that is not as good as the weight was.

    It is not where a number left the type's range, nor where all of an output's left the range of normal numbers and with it their
    precision, as they easily do in float16. What was no better before may be so. ``axis`` is the outputs'.
    """
    out = np.empty(weight.shape, weight.dtype)
    with np.errstate(all="ignore"):
        np.multiply(weight, factor, out=out, dtype=np.float64, casting="same_kind")
    if not np.isfinite(out).all() and np.isfinite(weight).all():
        return None
    return out if as_precise(out, (weight,), axis) else None


def as_precise(weight: Array, before: Iterable[Array], axis: int = 0) -> bool:
    """Whether no output's weights all left float16's range of normal numbers that were in it in one of the weights before."""
    if weight.dtype != np.float16:
        return True
    least = np.finfo(np.float16).smallest_normal
    now, *then = (np.abs(w).max(axis=tuple(i for i in range(w.ndim) if i != axis), initial=0) for w in (weight, *before))
    return not np.any((now < least) & (np.max(then, axis=0) >= least))


def rounded(addend: Wide, dtype: np.dtype[Any]) -> Array | None:
    """In a narrower type; None where a finite number would leave its range."""
    with np.errstate(all="ignore"):
        narrow = addend.astype(dtype)
    return narrow if np.array_equal(np.isfinite(narrow), np.isfinite(addend)) else None
