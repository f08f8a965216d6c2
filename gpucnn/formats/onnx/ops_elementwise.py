"""Arithmetic, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...graph import Value
from ...ops import Binary

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["Add_7", "Mul_7"]


def Add_7(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("add"), a, b)


def Mul_7(g: Recorder, a: Value, b: Value) -> Value:
    return g.append(Binary("mul"), a, b)
