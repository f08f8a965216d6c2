"""Normalisation."""

from __future__ import annotations

from typing import Any

from ..ops import BatchNorm
from .base import T, apply_op

__all__ = ["batch_norm"]


def batch_norm(x: T, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> T:
    """Normalise each channel by the statistics of training: ``(x − mean)/sqrt(var + eps)·weight + bias``.

    Parameters
    ----------
    x : array, (n, c, …), floating point
    running_mean, running_var : array, (c,), dtype of x
    weight, bias : array, (c,), dtype of x, optional
    eps : float
        By name only: PyTorch has ``training`` and ``momentum`` before it, which inference does not know.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        A parameter does not have one value a channel, or dtypes differ.

    Notes
    -----
    Ioffe & Szegedy 2015, arXiv:1502.03167; PyTorch ``batch_norm`` without training, ONNX ``BatchNormalization``.

    Examples
    --------
    >>> import numpy as np
    >>> batch_norm(np.float32([[1.0], [3.0]]), np.float32([1]), np.float32([4]), eps=0.0)
    array([[0.],
           [1.]], dtype=float32)
    """
    y: T = apply_op(BatchNorm(float(eps)), x, running_mean, running_var, weight, bias)[0]
    return y
