"""Let what follows a concatenation be done to its parts, where their weights can do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Activation, BatchNorm, Concat
from .affine import affine_of
from .fold_batch_norm import axis_of_weights
from .rewriting import Rewriting

__all__ = ["split_norms_over_concat"]


def split_norms_over_concat(graph: Graph) -> None:
    """Turn ``act(batch_norm(cat(conv(x), conv(z))))`` into ``cat(act(batch_norm(conv(x))), act(batch_norm(conv(z))))``.

    There the norms, or other affine steps, go into the weights, and the activation behind the last of them into the epilogues. All parts
    must be read by the concatenation alone, and all but one of them have weights along its axis: so no step is more than before, and the
    one that stays has less to do. A concatenation of concatenations becomes one.
    """
    rewriting = Rewriting(graph)
    for node in rewriting:
        if isinstance(node.op, Concat) and (steps := _steps(rewriting, node)) and (parts := _parts(rewriting, node)):
            _split(rewriting, node, steps, parts)
            graph.note("steps split over concatenations", len(steps))
    rewriting.finish()


def _axis(node: Node) -> int:
    assert isinstance(node.op, Concat)
    return node.op.dim % node.outputs[0].ndim


def _steps(rewriting: Rewriting, concat: Node) -> list[Node]:
    """The affine steps behind a concatenation, and an activation behind them, up to the first value that anything else needs."""
    found: list[Node] = []
    node: Node | None = concat
    while node is not None:
        value = node.outputs[0]
        node = rewriting.only_reader(value)
        if node is not None and isinstance(node.op, Activation):
            return [*found, node]
        step = None if node is None else affine_of(node, _axis(concat))
        if node is None or step is None or step.x is not value:
            return found
        found.append(node)
    return found


def _parts(rewriting: Rewriting, concat: Node) -> list[Value] | None:
    """What is put together, where it pays to do something to each."""
    axis, parts = _axis(concat), [*_flat(rewriting, concat)]
    alone = all(rewriting.only_reader(v) is not None for v in parts)
    able = sum(_has_weights(rewriting, v, axis) for v in parts)
    return parts if alone and able and able >= len(parts) - 1 else None


def _flat(rewriting: Rewriting, concat: Node) -> Iterator[Value]:
    """The parts, and those of parts that are concatenations themselves, in order."""
    rest = [*concat.inputs][::-1]
    while rest:
        v = rest.pop()
        assert v is not None
        maker = v.producer
        if maker is not None and isinstance(maker.op, Concat) and _axis(maker) == _axis(concat) and rewriting.only_reader(v) is not None:
            rest += maker.inputs[::-1]
        else:
            yield v


def _has_weights(rewriting: Rewriting, value: Value, axis: int) -> bool:
    """Whether a value is made by weights along an axis, but for affine steps that will go into them."""
    while value.producer is not None and rewriting.only_reader(value) is not None:
        if axis_of_weights(value.producer) == axis:
            return True
        step = affine_of(value.producer, axis)
        if step is None:
            return False
        value = step.x
    return False


def _split(rewriting: Rewriting, concat: Node, steps: list[Node], parts: list[Value]) -> None:
    """Put the steps before the concatenation, which takes the place of the last of them."""
    axis, last = _axis(concat), steps[-1]
    made, begin = [], 0
    for v in parts:
        end = begin + v.shape[axis]
        x, y = concat.outputs[0], v
        for node in steps:
            inputs = [y if u is x else _cut(rewriting.graph, node, u, axis, begin, end) for u in node.inputs]
            x, y = node.outputs[0], rewriting.put_before(last, node.op, inputs)
        made.append(y)
        begin = end
    between = {concat, *steps[:-1], *_inside(rewriting, concat)}
    rewriting.replace(between, last, replace(concat.op), made)


def _inside(rewriting: Rewriting, concat: Node) -> Iterator[Node]:
    """The concatenations that are parts of one."""
    rest = [concat]
    while rest:
        node = rest.pop()
        for v in node.inputs:
            assert v is not None
            maker = v.producer
            if maker is not None and isinstance(maker.op, Concat) and _axis(maker) == _axis(concat) and rewriting.only_reader(v) is node:
                rest.append(maker)
                yield maker


def _cut(graph: Graph, node: Node, value: Value | None, axis: int, begin: int, end: int) -> Value | None:
    """What a constant of a step says of a part."""
    if value is None:
        return None
    array = np.asarray(value.data)
    at = 0 if isinstance(node.op, BatchNorm) else axis - (node.outputs[0].ndim - array.ndim)
    if at < 0 or array.shape[at] == 1 != node.outputs[0].shape[axis]:
        return value
    return graph.constant(array[(slice(None),) * at + (slice(begin, end),)], f"{value.name}[{begin}:{end}]")
