"""Activations and softmax."""

from __future__ import annotations

from ..ops import RELU6, Activation, Softmax
from .base import T, apply_op

__all__ = ["hardtanh", "relu", "relu6", "sigmoid", "softmax", "tanh"]


def relu(x: T) -> T:
    """Return ``max(x, 0)``, any shape; NaN stays NaN."""
    y: T = apply_op(Activation("relu"), x)[0]
    return y


def relu6(x: T) -> T:
    """Return ``min(max(x, 0), 6)``, any shape; NaN stays NaN."""
    y: T = apply_op(RELU6, x)[0]
    return y


def hardtanh(x: T, min_val: float = -1.0, max_val: float = 1.0) -> T:
    """Return ``min(max(x, min_val), max_val)``, any shape; ONNX ``Clip``."""
    y: T = apply_op(Activation("clip", float(min_val), float(max_val)), x)[0]
    return y


def sigmoid(x: T) -> T:
    """Return ``1/(1 + exp(−x))``, any shape, floating point; no finite x overflows."""
    y: T = apply_op(Activation("sigmoid"), x)[0]
    return y


def tanh(x: T) -> T:
    """Return the hyperbolic tangent, any shape, floating point."""
    y: T = apply_op(Activation("tanh"), x)[0]
    return y


def softmax(x: T, dim: int) -> T:
    """Turn scores into probabilities along ``dim``.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int
        The axis whose values add up to 1.

    Returns
    -------
    array, shape and dtype of x
        ``exp(x − max)/Σ exp(x − max)``.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.float32([2.5, 1.8, 0.2]), dim=0).round(4)
    array([0.6262, 0.311 , 0.0628], dtype=float32)
    """
    y: T = apply_op(Softmax(int(dim)), x)[0]
    return y
