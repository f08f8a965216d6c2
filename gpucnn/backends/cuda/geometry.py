"""What kernels want to know of arrays: strides in elements, widths of access, divisors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...errors import LimitError
from ...spec import Array

__all__ = ["Divisor", "Strides", "address", "divisor", "on_host", "pitch_of", "strides_of", "vector_width"]


class Strides(NamedTuple):
    """Elements between images, lines and pixels of a channels-last map."""

    image: int
    line: int
    pixel: int


class Divisor(NamedTuple):
    """How a kernel divides by a number that never changes: ``umulhi(n, magic) >> shift``; shift −1 stands for division by 1."""

    magic: np.uint32
    shift: np.int32


def divisor(d: int) -> Divisor:
    """Constants of division by ``d`` for 0 ≤ n < 2³¹.

    Examples
    --------
    >>> magic, shift = divisor(7)
    >>> (100 * int(magic) >> 32) >> int(shift)
    14
    """
    log = (d - 1).bit_length()
    return Divisor(np.uint32(-(-(1 << (31 + log)) // d) if d > 1 else 0), np.int32(log - 1))


def address(x: Array) -> int:
    """Address of the first element, on the host or on the device."""
    here: int = x.ctypes.data if isinstance(x, np.ndarray) else x.data.ptr
    return here


def on_host(x: Array) -> np.ndarray[Any, Any]:
    """A constant as NumPy's array; what was computed on the device is fetched."""
    host: np.ndarray[Any, Any] = x.get() if hasattr(x, "get") else x
    return host


def strides_of(x: Array) -> Strides | None:
    """Strides of x (n, c, h, w) where its channels lie side by side, else None. Strides of axes of size 1 are made up to fit."""
    n, c, h, w = x.shape
    size = x.dtype.itemsize
    sn, sc, sh, sw = (s // size for s in x.strides)
    if c > 1 and sc != 1:
        return None
    pixel = sw if w > 1 else (sh if h > 1 else (sn if n > 1 else c))
    line = sh if h > 1 else w * pixel
    return Strides(sn if n > 1 else h * line, line, pixel)


def pitch_of(x: Array) -> int | None:
    """Elements between neighbouring pixels where all pixels of x (n, c, h, w) follow each other evenly, else None."""
    strides = strides_of(x)
    n, _, h, w = x.shape
    if strides is None:
        return None
    even = (h == 1 or strides.line == w * strides.pixel) and (n == 1 or strides.image == h * w * strides.pixel)
    return strides.pixel if even else None


def vector_width(x: Array, *divided: int, most: int = 16) -> int:
    """Elements of the widest access, at most ``most`` bytes, that x's address and all the given element counts allow."""
    size: int = x.dtype.itemsize
    width = most // size
    while width > 1 and (address(x) % (width * size) or any(d % width for d in divided)):
        width //= 2
    return width


def scalars(**values: Any) -> tuple[Any, ...]:
    """Arguments of a launch: ints as int32, floats as float32 (infinite beyond it), NumPy scalars and arrays as they are.

    Raises
    ------
    LimitError
        An int that is none of 32 bits.
    """
    out = []
    with np.errstate(over="ignore"):
        for name, value in values.items():
            if isinstance(value, bool):
                raise TypeError(f"{name} is {value}; a kernel takes numbers: int({name})")
            if isinstance(value, int) and not -(2**31) <= value < 2**31:
                raise LimitError(
                    f"{name} is {value}, a kernel takes -2^31 to 2^31 - 1; make that size, stride, padding or dilation smaller, "
                    "or use device='cpu'"
                )
            out.append(np.int32(value) if isinstance(value, int) else np.float32(value) if isinstance(value, float) else value)
    return tuple(out)
