"""Resizing of maps, and exchange of channels for pixels."""

from __future__ import annotations

__all__: list[str] = []
