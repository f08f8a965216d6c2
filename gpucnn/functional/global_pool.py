"""Pooling of the whole map."""

from __future__ import annotations

from typing import Any

from ..ops import GlobalAvgPool, GlobalLpPool, GlobalMaxPool, GlobalMinPool, Op
from ..ops.window import require_axes
from .base import T, apply_op, known, number

__all__ = [
    "global_avg_pool1d", "global_avg_pool2d", "global_avg_pool3d", "global_lp_pool1d", "global_lp_pool2d", "global_lp_pool3d",
    "global_max_pool1d", "global_max_pool2d", "global_max_pool3d", "global_min_pool1d", "global_min_pool2d", "global_min_pool3d",
]  # fmt: skip


def _pool(op: Op, name: str, x: Any, axes: int) -> Any:
    require_axes(name, known(x), axes)
    return apply_op(op, x)[0]


def global_avg_pool1d(x: T) -> T:
    """Take the mean of each channel's row.

    Parameters
    ----------
    x : array, (n, c, l), floating point

    Returns
    -------
    array, (n, c, 1), dtype of x

    Raises
    ------
    ShapeError
        x does not have three axes, or no pixel.

    Notes
    -----
    ONNX ``GlobalAveragePool``; PyTorch ``adaptive_avg_pool1d`` to one window.

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool1d(np.float32([[[1, 2, 3]]]))
    array([[[2.]]], dtype=float32)
    """
    y: T = _pool(GlobalAvgPool(), "global_avg_pool1d", x, 1)
    return y


def global_avg_pool2d(x: T) -> T:
    """Take the mean of each channel's map.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point

    Returns
    -------
    array, (n, c, 1, 1), dtype of x

    Raises
    ------
    ShapeError
        x does not have four axes, or no pixel.

    Notes
    -----
    ONNX ``GlobalAveragePool``; PyTorch ``adaptive_avg_pool2d`` to one window.

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool2d(np.float32([[[[1, 2, 3]]]]))
    array([[[[2.]]]], dtype=float32)
    """
    y: T = _pool(GlobalAvgPool(), "global_avg_pool2d", x, 2)
    return y


def global_avg_pool3d(x: T) -> T:
    """Take the mean of each channel's volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), floating point

    Returns
    -------
    array, (n, c, 1, 1, 1), dtype of x

    Raises
    ------
    ShapeError
        x does not have five axes, or no pixel.

    Notes
    -----
    ONNX ``GlobalAveragePool``; PyTorch ``adaptive_avg_pool3d`` to one window.

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool3d(np.float32([[[[[1, 2, 3]]]]]))
    array([[[[[2.]]]]], dtype=float32)
    """
    y: T = _pool(GlobalAvgPool(), "global_avg_pool3d", x, 3)
    return y


def global_max_pool1d(x: T) -> T:
    """Take the maximum of each channel's row.

    Parameters
    ----------
    x : array, (n, c, l), any number type

    Returns
    -------
    array, (n, c, 1), dtype of x
        One NaN in a map gives NaN.

    Raises
    ------
    ShapeError
        x does not have three axes, or no pixel.

    Notes
    -----
    ONNX ``GlobalMaxPool``; PyTorch ``adaptive_max_pool1d`` to one window.

    Examples
    --------
    >>> import numpy as np
    >>> global_max_pool1d(np.float32([[[1, 2, 3]]]))
    array([[[3.]]], dtype=float32)
    """
    y: T = _pool(GlobalMaxPool(), "global_max_pool1d", x, 1)
    return y


def global_max_pool2d(x: T) -> T:
    """Take the maximum of each channel's map.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type

    Returns
    -------
    array, (n, c, 1, 1), dtype of x
        One NaN in a map gives NaN.

    Raises
    ------
    ShapeError
        x does not have four axes, or no pixel.

    Notes
    -----
    ONNX ``GlobalMaxPool``; PyTorch ``adaptive_max_pool2d`` to one window.

    Examples
    --------
    >>> import numpy as np
    >>> global_max_pool2d(np.float32([[[[1, 2, 3]]]]))
    array([[[[3.]]]], dtype=float32)
    """
    y: T = _pool(GlobalMaxPool(), "global_max_pool2d", x, 2)
    return y


def global_max_pool3d(x: T) -> T:
    """Take the maximum of each channel's volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), any number type

    Returns
    -------
    array, (n, c, 1, 1, 1), dtype of x
        One NaN in a map gives NaN.

    Raises
    ------
    ShapeError
        x does not have five axes, or no pixel.

    Notes
    -----
    ONNX ``GlobalMaxPool``; PyTorch ``adaptive_max_pool3d`` to one window.

    Examples
    --------
    >>> import numpy as np
    >>> global_max_pool3d(np.float32([[[[[1, 2, 3]]]]]))
    array([[[[[3.]]]]], dtype=float32)
    """
    y: T = _pool(GlobalMaxPool(), "global_max_pool3d", x, 3)
    return y


def global_min_pool1d(x: T) -> T:
    """Take the minimum of each channel's row.

    Parameters
    ----------
    x : array, (n, c, l), any number type

    Returns
    -------
    array, (n, c, 1), dtype of x
        One NaN in a map gives NaN.

    Raises
    ------
    ShapeError
        x does not have three axes, or no pixel.

    Notes
    -----
    Neither PyTorch nor ONNX has it: ``−global_max_pool1d(−x)``.

    Examples
    --------
    >>> import numpy as np
    >>> global_min_pool1d(np.float32([[[1, 2, 3]]]))
    array([[[1.]]], dtype=float32)
    """
    y: T = _pool(GlobalMinPool(), "global_min_pool1d", x, 1)
    return y


def global_min_pool2d(x: T) -> T:
    """Take the minimum of each channel's map.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type

    Returns
    -------
    array, (n, c, 1, 1), dtype of x
        One NaN in a map gives NaN.

    Raises
    ------
    ShapeError
        x does not have four axes, or no pixel.

    Notes
    -----
    Neither PyTorch nor ONNX has it: ``−global_max_pool2d(−x)``.

    Examples
    --------
    >>> import numpy as np
    >>> global_min_pool2d(np.float32([[[[1, 2, 3]]]]))
    array([[[[1.]]]], dtype=float32)
    """
    y: T = _pool(GlobalMinPool(), "global_min_pool2d", x, 2)
    return y


def global_min_pool3d(x: T) -> T:
    """Take the minimum of each channel's volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), any number type

    Returns
    -------
    array, (n, c, 1, 1, 1), dtype of x
        One NaN in a map gives NaN.

    Raises
    ------
    ShapeError
        x does not have five axes, or no pixel.

    Notes
    -----
    Neither PyTorch nor ONNX has it: ``−global_max_pool3d(−x)``.

    Examples
    --------
    >>> import numpy as np
    >>> global_min_pool3d(np.float32([[[[[1, 2, 3]]]]]))
    array([[[[[1.]]]]], dtype=float32)
    """
    y: T = _pool(GlobalMinPool(), "global_min_pool3d", x, 3)
    return y


def global_lp_pool1d(x: T, norm_type: float = 2.0) -> T:
    """Take the Lp norm of each channel's row.

    Parameters
    ----------
    x : array, (n, c, l), floating point
    norm_type : float
        p, above 0 and finite.

    Returns
    -------
    array, (n, c, 1), dtype of x

    Raises
    ------
    ShapeError
        x does not have three axes, or no pixel, or p is not above 0.

    Notes
    -----
    ``(Σ |x|^p)^(1/p)``; ONNX ``GlobalLpPool``. Nothing overflows on the way, as in :func:`lp_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> global_lp_pool1d(np.float32([[[3, -4]]]))
    array([[[5.]]], dtype=float32)
    """
    y: T = _pool(GlobalLpPool(number("global_lp_pool1d", "norm_type", norm_type)), "global_lp_pool1d", x, 1)
    return y


def global_lp_pool2d(x: T, norm_type: float = 2.0) -> T:
    """Take the Lp norm of each channel's map.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    norm_type : float
        p, above 0 and finite.

    Returns
    -------
    array, (n, c, 1, 1), dtype of x

    Raises
    ------
    ShapeError
        x does not have four axes, or no pixel, or p is not above 0.

    Notes
    -----
    ``(Σ |x|^p)^(1/p)``; ONNX ``GlobalLpPool``. Nothing overflows on the way, as in :func:`lp_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> global_lp_pool2d(np.float32([[[[3, -4]]]]))
    array([[[[5.]]]], dtype=float32)
    """
    y: T = _pool(GlobalLpPool(number("global_lp_pool2d", "norm_type", norm_type)), "global_lp_pool2d", x, 2)
    return y


def global_lp_pool3d(x: T, norm_type: float = 2.0) -> T:
    """Take the Lp norm of each channel's volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), floating point
    norm_type : float
        p, above 0 and finite.

    Returns
    -------
    array, (n, c, 1, 1, 1), dtype of x

    Raises
    ------
    ShapeError
        x does not have five axes, or no pixel, or p is not above 0.

    Notes
    -----
    ``(Σ |x|^p)^(1/p)``; ONNX ``GlobalLpPool``. Nothing overflows on the way, as in :func:`lp_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> global_lp_pool3d(np.float32([[[[[3, -4]]]]]))
    array([[[[[5.]]]]], dtype=float32)
    """
    y: T = _pool(GlobalLpPool(number("global_lp_pool3d", "norm_type", norm_type)), "global_lp_pool3d", x, 3)
    return y
