"""Shrinkage and thresholds."""

from __future__ import annotations

from .base import T, activate

__all__ = [
    "hardshrink",
    "shrink",
    "softshrink",
    "tanhshrink",
    "threshold",
    "thresholded_relu",
]


def shrink(x: T, lambd: float = 0.5, bias: float = 0.0) -> T:
    """Return x moved by ``bias`` towards 0, and 0 where ``|x| ≤ lambd``; NaN stays NaN.

    Parameters
    ----------
    x : array, any shape, floating point
    lambd : float, at least 0
    bias : float

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``lambd`` is negative, or x is not floating point.

    Notes
    -----
    ``x − bias`` for ``x > lambd``, ``x + bias`` for ``x < −lambd``, else 0. ONNX ``Shrink``.

    Examples
    --------
    >>> import numpy as np
    >>> shrink(np.float32([-2, 0.5, 3]), 1, 0.5)
    array([-1.5,  0. ,  2.5], dtype=float32)
    """
    y: T = activate(x, "shrink", lambd, bias)
    return y


def softshrink(x: T, lambd: float = 0.5) -> T:
    """Return x moved by ``lambd`` towards 0, and 0 where it would pass it.

    Parameters
    ----------
    x : array, any shape, floating point
    lambd : float, at least 0

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``lambd`` is negative, or x is not floating point.

    Notes
    -----
    PyTorch ``softshrink``, ONNX ``Shrink`` with ``bias = lambd``.

    Examples
    --------
    >>> import numpy as np
    >>> softshrink(np.float32([-2, 0.5, 3]), 1)
    array([-1.,  0.,  2.], dtype=float32)
    """
    y: T = activate(x, "shrink", lambd, lambd)
    return y


def hardshrink(x: T, lambd: float = 0.5) -> T:
    """Return x, and 0 where ``|x| ≤ lambd``.

    Parameters
    ----------
    x : array, any shape, floating point
    lambd : float, at least 0

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``lambd`` is negative, or x is not floating point.

    Notes
    -----
    PyTorch ``hardshrink``, ONNX ``Shrink`` with ``bias = 0``.

    Examples
    --------
    >>> import numpy as np
    >>> hardshrink(np.float32([-2, 0.5, 3]), 1)
    array([-2.,  0.,  3.], dtype=float32)
    """
    y: T = activate(x, "shrink", lambd, 0.0)
    return y


def tanhshrink(x: T) -> T:
    """Return ``x − tanh(x)``.

    Parameters
    ----------
    x : array, any shape, floating point

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``tanhshrink``.

    Examples
    --------
    >>> import numpy as np
    >>> tanhshrink(np.float32([-1000, 0, 2])).round(4)
    array([-999.   ,    0.   ,    1.036], dtype=float32)
    """
    y: T = activate(x, "tanhshrink")
    return y


def threshold(x: T, threshold: float, value: float) -> T:
    """Return x where it is above the threshold, else ``value``; NaN stays NaN.

    Parameters
    ----------
    x : array, any shape, floating point
    threshold, value : float

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``threshold``.

    Examples
    --------
    >>> import numpy as np
    >>> threshold(np.float32([-2, 1, 3]), 1, -9)
    array([-9., -9.,  3.], dtype=float32)
    """
    y: T = activate(x, "threshold", threshold, value)
    return y


def thresholded_relu(x: T, alpha: float = 1.0) -> T:
    """Return x where it is above alpha, else 0; NaN stays NaN.

    Parameters
    ----------
    x : array, any shape, floating point
    alpha : float

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    ONNX ``ThresholdedRelu``; PyTorch ``threshold(x, alpha, 0)``.

    Examples
    --------
    >>> import numpy as np
    >>> thresholded_relu(np.float32([-2, 1, 3]))
    array([0., 0., 3.], dtype=float32)
    """
    y: T = activate(x, "threshold", alpha)
    return y
