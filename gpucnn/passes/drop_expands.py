"""Let broadcasting do what was written out."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Value
from ..ops import Binary, Expand, Where
from ..spec import Array

__all__ = ["drop_expands"]


def drop_expands(graph: Graph) -> None:
    """Let an element-wise step read what was expanded for it, where its other inputs make the result as large by themselves.

    So does a constant that holds the same again and again: it is cut down to what it says once.
    """
    once: dict[Value, Value] = {}
    for node in graph.nodes:
        if not isinstance(node.op, (Binary, Where)):
            continue
        for i, v in enumerate(node.inputs):
            x = None if v is None else _written_once(graph, v, once)
            if x is None or x is v:
                continue
            rest = [w.shape for j, w in enumerate(node.inputs) if w is not None and j != i]
            if np.broadcast_shapes(x.shape, *rest) == node.outputs[0].shape:
                node.inputs = (*node.inputs[:i], x, *node.inputs[i + 1 :])
                graph.note("expansions dropped")
    graph.prune()


def _written_once(graph: Graph, value: Value, once: dict[Value, Value]) -> Value | None:
    """What a value was expanded from, or would be."""
    if value not in once:
        if value.is_constant:
            array = np.asarray(value.data)
            short = _without_repeats(array)
            once[value] = value if short.shape == array.shape else graph.constant(short, f"once({value.name})")
        elif value.producer is not None and isinstance(value.producer.op, Expand):
            x = value.producer.inputs[0]
            once[value] = value if x is None else x
        else:
            once[value] = value
    return once[value]


def _without_repeats(array: Array) -> Array:
    """The array with size 1 along each axis along which it only repeats itself, bit by bit."""
    array = np.ascontiguousarray(array) if array.ndim else array
    bits = array.view(f"u{array.itemsize}")
    for axis, size in enumerate(array.shape):
        if size < 2 or not array.size:
            continue
        first, second = (np.take(bits, [k], axis) for k in (0, 1))
        if (first == second).all() and (bits == first).all():
            bits, array = first, np.take(array, [0], axis)
    return array
