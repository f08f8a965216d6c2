"""Decide the order in memory of every value; the only place where orders are set."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Flatten, Linear, Order, Reorder, Transpose
from ..spec import shape_text

__all__ = ["assign_layouts"]


def assign_layouts(graph: Graph) -> None:
    """Give each value an order by its op's layout class, and insert a Reorder where a reader wants another.

    Flatten → Linear on a channels-last map becomes a view with the columns of the weight permuted, so no data moves.
    """
    _flatten_into_linear(graph)
    reordered: dict[tuple[Value, Order], Value] = {}
    for node in list(graph.nodes):
        layout = node.op.layout
        if layout == "spatial":
            order: Order = "channels_last"
        elif layout == "logical":
            order = "logical"
        else:
            order = _shared(node)
        if isinstance(node.op, Transpose) and _restores_memory(node):
            continue  # reads channels-last memory as it lies: the alias pass makes it a view
        if isinstance(node.op, Transpose) and _brings_channels_back(node):
            node.outputs[0].order = "channels_last"  # the same the other way round
            continue
        wanted: list[Value | None] = []
        for i, v in enumerate(node.inputs):
            full_rank = v is not None and v.ndim == node.outputs[0].ndim and v.ndim >= 3
            must = full_rank if layout != "logical" else v is not None and v.ndim >= 3
            if layout == "spatial" and i not in node.op.maps:
                must = False  # weights and per-channel vectors: the impl packs them
            if v is None or v.is_constant or not must or v.order == order:
                wanted.append(v)
                continue
            if (v, order) not in reordered:
                moved = graph.insert(Reorder(order), (v,), f"{v.name}.{order}", before=node)[0]
                moved.order = order
                reordered[v, order] = moved
                graph.note("reorders")
            wanted.append(reordered[v, order])
        node.inputs = tuple(wanted)
        for out in node.outputs:
            out.order = order if out.ndim >= 3 else "logical"


def _shared(node: Node) -> Order:
    """The order of the first input that has the result's rank: the others follow it."""
    rank = node.outputs[0].ndim
    for v in node.inputs:
        if v is not None and not v.is_constant and v.ndim == rank and rank >= 3:
            return v.order
    return "logical"


def _restores_memory(node: Node) -> bool:
    """Whether a transpose of its channels-last input only names the axes in the order in which they lie."""
    x = node.inputs[0]
    if not isinstance(node.op, Transpose) or x is None or x.order != "channels_last":
        return False
    return node.op.dims == (0, *range(2, x.ndim), 1)


def _brings_channels_back(node: Node) -> bool:
    """Whether a transpose of its logical input puts the last axis, which lies innermost, where the channels are."""
    x = node.inputs[0]
    if not isinstance(node.op, Transpose) or x is None or x.is_constant or x.order != "logical" or x.ndim < 3:
        return False
    return node.op.dims == (0, x.ndim - 1, *range(1, x.ndim - 1))


def _flatten_into_linear(graph: Graph) -> None:
    users = graph.users()
    for node in list(graph.nodes):
        x = node.inputs[0] if node.inputs else None
        if not isinstance(node.op, Flatten) or x is None or x.ndim < 3 or node.op.start_dim % x.ndim != 1:
            continue
        made_last = x.producer is not None and x.producer.op.layout != "logical"
        readers = users.get(node.outputs[0], [])
        if not made_last or node.outputs[0].ndim != 2 or graph.is_output(node.outputs[0]) or not readers:
            continue
        if not all(isinstance(r.op, Linear) and r.inputs[0] is node.outputs[0] and _constant(r.inputs[1]) for r in readers):
            continue
        if any(v is node.outputs[0] for r in readers for v in r.inputs[1:]):
            continue
        c, *spatial = x.shape[1:]
        if c == 1 or all(s == 1 for s in spatial):
            continue  # both orders lie alike
        moved = graph.insert(Transpose((0, *range(2, x.ndim), 1)), (x,), f"{node.name}.channels_last", before=node)[0]
        flat = graph.insert(Flatten(1), (moved,), f"{node.name}.flat", before=node)[0]
        for r in readers:
            weight = r.inputs[1]
            assert weight is not None
            k = weight.shape[0]
            w = np.asarray(weight.data).reshape(k, c, *spatial)
            w = np.ascontiguousarray(np.moveaxis(w, 1, -1)).reshape(k, -1)
            r.inputs = (flat, graph.constant(w, f"channels_last({weight.name}, {shape_text(x.shape[1:])})"), *r.inputs[2:])
        graph.nodes.remove(node)
        graph.note("flattens folded into linear weights")


def _constant(value: Value | None) -> bool:
    return value is not None and value.is_constant
