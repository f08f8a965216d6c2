"""One-hot vectors, and what is left of x in a triangle or at its maximum."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import Hardmax, OneHot, Op, Trilu

from .base import Oracle, ints, onnx


def one_hot(op: OneHot, x: Any, values: Any) -> tuple[Any, ...]:
    """The evaluator computes with the two values; so it is given 0 and 1."""
    made = onnx("OneHot", np.trunc(x).astype(np.int64), ints(op.depth).reshape(()), ints(0, 1), axis=op.dim)[0]
    return (np.where(made == 1, values[1], values[0]),)


def one_hot_by_hand(op: OneHot, x: Any, values: Any) -> tuple[Any, ...]:
    """A list a number, in Python."""
    rows = []
    for number in x.reshape(-1).tolist():
        row = [values[0]] * op.depth
        if -op.depth <= int(number) < op.depth:
            row[int(number)] = values[1]
        rows.append(row)
    return (np.moveaxis(np.asarray(rows, values.dtype).reshape(*x.shape, op.depth), -1, op.dim),)


def hardmax_by_hand(op: Hardmax, x: Any) -> tuple[Any, ...]:
    """One row after another, in Python; NaN is above all."""
    rows = np.moveaxis(x, op.dim, -1)
    y = np.zeros(rows.shape)
    for at in np.ndindex(*rows.shape[:-1]):
        row = [(v != v, 0 if v != v else v) for v in rows[at].tolist()]
        if row:
            y[(*at, row.index(max(row)))] = 1
    return (np.moveaxis(y, -1, op.dim),)


def trilu_by_hand(op: Trilu, x: Any) -> tuple[Any, ...]:
    y = x.copy()
    for *_, i, j in (at for at in np.ndindex(*x.shape[-2:])):
        if (j - i < op.diagonal) if op.upper else (j - i > op.diagonal):
            y[..., i, j] = 0
    return (y,)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    OneHot: (one_hot, one_hot_by_hand),
    Hardmax: (lambda op, x: onnx("Hardmax", x, axis=op.dim), hardmax_by_hand),
    Trilu: (lambda op, x: onnx("Trilu", x, ints(op.diagonal).reshape(()), upper=int(op.upper)), trilu_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
