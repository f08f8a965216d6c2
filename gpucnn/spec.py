"""``Spec``: what is known of a value before it exists."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ShapeError

__all__ = ["Array", "Spec", "check_addressable", "shape_text", "spec_of"]

Array = Any
"""A NumPy or CuPy array: the ops are written in the dialect that both share."""


@dataclass(frozen=True)
class Spec:
    """Shape and dtype of a value, and the value itself where it is a small integer constant.

    Parameters
    ----------
    shape : tuple of int
        In logical order (NCHW, OIHW, any rank), whatever the order in memory.
    dtype : numpy.dtype
    value : tuple of int, optional
        The elements in C order, for constants such as shapes, axes, pads and k that decide other shapes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    value: tuple[int, ...] | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, without any padding."""
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{shape_text(self.shape)} {self.dtype}"


def shape_text(shape: tuple[int, ...]) -> str:
    """``(2, 3, 4)`` as ``2×3×4``; a scalar's shape as ``scalar``.

    Examples
    --------
    >>> shape_text((2, 3, 4))
    '2×3×4'
    """
    return "×".join(map(str, shape)) if shape else "scalar"


_MOST_AXES = 32  # NumPy 1's
_MOST_BYTES = 1 << 62


def check_addressable(maker: str, spec: Spec) -> None:
    """Raise where no arithmetic on sizes could be trusted; what may be computed is for the plan to say."""
    if spec.ndim > _MOST_AXES:
        raise ShapeError(f"{maker}: a value of {spec.ndim} axes, expected at most {_MOST_AXES}")
    if math.prod(size or 1 for size in spec.shape) * spec.dtype.itemsize > _MOST_BYTES:
        raise ShapeError(f"{maker}: {spec} is more than memory has addresses")


_VALUE_LIMIT = 64  # longer integer arrays are data, not shape arithmetic


def spec_of(array: Array) -> Spec:
    """Spec of an array; small integer NumPy arrays carry their value."""
    value = None
    if isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.ndim <= 1 and array.size <= _VALUE_LIMIT:
        value = tuple(int(v) for v in array.reshape(-1))
    return Spec(tuple(int(s) for s in array.shape), np.dtype(array.dtype), value)
