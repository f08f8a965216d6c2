"""From bytes to numbers."""

from __future__ import annotations

from typing import Any

from ..ops import Lookup
from .base import T, apply_op

__all__ = ["lookup"]


def lookup(x: T, table: Any) -> T:
    """Replace each byte by its channel's value: normalisation of photographs as a table.

    Parameters
    ----------
    x : array, (n, c, …), uint8
    table : array, (256, c), floating point

    Returns
    -------
    array, shape of x, dtype of table
        ``table[x[n, c, …], c]``.

    Raises
    ------
    ShapeError
        x is not of bytes, or the table does not have a column for each channel.

    Notes
    -----
    NumPy ``take``, a channel at a time; ONNX ``Gather``.

    Examples
    --------
    >>> import numpy as np
    >>> table = np.arange(256, dtype=np.float32).reshape(256, 1) / 255
    >>> lookup(np.uint8([[0], [255]]), table)
    array([[0.],
           [1.]], dtype=float32)
    """
    y: T = apply_op(Lookup(), x, table)[0]
    return y
