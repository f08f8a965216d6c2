"""Arithmetic, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops import Binary
from .base import apply_op

__all__ = ["add", "div", "mul", "sub"]


def binary(kind: str, x: Any, y: Any) -> Any:
    """A Python number takes the dtype of the other side."""
    if isinstance(y, (int, float)) and hasattr(x, "dtype"):
        y = np.asarray(y, x.dtype)
    elif isinstance(x, (int, float)) and hasattr(y, "dtype"):
        x = np.asarray(x, y.dtype)
    return apply_op(Binary(kind), x, y)[0]


def add(x: Any, y: Any) -> Any:
    """Return ``x + y``; shapes broadcast, dtypes must agree."""
    return binary("add", x, y)


def sub(x: Any, y: Any) -> Any:
    """Return ``x − y``; shapes broadcast, dtypes must agree."""
    return binary("sub", x, y)


def mul(x: Any, y: Any) -> Any:
    """Return ``x·y``; shapes broadcast, dtypes must agree."""
    return binary("mul", x, y)


def div(x: Any, y: Any) -> Any:
    """Return ``x/y``, floating point; shapes broadcast, dtypes must agree."""
    return binary("div", x, y)
