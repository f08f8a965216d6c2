"""Starting values of parameters: what PyTorch starts with."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..spec import Array

__all__ = ["ones", "uniform", "zeros"]


def zeros(shape: tuple[int, ...]) -> Array:
    """Fill with 0."""
    return np.zeros(shape, np.float32)


def ones(shape: tuple[int, ...]) -> Array:
    """Fill with 1."""
    return np.ones(shape, np.float32)


def uniform(fan_in: int) -> Callable[[tuple[int, ...]], Array]:
    """Fill with PyTorch's starting values for convolution and linear layers: uniform in ±1/sqrt(fan_in)."""

    def fill(shape: tuple[int, ...]) -> Array:
        bound = np.float32(1 / math.sqrt(max(fan_in, 1)))
        return (np.random.default_rng().random(shape, np.float32) * 2 - 1) * bound

    return fill
