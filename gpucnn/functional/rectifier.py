"""Activations that are straight right of 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops import RELU6, PReLU
from ..spec import shape_text
from .base import T, activate, apply_op
from .shape import reshape

__all__ = [
    "celu",
    "elu",
    "hardtanh",
    "leaky_relu",
    "prelu",
    "relu",
    "relu6",
    "selu",
]

_SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)  # alpha and scale, as PyTorch writes them


def relu(x: T) -> T:
    """Return ``max(x, 0)``; NaN stays NaN.

    Parameters
    ----------
    x : array, any shape, any real dtype

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is no array of real numbers.

    Notes
    -----
    PyTorch ``relu``, ONNX ``Relu``.

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.float32([-1, 0, 2]))
    array([0., 0., 2.], dtype=float32)
    """
    y: T = activate(x, "relu")
    return y


def relu6(x: T) -> T:
    """Return ``min(max(x, 0), 6)``; NaN stays NaN.

    Parameters
    ----------
    x : array, any shape, any real dtype

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        The dtype of x cannot hold the bounds.

    Notes
    -----
    PyTorch ``relu6``, ONNX ``Clip``. Howard et al. 2017, arXiv:1704.04861.

    Examples
    --------
    >>> import numpy as np
    >>> relu6(np.float32([-1, 2, 9]))
    array([0., 2., 6.], dtype=float32)
    """
    y: T = apply_op(RELU6, x)[0]
    return y


def hardtanh(x: T, min_val: float = -1.0, max_val: float = 1.0) -> T:
    """Return ``min(max(x, min_val), max_val)``; NaN stays NaN.

    Parameters
    ----------
    x : array, any shape, any real dtype
    min_val, max_val : float
        The bounds; an infinite one is none.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``min_val`` lies above ``max_val``, or x holds integers and a bound is none of their type.

    Notes
    -----
    PyTorch ``hardtanh`` and ``clamp``, ONNX ``Clip``.

    Examples
    --------
    >>> import numpy as np
    >>> hardtanh(np.float32([-3, 0.5, 2]))
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    y: T = activate(x, "clip", min_val, max_val)
    return y


def leaky_relu(x: T, negative_slope: float = 0.01) -> T:
    """Return x right of 0, and ``negative_slope·x`` left of it.

    Parameters
    ----------
    x : array, any shape, floating point
    negative_slope : float

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``leaky_relu``, ONNX ``LeakyRelu``. Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models.

    Examples
    --------
    >>> import numpy as np
    >>> leaky_relu(np.float32([-2, 3]), 0.5)
    array([-1.,  3.], dtype=float32)
    """
    y: T = activate(x, "leaky_relu", negative_slope)
    return y


def prelu(x: T, weight: Any) -> T:
    """Return x right of 0, and ``weight·x`` left of it, with one slope for all or one a channel.

    Parameters
    ----------
    x : array, (n, c, …), floating point
    weight : array, (1,) or (c,), dtype of x
        Slopes; channels are axis 1.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``weight`` has another shape, or another dtype than x.

    Notes
    -----
    PyTorch ``prelu``, ONNX ``PRelu``. He et al. 2015, arXiv:1502.01852.

    Examples
    --------
    >>> import numpy as np
    >>> prelu(np.float32([[-1, -1, 3]]), np.float32([0.5, 2, 2]))
    array([[-0.5, -2. ,  3. ]], dtype=float32)
    """
    weight = weight if hasattr(weight, "ndim") else np.asarray(weight, getattr(x, "dtype", np.float32))
    shape: tuple[int, ...] = x.shape if hasattr(x, "shape") else np.shape(x)
    if weight.ndim != 1 or weight.shape[0] not in (1, *shape[1:2]):
        raise ShapeError(
            f"prelu: weight must have shape 1, or one value a channel of x (x {shape_text(shape)}, weight {shape_text(weight.shape)})"
        )
    if weight.shape[0] > 1:
        weight = reshape(weight, (weight.shape[0], *(1,) * (len(shape) - 2)))
    y: T = apply_op(PReLU(), x, weight)[0]
    return y


def elu(x: T, alpha: float = 1.0) -> T:
    """Return x right of 0, and ``alpha·(exp(x) − 1)`` left of it.

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
    PyTorch ``elu``, ONNX ``Elu``. Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289.

    Examples
    --------
    >>> import numpy as np
    >>> elu(np.float32([-np.inf, 0, 2])).tolist()
    [-1.0, 0.0, 2.0]
    """
    y: T = activate(x, "elu", alpha)
    return y


def selu(x: T) -> T:
    """Return ``scale·x`` right of 0, and ``scale·alpha·(exp(x) − 1)`` left of it.

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
    alpha = 1.67326324…, scale = 1.05070098…: the fixed point of Klambauer et al. 2017, arXiv:1706.02515. PyTorch ``selu``, ONNX ``Selu``.

    Examples
    --------
    >>> import numpy as np
    >>> selu(np.float32([-np.inf, 0, 1])).round(4)
    array([-1.7581,  0.    ,  1.0507], dtype=float32)
    """
    y: T = activate(x, "selu", *_SELU)
    return y


def celu(x: T, alpha: float = 1.0) -> T:
    """Return x right of 0, and ``alpha·(exp(x/alpha) − 1)`` left of it: no kink at 0, whatever alpha.

    Parameters
    ----------
    x : array, any shape, floating point
    alpha : float, above 0

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``alpha`` is not above 0, or x is not floating point.

    Notes
    -----
    PyTorch ``celu``, ONNX ``Celu``. Barron 2017, arXiv:1704.07483.

    Examples
    --------
    >>> import numpy as np
    >>> celu(np.float32([-np.inf, 0, 2]), 0.5)
    array([-0.5,  0. ,  2. ], dtype=float32)
    """
    y: T = activate(x, "celu", alpha)
    return y
