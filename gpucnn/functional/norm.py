"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, Normalize
from .base import T, apply_op, dtype_of, number, shape_of, whole

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm"]


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
    y: T = apply_op(BatchNorm(number("batch_norm", "eps", eps)), x, running_mean, running_var, weight, bias)[0]
    return y


def _row(op: str, x: Any, normalized_shape: int | Sequence[int]) -> int:
    """How many axes ``normalized_shape`` names; raises unless they are the last ones of x."""
    given = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (normalized_shape,)
    row = tuple(whole(op, "each size of normalized_shape", n) for n in given)
    shape = shape_of(x)
    if not row or row != shape[len(shape) - len(row) :]:
        raise ShapeError(f"{op}: normalized_shape {row} must be the last sizes of x, which has shape {shape}")
    return len(row)


def layer_norm(x: T, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> T:
    """Normalise each row by its own mean and variance: ``(x − mean)/sqrt(var + eps)·weight + bias``.

    Parameters
    ----------
    x : array, (…, \\*normalized_shape), floating point
    normalized_shape : int or sequence of int
        The last sizes of x; the elements of these axes are a row.
    weight, bias : array, normalized_shape, dtype of x or float32, optional
    eps : float

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``normalized_shape`` does not end the shape of x, or a parameter has another shape.

    Notes
    -----
    The mean is subtracted before squares are summed, and the sum of squares divided by their number. Ba, Kiros & Hinton 2016,
    arXiv:1607.06450; PyTorch ``layer_norm``, ONNX ``LayerNormalization``, whose ``axis`` is the first of these axes. Squares are summed
    in float32 where x is no wider, as in PyTorch: values beyond about 1e19 overflow.

    Examples
    --------
    >>> import numpy as np
    >>> layer_norm(np.float32([[1, 3], [10, 50]]), 2, eps=0.0)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    y: T = apply_op(LayerNorm(_row("layer_norm", x, normalized_shape), number("layer_norm", "eps", eps)), x, weight, bias)[0]
    return y


def rms_norm(x: T, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> T:
    """Divide each row by the root of its mean square: ``x/sqrt(mean(x²) + eps)·weight``.

    Parameters
    ----------
    x : array, (…, \\*normalized_shape), floating point
    normalized_shape : int or sequence of int
        The last sizes of x; the elements of these axes are a row.
    weight : array, normalized_shape, dtype of x or float32, optional
    eps : float, optional
        By default the distance from 1 to the next number of the dtype of x.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``normalized_shape`` does not end the shape of x, or ``weight`` has another shape.

    Notes
    -----
    Zhang & Sennrich 2019, arXiv:1910.07467; PyTorch ``rms_norm``, ONNX ``RMSNormalization`` (whose epsilon is 1e-5 unless given).

    Examples
    --------
    >>> import numpy as np
    >>> rms_norm(np.float32([[1, 7]]), 2, eps=0.0)
    array([[0.2, 1.4]], dtype=float32)
    """
    dims = _row("rms_norm", x, normalized_shape)
    dtype = dtype_of(x)
    least = number("rms_norm", "eps", eps) if eps is not None else float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
    y: T = apply_op(LayerNorm(dims, least, centred=False), x, weight, None)[0]
    return y


def group_norm(x: T, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> T:
    """Normalise each image's groups of channels by their own mean and variance: ``(x − mean)/sqrt(var + eps)·weight + bias``.

    Parameters
    ----------
    x : array, (n, c, …), floating point
    num_groups : int
        Divides c; each group holds c/num_groups neighbouring channels, all their pixels.
    weight, bias : array, (c,), dtype of x or float32, optional
    eps : float

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        The groups do not divide the channels, or a parameter does not have one value a channel.

    Notes
    -----
    Wu & He 2018, arXiv:1803.08494; PyTorch ``group_norm``, ONNX ``GroupNormalization``.

    Examples
    --------
    >>> import numpy as np
    >>> group_norm(np.float32([[1, 3, 10, 50]]), 2, eps=0.0)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """
    y: T = apply_op(GroupNorm(whole("group_norm", "num_groups", num_groups), number("group_norm", "eps", eps)), x, weight, bias)[0]
    return y


def instance_norm(
    x: T,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    *,
    eps: float = 1e-5,
) -> T:
    """Normalise each image's channels by their own mean and variance: ``(x − mean)/sqrt(var + eps)·weight + bias``.

    Parameters
    ----------
    x : array, (n, c, …) with at least one axis behind the channels, floating point
    running_mean, running_var : array, (c,), dtype of x, optional
        Statistics of training; used only without ``use_input_stats``.
    weight, bias : array, (c,), dtype of x or float32, optional
    use_input_stats : bool
        False takes the statistics of training instead, which is :func:`batch_norm`.
    eps : float
        By name only: PyTorch has ``momentum`` before it, which inference does not know.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        A parameter does not have one value a channel, or the statistics are asked for and missing.

    Notes
    -----
    Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022; PyTorch ``instance_norm``, ONNX ``InstanceNormalization``.

    Examples
    --------
    >>> import numpy as np
    >>> instance_norm(np.float32([[[1, 3], [10, 50]]]), eps=0.0)
    array([[[-1.,  1.],
            [-1.,  1.]]], dtype=float32)
    """
    if use_input_stats:
        y: T = apply_op(GroupNorm(None, number("instance_norm", "eps", eps)), x, weight, bias)[0]
        return y
    if running_mean is None or running_var is None:
        raise ShapeError("instance_norm: without use_input_stats, running_mean and running_var must be given")
    return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)


def local_response_norm(x: T, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> T:
    """Divide by the magnitude of neighbouring channels: ``x/(k + alpha/size·Σ x²)^beta``.

    Parameters
    ----------
    x : array, (n, c, …), floating point
    size : int
        Channels in the sum: from ``floor((size − 1)/2)`` before to ``ceil((size − 1)/2)`` after, fewer at the ends.
    alpha, beta, k : float

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``size`` is below 1, or x has no channels.

    Notes
    -----
    Krizhevsky, Sutskever & Hinton 2012 (AlexNet: size 5, alpha 5e-4 as counted here, beta 0.75, k 2); ONNX ``LRN``. PyTorch's function of
    this name gives the same for an odd ``size``. For an even one its window has the odd channel before the one in the middle, ONNX's and
    this one after it. Squares are summed in float32 where x is no wider: values beyond about 1e19 overflow.

    Examples
    --------
    >>> import numpy as np
    >>> local_response_norm(np.float32([[1, 2, 2]]), 3, alpha=3.0, beta=0.5, k=0.0).round(4)
    array([[0.4472, 0.6667, 0.7071]], dtype=float32)
    """
    op = LocalResponseNorm(
        whole("local_response_norm", "size", size),
        *(number("local_response_norm", name, v) for name, v in (("alpha", alpha), ("beta", beta), ("k", k))),
    )
    y: T = apply_op(op, x)[0]
    return y


def normalize(x: T, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> T:
    """Divide vectors by their norm: ``x/max(‖x‖_p, eps)`` along ``dim``.

    Parameters
    ----------
    x : array, any shape, floating point
    p : float
        Above 0; ``float("inf")`` is the largest magnitude.
    dim : int
        The axis along which a vector lies.
    eps : float
        Least divisor, which leaves a vector of zeros as it is.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x has no such axis, or p is not above 0.

    Notes
    -----
    PyTorch ``normalize``; ONNX ``LpNormalization`` (p 1 or 2, the last axis by default, a vector of zeros stays zero).

    Examples
    --------
    >>> import numpy as np
    >>> normalize(np.float32([[3, 4]]))
    array([[0.6, 0.8]], dtype=float32)
    """
    y: T = apply_op(Normalize(number("normalize", "p", p), whole("normalize", "dim", dim), number("normalize", "eps", eps)), x)[0]
    return y
