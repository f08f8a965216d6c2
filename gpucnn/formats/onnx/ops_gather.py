"""What picks, and what puts, elements by index."""

from __future__ import annotations

__all__: list[str] = []
