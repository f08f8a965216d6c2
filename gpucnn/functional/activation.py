"""Activations made of exponentials, and what stands in for them."""

from __future__ import annotations

from ..errors import ShapeError
from ..ops import GLU
from .base import T, activate, apply_op, whole

__all__ = [
    "erf",
    "gelu",
    "glu",
    "hardsigmoid",
    "hardswish",
    "logsigmoid",
    "mish",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "tanh",
]

_GELU = {"none": "gelu", "tanh": "gelu_tanh"}


def sigmoid(x: T) -> T:
    """Return ``1/(1 + exp(−x))``.

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
    No finite x overflows. PyTorch ``sigmoid``, ONNX ``Sigmoid``.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.float32([-np.inf, 0, 1e30]))
    array([0. , 0.5, 1. ], dtype=float32)
    """
    y: T = activate(x, "sigmoid")
    return y


def logsigmoid(x: T) -> T:
    """Return ``log(1/(1 + exp(−x)))``.

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
    As ``min(x, 0) − log(1 + exp(−|x|))``: no finite x overflows. PyTorch ``logsigmoid``.

    Examples
    --------
    >>> import numpy as np
    >>> logsigmoid(np.float32([-1000, 0])).tolist()
    [-1000.0, -0.6931471824645996]
    """
    y: T = activate(x, "logsigmoid")
    return y


def hardsigmoid(x: T, alpha: float = 1 / 6, beta: float = 0.5) -> T:
    """Return ``min(max(alpha·x + beta, 0), 1)``.

    Parameters
    ----------
    x : array, any shape, floating point
    alpha, beta : float
        PyTorch's 1/6 and 1/2 by default; **ONNX's alpha is 0.2**.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x is not floating point.

    Notes
    -----
    PyTorch ``hardsigmoid``, which has no alpha and beta; ONNX ``HardSigmoid``.

    Examples
    --------
    >>> import numpy as np
    >>> hardsigmoid(np.float32([-3, 1.5, 4]))
    array([0.  , 0.75, 1.  ], dtype=float32)
    """
    y: T = activate(x, "hardsigmoid", alpha, beta)
    return y


def tanh(x: T) -> T:
    """Return the hyperbolic tangent.

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
    PyTorch ``tanh``, ONNX ``Tanh``.

    Examples
    --------
    >>> import numpy as np
    >>> tanh(np.float32([-np.inf, 0, 0.5])).round(4)
    array([-1.    ,  0.    ,  0.4621], dtype=float32)
    """
    y: T = activate(x, "tanh")
    return y


def silu(x: T) -> T:
    """Return ``x·sigmoid(x)``, which is also called Swish.

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
    −Inf gives NaN, as ``−Inf·0`` does. PyTorch ``silu``, ONNX ``Swish``.
    Elfwing et al. 2017, arXiv:1702.03118; Ramachandran et al. 2017, arXiv:1710.05941.

    Examples
    --------
    >>> import numpy as np
    >>> silu(np.float32([-20, 0, 1])).round(4)
    array([-0.    ,  0.    ,  0.7311], dtype=float32)
    """
    y: T = activate(x, "silu")
    return y


def hardswish(x: T) -> T:
    """Return ``x·min(max(x/6 + 1/2, 0), 1)``.

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
    −Inf gives NaN, as ``−Inf·0`` does. PyTorch ``hardswish``, ONNX ``HardSwish``. Howard et al. 2019, arXiv:1905.02244.

    Examples
    --------
    >>> import numpy as np
    >>> hardswish(np.float32([-3, 1.5, 4]))
    array([-0.   ,  1.125,  4.   ], dtype=float32)
    """
    y: T = activate(x, "hardswish")
    return y


def mish(x: T) -> T:
    """Return ``x·tanh(log(1 + exp(x)))``.

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
    No finite x overflows; −Inf gives NaN, as ``−Inf·0`` does. PyTorch ``mish``, ONNX ``Mish``. Misra 2019, arXiv:1908.08681.

    Examples
    --------
    >>> import numpy as np
    >>> mish(np.float32([-20, 0, 1])).round(4)
    array([-0.    ,  0.    ,  0.8651], dtype=float32)
    """
    y: T = activate(x, "mish")
    return y


def erf(x: T) -> T:
    """Return the error function ``2/√π·∫₀ˣ exp(−t²) dt``.

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
    PyTorch ``erf``, ONNX ``Erf``. Cody 1969, Math. Comp. 23, 631.

    Examples
    --------
    >>> import numpy as np
    >>> erf(np.float32([-np.inf, 0, 0.5])).round(4)
    array([-1.    ,  0.    ,  0.5205], dtype=float32)
    """
    y: T = activate(x, "erf")
    return y


def gelu(x: T, approximate: str = "none") -> T:
    """Return ``x·Φ(x)``, Φ the distribution function of the normal distribution.

    Parameters
    ----------
    x : array, any shape, floating point
    approximate : {"none", "tanh"}
        ``"tanh"``: ``x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`` instead of ``x/2·(1 + erf(x/√2))``.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``approximate`` is something else, or x is not floating point.

    Notes
    -----
    Frameworks have different defaults: this is PyTorch's and ONNX's. −Inf gives NaN, as ``−Inf·0`` does.
    PyTorch ``gelu``, ONNX ``Gelu``. Hendrycks & Gimpel 2016, arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.float32([-9, 0, 1])).round(4)
    array([-0.    ,  0.    ,  0.8413], dtype=float32)
    >>> gelu(np.float32([1]), approximate="tanh").round(4)
    array([0.8412], dtype=float32)
    """
    if approximate not in _GELU:
        raise ShapeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    y: T = activate(x, _GELU[approximate])
    return y


def softplus(x: T, beta: float = 1.0, threshold: float = 20.0) -> T:
    """Return ``log(1 + exp(beta·x))/beta``, and x itself where ``beta·x`` is above the threshold.

    Parameters
    ----------
    x : array, any shape, floating point
    beta : float, not 0
    threshold : float
        ``math.inf`` for ONNX's function, which has none.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``beta`` is 0 or not finite, or x is not floating point.

    Notes
    -----
    No finite x overflows, with or without a threshold. PyTorch ``softplus``, ONNX ``Softplus``.

    Examples
    --------
    >>> import numpy as np
    >>> softplus(np.float32([-np.inf, 0, 1e30])).tolist()
    [0.0, 0.6931471824645996, 1.0000000150474662e+30]
    """
    y: T = activate(x, "softplus", beta, threshold)
    return y


def softsign(x: T) -> T:
    """Return ``x/(1 + |x|)``.

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
    ±Inf gives NaN, as the formula does. PyTorch ``softsign``, ONNX ``Softsign``.

    Examples
    --------
    >>> import numpy as np
    >>> softsign(np.float32([-1, 0, 3]))
    array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    y: T = activate(x, "softsign")
    return y


def glu(x: T, dim: int = 1) -> T:
    """Return the first half along ``dim`` times the sigmoid of the second half; **dim is 1 by default, PyTorch's is −1**.

    Parameters
    ----------
    x : array, any shape with an even size along dim, floating point
    dim : int
        **Channels by default, where PyTorch takes the last axis**: give it where a net of PyTorch's is written down.

    Returns
    -------
    array, shape of x with half of dim, dtype of x

    Raises
    ------
    ShapeError
        The size of ``dim`` is odd, ``dim`` is no axis of x, or x is not floating point.

    Notes
    -----
    ``a·sigmoid(b)`` of ``x = [a, b]``. PyTorch ``glu``. Dauphin et al. 2017, arXiv:1612.08083.

    Examples
    --------
    >>> import numpy as np
    >>> glu(np.float32([[3, 4, 0, np.inf]]))
    array([[1.5, 4. ]], dtype=float32)
    """
    y: T = apply_op(GLU(whole("glu", "dim", dim)), x)[0]
    return y
