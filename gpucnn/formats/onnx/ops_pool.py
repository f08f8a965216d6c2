"""Pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...graph import Value
from ...ops import GlobalAvgPool

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["GlobalAveragePool"]


def GlobalAveragePool(g: Recorder, x: Value) -> Value:
    return g.append(GlobalAvgPool(), x)
