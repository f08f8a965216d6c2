"""Ranking."""

from __future__ import annotations

from ..ops import TopK
from .base import T, apply_op, whole

__all__ = ["topk"]


def topk(x: T, k: int, dim: int = -1, largest: bool = True) -> tuple[T, T]:
    """Find the largest values along ``dim`` and where they lie, best first.

    Parameters
    ----------
    x : array, any shape but (), any number type
    k : int
        How many, from 0 to the size of x along ``dim``.
    dim : int
    largest : bool
        False finds the smallest.

    Returns
    -------
    array, shape of x with k along ``dim``, dtype of x
        Values in falling order; rising for the smallest.
    array, same shape, int64
        Their indices along ``dim``.

    Raises
    ------
    ShapeError
        k is above the size of x along ``dim``, or x has no such axis.

    Notes
    -----
    Of equal values the lower index comes first. NaN counts as above +inf: first among the largest, last among the smallest.
    PyTorch ``topk`` (which leaves the order of equal values open), ONNX ``TopK``.

    Examples
    --------
    >>> import numpy as np
    >>> topk(np.float32([0.1, 0.7, 0.2]), 2)
    (array([0.7, 0.2], dtype=float32), array([1, 2]))
    """
    values, places = apply_op(TopK(whole("topk", "k", k), whole("topk", "dim", dim), bool(largest)), x)
    return values, places
