"""What activations make of errors: how large the numbers are that they round, how steep they are, and where they jump.

``sizes`` grow with ``|x|``, so that what holds for the largest value an input may have holds for all below.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log1p, pi, sqrt
from typing import Any

import numpy as np

from gpucnn.ops import Activation

__all__ = ["JUMPS", "SIZES", "SLOPES", "carried", "size"]

SIZES: dict[str, Callable[[Any, float, float], Any]] = {
    "relu": lambda x, a, b: x,
    "clip": lambda x, a, b: np.clip(x, a, b),
    "sigmoid": lambda x, a, b: 0 * x + 1,
    "tanh": lambda x, a, b: np.tanh(x),
    "leaky_relu": lambda x, a, b: x * max(1, abs(a)),
    "elu": lambda x, a, b: x * max(1, abs(a)),  # exp(x) − 1 is below |x| there
    "selu": lambda x, a, b: x * abs(b) * max(1, abs(a)),
    "celu": lambda x, a, b: x,
    "silu": lambda x, a, b: x,  # x times what lies between 0 and 1; the next ones too
    "mish": lambda x, a, b: x,
    "hardswish": lambda x, a, b: x,
    "gelu": lambda x, a, b: x,
    "gelu_tanh": lambda x, a, b: x,
    "hardsigmoid": lambda x, a, b: np.minimum(x * abs(a), 1 + abs(b)) + abs(b),  # a larger product is cut off
    "erf": lambda x, a, b: np.minimum(x * 2 / sqrt(pi), 1),
    "softplus": lambda x, a, b: x + 1 / abs(a),
    "softsign": lambda x, a, b: x / (1 + x),
    "logsigmoid": lambda x, a, b: x + 1,
    "shrink": lambda x, a, b: x + abs(b),
    "tanhshrink": lambda x, a, b: x,
    "threshold": lambda x, a, b: x,
}
"""The largest number on the way through the formula, of ``x ≥ 0`` and the kind's alpha and beta."""

SLOPES: dict[str, Callable[[float, float], float]] = {
    "relu": lambda a, b: 1,
    "clip": lambda a, b: 1,
    "sigmoid": lambda a, b: 1 / 4,  # s·(1 − s), at 0
    "tanh": lambda a, b: 1,
    "leaky_relu": lambda a, b: max(1, abs(a)),
    "elu": lambda a, b: max(1, abs(a)),  # a·exp(x) left of 0
    "selu": lambda a, b: abs(b) * max(1, abs(a)),
    "celu": lambda a, b: 1,  # exp(x/a) left of 0
    "silu": lambda a, b: 1.0999,  # at x = 2.3994, where 2 + x·(1 − 2s) = 0
    "mish": lambda a, b: 1.0885,  # at x = 1.4915
    "hardswish": lambda a, b: 1.5,  # (2x + 3)/6, left of 3
    "gelu": lambda a, b: 1.1290,  # Φ(x) + x·φ(x), at x = √2
    "gelu_tanh": lambda a, b: 1.1290,
    "hardsigmoid": lambda a, b: abs(a),
    "erf": lambda a, b: 2 / sqrt(pi),  # at 0
    "softplus": lambda a, b: 1,  # a sigmoid
    "softsign": lambda a, b: 1,  # 1/(1 + |x|)²
    "logsigmoid": lambda a, b: 1,
    "shrink": lambda a, b: 1,
    "tanhshrink": lambda a, b: 1,  # tanh²
    "threshold": lambda a, b: 1,
}
"""A Lipschitz constant by kind, of alpha and beta; between jumps, where there are some."""

JUMPS: dict[str, Callable[[float, float], tuple[tuple[float, float], ...]]] = {
    "shrink": lambda a, b: ((a, abs(a - b)), (-a, abs(a - b))),
    "threshold": lambda a, b: ((a, abs(a - b)),),
    "softplus": lambda a, b: ((b / a, (log1p(exp(-b)) if b > -700 else -b) / abs(a)),) if b < inf else (),
}
"""Where a kind jumps, and by how much."""


def size(op: Activation, x: Any) -> Any:
    """Magnitude of what is rounded for ``|x|``."""
    return SIZES[op.kind](np.abs(x), op.alpha, op.beta)


def carried(op: Activation, x: Any, error: Any) -> Any:
    """How far the activations of two numbers may lie apart, of which one is x and the other within ``error`` of it."""
    found = SLOPES[op.kind](op.alpha, op.beta) * error
    for place, height in JUMPS.get(op.kind, lambda a, b: ())(op.alpha, op.beta):
        found = found + height * (np.abs(x - place) <= error)
    return found
