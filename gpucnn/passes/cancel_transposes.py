"""Let transpositions meet and vanish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Activation, BatchNorm, Binary, Conv, ConvTranspose, Gather, Linear, MatMul, Op, Order, Reshape, Transpose
from .cut import INFINITE, Network
from .permuted import Dims, composed, inverse, moves_nothing, permuted_op
from .walk import rewrite

__all__ = ["cancel_transposes"]

_FUSES = (BatchNorm, Conv, ConvTranspose, Linear, MatMul)
"""What takes in the element-wise steps that follow it, if no transposition lies between."""

_FUSED = (Activation, Binary)
"""Such steps."""

_CHAIN = 4
"""So many of them are looked back over."""

_ONE, _VIEW, _NOTHING, _BETWEEN = 1 << 20, 2, 1, 1
"""What a transposition costs; what one that merely renames the axes of memory, and one that moves axes of size 1 alone; what more where it
keeps the nearest steps from being fused, by how near they are. Views are put in where that lets steps be fused, copies never."""


def cancel_transposes(graph: Graph) -> None:
    """Move transpositions through what works as well under another order of axes, where fewer are left then.

    Two in a row become one, or none; one that moves axes of size 1 alone is a reshape. Of equally many, those are left that do not stand
    between a convolution and what it can take in.

    Notes
    -----
    For each order of axes that a transposition brings about, every node that could work in it is asked whether it should. A value made
    on one side and read on the other is transposed once: the fewest such values are a minimum cut. The graph is changed only if it then
    has fewer transpositions, so this ends.
    """
    if not any(isinstance(node.op, Transpose) for node in graph.nodes):
        return
    before = _cost(graph).count
    _merge(graph)
    tried: set[Dims] = set()
    while True:
        orders = [dims for dims in _orders(graph) if dims not in tried]
        if not orders:
            break
        if _shift(graph, orders[0]):
            tried.clear()
        else:
            tried.add(orders[0])
    left = _cost(graph).count
    _reshape_where_nothing_moves(graph)
    if before > left:
        graph.note("transposes cancelled", before - left)


def _dims(node: Node | None) -> Dims | None:
    return node.op.dims if node is not None and isinstance(node.op, Transpose) else None


def _orders(graph: Graph) -> list[Dims]:
    """Dims that may bring values into the order that a transposition takes them from, or brings them to."""
    found: dict[Dims, None] = {}
    for dims in map(_dims, graph.nodes):
        if dims is not None:
            found.update({inverse(dims): None, dims: None})
    return list(found)


@dataclass(frozen=True)
class _Cost:
    """What transpositions cost.

    Attributes
    ----------
    moving : int
        Those that move elements.
    count, idle : int
        Those that move axes longer than 1, and the others.
    between : int
        Steps that they keep from being fused, the nearest counted most.
    """

    moving: int = 0
    count: int = 0
    idle: int = 0
    between: int = 0

    def is_below(self, other: _Cost) -> bool:
        if self.count > other.count and self.between >= other.between:
            return False
        return (self.moving, self.total) < (other.moving, other.total)

    @property
    def total(self) -> int:
        return _VIEW * self.count + _NOTHING * self.idle + _BETWEEN * self.between


def _cost(graph: Graph) -> _Cost:
    readers = graph.users()
    orders = _likely_orders(graph)
    moving, count, idle, between = 0, 0, 0, 0
    for node in graph.nodes:
        dims, x = _dims(node), node.inputs[0] if node.inputs else None
        if dims is None or x is None:
            continue
        if moves_nothing(x.shape, dims):
            idle += 1
        else:
            count += 1
            moving += not _renames(dims, orders.get(x, "logical"))
        after = readers.get(node.outputs[0], ())
        if len(after) == 1 and isinstance(after[0].op, _FUSED):
            between += _fuses(x, readers)
    return _Cost(moving, count, idle, between)


def _likely_orders(graph: Graph) -> dict[Value, Order]:
    """In which order in memory values will be: maps channels last, and what is computed of them."""
    orders: dict[Value, Order] = {v: v.order for v in graph.inputs.values()}
    for node in graph.nodes:
        dims, layout = _dims(node), node.op.layout
        order: Order = "channels_last" if layout == "spatial" else "logical"
        if dims is not None and node.inputs[0] is not None:
            order = "channels_last" if _is_first(dims) and orders.get(node.inputs[0]) != "channels_last" else "logical"
        elif layout in ("pointwise", "axiswise") and any(orders.get(v) == "channels_last" for v in node.inputs if v is not None):
            order = "channels_last"
        orders.update(dict.fromkeys(node.outputs, order))
    return orders


def _is_first(dims: Dims) -> bool:
    """Whether the last axis becomes that of channels."""
    return len(dims) >= 3 and dims == (0, len(dims) - 1, *range(1, len(dims) - 1))


def _renames(dims: Dims, order: Order) -> bool:
    """Whether a transposition only says anew in which order the axes of memory are counted."""
    return _is_first(dims) if order == "logical" else _is_first(inverse(dims))


def _fuses(value: Value | None, readers: Mapping[Value, Sequence[Node]]) -> int:
    """How near the op is that would take in a step behind the value, over other such steps; 0 where there is none.

    What others read too is taken in by nothing.
    """
    for near in range(_CHAIN, 0, -1):
        if value is None or value.producer is None or len(readers.get(value, ())) != 1:
            return 0
        if isinstance(value.producer.op, _FUSES):
            return near
        if not isinstance(value.producer.op, _FUSED):
            return 0
        value = next((v for v in value.producer.inputs if v is not None and not v.is_constant), None)
    return 0


def _merge(graph: Graph) -> None:
    """One transposition for two in a row, none where they undo each other, one where several do the same."""
    known: dict[tuple[Value, Dims], tuple[Value, ...]] = {}

    def change(node: Node) -> tuple[Value, ...] | None:
        x, dims = node.inputs[0] if node.inputs else None, _dims(node)
        if x is None or dims is None:
            return None
        first, source = _dims(x.producer), x.producer.inputs[0] if x.producer is not None and x.producer.inputs else None
        both = None if first is None else composed(first, dims)
        if both is None or source is None or (moves_nothing(x.shape, dims) and not moves_nothing(source.shape, both)):
            first = None  # alone it moves nothing; instead of both it would, and the first may have other readers
        else:
            x, dims = source, both
        if dims == tuple(range(len(dims))):
            return (x,)
        if (x, dims) not in known:
            known[x, dims] = node.outputs if first is None else graph.insert(Transpose(dims), (x,), node.name, instead=node.outputs[0])
            return None if first is None else known[x, dims]
        return known[x, dims]

    rewrite(graph, change)
    graph.prune()


def _reshape_where_nothing_moves(graph: Graph) -> None:
    def change(node: Node) -> tuple[Value, ...] | None:
        dims, x = _dims(node), node.inputs[0] if node.inputs else None
        if dims is None or x is None or not moves_nothing(x.shape, dims):
            return None
        return graph.insert(Reshape(node.outputs[0].shape), node.inputs, node.name, instead=node.outputs[0])

    rewrite(graph, change)


def _shift(graph: Graph, dims: Dims) -> bool:
    """Let the nodes work on values transposed by ``dims`` for which that is best; whether it was worth it."""
    able = _able(graph, dims)
    if not able:
        return False
    chosen = _chosen(graph, dims, able)
    if not chosen:
        return False
    kept = _Snapshot(graph)
    before = _cost(graph)
    _Shifting(graph, dims, {node: able[node] for node in chosen}).run()
    _merge(graph)
    if _cost(graph).is_below(before):
        return True
    kept.restore()
    return False


def _able(graph: Graph, dims: Dims) -> dict[Node, Op]:
    """Nodes that can work on transposed values, with the op that they become there."""
    found: dict[Node, Op] = {}
    for node in graph.nodes:
        op = permuted_op(node, dims)
        if op is not None:
            found[node] = op
    return found


def _chosen(graph: Graph, dims: Dims, able: dict[Node, Op]) -> list[Node]:
    """The nodes on the source's side of the cheapest cut: there values are transposed, on the other side they are as they were."""
    net = Network()
    readers = graph.users()
    asked = set(graph.outputs.values())
    made: list[Value] = [*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)]
    for value in made:
        if value.ndim != len(dims):
            continue
        producer = value.producer
        before = _dims(producer)
        if producer in able and not _drops_axes(producer, dims):
            side: Any = producer
        else:  # behind a transposition that undoes dims the transposed value is there already
            side = "source" if before is not None and composed(before, dims) == tuple(range(len(dims))) else "sink"
        alone = len(readers.get(value, ())) == 1
        fuses = alone and _fuses(producer.inputs[0] if side == "source" and producer is not None else value, readers)
        after: set[Any] = {"sink"} if value in asked else set()
        for node in readers.get(value, ()):
            if _dims(node) in (None, dims):  # another transposition takes the value from either side
                after.add(node if node in able and _takes(node, value) else "source" if _dims(node) == dims else "sink")
        after.discard(side)
        for reader in after:
            between = _BETWEEN * fuses if isinstance(reader, Node) and isinstance(reader.op, _FUSED) else 0
            once, back = (reader, reader) if len(after) == 1 else (("as it was", value), ("transposed", value))
            net.add(side, reader, between)
            net.add(reader, side, between)
            net.add(once, reader, INFINITE)
            net.add(reader, back, INFINITE)
        if after:
            renamed = _is_first(dims) or _is_first(inverse(dims))
            cost = _VIEW if renamed and producer is not None and value not in asked else _ONE
            cost = _NOTHING if moves_nothing(value.shape, dims) else cost
            net.add(side, once, cost)
            net.add(back, side, cost)
    found = net.source_side("source", "sink")
    return [node for node in able if node in found]


def _takes(node: Node, value: Value) -> bool:
    """Whether the node, where it works on transposed values, reads this one transposed."""
    return not isinstance(node.op, Gather) or node.inputs[0] is value


def _drops_axes(node: Node | None, dims: Dims) -> bool:
    """Whether the result is the same on both sides, as that of a reduction is."""
    return node is not None and node.outputs[0].ndim != len(dims)


@dataclass
class _Shifting:
    """The graph anew, with some nodes working on values transposed by ``dims``; what the others read is transposed back.

    Attributes
    ----------
    transposed : dict of Value to Value
        By value, the one with its axes in the order of ``dims``.
    plain : dict of Value to Value
        What others than before make, by what they stand for.
    moved : set of Value
        What is made transposed, and nowhere as it was.
    """

    graph: Graph
    dims: Dims
    ops: dict[Node, Op]
    transposed: dict[Value, Value] = field(default_factory=dict)
    plain: dict[Value, Value] = field(default_factory=dict)
    moved: set[Value] = field(default_factory=set)

    def run(self) -> None:
        nodes, self.graph.nodes = self.graph.nodes, []
        for node in nodes:
            if node in self.ops:
                self._work_transposed(node)
            else:
                self._work(node)
        for name, value in self.graph.outputs.items():
            self.graph.outputs[name] = self._as_it_was(value)

    def _work(self, node: Node) -> None:
        x = node.inputs[0] if node.inputs else None
        if x is not None and _dims(node) == self.dims:
            self.plain[node.outputs[0]] = self._transposed(x)
            return
        inputs = tuple(None if v is None else self._as_it_was(v) for v in node.inputs)
        if inputs == node.inputs:
            self.graph.nodes.append(node)
        else:
            self.plain.update(zip(node.outputs, self.graph.insert(node.op, inputs, node.name, instead=node.outputs[0])))

    def _work_transposed(self, node: Node) -> None:
        y = node.outputs[0]
        inputs = tuple(
            None if v is None else self._transposed(v) if _takes(node, v) and v.ndim > 0 else self._as_it_was(v) for v in node.inputs
        )
        made = self.graph.insert(self.ops[node], inputs, node.name, instead=y)[0]
        if _drops_axes(node, self.dims):
            self.plain[y] = made
        else:
            self.transposed[y] = made
            self.moved.add(y)

    def _as_it_was(self, value: Value) -> Value:
        if value in self.moved and value not in self.plain:
            made = self.graph.insert(Transpose(inverse(self.dims)), (self.transposed[value],), f"{value.name}.back")
            self.plain[value] = made[0]
        return self.plain.get(value, value)

    def _transposed(self, value: Value) -> Value:
        if value not in self.transposed:
            if value.is_constant:
                array = np.asarray(value.data)
                array = array.reshape((1,) * (len(self.dims) - array.ndim) + array.shape).transpose(self.dims)
                made = self.graph.constant(np.ascontiguousarray(array), f"permuted({value.name}, {self.dims})")
            else:
                made = self.graph.insert(Transpose(self.dims), (self._as_it_was(value),), f"{value.name}.permuted")[0]
            self.transposed[value] = made
        return self.transposed[value]


class _Snapshot:
    """A graph's nodes and names, to go back to."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = list(graph.nodes)
        self.inputs = [node.inputs for node in graph.nodes]
        self.outputs = dict(graph.outputs)
        self.names = set(graph._names)

    def restore(self) -> None:
        self.graph.nodes = self.nodes
        for node, inputs in zip(self.nodes, self.inputs):
            node.inputs = inputs
        self.graph.outputs = self.outputs
        self.graph._names = self.names
