"""Constants, shape arithmetic, and what decides between parts of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...graph import Value

if TYPE_CHECKING:
    from .recorder import Recorder, Tensor

__all__ = ["Constant", "Identity", "Shape"]


def Constant(g: Recorder, *, value: Tensor) -> Value:
    return g.constant(value)


def Identity(g: Recorder, x: Value) -> Value:
    return x


def Shape(g: Recorder, x: Value, *, start: int = 0, end: int | None = None) -> Value:
    return g.constant(np.array(x.shape[start:end], np.int64))
