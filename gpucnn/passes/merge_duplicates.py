"""Compute once what a graph computes several times."""

from __future__ import annotations

from collections.abc import Hashable

from ..graph import Graph, Node, Value
from .walk import rewrite

__all__ = ["merge_duplicates"]

_SMALL = 64  # elements of a constant that is compared by what is in it: shapes, scalars, factors


def merge_duplicates(graph: Graph) -> None:
    """Let the readers of a node read an earlier one with the same op on the same inputs.

    Small constants are the same where their bits are; large ones, weights, where they are one array. Ops are compared by their text too:
    0 and −0 are equal, and not the same.
    """
    known: dict[Hashable, tuple[Value, ...]] = {}

    def change(node: Node) -> tuple[Value, ...] | None:
        key = (node.op, repr(node.op), tuple(map(_identity, node.inputs)))
        first = known.setdefault(key, node.outputs)
        if first is node.outputs:
            return None
        graph.note("duplicates merged")
        return first

    rewrite(graph, change)


def _identity(value: Value | None) -> Hashable:
    if value is None or value.data is None or value.spec.size > _SMALL:
        return value
    return value.shape, value.dtype.str, value.data.tobytes()
