"""``Rewriter``: what the passes that put one node for several work with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        self._slots: list[Node | None] = list(graph.nodes)
        self._at = {node: i for i, node in enumerate(graph.nodes)}
        self._readers = graph.users()
        self._asked: dict[Value, list[str]] = {}
        for name, v in graph.outputs.items():
            self._asked.setdefault(v, []).append(name)

    def __enter__(self) -> Rewriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.graph.nodes = [node for node in self._slots if node is not None]

    def __iter__(self) -> Iterator[Node]:
        for i in range(len(self._slots)):
            node = self._slots[i]
            if node is not None:
                yield node

    def maker(self, value: Value | None) -> Node | None:
        """The node that makes a value; None for inputs and constants."""
        producer = None if value is None else value.producer
        return producer if producer in self._at else None

    def only_reader(self, value: Value) -> Node | None:
        """The node that alone reads a value, and once; None where there are others, or the value is asked for from outside."""
        readers = self._readers.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self._asked else None

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
        self._slots[slot], self._at[made] = made, slot
        for v in made.inputs:
            if v is not None:
                self._readers.setdefault(v, []).append(made)
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
            self._slots[self._at.pop(node)] = None
            for v in node.inputs:
                if v is not None:
                    self._readers[v].remove(node)
        if instead is not None:
            self._redirect(nodes[-1].outputs[0], instead)

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
