"""Dense layers."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .fill import uniform
from .module import Module, Parameter

__all__ = ["Linear"]


class Linear(Module):
    """Dense layer ``x·weightᵀ + bias``; see :func:`gpucnn.functional.linear`."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter((out_features, in_features), uniform(in_features))
        self.bias = Parameter((out_features,), uniform(in_features)) if bias else None

    def forward(self, x: Any) -> Any:
        """(…, in_features) to (…, out_features)."""
        return F.linear(x, self.weight, self.bias)
