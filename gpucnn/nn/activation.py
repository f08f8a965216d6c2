"""Activations and softmax."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["Hardtanh", "ReLU", "ReLU6", "Sigmoid", "Softmax", "Tanh"]


class ReLU(Module):
    """``max(x, 0)``. ``inplace`` is taken for PyTorch's sake: what shares memory is decided by the plan."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.relu(x)


class ReLU6(Module):
    """``min(max(x, 0), 6)``. ``inplace`` is taken for PyTorch's sake."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.relu6(x)


class Hardtanh(Module):
    """``min(max(x, min_val), max_val)``. ``inplace`` is taken for PyTorch's sake."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.hardtanh(x, self.min_val, self.max_val)


class Sigmoid(Module):
    """``1/(1 + exp(−x))``."""

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.tanh(x)


class Softmax(Module):
    """Scores to probabilities along ``dim``."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.softmax(x, self.dim)
