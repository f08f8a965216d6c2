"""``Rewriter``: what the passes that put one node for several work with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..graph import Graph, Node, Value
from ..ops import Op

__all__ = ["Rewriter"]


class Rewriter:
    """One sweep over a graph. It knows all along who reads a value, so that a rewrite costs what it touches and not the whole graph.

    Iterating gives the nodes in running order, among them those that were put further on meanwhile. The graph's list of nodes is stale
    until the ``with`` block ends.

    Parameters
    ----------
    graph : Graph
        Nobody else may change it inside the block.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._slots: list[list[Node]] = [[node] for node in graph.nodes]  # at each place what runs there, in order
        self._at = {node: i for i, node in enumerate(graph.nodes)}
        self._readers = graph.users()
        self._asked: dict[Value, list[str]] = {}
        for name, v in graph.outputs.items():
            self._asked.setdefault(v, []).append(name)

    def __enter__(self) -> Rewriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.graph.nodes = [node for slot in self._slots for node in slot]

    def __iter__(self) -> Iterator[Node]:
        for slot in self._slots:
            if slot:
                yield slot[-1]

    def maker(self, value: Value | None) -> Node | None:
        """The node that makes a value; None for inputs and constants."""
        producer = None if value is None else value.producer
        return producer if producer in self._at else None

    def only_reader(self, value: Value) -> Node | None:
        """The node that alone reads a value, and once; None where there are others, or the value is asked for from outside."""
        readers = self._readers.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self._asked else None

    def readers(self, value: Value) -> list[Node]:
        """The nodes that read a value; one that reads it twice stands there twice."""
        return list(self._readers.get(value, ()))

    def is_closed(self, nodes: Iterable[Node], last: Node) -> bool:
        """Whether what the nodes make is read by them alone, but for what the last one makes."""
        every = {*nodes, last}
        made = (v for node in every if node is not last for v in node.outputs)
        return all(v not in self._asked and every.issuperset(self._readers.get(v, ())) for v in made)

    def put_before(self, node: Node, op: Op, inputs: Sequence[Value | None]) -> Value:
        """Put a node of one output in front of another one, under a name of its own; returns what it makes."""
        value = self.graph.append(op, inputs, f"{node.name}.{op.name}")[0]
        made, at = self.graph.nodes.pop(), self._at[node]
        self._slots[at].insert(self._slots[at].index(node), made)
        self._at[made] = at
        self._read_by(made)
        return value

    def change(self, node: Node, op: Op, inputs: Sequence[Value | None], without: Iterable[Node] = ()) -> None:
        """Let a node compute ``op`` of ``inputs``; the nodes in ``without``, which must be closed, are gone."""
        for old in {*without, node}:
            for v in {v for v in old.inputs if v is not None}:
                self._readers[v] = [r for r in self._readers[v] if r is not old]
            if old is not node:
                self._slots[self._at.pop(old)].remove(old)
        node.op, node.inputs = op, tuple(inputs)
        self._read_by(node)

    def replace(self, nodes: Sequence[Node], op: Op, inputs: Sequence[Value | None], at: Node, name: str | None = None) -> Node:
        """Put one node for several, where ``at`` of them stood; the readers of what the last one made read its result, under its name.

        Parameters
        ----------
        nodes : sequence of Node
            None but the last makes anything that others read; each has one output.
        op : Op
        inputs : sequence of Value or None
        at : Node
        name : str, optional
            Of the node, where it is not the result's.

        Returns
        -------
        Node
        """
        result, slot = nodes[-1].outputs[0], self._at[at]
        self.drop(nodes)
        self.graph.insert(op, inputs, name or result.name, instead=result)
        made = self.graph.nodes.pop()
        self._slots[slot].append(made)
        self._at[made] = slot
        self._read_by(made)
        self._redirect(result, made.outputs[0])
        return made

    def drop(self, nodes: Sequence[Node], instead: Value | None = None) -> None:
        """Take nodes away; the readers of what the last one made read another value, or are taken away next.

        Parameters
        ----------
        nodes : sequence of Node
            None but the last makes anything that others read; each has one output.
        instead : Value, optional
        """
        for node in nodes:
            assert len(node.outputs) == 1
            self._slots[self._at.pop(node)].remove(node)
            for v in node.inputs:
                if v is not None:
                    self._readers[v].remove(node)
        if instead is not None:
            self._redirect(nodes[-1].outputs[0], instead)

    def _read_by(self, node: Node) -> None:
        for v in node.inputs:
            if v is not None:
                self._readers.setdefault(v, []).append(node)

    def _redirect(self, old: Value, new: Value) -> None:
        """Let every reader of ``old``, inside and outside, read ``new``."""
        readers = self._readers.pop(old, [])
        for node in dict.fromkeys(readers):
            node.inputs = tuple(new if v is old else v for v in node.inputs)
        if readers:
            self._readers[new] = readers
        for name in self._asked.pop(old, ()):
            self.graph.outputs[name] = new
            self._asked.setdefault(new, []).append(name)
