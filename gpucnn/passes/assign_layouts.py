"""Decide the order in memory of every value; the only place where orders are set."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Flatten, Linear, Order, Reorder, Reshape, Transpose
from ..spec import shape_text

__all__ = ["assign_layouts"]


def assign_layouts(graph: Graph) -> None:
    """Give each value an order by its op's layout class, and insert a Reorder where a reader wants another.

    Flatten → Linear on a channels-last map becomes a view with the columns of the weight permuted, so no data moves. A transposition
    reads its input as it lies, and so does a reshape that leaves images and channels alone.
    """
    _flatten_into_linear(graph)
    wanted = _wanted(graph)
    reordered: dict[tuple[Value, Order], Value] = {}
    nodes, graph.nodes = graph.nodes, []
    for node in nodes:
        out = node.outputs[0]
        as_it_lies = _read_as_it_lies(node, wanted.get(out))
        if as_it_lies is not None:
            out.order = as_it_lies
            graph.nodes.append(node)
            continue
        layout = node.op.layout
        if layout == "spatial":
            order: Order = "channels_last"
        elif layout == "logical":
            order = "logical"
        else:
            order = _shared(node, wanted.get(out))
        inputs: list[Value | None] = []
        for i, v in enumerate(node.inputs):
            full_rank = v is not None and v.ndim == out.ndim and v.ndim >= 3
            must = full_rank if layout != "logical" else v is not None and v.ndim >= 3
            if layout == "spatial" and i not in node.op.maps:
                must = False  # weights and per-channel vectors: the impl packs them
            if v is None or v.is_constant or not must or v.order == order:
                inputs.append(v)
                continue
            if (v, order) not in reordered:
                moved = graph.insert(Reorder(order), (v,), f"{v.name}.{order}")[0]
                moved.order = order
                reordered[v, order] = moved
                if not _lie_alike(v.shape):
                    graph.note("reorders")
            inputs.append(reordered[v, order])
        node.inputs = tuple(inputs)
        for y in node.outputs:
            y.order = order if y.ndim >= 3 else "logical"
        graph.nodes.append(node)


def _wanted(graph: Graph) -> dict[Value, Order]:
    """The order that readers ask for, themselves or for those that read their results; channels last where they do not agree."""
    wanted: dict[Value, Order] = {}
    for node in reversed(graph.nodes):
        out = node.outputs[0]
        for i, v in enumerate(node.inputs):
            if v is None or v.ndim < 3 or isinstance(node.op, Transpose):
                continue
            order: Order | None = "logical"
            if node.op.layout == "spatial":
                order = "channels_last" if i in node.op.maps else None
            elif node.op.layout != "logical":
                order = wanted.get(out) if v.ndim == out.ndim else None
            if order is not None and wanted.get(v) != "channels_last":
                wanted[v] = order
    return wanted


def _shared(node: Node, wanted: Order | None) -> Order:
    """The order in which most elements that the node reads or makes are, or are wanted: the others follow it."""
    out = node.outputs[0]
    if out.ndim < 3 and not any(v is not None and v.ndim >= 3 for v in node.inputs):
        return "logical"
    least = {"logical": 0, "channels_last": 0}
    full = [v for v in node.inputs if v is not None and not v.is_constant and v.ndim == out.ndim >= 3]
    for v in full:
        if not _lie_alike(v.shape):
            least[v.order] += v.spec.size
    if least["logical"] != least["channels_last"] and 0 in least.values():
        return "logical" if least["logical"] else "channels_last"
    if wanted is not None:
        least[wanted] += out.spec.size
    if least["logical"] == least["channels_last"]:
        return full[0].order if full and not any(least.values()) and wanted is None else wanted or "channels_last"
    return "logical" if least["logical"] > least["channels_last"] else "channels_last"


def _lie_alike(shape: tuple[int, ...]) -> bool:
    """Whether both orders are the same in memory."""
    return len(shape) < 3 or shape[1] == 1 or all(s == 1 for s in shape[2:]) or 0 in shape


def _read_as_it_lies(node: Node, wanted: Order | None) -> Order | None:
    """The order of the result where the node reads its input whatever its order; None where it has one to ask for."""
    x, out = node.inputs[0] if node.inputs else None, node.outputs[0]
    if x is None or x.is_constant:
        return None
    if isinstance(node.op, Transpose):
        lies = [node.op.dims.index(axis) for axis in _axes_of(x.ndim, x.order) if x.shape[axis] != 1]
        views = [order for order in _ORDERS if lies == [axis for axis in _axes_of(out.ndim, order) if out.shape[axis] != 1]]
        if out.ndim < 3:
            return "logical"
        return wanted if wanted in views or (not views and wanted is not None) else (views or _ORDERS)[0]
    if isinstance(node.op, (Reshape, Flatten)) and x.order == "channels_last" and not _lie_alike(x.shape):
        return "channels_last" if out.ndim >= 3 and x.shape[:2] == out.shape[:2] else None
    return None


_ORDERS: tuple[Order, ...] = ("logical", "channels_last")


def _axes_of(rank: int, order: Order) -> tuple[int, ...]:
    """The axes as they lie, the outermost first."""
    return (0, *range(2, rank), 1) if order == "channels_last" and rank >= 3 else tuple(range(rank))


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
