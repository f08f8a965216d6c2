"""Do at once what is done to a value's slices one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Activation, BatchNorm, Concat
from .affine import affine_of, names_of
from .join_concats import run_of
from .rewriting import Rewriting

__all__ = ["merge_channelwise"]


def merge_channelwise(graph: Graph) -> None:
    """Turn ``cat(x[:, :1]·a + b, x[:, 1:2]·c + d, …)`` into ``x·(a, c, …) + (b, d, …)``, where the slices are all of x in order.

    The slices must go through the same steps, of which only the constants differ; so every element is what it was, to the last bit.
    """
    rewriting = Rewriting(graph)
    for node in rewriting:
        if isinstance(node.op, Concat):
            steps = _merge(rewriting, node, node.op.dim % node.outputs[0].ndim)
            if steps:
                graph.note("steps on slices merged", steps)
    rewriting.finish()
    graph.prune()


def _merge(rewriting: Rewriting, concat: Node, axis: int) -> int:
    """Put the steps behind one another in the place of the concatenation; how many went."""
    chains, runs = [], []
    for v in concat.inputs:
        chain, cut = _chain(rewriting, v, axis)
        chains.append(chain)
        runs.append(run_of(cut, axis))
    x = runs[0][0]
    if x is None or any(source is not x for source, _ in runs) or [i for _, run in runs for i in run] != [*range(x.shape[axis])]:
        return 0
    levels = [*zip(*chains)]
    if not levels or any(len(chain) != len(levels) for chain in chains) or not all(map(_alike, levels)):
        return 0
    value = x
    for level in levels[:-1]:
        value = rewriting.put_before(concat, level[0].op, _inputs(rewriting.graph, level, value, axis))
    rewriting.replace({n for chain in chains for n in chain}, concat, levels[-1][0].op, _inputs(rewriting.graph, levels[-1], value, axis))
    return len(levels) * len(chains)


def _chain(rewriting: Rewriting, value: Value | None, axis: int) -> tuple[list[Node], Value | None]:
    """Steps that are made of what is no step, first things first, and that."""
    found: list[Node] = []
    while value is not None and value.producer is not None and rewriting.only_reader(value) is not None:
        node = value.producer
        if not isinstance(node.op, Activation) and affine_of(node, axis) is None:
            break
        found.append(node)
        value = node.inputs[_of_x(node)]
    return found[::-1], value


def _of_x(node: Node) -> int:
    """Which input is computed."""
    return next(i for i, v in enumerate(node.inputs) if v is not None and not v.is_constant)


def _alike(level: Sequence[Node]) -> bool:
    """Whether steps do the same, but for the numbers in their constants."""

    def form(node: Node) -> tuple[object, ...]:
        return node.op, _of_x(node), *(None if v is None else v.dtype for v in node.inputs)

    return all(form(node) == form(level[0]) for node in level)


def _inputs(graph: Graph, level: Sequence[Node], x: Value, axis: int) -> list[Value | None]:
    """What one step reads instead of several."""
    columns = [*zip(*(node.inputs for node in level))]
    return [x if i == _of_x(level[0]) else _together(graph, level, column, axis) for i, column in enumerate(columns)]


def _together(graph: Graph, level: Sequence[Node], constants: Sequence[Value | None], axis: int) -> Value | None:
    """One constant for all slices."""
    arrays = []
    for node, v in zip(level, constants):
        if v is None:
            return None
        size = node.outputs[0].shape[axis]
        arrays.append(np.broadcast_to(np.asarray(v.data).reshape(-1), (size,)))
    rank = 1 if isinstance(level[0].op, BatchNorm) else level[0].outputs[0].ndim - axis
    return graph.constant(np.concatenate(arrays).reshape(-1, *(1,) * (rank - 1)), f"slices({names_of(constants)})")
