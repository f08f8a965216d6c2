"""Decide which values share memory, so that views and concatenations cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from ..graph import Graph, Node, Placement, Value
from ..ops import Activation, Binary, Concat, Flatten, Order, Pad, PReLU, Reorder, Reshape, Slice, Transpose, Unary
from .join_concats import run_of

__all__ = ["alias_buffers", "alias_buffers_and_pads", "dense_strides", "slice_placement"]


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


_VIEWS = (Reshape, Flatten, Reorder, Transpose)
"""What makes the same elements in the same memory, where that can be."""


def alias_buffers(graph: Graph) -> None:
    """Place every value: in a buffer of its own, as a view of another, or inside the concatenation that it is part of.

    A value has one owner; where two concatenations want it, or it is an input, the second copies.
    """
    _alias(_Places(graph))


def alias_buffers_and_pads(graph: Graph) -> None:
    """As ``alias_buffers``; and what a padding alone reads lies inside its result, for steps that write lines with gaps between them."""
    _alias(_Places(graph), pads=True)


def _alias(places: _Places, pads: bool = False) -> None:
    graph = places.graph
    _place_concat_inputs(places)
    if pads:
        _place_pad_inputs(places)
    for i, node in enumerate(graph.nodes):
        if _is_view(graph, node):
            x, out = node.inputs[0], node.outputs[0]
            assert x is not None
            place = graph.placements[x]
            part = slice_placement(graph, node)
            places.move(out, part or Placement(place.root, place.offset, dense_strides(out.shape, out.order)))
            graph.note("views")
        elif _in_place(places, node, i):
            x = node.inputs[0]
            assert x is not None
            places.move(node.outputs[0], graph.placements[x])
            graph.note("in place")


class _Places:
    """The placements of a graph, and who reads and shares what.

    Attributes
    ----------
    at : dict of Node to int
        When each node runs.
    readers : dict of Value to list of Node
    inside : dict of Value to list of Value
        By root, what lies in its buffer.
    written : dict of Value to int
        When the first element of a value may be written: that of a concatenation or a padding by the first of its parts.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.at = {node: i for i, node in enumerate(graph.nodes)}
        self.readers = graph.users()
        self.inside: dict[Value, list[Value]] = {}
        self._inputs, self._outputs = set(graph.inputs.values()), set(graph.outputs.values())
        for value in (*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)):
            graph.placements[value] = Placement(value, 0, dense_strides(value.shape, value.order))
            self.inside[value] = [value]
        self.written: dict[Value, int] = {}
        for node, i in self.at.items():
            parts = (self.written.get(v, i) for v in node.inputs if v is not None) if isinstance(node.op, (Concat, Pad)) else ()
            self.written.update(dict.fromkeys(node.outputs, min((i, *parts))))

    def put(self, value: Value, place: Placement) -> None:
        """Give a value that nothing lies in another place."""
        self.inside[self.graph.placements[value].root].remove(value)
        self.graph.placements[value] = place
        self.inside[place.root].append(value)

    def move(self, value: Value, place: Placement) -> None:
        """Give a root another place, and with it everything that was placed inside it."""
        everything = self.inside.pop(value)
        for v in everything:
            p = self.graph.placements[v]
            self.graph.placements[v] = place if v is value else Placement(place.root, place.offset + p.offset, p.strides)
        self.inside[place.root] += everything

    def is_input(self, value: Value) -> bool:
        """Whether the caller writes it."""
        return value in self._inputs

    def last_use(self, value: Value) -> float:
        """When a value is read for the last time: −1 if never, infinity if the caller does."""
        if value in self._outputs:
            return inf
        return max((self.at[node] for node in self.readers.get(value, ())), default=-1)

    def made_anywhere(self, value: Value) -> bool:
        """Whether a step makes the value that writes where it is told; inputs, constants and views are not made so."""
        return value.producer in self.at and value.producer is not None and not isinstance(value.producer.op, _VIEWS)

    def reads(self, value: Value, axis: int | None, begin: int, end: int) -> Iterator[tuple[int, int, float]]:
        """Of the memory of a value that takes indices ``begin`` to ``end`` of something: which of them are read, and when.

        ``axis`` is that along which it does; None where the value no longer has it.
        """
        if value in self._outputs:
            yield begin, end, inf
        for node in self.readers.get(value, ()):
            first, last, along = begin, end, None
            if isinstance(node.op, Slice) and axis is not None:
                taken = node.op.ranges(value.shape)[axis]
                if not taken:
                    continue
                first, last, along = begin + min(taken), begin + max(taken) + 1, axis
            yield first, last, self.at[node]
            if isinstance(node.op, (*_VIEWS, Slice)):
                yield from self.reads(node.outputs[0], along, first, last)

    def last_read(self, value: Value) -> float:
        """When the memory of a value is read for the last time, by readers of its views too: −1 if never, infinity if the caller does."""
        return max((time for _, _, time in self.reads(value, None, 0, 1)), default=-1)


def _place_concat_inputs(places: _Places) -> None:
    """Let the inputs of each concatenation be written straight into its result, where steps can write with a pitch.

    From the last node to the first: concatenations may nest, and the outer one has its place before the inner one asks.
    """
    graph = places.graph
    taken: set[Value] = set()
    hosts: set[Value] = set()
    until: dict[Value, float] = {}  # when something else begins to be written where a value lies
    for node in reversed(graph.nodes):
        if not isinstance(node.op, Concat):
            continue
        out, offset = node.outputs[0], 0
        axis, place = node.op.dim % out.ndim, graph.placements[out]
        if axis != 0 and not (axis == 1 and out.order == "channels_last"):
            continue
        kept: Value | None = None
        if place.root not in hosts:
            found = _kept(places, node, axis, taken)
            if found is not None:
                kept, at, until[kept] = found
                hosts.add(place.root)
                taken.add(kept)
                places.put(kept, Placement(place.root, place.offset + at * place.strides[axis], place.strides))
                graph.note("slices kept in place")
        limit = until.get(out, inf)
        for v in node.inputs:
            assert v is not None
            free = v not in taken and node.inputs.count(v) == 1 and v.order == out.order and places.made_anywhere(v)
            free = free and (limit == inf or places.last_read(v) < limit)
            if free and (kept is None or run_of(v, axis)[0] is not kept):
                taken.add(v)
                until[v] = limit
                places.put(v, Placement(place.root, place.offset + offset * place.strides[axis], place.strides))
                graph.note("concat inputs in place")
            offset += v.shape[axis]


def _place_pad_inputs(places: _Places) -> None:
    """Let images that are padded with a number be written straight into the padded ones; from the last on, as concatenations."""
    graph = places.graph
    for node in reversed(graph.nodes):
        x, out = node.inputs[0] if node.inputs else None, node.outputs[0]
        if not isinstance(node.op, Pad) or node.op.mode != "constant" or x is None or x.ndim != 4:
            continue
        alone = x in places.inside and places.inside[x] == [x] and places.readers[x] == [node] and places.last_use(x) < inf
        if alone and x.order == out.order == "channels_last" and places.made_anywhere(x):
            place = graph.placements[out]
            offset = sum(before * step for (before, _), step in zip(node.op.pads, place.strides))
            places.put(x, Placement(place.root, place.offset + offset, place.strides))
            graph.note("padded in place")


def _kept(places: _Places, node: Node, axis: int, taken: set[Value]) -> tuple[Value, int, float] | None:
    """A value of which a concatenation keeps a slice, where it has to lie in the result so that the slice is in place, and until when.

    What is written over the rest of it must come when nobody reads that any more.
    """
    out, offset = node.outputs[0], 0
    for v in node.inputs:
        assert v is not None
        x, run = run_of(v, axis)
        if x is not None and x not in taken and places.made_anywhere(x) and x.order == out.order and places.last_use(x) < inf:
            at = offset - run.start
            fits = at >= 0 and at + x.shape[axis] <= out.shape[axis]
            until = _until(places, node, axis, x, at) if fits else None
            if until is not None:
                return x, at, until
        offset += v.shape[axis]
    return None


def _until(places: _Places, node: Node, axis: int, x: Value, at: int) -> float | None:
    """When the parts of a concatenation begin to be written over x, which lies there from index ``at`` on; None where it must not."""
    made, offset, until = places.at[node], 0, inf
    assert x.producer is not None
    reads = list(places.reads(x, axis, at, at + x.shape[axis]))
    for v in node.inputs:
        assert v is not None
        begin, end = offset, offset + v.shape[axis]
        offset = end
        source, run = run_of(v, axis)
        if source is x:
            if at + run.start == begin:
                continue  # in place, whoever reads it
            return None
        if end <= at or at + x.shape[axis] <= begin:
            continue
        when = min(made, places.written.get(v, made))
        if when <= places.at[x.producer] or any(first < end and begin < last and time >= when for first, last, time in reads):
            return None
        until = min(until, when)
    return until


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
    if not isinstance(node.op, _VIEWS) or not _dense(graph, x):
        return False
    strides = dense_strides(x.shape, x.order)
    if isinstance(node.op, (Reshape, Flatten)):
        if x.order == out.order == "channels_last" and x.shape[:2] == out.shape[:2]:
            return True
        return _same_memory(x.shape, strides, dense_strides(x.shape, "logical")) and out.order == "logical"
    if isinstance(node.op, Transpose):
        strides = tuple(strides[d] for d in node.op.dims)
    return _same_memory(out.shape, strides, dense_strides(out.shape, out.order))


def _in_place(places: _Places, node: Node, i: int) -> bool:
    """Whether an element-wise result may overwrite its first input: same shape and order, nothing reads the input's buffer later."""
    graph = places.graph
    x, out = node.inputs[0] if node.inputs else None, node.outputs[0]
    if x is None or x.is_constant or not isinstance(node.op, (Activation, Binary, PReLU, Unary)):
        return False
    if x.shape != out.shape or x.dtype != out.dtype or x.order != out.order or graph.placements[out].root is not out:
        return False
    root = graph.placements[x].root
    if root is not x or not _dense(graph, x) or places.is_input(root):
        return False
    if any(v is not None and not v.is_constant and graph.placements[v].root is root for v in node.inputs[1:]):
        return False
    return all(places.last_use(v) <= i for v in places.inside[root])
