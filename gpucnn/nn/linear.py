"""Dense layers."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .fill import uniform
from .module import Module, Parameter

__all__ = ["Bilinear", "Linear"]


class Linear(Module):
    """Dense layer ``x·weightᵀ + bias``; see :func:`gpucnn.functional.linear`.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool

    Examples
    --------
    >>> import numpy as np
    >>> Linear(5, 3)(np.zeros((2, 5), np.float32)).shape
    (2, 3)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter((out_features, in_features), uniform(in_features))
        self.bias = Parameter((out_features,), uniform(in_features)) if bias else None

    def forward(self, x: Any) -> Any:
        """(…, in_features) to (…, out_features)."""
        return F.linear(x, self.weight, self.bias)


class Bilinear(Module):
    """Every product of a feature of one input with one of another, weighted; see :func:`gpucnn.functional.bilinear`.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
    bias : bool

    Examples
    --------
    >>> import numpy as np
    >>> Bilinear(5, 4, 3)(np.zeros((2, 5), np.float32), np.zeros((2, 4), np.float32)).shape
    (2, 3)
    """

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter((out_features, in1_features, in2_features), uniform(in1_features))
        self.bias = Parameter((out_features,), uniform(in1_features)) if bias else None

    def forward(self, x1: Any, x2: Any) -> Any:
        """(…, in1_features) and (…, in2_features) to (…, out_features)."""
        return F.bilinear(x1, x2, self.weight, self.bias)
