"""Calls of NumPy that say what they do, so that ``bench --layers`` can tell where time goes; all others are element-wise."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...spec import Array
from ..base import Call

__all__ = ["Copy", "Depthwise", "Product", "Transform", "add", "copy", "larger", "product", "transform", "windows_sum", "zero"]


class Product(partial[Any]):
    """A product with weights."""

    kind = "products"


class Transform(partial[Any]):
    """A product that is one of Winograd's transforms."""

    kind = "transforms"


class Depthwise(partial[Any]):
    """A sum over windows, without a product of matrices."""

    kind = "depthwise"


class Copy(partial[Any]):
    """Memory moved, or filled."""

    kind = "copies"


def product(x: Array, weight: Array, out: Array) -> Call:
    """A call that multiplies matrices."""
    return Product(np.matmul, x, weight, out)


def transform(matrix: Array, x: Array, out: Array) -> Call:
    """A call that multiplies by a transform's matrix."""
    return Transform(np.matmul, matrix, x, out)


def windows_sum(subscripts: str, x: Array, weight: Array, out: Array) -> Call:
    """A call that sums products over windows."""
    return Depthwise(np.einsum, subscripts, x, weight, out=out)


def copy(target: Array, source: Array) -> Call:
    """A call that copies."""
    return Copy(np.copyto, target, source)


def zero(target: Array) -> Call:
    """A call that fills with zeros."""
    return Copy(target.fill, 0)


def add(target: Array, source: Array) -> Call:
    """A call that adds to what is there."""
    return partial(np.add, target, source, target)


def larger(target: Array, source: Array) -> Call:
    """A call that keeps the larger of what is there and another; NaN is the largest."""
    return partial(np.maximum, target, source, out=target)
