"""What moves values, and shape arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...graph import Value
from ...ops import Flatten as FlattenOp
from ...ops import Reshape as ReshapeOp

if TYPE_CHECKING:
    from .recorder import Recorder, Tensor

__all__ = ["Constant", "Flatten", "Identity", "Shape"]


def Constant(g: Recorder, *, value: Tensor) -> Value:
    return g.constant(value)


def Identity(g: Recorder, x: Value) -> Value:
    return x


def Flatten(g: Recorder, x: Value, *, axis: int = 1) -> Value:
    return g.append(FlattenOp(1), x) if axis == 1 and x.ndim > 1 else g.append(ReshapeOp((int(np.prod(x.shape[:axis])), -1)), x)


def Shape(g: Recorder, x: Value, *, start: int = 0, end: int | None = None) -> Value:
    return g.constant(np.array(x.shape[start:end], np.int64))
