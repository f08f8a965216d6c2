"""Powers and roots of float32 numbers, in float64."""

from __future__ import annotations

import numpy as np

from ...spec import Array
from ..base import Call
from .backend import Scratch

__all__ = ["HIGHEST_POWER", "doubles", "raised", "rooted"]

HIGHEST_POWER = 7.0
"""``2^(128·7) = 2^896``: as many of them as there may be pixels add up to less than float64 ends at, 2^1024."""


def doubles(scratch: Scratch, *shape: int) -> Array:
    """An uninitialised float64 array."""
    return scratch.take(*shape[:-1], 2 * shape[-1]).view(np.float64)


def raised(x: Array, out: Array, p: float) -> list[Call]:
    """Calls that write ``|x|^p``."""
    calls: list[Call] = [lambda: np.absolute(x, out=out)]
    if p == 2:
        calls.append(lambda: np.multiply(out, out, out=out))
    elif p != 1:
        calls.append(lambda: np.power(out, p, out=out))
    return calls


def rooted(x: Array, out: Array, p: float) -> Call:
    """A call that writes ``x^(1/p)`` in float32; x is lost."""

    def call() -> None:
        if p == 2:
            np.sqrt(x, out=x)
        elif p != 1:
            np.power(x, 1 / p, out=x)
        np.copyto(out, x, casting="same_kind")

    return call
