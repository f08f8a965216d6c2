"""Lp norms that neither overflow nor vanish: of the largest value, and of what share of it the others are."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ..errors import ShapeError
from ..spec import Array

__all__ = ["check_power", "norm_of", "unit_of"]


def check_power(op: str, p: float) -> None:
    """Raise unless p is a power that an Lp norm may have."""
    if not (isfinite(p) and p > 0):
        raise ShapeError(f"{op}: norm_type must be a finite number above 0, got {p}; the limit for large ones is max_pool of |x|")


def unit_of(xp: Any, largest: Array) -> Array:
    """What the values are to be divided by before they are raised: the largest of them, or 1 where that is 0, infinite or NaN."""
    return xp.where((largest > 0) & xp.isfinite(largest), largest, xp.ones_like(largest))


def norm_of(xp: Any, largest: Array, total: Array, p: float) -> Array:
    """The norm, from the largest absolute value and the sum of ``(|x|/largest)^p``."""
    return xp.where((largest == 0) | xp.isinf(largest), largest, largest * total ** (1 / p))
