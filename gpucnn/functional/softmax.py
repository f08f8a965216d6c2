"""Scores to probabilities."""

from __future__ import annotations

from ..ops import LogSoftmax, Softmax
from .base import T, apply_op, whole
from .elementwise import binary

__all__ = [
    "log_softmax",
    "softmax",
    "softmin",
]


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

    Raises
    ------
    ShapeError
        ``dim`` is no axis of x, or x is not floating point.

    Notes
    -----
    ``exp(x − max)/Σ exp(x − max)``: nothing overflows. PyTorch ``softmax``, ONNX ``Softmax``.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.float32([2.5, 1.8, 0.2]), dim=0).round(4)
    array([0.6262, 0.311 , 0.0628], dtype=float32)
    """
    y: T = apply_op(Softmax(whole("softmax", "dim", dim)), x)[0]
    return y


def log_softmax(x: T, dim: int) -> T:
    """Turn scores into logarithms of probabilities along ``dim``.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int
        The axis whose exponentials add up to 1.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``dim`` is no axis of x, or x is not floating point.

    Notes
    -----
    ``x − max − log Σ exp(x − max)``: small probabilities keep their precision, and none becomes −Inf.
    PyTorch ``log_softmax``, ONNX ``LogSoftmax``.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.float32([0, 1000]), dim=0)
    array([-1000.,     0.], dtype=float32)
    """
    y: T = apply_op(LogSoftmax(whole("log_softmax", "dim", dim)), x)[0]
    return y


def softmin(x: T, dim: int) -> T:
    """Return ``softmax(−x)`` along ``dim``: the smallest gets most.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int
        The axis whose values add up to 1.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``dim`` is no axis of x, or x is not floating point.

    Notes
    -----
    PyTorch ``softmin``.

    Examples
    --------
    >>> import numpy as np
    >>> softmin(np.float32([-2.5, -1.8, -0.2]), dim=0).round(4)
    array([0.6262, 0.311 , 0.0628], dtype=float32)
    """
    y: T = softmax(binary("mul", x, -1.0), dim)
    return y
