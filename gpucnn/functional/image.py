"""From bytes to numbers."""

from __future__ import annotations

from typing import Any

from ..ops import Lookup
from .base import T, apply_op

__all__ = ["lookup"]


def lookup(x: T, table: Any) -> T:
    """Replace each byte by its channel's value: x (n, c, …) uint8, table (256, c), result ``table[x[n, c, …], c]``."""
    y: T = apply_op(Lookup(), x, table)[0]
    return y
