"""Let what follows a concatenation work on its parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Activation, BatchNorm, Binary, Concat, Conv, ConvTranspose, Slice
from .walk import rewrite

__all__ = ["move_into_parts"]


def move_into_parts(graph: Graph) -> None:
    """Norm, scale, shift and activate each part of a concatenation before it is joined, where convolutions make all of them.

    A convolution takes such steps in, a concatenation does not: ``act(bn(cat(conv(x), conv(y))))`` as in MixNet. A shortcut that is added
    is cut into views. They move only where nothing else reads the parts, or the whole without those steps, and up to the first activation.
    """
    readers = graph.users()
    asked = set(graph.outputs.values())
    old: dict[Value, Value] = {}  # by value of the new graph, the one that it stands for
    open_: set[Value] = set()  # parts that take in more
    added: set[Value] = set()  # parts with a shortcut, which take in no more than an activation

    def alone(value: Value) -> bool:
        known = old.get(value, value)
        return known not in asked and len(readers.get(known, ())) == 1

    def takes(node: Node, part: Value) -> bool:
        if part.producer is None or part in open_:
            return part in open_
        if part in added:
            return isinstance(node.op, Activation)
        return isinstance(part.producer.op, (Conv, ConvTranspose)) and alone(part)

    def change(node: Node) -> tuple[Value, ...] | None:
        for x in _what_may_be_joined(node):
            parts, dim = _parts(x)
            if parts and alone(x) and len(set(parts)) == len(parts) and all(takes(node, v) for v in parts):
                break
        else:
            return None
        each = _inputs_of_parts(graph, node, x, parts, dim)
        if each is None:
            return None
        y = node.outputs[0]
        made = [graph.insert(node.op, inputs, f"{node.name}.{i}")[0] for i, inputs in enumerate(each)]
        if not isinstance(node.op, Activation):
            (added if _is_shortcut(node) else open_).update(made)
        whole = graph.insert(Concat(dim), made, node.name, instead=y)
        old[whole[0]] = y
        graph.note("steps moved into parts")
        return whole

    rewrite(graph, change)
    graph.prune()


def _is_shortcut(node: Node) -> bool:
    """Whether two values of one shape are added that are both computed."""
    x, y = node.inputs if isinstance(node.op, Binary) and node.op.kind == "add" else (None, None)
    return x is not None and y is not None and not x.is_constant and not y.is_constant and x.shape == y.shape and x is not y


def _what_may_be_joined(node: Node) -> list[Value]:
    """The input that is not constant, if there is one alone; of a sum both."""
    computed = [v for v in node.inputs if v is not None and not v.is_constant]
    fits = isinstance(node.op, (Activation, BatchNorm, Binary)) and (len(computed) == 1 or _is_shortcut(node))
    return computed if fits else []


def _parts(x: Value) -> tuple[list[Value], int]:
    """The parts of a concatenation, and along which axis they lie."""
    if x.producer is None or not isinstance(x.producer.op, Concat):
        return [], 0
    return [v for v in x.producer.inputs if v is not None], x.producer.op.dim % x.ndim


def _inputs_of_parts(graph: Graph, node: Node, x: Value, parts: Sequence[Value], dim: int) -> list[tuple[Value | None, ...]] | None:
    """What the node reads for each part: the part, and of each constant what belongs to it."""
    stops = list(accumulate(part.shape[dim] for part in parts))
    found: list[tuple[Value | None, ...]] = []
    for part, stop in zip(parts, stops):
        inputs: list[Value | None] = []
        for v in node.inputs:
            start = stop - part.shape[dim]
            if v is x:
                inputs.append(part)
                continue
            if v is not None and not v.is_constant:
                inputs.append(graph.insert(Slice((start,), (stop,), (dim,)), (v,), f"{v.name}[{start}:{stop}]")[0])
                continue
            axis = None if v is None else _axis(node, x, v, dim)
            if v is None or axis is None:
                inputs.append(v)
                continue
            if axis < 0 or v.ndim > x.ndim:
                return None
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
