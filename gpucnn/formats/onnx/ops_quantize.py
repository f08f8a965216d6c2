"""Quantised values, computed in float32."""

from __future__ import annotations

__all__: list[str] = []
