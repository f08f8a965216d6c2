"""Fuse the normalisation of bytes into the convolution that reads it."""

from __future__ import annotations

from collections.abc import Callable

from ..graph import Graph, Value
from ..ops import Conv, Lookup, LookupConv

__all__ = ["fuse_lookup"]


def fuse_lookup(graph: Graph, supported: Callable[..., bool]) -> None:
    """Turn ``conv(lookup(x))`` into one node, where nothing else reads the values and table, weight and bias are constants.

    Parameters
    ----------
    graph : Graph
    supported : callable
        Whether the backend has an impl for an op on such inputs; asked of every node that would be made.
    """
    users = graph.users()
    for node in list(graph.nodes):
        if not isinstance(node.op, Lookup):
            continue
        values, readers = node.outputs[0], users.get(node.outputs[0], [])
        if len(readers) != 1 or graph.is_output(values):
            continue
        after = readers[0]
        inputs = (*node.inputs, *after.inputs[1:])
        if not isinstance(after.op, Conv) or after.inputs[0] is not values or not all(map(_constant, inputs[1:4])):
            continue
        fused = LookupConv(after.op)
        if not supported(fused, *(None if v is None else v.spec for v in inputs)):
            continue
        result = after.outputs[0]
        made = graph.insert(fused, inputs, result.name, before=after, instead=result)[0]
        graph.nodes.remove(node)
        graph.nodes.remove(after)
        graph.replace(result, made)
        graph.note("lookups fused")


def _constant(value: Value | None) -> bool:
    return value is None or value.is_constant
