"""What the functions share: record or compute, and the reading of arguments."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from .. import plan
from ..errors import ShapeError
from ..graph import Value
from ..ops import Activation, Op, Reduce
from ..ops.window import Padding
from ..spec import Array, Spec, spec_of

__all__ = [
    "Dims", "Padding1", "Padding2", "Padding3", "Size1", "Size2", "Size3", "T", "activate", "apply_op", "dims_of", "dtype_name", "dtype_of",
    "known", "number", "of_axes", "padding_of", "reduce", "shape_of", "whole", "wholes", "windows_of",
]  # fmt: skip

T = TypeVar("T", Array, Value)
Size1 = int | tuple[int]
Size2 = int | tuple[int, int]
Size3 = int | tuple[int, int, int]
Padding1 = int | str | tuple[int] | tuple[tuple[int, int]]
Dims = int | Sequence[int] | None
Padding2 = int | str | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]
Padding3 = int | str | tuple[int, int, int] | tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def apply_op(op: Op, *inputs: Any) -> tuple[Any, ...]:
    """Record where an input is symbolic, else compute."""
    kind: Any = type(op)
    for name, v in zip(_needs(kind), inputs):
        if v is None:
            raise ShapeError(f"{op.name}: {name} must be an array, got None")
    given = [v if v is None or isinstance(v, Value) else _array(op, v) for v in inputs]
    graph = next((v.graph for v in given if isinstance(v, Value)), None)
    return plan.evaluate(op, *given) if graph is None else graph.append(op, given)


@cache
def _needs(kind: Any) -> tuple[str, ...]:
    """Names of the inputs that an op cannot do without."""
    return tuple(p.name for p in list(signature(kind.infer).parameters.values())[1:] if p.default is p.empty)


def _array(op: Op, value: Any) -> Array:
    """What NumPy makes of an input, if that is numbers or bool."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of several lengths
        raise ShapeError(f"{op.name}: an input is no array: {error}") from None
    if array.dtype.kind not in "biuf":
        raise ShapeError(f"{op.name}: takes arrays of numbers or bool, got {array.dtype} ({type(value).__name__})")
    return array


def activate(x: Any, kind: str, alpha: float = 0.0, beta: float = 0.0) -> Any:
    """One activation, by the kind and parameters of :class:`gpucnn.ops.Activation`."""
    return apply_op(Activation(kind, number(kind, "each parameter", alpha), number(kind, "each parameter", beta)), x)[0]


def shape_of(x: Any) -> tuple[int, ...]:
    """Shape of an array, of what NumPy makes one of, or of a value."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def dims_of(op: str, dim: Dims) -> tuple[int, ...]:
    """One axis, several, or none as a tuple."""
    listed = () if dim is None else tuple(dim) if isinstance(dim, Sequence) else (dim,)
    return tuple(whole(op, "dim", d) for d in listed)


def dtype_of(x: Any) -> np.dtype[Any]:
    """Dtype of an array, of what NumPy makes one of, or of a value."""
    return np.dtype(x.dtype) if hasattr(x, "dtype") else np.asarray(x).dtype


def dtype_name(op: str, dtype: Any) -> str:
    """NumPy's name of a dtype that a caller asks for."""
    with suppress(TypeError):
        if dtype is not None:  # NumPy's float64
            return str(np.dtype(dtype).name)
    raise ShapeError(f"{op}: dtype must be bool, an integer type or a floating-point type, got {dtype!r}")


def reduce(kind: str, x: Any, dim: Dims, keepdim: bool, **fields: Any) -> Any:
    """Record or compute a reduction."""
    return apply_op(Reduce(kind, dims_of(kind, dim), bool(keepdim), **fields), x)[0]


def known(x: Any) -> Spec:
    """What is known of x, be it symbolic or an array."""
    return x.spec if isinstance(x, Value) else spec_of(np.asarray(x))


def whole(op: str, name: str, value: Any) -> int:
    """``value`` as an int; whole numbers only."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise ShapeError(f"{op}: {name} must be a whole number, got {value!r}")
    return int(value)


def wholes(op: str, name: str, values: Any) -> tuple[int, ...]:
    """``values`` as ints; a sequence of whole numbers only."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ShapeError(f"{op}: {name} must be a sequence of whole numbers, got {values!r}")
    return tuple(whole(op, f"each of {name}", v) for v in values)


def number(op: str, name: str, value: Any) -> float:
    """``value`` as a float; a single number only."""
    single = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not isinstance(single, (int, float, np.integer, np.floating)):
        raise ShapeError(f"{op}: {name} must be a number, got {value!r}")
    return float(single)


_AXES = {1: "(length,)", 2: "(height, width)", 3: "(depth, height, width)"}
_SIDES = {
    1: "((before, after),)",
    2: "((top, bottom), (left, right))",
    3: "((front, back), (top, bottom), (left, right))",
}


def of_axes(op: str, name: str, value: Any, axes: int) -> tuple[int, ...]:
    """``value`` for each of 1, 2 or 3 spatial axes: one for all of them, or a sequence; whole numbers only."""
    items = (value,) * axes if isinstance(value, (int, np.integer)) else tuple(value) if isinstance(value, Sequence) else ()
    if len(items) != axes or not all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in items):
        raise ShapeError(f"{op}: {name} must be an int or {_AXES[axes]}, got {value!r}")
    return tuple(int(v) for v in items)


def padding_of(op: str, value: Any, axes: int = 2) -> Padding:
    """Padding as an op takes it, from pixels for all axes, for each axis, or for each side of each axis; or a name."""
    if isinstance(value, str):
        if value not in ("same", "same_lower", "valid"):
            raise ShapeError(f"{op}: padding must be pixels, 'same', 'same_lower' or 'valid', got {value!r}")
        return value
    if isinstance(value, Sequence) and len(value) == axes and all(isinstance(v, Sequence) for v in value):
        pairs = []
        for sides in value:
            if len(sides) != 2:
                raise ShapeError(f"{op}: padding must be {_SIDES[axes]} where it is given by sides, got {value!r}")
            pairs.append((whole(op, "padding", sides[0]), whole(op, "padding", sides[1])))
        return tuple(pairs)
    return tuple((p, p) for p in of_axes(op, f"padding (pixels, {_AXES[axes]} or {_SIDES[axes]})", value, axes))


def windows_of(op: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any, axes: int) -> dict[str, Any]:
    """Fields of an op that pools by windows; a stride that is absent is the kernel size."""
    kernel = of_axes(op, "kernel_size", kernel_size, axes)
    strides = kernel if stride is None else of_axes(op, "stride", stride, axes)
    pads = padding_of(op, padding, axes)
    return {"kernel_size": kernel, "stride": strides, "padding": pads, "dilation": of_axes(op, "dilation", dilation, axes)}
