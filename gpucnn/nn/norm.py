"""Normalisation."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .fill import ones, zeros
from .module import Module, Parameter

__all__ = ["BatchNorm2d"]


class BatchNorm2d(Module):
    """Batch normalisation with the statistics of training; see :func:`gpucnn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float or None
        Taken for PyTorch's sake; only training knows it.
    affine : bool
        Whether there are weight and bias.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps
        self.weight = Parameter((num_features,), ones) if affine else None
        self.bias = Parameter((num_features,), zeros) if affine else None
        self.register_buffer("running_mean", Parameter((num_features,), zeros))
        self.register_buffer("running_var", Parameter((num_features,), ones))

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
