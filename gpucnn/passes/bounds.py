"""What no element of a value lies below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import numpy as np

from ..graph import Node, Value
from ..ops import (
    Activation,
    AvgPool,
    Binary,
    Cast,
    ChannelShuffle,
    Concat,
    DepthToSpace,
    Expand,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    MaxPool,
    MinPool,
    Pad,
    Reshape,
    Slice,
    Softmax,
    SpaceToDepth,
    Tile,
    Transpose,
    Unary,
)
from ..spec import Spec

__all__ = ["every_window_meets_x", "lower_bound"]

_MOVES = (ChannelShuffle, DepthToSpace, Expand, Flatten, GlobalMaxPool, Identity, Reshape, Slice, SpaceToDepth, Tile, Transpose)
"""Ops whose results are elements of x."""

_ACTIVATIONS: Mapping[str, Callable[[float, float], float]] = {
    "relu": lambda alpha, beta: 0.0,
    "clip": lambda alpha, beta: alpha,
    "sigmoid": lambda alpha, beta: 0.0,
    "hardsigmoid": lambda alpha, beta: 0.0,
    "softplus": lambda alpha, beta: 0.0 if alpha > 0 and beta >= 0 else -inf,
    "threshold": lambda alpha, beta: min(alpha, beta),
}
"""Least value of a kind, from its parameters."""

_DEEPEST = 50
"""Steps that are looked back: behind as many that only move elements nothing more is asked."""


def lower_bound(value: Value, depth: int = _DEEPEST) -> float:
    """A number that no element of a value lies below, as its ops are defined, rounding among that; elements may be NaN. −inf if unknown.

    Examples
    --------
    >>> from gpucnn.graph import Graph
    >>> graph = Graph()
    >>> x = graph.input("x", Spec((1, 2, 3, 3), np.dtype(np.float32)))
    >>> lower_bound(x), lower_bound(graph.append(Activation("relu"), (x,))[0])
    (-inf, 0.0)
    """
    if value.dtype.kind == "u":
        return 0.0
    if value.is_constant:
        array = np.asarray(value.data)
        return float(np.fmin.reduce(array, axis=None, initial=inf)) if array.dtype.kind == "f" else -inf
    if value.producer is None or value.dtype.kind != "f" or not depth:
        return -inf
    node = value.producer
    return _of_node(node, lambda i: _of_input(node, i, depth - 1))


def _of_input(node: Node, i: int, depth: int) -> float:
    v = node.inputs[i]
    assert v is not None
    return lower_bound(v, depth)


def _of_node(node: Node, of: Callable[[int], float]) -> float:
    """That of a node's first result, given that of its i-th input."""
    match node.op:
        case Activation(kind, alpha, beta) if kind in _ACTIVATIONS:
            return _ACTIVATIONS[kind](alpha, beta)
        case Unary("abs" | "square" | "sqrt" | "exp" | "exp2") | Softmax():
            return 0.0
        case Binary("add" | "mul" | "div"):
            return 0.0 if of(0) >= 0 and of(1) >= 0 else -inf
        case Binary("maximum"):
            return max(of(0), of(1))
        case Binary("minimum"):
            return min(of(0), of(1))
        case Concat():
            return min(map(of, range(len(node.inputs))))
        case Pad(mode="constant", value=value):
            return min(of(0), value)
        case Pad():
            return of(0)
        case AvgPool(divisor_override=None) | GlobalAvgPool():
            return 0.0 if of(0) >= 0 else -inf  # of others the rounded mean may lie a little lower
        case MaxPool() | MinPool():
            x = node.specs[0]
            assert x is not None
            return of(0) if every_window_meets_x(node.op, x) or isinstance(node.op, MinPool) else -inf
        case op if isinstance(op, _MOVES):
            return of(0)
        case Cast():
            return of(0)  # to floating point; rounding keeps the order
    return -inf


def every_window_meets_x(op: MaxPool | MinPool, x: Spec) -> bool:
    """Whether no window of a pool lies in the padding alone."""
    sides = zip(op.infer(x)[0].shape[2:], x.shape[2:], op.kernel_size, op.stride, op.pads(x), op.dilation)
    for count, size, kernel, stride, (before, _), dilation in sides:
        at = np.arange(count)[:, None] * stride - before + np.arange(kernel) * dilation
        if not ((at >= 0) & (at < size)).any(axis=1).all():
            return False
    return True
