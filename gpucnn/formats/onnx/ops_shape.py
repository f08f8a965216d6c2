"""Shapes: reshape, transpose, squeeze."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...graph import Value
from ...ops import Flatten as FlattenOp
from ...ops import Reshape as ReshapeOp

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["Flatten"]


def Flatten(g: Recorder, x: Value, *, axis: int = 1) -> Value:
    return g.append(FlattenOp(1), x) if axis == 1 and x.ndim > 1 else g.append(ReshapeOp((int(np.prod(x.shape[:axis])), -1)), x)
