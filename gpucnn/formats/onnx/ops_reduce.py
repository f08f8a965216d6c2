"""Sums, extremes and ranks along axes."""

from __future__ import annotations

__all__: list[str] = []
