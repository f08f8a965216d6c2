"""Let what follows a concatenation work on its parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Activation, BatchNorm, Binary, Concat, Conv, ConvTranspose
from .walk import rewrite

__all__ = ["move_into_parts"]


def move_into_parts(graph: Graph) -> None:
    """Norm, scale, shift and activate each part of a concatenation before it is joined, where convolutions make all of them.

    A convolution takes such steps in, a concatenation does not: ``act(bn(cat(conv(x), conv(y))))`` as in MixNet. They move only where
    nothing else reads the parts, or the whole without those steps, and up to the first activation.
    """
    readers = graph.users()
    asked = set(graph.outputs.values())
    old: dict[Value, Value] = {}  # by value of the new graph, the one that it stands for
    open_: set[Value] = set()  # parts that take in more

    def alone(value: Value) -> bool:
        known = old.get(value, value)
        return known not in asked and len(readers.get(known, ())) == 1

    def takes_more(value: Value | None) -> bool:
        if value is None or value.producer is None:
            return False
        return value in open_ or (isinstance(value.producer.op, (Conv, ConvTranspose)) and alone(value))

    def change(node: Node) -> tuple[Value, ...] | None:
        x = _only_input(node)
        joined = x.producer if x is not None else None
        if x is None or joined is None or not isinstance(joined.op, Concat) or not alone(x):
            return None
        parts, dim = [v for v in joined.inputs if v is not None], joined.op.dim % x.ndim
        if len(set(parts)) < len(parts) or not all(map(takes_more, parts)):
            return None
        each = _inputs_of_parts(graph, node, x, parts, dim)
        if each is None:
            return None
        y = node.outputs[0]
        made = [graph.insert(node.op, inputs, f"{node.name}.{i}")[0] for i, inputs in enumerate(each)]
        if not isinstance(node.op, Activation):
            open_.update(made)
        whole = graph.insert(Concat(dim), made, node.name, instead=y)
        old[whole[0]] = y
        graph.note("steps moved into parts")
        return whole

    rewrite(graph, change)
    graph.prune()


def _only_input(node: Node) -> Value | None:
    """The input that is not constant, if there is one alone."""
    computed = [v for v in node.inputs if v is not None and not v.is_constant]
    return computed[0] if len(computed) == 1 and isinstance(node.op, (Activation, BatchNorm, Binary)) else None


def _inputs_of_parts(graph: Graph, node: Node, x: Value, parts: Sequence[Value], dim: int) -> list[tuple[Value | None, ...]] | None:
    """What the node reads for each part: the part, and of each constant what belongs to it."""
    stops = list(accumulate(part.shape[dim] for part in parts))
    found: list[tuple[Value | None, ...]] = []
    for part, stop in zip(parts, stops):
        inputs: list[Value | None] = []
        for v in node.inputs:
            if v is x:
                inputs.append(part)
                continue
            axis = None if v is None else _axis(node, x, v, dim)
            if v is None or axis is None:
                inputs.append(v)
                continue
            if axis < 0 or v.ndim > x.ndim:
                return None
            start = stop - part.shape[dim]
            cut = np.take(np.asarray(v.data), range(start, stop), axis)
            inputs.append(graph.constant(np.ascontiguousarray(cut), f"{v.name}[{start}:{stop}]"))
        found.append(tuple(inputs))
    return found


def _axis(node: Node, x: Value, constant: Value, dim: int) -> int | None:
    """The axis of a constant that runs along ``dim`` of x; None where all parts share the constant, −1 where it makes the result larger."""
    if isinstance(node.op, BatchNorm):
        return 0 if dim == 1 else None
    if node.outputs[0].shape != x.shape:
        return -1
    axis = dim - (x.ndim - constant.ndim)
    return axis if axis >= 0 and constant.shape[axis] > 1 else None
