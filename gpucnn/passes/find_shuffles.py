"""The op that reshapes around a transposition spell out."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ..graph import Graph, Node, Value
from ..ops import ChannelShuffle, DepthToSpace, Flatten, Op, Reshape, SpaceToDepth, Transpose
from .walk import rewrite

__all__ = ["find_shuffles"]

Factors = tuple[tuple[int, ...], tuple[int, ...]]
"""Sizes, and the order in which they are read then."""


def find_shuffles(graph: Graph) -> None:
    """Put a channel shuffle, depth-to-space or space-to-depth for the reshape, transposition and reshape that spell it out."""

    def change(node: Node) -> tuple[Value, ...] | None:
        middle = _producer(node, (Reshape, Flatten))
        first = _producer(middle, (Transpose,))
        if middle is None or first is None or not isinstance(first.op, (Reshape, Flatten)):
            return None
        x, split, y = first.inputs[0], first.outputs[0], node.outputs[0]
        assert x is not None
        assert isinstance(middle.op, Transpose)
        if not x.spec.size or x.ndim < 3:
            return None
        done = _reduced(split.shape, middle.op.dims)
        for op, sizes, order in _spelt(x.shape, y.shape, done[0]):
            if _reduced(sizes, order) == done:
                graph.note("shuffles found")
                return graph.insert(op, (x,), node.name, instead=y)
        return None

    rewrite(graph, change)
    graph.prune()


def _producer(node: Node | None, kinds: tuple[type[Op], ...]) -> Node | None:
    """What makes the input of a node that is of one of these kinds."""
    if node is None or not isinstance(node.op, kinds) or node.inputs[0] is None:
        return None
    return node.inputs[0].producer


def _spelt(x: tuple[int, ...], y: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[tuple[Op, tuple[int, ...], tuple[int, ...]]]:
    """Ops that make a map of y's shape from one of x's by moving alone, with the sizes and the order that spell each out.

    ``sizes`` are those that were found: of a channel shuffle the groups are one of them.
    """
    n, c, *spatial = x
    if x == y:
        for groups in dict.fromkeys(sizes):
            if groups < c and c % groups == 0:
                yield ChannelShuffle(groups), (n, groups, c // groups, prod(spatial)), (0, 2, 1, 3)
    if len(x) != 4 or len(y) != 4:
        return
    (_, _, h, w), (_, d, p, q) = x, y
    if p > h and p % h == 0 and (p // h) * w == q and c == d * (p // h) ** 2:
        b = p // h
        yield DepthToSpace(b, "CRD"), (n, d, b, b, h, w), (0, 1, 4, 2, 5, 3)
        yield DepthToSpace(b, "DCR"), (n, b, b, d, h, w), (0, 3, 4, 1, 5, 2)
    if h > p and p and h % p == 0 and (h // p) * q == w and d == c * (h // p) ** 2:
        b = h // p
        yield SpaceToDepth(b, "CRD"), (n, c, p, b, q, b), (0, 1, 3, 5, 2, 4)
        yield SpaceToDepth(b, "DCR"), (n, c, p, b, q, b), (0, 3, 5, 1, 2, 4)


def _reduced(sizes: tuple[int, ...], order: tuple[int, ...]) -> Factors:
    """The fewest factors that say the same: none of 1, and those that stay neighbours are one.

    Examples
    --------
    >>> _reduced((2, 1, 3, 4, 5), (2, 3, 0, 1, 4)), _reduced((2, 12, 5), (1, 0, 2))
    (((2, 12, 5), (1, 0, 2)), ((2, 12, 5), (1, 0, 2)))
    """
    read = [axis for axis in order if sizes[axis] != 1]
    at = sorted(read)
    runs: list[list[int]] = []
    for axis in read:
        if runs and at.index(runs[-1][-1]) + 1 == at.index(axis):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    firsts = sorted(run[0] for run in runs)
    whole = {run[0]: prod(sizes[axis] for axis in run) for run in runs}
    return tuple(whole[first] for first in firsts), tuple(firsts.index(run[0]) for run in runs)
