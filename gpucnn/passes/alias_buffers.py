"""Decide which values share memory, so that views and concatenations cost nothing."""

from __future__ import annotations

from ..graph import Graph, Node, Placement, Value
from ..ops import Activation, Binary, Concat, Flatten, Order, PReLU, Reorder, Reshape, Slice, Transpose, Unary

__all__ = ["alias_buffers", "dense_strides", "slice_placement"]


def dense_strides(shape: tuple[int, ...], order: Order) -> tuple[int, ...]:
    """Strides, in elements, of a value without gaps.

    Examples
    --------
    >>> dense_strides((2, 3, 4, 5), "channels_last")
    (60, 1, 15, 3)
    """
    axes = (0, *range(2, len(shape)), 1) if order == "channels_last" and len(shape) >= 3 else tuple(range(len(shape)))
    strides, step = [0] * len(shape), 1
    for axis in reversed(axes):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def slice_placement(graph: Graph, node: Node) -> Placement | None:
    """Where the result of a slice lies inside its input, None where steps could not read it there.

    Steps take what a concatenation would make of their inputs: a run of images, or of channels that lie side by side.
    """
    x, out = node.inputs[0], node.outputs[0]
    if not isinstance(node.op, Slice) or x is None or x.is_constant or x.order != out.order:
        return None
    place = graph.placements[x]
    offset = place.offset
    for axis, (taken, size) in enumerate(zip(node.op.ranges(x.shape), x.shape)):
        if taken == range(size):
            continue
        if len(taken) != 1 and taken.step != 1:
            return None
        if axis != 0 and not (axis == 1 and x.order == "channels_last"):
            return None
        offset += taken.start * place.strides[axis] if taken else 0
    return Placement(place.root, offset, place.strides)


def alias_buffers(graph: Graph) -> None:
    """Place every value: in a buffer of its own, as a view of another, or inside the concatenation that it is part of.

    A value has one owner; where two concatenations want it, or it is an input, the second copies.
    """
    for value in (*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)):
        graph.placements[value] = Placement(value, 0, dense_strides(value.shape, value.order))
    _place_concat_inputs(graph)
    last_use = {v: i for i, node in enumerate(graph.nodes) for v in node.inputs if v is not None}
    for i, node in enumerate(graph.nodes):
        if _is_view(graph, node):
            _make_view(graph, node)
        elif _in_place(graph, node, i, last_use):
            x = node.inputs[0]
            assert x is not None
            _move(graph, node.outputs[0], graph.placements[x])
            graph.note("in place")


def _place_concat_inputs(graph: Graph) -> None:
    """Let the inputs of each concatenation be written straight into its result, where steps can write with a pitch.

    From the last node to the first: concatenations may nest, and the outer one has its place before the inner one asks.
    """
    taken: set[Value] = set()
    for node in reversed(graph.nodes):
        if not isinstance(node.op, Concat):
            continue
        out, offset = node.outputs[0], 0
        axis, place = node.op.dim % out.ndim, graph.placements[out]
        pitched = axis == 0 or (axis == 1 and out.order == "channels_last")
        for v in node.inputs:
            assert v is not None
            free = v not in taken and node.inputs.count(v) == 1 and v.order == out.order and _writes_anywhere(graph, v)
            if pitched and free:
                taken.add(v)
                graph.placements[v] = Placement(place.root, place.offset + offset * place.strides[axis], place.strides)
                graph.note("concat inputs in place")
            offset += v.shape[axis]


def _writes_anywhere(graph: Graph, value: Value) -> bool:
    """Whether the value is made by a step that writes where it is told, rather than being an input, a constant or a view."""
    producer = value.producer
    return producer is not None and producer in graph.nodes and not isinstance(producer.op, (Reshape, Flatten, Reorder, Transpose))


def _dense(graph: Graph, value: Value) -> bool:
    return value in graph.placements and _same_memory(value.shape, graph.placements[value].strides, dense_strides(value.shape, value.order))


def _same_memory(shape: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(s <= 1 or i == j for s, i, j in zip(shape, a, b))


def _is_view(graph: Graph, node: Node) -> bool:
    """Whether the result lies in memory exactly as the first input, or a part of it, does."""
    x = node.inputs[0] if node.inputs else None
    out = node.outputs[0]
    if x is None or x.is_constant or graph.placements[out].root is not out:
        return False
    if isinstance(node.op, Slice):
        return slice_placement(graph, node) is not None
    if not isinstance(node.op, (Reshape, Flatten, Reorder, Transpose)) or not _dense(graph, x):
        return False
    strides = dense_strides(x.shape, x.order)
    if isinstance(node.op, (Reshape, Flatten)):
        if x.order == out.order == "channels_last" and x.shape[:2] == out.shape[:2]:
            return True
        return _same_memory(x.shape, strides, dense_strides(x.shape, "logical")) and out.order == "logical"
    if isinstance(node.op, Transpose):
        strides = tuple(strides[d] for d in node.op.dims)
    return _same_memory(out.shape, strides, dense_strides(out.shape, out.order))


def _make_view(graph: Graph, node: Node) -> None:
    x, out = node.inputs[0], node.outputs[0]
    assert x is not None
    place = graph.placements[x]
    part = slice_placement(graph, node)
    _move(graph, out, part or Placement(place.root, place.offset, dense_strides(out.shape, out.order)))
    graph.note("views")


def _move(graph: Graph, value: Value, place: Placement) -> None:
    """Give a value another place, and with it everything that was placed inside it."""
    for v, p in list(graph.placements.items()):
        if p.root is value and v is not value:
            graph.placements[v] = Placement(place.root, place.offset + p.offset, p.strides)
    graph.placements[value] = place


def _in_place(graph: Graph, node: Node, i: int, last_use: dict[Value, int]) -> bool:
    """Whether an element-wise result may overwrite its first input: same shape and order, nothing reads the input's buffer later."""
    x, out = node.inputs[0] if node.inputs else None, node.outputs[0]
    if x is None or x.is_constant or not isinstance(node.op, (Activation, Binary, PReLU, Unary)):
        return False
    if x.shape != out.shape or x.dtype != out.dtype or x.order != out.order or graph.placements[out].root is not out:
        return False
    root = graph.placements[x].root
    if root is not x or not _dense(graph, x) or root in graph.inputs.values():
        return False
    if any(v is not None and not v.is_constant and graph.placements[v].root is root for v in node.inputs[1:]):
        return False
    sharers = [v for v, p in graph.placements.items() if p.root is root]
    return all(not graph.is_output(v) and last_use.get(v, -1) <= i for v in sharers)
