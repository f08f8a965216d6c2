"""Fold padding into the convolutions and pools behind it."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import AvgPool, Conv, LpPool, MaxPool, MinPool, Op, Pad
from .bounds import every_window_meets_x, lower_bound
from .rewriter import Rewriter

__all__ = ["fold_pads"]

Pairs = tuple[tuple[int, int], ...]


def fold_pads(graph: Graph) -> None:
    """Let what alone reads a constant padding of the spatial axes pad for itself, where the result is the very same.

    A convolution and an Lp pool read zeros there anyway; a mean counts them; a maximum has −inf there, which any value may be that no
    element of x lies below, if each window holds an element of x. Two paddings with one value are one.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            if not isinstance(node.op, Pad) or node.op.mode != "constant":
                continue
            x, reader = node.inputs[0], rewriter.only_reader(node.outputs[0])
            if x is None or reader is None or reader.inputs[0] is not node.outputs[0]:
                continue
            op = _padded(node.op, x, reader)
            if op is None or op.infer(*(x.spec, *reader.specs[1:]))[0] != reader.outputs[0].spec:
                continue
            rewriter.replace((node, reader), op, (x, *reader.inputs[1:]), at=reader, name=reader.name)
            graph.note("pads folded")


def _padded(pad: Pad, x: Value, reader: Node) -> Op | None:
    """The reader's op as it is to be on x itself; None where the padding cannot be a part of it."""
    op, y = reader.op, reader.specs[0]
    assert y is not None
    if isinstance(op, Pad):
        return replace(op, pads=_sum(pad.pads, op.pads)) if op.mode == "constant" and op.value == pad.value else None
    if len(reader.outputs) != 1 or any(pair != (0, 0) for pair in pad.pads[:2]):
        return None
    around, value = pad.pads[2:], pad.value
    match op:
        case Conv() if value == 0:
            weight = reader.specs[1]
            assert weight is not None
            return replace(op, padding=_sum(around, op.pads(y, weight)))
        case LpPool() if value == 0:
            return replace(op, padding=_sum(around, op.pads(y)))
        case AvgPool() if value == 0:
            made = replace(op, padding=_sum(around, op.pads(y)), count_include_pad=True)
            return made if np.array_equal(made.divisors(x.spec), op.divisors(y)) else None
        case MaxPool() if _below(value, x):
            return _where_met(replace(op, padding=_sum(around, op.pads(y))), x)
        case MinPool() if value == inf:
            return _where_met(replace(op, padding=_sum(around, op.pads(y))), x)
    return None


def _below(value: float, x: Value) -> bool:
    """Whether no element of x lies below a number, as that is in the type of x."""
    if x.dtype.kind == "u":
        return value == 0
    return x.dtype.kind == "f" and float(x.dtype.type(value)) <= float(x.dtype.type(lower_bound(x)))


def _where_met(op: MaxPool | MinPool, x: Value) -> Op | None:
    return op if every_window_meets_x(op, x.spec) else None


def _sum(outer: Pairs, inner: Pairs) -> Pairs:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(outer, inner))
