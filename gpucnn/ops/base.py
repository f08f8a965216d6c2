"""``Op``: what an operation is, without a word on how it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec, shape_text

__all__ = ["Layout", "Op", "Validation", "accumulator", "broadcast_shape", "normalise_dim", "require_float", "require_rank", "wrong"]

Layout = Literal["spatial", "pointwise", "axiswise", "logical"]
Validation = Literal["exact", "rounded", "loose"]


@dataclass(frozen=True)
class Op:
    """An operation: its attributes are the dataclass fields of a subclass, its inputs come as specs or arrays.

    Shapes, axes and arrays are in logical order (NCHW, OIHW) everywhere, whatever the order in memory. An optional input that is
    absent is ``None``.

    Attributes
    ----------
    layout : {"spatial", "pointwise", "axiswise", "logical"}
        Which order in memory the op wants: channels last; any that its inputs share; its input's, with its axis mapped; logical.
    maps : tuple of int
        Which inputs lie as the result does: x and a residual. A spatial op wants those channels last; its others are weights, tables
        and vectors, for impls to pack.
    validation : {"exact", "rounded", "loose"}
        How an impl may differ from the reference: not at all; by the rounding of a few steps; by that of a long sum.
    """

    layout: ClassVar[Layout] = "logical"
    maps: ClassVar[tuple[int, ...]] = (0,)
    validation: ClassVar[Validation] = "exact"

    @property
    def name(self) -> str:
        """Name for people, as in error messages and listings: ``conv2d``, ``max_pool2d``."""
        return type(self).__name__.lower()

    def infer(self, *specs: Any) -> tuple[Spec, ...]:
        """Specs of the outputs from those of the inputs; raises ShapeError where they do not fit."""
        raise NotImplementedError

    def reference(self, xp: Any, *arrays: Any) -> tuple[Array, ...]:
        """Outputs computed in the plainest way, in NumPy's or CuPy's dialect: the oracle, and the last resort."""
        raise NotImplementedError

    def flops(self, *specs: Any) -> int:
        """Arithmetic operations, a multiply-add counted as two."""
        return sum(s.size for s in self.infer(*specs))

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Any) -> bool:
        """Whether row i of every output depends on row i of the inputs alone, given which inputs are batched along axis 0."""
        return batched[0] and not any(batched[1:])


def wrong(op: str, message: str, **specs: Spec | None) -> ShapeError:
    """ShapeError that names the op, what is wrong, and all shapes."""
    shapes = ", ".join(f"{name} {spec}" for name, spec in specs.items() if spec is not None)
    return ShapeError(f"{op}: {message} ({shapes})" if shapes else f"{op}: {message}")


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape that all of them broadcast to, as in NumPy; None where they do not. Of any sizes: nothing is made."""
    rank = max(map(len, shapes), default=0)
    out = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1 and out[axis] not in (1, size):
                return None
            out[axis] = size if size != 1 else out[axis]
    return tuple(out)


def normalise_dim(op: str, dim: int, ndim: int) -> int:
    """``dim`` counted from the front; raises where it is out of range."""
    if not ndim:
        raise ShapeError(f"{op}: a scalar has no axis, dim is {dim}")
    if not -ndim <= dim < ndim:
        raise ShapeError(f"{op}: dim must lie in [{-ndim}, {ndim - 1}] for a value of rank {ndim}, got {dim}")
    return dim % ndim


def require_float(op: str, *, wide: tuple[str, ...] = (), **specs: Spec | None) -> None:
    """Raise unless all given specs share one floating-point dtype; those named in ``wide`` may be float32 beside float16."""
    present = {name: spec for name, spec in specs.items() if spec is not None}
    first = next(iter(present.values()))
    for name, spec in present.items():
        if spec.dtype.kind != "f":
            raise wrong(op, f"{name} must be floating point, got {spec.dtype}; convert it with .astype('float32')", **specs)
        if name in wide and first.dtype == np.float16 and spec.dtype == np.float32:
            continue
        if spec.dtype != first.dtype:
            raise wrong(op, f"{name} is {spec.dtype} where {next(iter(present))} is {first.dtype}; convert one of them", **specs)


def accumulator(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Type in which a reference sums values of ``dtype``: float64 for 32 and 64 bits, float32 for 16."""
    return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)


def require_rank(op: str, spec: Spec, least: int, what: str = "x") -> None:
    """Raise unless ``spec`` has at least ``least`` axes."""
    if spec.ndim < least:
        raise ShapeError(f"{op}: {what} needs at least {least} axes, got shape {shape_text(spec.shape)}")
