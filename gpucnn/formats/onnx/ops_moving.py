"""What cuts, joins, repeats and pads."""

from __future__ import annotations

__all__: list[str] = []
