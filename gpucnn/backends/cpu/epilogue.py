"""Epilogues in place, on blocks that are still in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ops import Activation, Epilogue
from ...spec import Array
from ..base import Call
from .activation import SCRATCH, WHOLE, activate, whole

__all__ = ["finish", "room", "same_memory"]

_ROW = 8192  # elements of a constant row: 32 KB, it stays in the first-level cache


def room(epilogue: Epilogue) -> int:
    """Bytes of scratch that ``finish`` wants for this epilogue."""
    chained = any(act is not None and act.kind not in WHOLE for act in (epilogue.pre, epilogue.post))
    return 4 * SCRATCH if chained else 0


def finish(
    epilogue: Epilogue, acc: Array, bias: Array | None, residual: Array | None, out: Array, scratch: Array | None = None
) -> list[Call]:
    """Calls that turn sums into results: ``out = post(pre(acc + bias) + residual)``, with acc as scratch.

    Parameters
    ----------
    epilogue : Epilogue
    acc : array, (…, k)
        The sums; may be ``out`` itself.
    bias : array, (k,), optional
    residual, out : array, shape of acc
    scratch : flat array, uint8, optional
        ``room(epilogue)`` bytes that belong to the lane; without them the calls get memory of their own here, once.
    """
    if room(epilogue):
        scratch = np.empty(SCRATCH, np.float32) if scratch is None else scratch[: 4 * SCRATCH].view(np.float32)
    k, place, sums, moved = acc.shape[-1], out, acc, False
    if all(a.flags.c_contiguous for a in (acc, residual) if a is not None):
        lead: tuple[int, ...] = ()
        pixels = acc.size // k
        if not out.flags.c_contiguous and _in_lines(out):
            lead, pixels = out.shape[:2], out.shape[2]
        elif not out.flags.c_contiguous:
            out, moved = acc, True  # and from there in one copy to where it belongs
        # One long row for several pixels: NumPy's inner loop then runs over thousands of elements instead of k.
        repeat = max(t for t in range(1, max(1, min(pixels, _ROW // k)) + 1) if pixels % t == 0)
        shape = (*lead, pixels // repeat, repeat * k)
        long = as_strided(out, shape, (*out.strides[:2], repeat * k * out.itemsize, out.itemsize)) if lead else out.reshape(shape)
        acc, out = acc.reshape(shape), long
        residual = None if residual is None else residual.reshape(shape)
        bias = None if bias is None else np.tile(bias, repeat)
        k *= repeat

    def full(value: float) -> Array:
        return np.full(k, value, np.float32)

    def act(activation: Activation, x: Array, y: Array) -> list[Call]:
        calls = whole(activation, x, y, full)
        if calls is None:
            assert scratch is not None
            calls = activate(activation, x, y, [scratch])
        return calls

    makers: list[Callable[[Array, Array], list[Call]]] = []
    if bias is not None:
        makers.append(lambda x, y, b=bias: [lambda: np.add(x, b, out=y)])  # type: ignore[misc]
    if epilogue.pre is not None:
        makers.append(lambda x, y, a=epilogue.pre: act(a, x, y))  # type: ignore[misc]
    if residual is not None:
        makers.append(lambda x, y, r=residual: [lambda: np.add(x, r, out=y)])  # type: ignore[misc]
    if epilogue.post is not None:
        makers.append(lambda x, y, a=epilogue.post: act(a, x, y))  # type: ignore[misc]
    if not makers:
        return [] if sums is place or same_memory(sums, place) else [lambda: np.copyto(place, sums)]
    calls: list[Call] = []
    for make in makers[:-1]:  # in place on the block; the last one writes where the result belongs
        calls += make(acc, acc)
    calls += makers[-1](acc, out)
    return [*calls, lambda: np.copyto(place, sums)] if moved else calls


def _in_lines(x: Array) -> bool:
    """Whether the lines of (images, lines, columns, k) lie without gaps, though there are some between them."""
    dense: tuple[int, ...] = (x.shape[-1] * x.itemsize, x.itemsize)
    return bool(x.ndim == 4 and x.size > 0 and x.strides[2:] == dense)


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays of one shape are the same elements."""
    here: int = a.__array_interface__["data"][0]
    there: int = b.__array_interface__["data"][0]
    return here == there and a.strides == b.strides
