"""Constants that are one number."""

from __future__ import annotations

from ..graph import Value

__all__ = ["scalar"]


def scalar(value: Value | None) -> float | None:
    """The number that a constant of one element holds, whatever its rank."""
    if value is None or not value.is_constant or value.spec.size != 1 or value.dtype.kind != "f":
        return None
    return float(value.data.reshape(-1)[0])
