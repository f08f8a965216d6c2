"""Comparisons and logic."""

from __future__ import annotations

__all__: list[str] = []
