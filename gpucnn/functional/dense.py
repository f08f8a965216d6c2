"""Dense layers. (A module called ``linear`` would hide the function.)"""

from __future__ import annotations

from typing import Any

from ..ops import Linear
from .base import T, apply_op

__all__ = ["linear"]


def linear(x: T, weight: Any, bias: Any = None) -> T:
    """Compute the dense layer ``x·weightᵀ + bias``.

    Parameters
    ----------
    x : array, (…, in), floating point
    weight : array, (out, in), dtype of x
    bias : array, (out,), dtype of x, optional

    Returns
    -------
    array, (…, out), dtype of x

    Raises
    ------
    ShapeError
        The features, dtypes or ranks do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> y = linear(np.float32([[155, 60]]), np.float32([[0.27, 0.2], [-0.1, -0.4]]))
    >>> np.round(y, 2)
    array([[ 53.85, -39.5 ]], dtype=float32)
    """
    y: T = apply_op(Linear(), x, weight, bias)[0]
    return y
