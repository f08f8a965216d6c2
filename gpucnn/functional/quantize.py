"""Numbers as small integers times a scale, and back."""

from __future__ import annotations

from typing import Any

from ..ops import Dequantize, Quantize
from .base import apply_op, dtype_name, dtype_of, whole

__all__ = ["dequantize_linear", "quantize_linear"]


def quantize_linear(x: Any, scale: Any, zero_point: Any = None, dim: int = 1, *, block_size: int = 0, dtype: Any = None) -> Any:
    """Write numbers as small integers: how many times ``scale`` each is, counted from ``zero_point``.

    Parameters
    ----------
    x : array, any shape, floating point
    scale : array, (), (k,) for the k indices of ``dim``, or with ``block_size`` the shape of x with one number a block; dtype of x
        Above 0; may be float32 beside a float16 x.
    zero_point : array, shape of ``scale``, uint8, int8, uint16 or int16, optional
        Which integer is 0.
    dim : int
        The axis that several scales lie along.
    block_size : int
        Elements along ``dim`` that share a scale.
    dtype : str, type or numpy.dtype, optional
        Of the result; that of ``zero_point``, or uint8, if not given.

    Returns
    -------
    array, shape of x

    Raises
    ------
    ShapeError
        The shapes do not fit, x is not floating point, or the type is none of the four.

    Notes
    -----
    ``round(x/scale) + zero_point``, rounded to nearest even, and the type's ends for what it cannot hold; NaN becomes its least number.
    ONNX ``QuantizeLinear``; PyTorch ``quantize_per_tensor`` and ``quantize_per_channel``.

    Examples
    --------
    >>> import numpy as np
    >>> quantize_linear(np.float32([-1, 0.4, 0.6, 999]), np.float32(0.5), np.uint8(2))
    array([  0,   3,   3, 255], dtype=uint8)
    """
    kind = dtype_name("quantize_linear", dtype) if dtype is not None else "uint8" if zero_point is None else str(dtype_of(zero_point))
    op = Quantize(kind, whole("quantize_linear", "dim", dim), whole("quantize_linear", "block_size", block_size))
    return apply_op(op, x, scale, zero_point)[0]


def dequantize_linear(x: Any, scale: Any, zero_point: Any = None, dim: int = 1, *, block_size: int = 0) -> Any:
    """Read integers as multiples of ``scale``, counted from ``zero_point``.

    Parameters
    ----------
    x : array, any shape, uint8, int8, uint16, int16 or int32
    scale : array, floating point, shapes as of :func:`quantize_linear`
    zero_point : array, shape of ``scale``, dtype of x, optional
    dim : int
        The axis that several scales lie along.
    block_size : int
        Elements along ``dim`` that share a scale.

    Returns
    -------
    array, shape of x, dtype of ``scale``

    Raises
    ------
    ShapeError
        The shapes do not fit, or x has another type.

    Notes
    -----
    ``(x − zero_point)·scale``. ONNX ``DequantizeLinear``; PyTorch ``dequantize``.

    Examples
    --------
    >>> import numpy as np
    >>> dequantize_linear(np.uint8([0, 3, 4]), np.float32(0.5), np.uint8(2))
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    op = Dequantize(whole("dequantize_linear", "dim", dim), whole("dequantize_linear", "block_size", block_size))
    return apply_op(op, x, scale, zero_point)[0]
