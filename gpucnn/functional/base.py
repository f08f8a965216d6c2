"""What the functions share: record or compute, and the reading of arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from .. import plan
from ..errors import ShapeError
from ..graph import Value
from ..ops import Op, Reduce
from ..ops.window import Padding
from ..spec import Array

__all__ = ["Dims", "Padding2", "Size2", "T", "apply_op", "dims_of", "dtype_of", "padding_of", "pair", "reduce", "shape_of", "whole"]

T = TypeVar("T", Array, Value)
Size2 = int | tuple[int, int]
Dims = int | Sequence[int] | None
Padding2 = int | str | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


def apply_op(op: Op, *inputs: Any) -> tuple[Any, ...]:
    """Record where an input is symbolic, else compute."""
    graph = next((v.graph for v in inputs if isinstance(v, Value)), None)
    if graph is not None:
        return graph.append(op, [v if v is None or isinstance(v, Value) else np.asarray(v) for v in inputs])
    return plan.evaluate(op, *inputs)


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


def reduce(kind: str, x: Any, dim: Dims, keepdim: bool, **fields: Any) -> Any:
    """Record or compute a reduction."""
    return apply_op(Reduce(kind, dims_of(kind, dim), bool(keepdim), **fields), x)[0]


def whole(op: str, name: str, value: Any) -> int:
    """``value`` as an int; whole numbers only."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise ShapeError(f"{op}: {name} must be a whole number, got {value!r}")
    return int(value)


def pair(op: str, name: str, value: Any) -> tuple[int, int]:
    """``value`` for both axes; whole numbers only."""
    items = (value, value) if isinstance(value, (int, np.integer)) else tuple(value) if isinstance(value, Sequence) else ()
    if len(items) != 2 or not all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in items):
        raise ShapeError(f"{op}: {name} must be an int or (height, width), got {value!r}")
    return int(items[0]), int(items[1])


def padding_of(op: str, value: Padding2) -> Padding:
    """Padding as an op takes it: a pair for each axis, or a name."""
    if isinstance(value, str):
        if value not in ("same", "same_lower", "valid"):
            raise ShapeError(f"{op}: padding must be pixels, 'same', 'same_lower' or 'valid', got {value!r}")
        return value
    if isinstance(value, Sequence) and len(value) == 2 and all(isinstance(v, Sequence) for v in value):
        (top, bottom), (left, right) = (pair(op, "padding", v) for v in value)
        return ((top, bottom), (left, right))
    h, w = pair(op, "padding (pixels, (height, width) or ((top, bottom), (left, right)))", value)
    return ((h, h), (w, w))
