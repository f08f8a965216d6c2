"""Layers that only move values, or do nothing at inference."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["Dropout", "Flatten", "Identity"]


class Flatten(Module):
    """Axes ``start_dim`` to ``end_dim`` become one, in NCHW order."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c·h·w) by default."""
        return F.flatten(x, self.start_dim, self.end_dim)


class Dropout(Module):
    """x as it is: at inference nothing is dropped. ``inplace`` is taken for PyTorch's sake."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.dropout(x, self.p)


class Identity(Module):
    """x as it is."""

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.dropout(x, 0.0)
