"""A graph while a pass puts one node where several were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..graph import Graph, Node, Value
from ..ops import Op

__all__ = ["Rewriting", "scalar"]


class Rewriting:
    """Puts single nodes where several were, with a table of readers that is made once and kept up: so a pass stays linear.

    The last of the nodes stays in its place and keeps its output under its name; it gets another op and other inputs. The others go when
    the pass is through with the graph (``finish``).
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._readers = graph.users()
        self._asked_for = set(graph.outputs.values())
        self._gone: set[Node] = set()
        self._before: dict[Node, list[Node]] = {}

    def __iter__(self) -> Iterator[Node]:
        """Nodes in running order, less those that are gone when their turn comes."""
        return (node for node in list(self.graph.nodes) if node not in self._gone)

    def only_reader(self, value: Value) -> Node | None:
        """The one node that needs a value, if nothing else does."""
        readers = self._readers.get(value, [])
        return readers[0] if len(readers) == 1 and value not in self._asked_for else None

    def readers(self, value: Value) -> list[Node]:
        """The nodes that need a value; one that needs it twice stands there twice."""
        return list(self._readers.get(value, ()))

    def is_closed(self, nodes: Iterable[Node], last: Node) -> bool:
        """Whether what the nodes make is needed by them alone, but for what the last one makes."""
        every = {*nodes, last}
        made = (v for node in every if node is not last for v in node.outputs)
        return all(v not in self._asked_for and every.issuperset(self._readers.get(v, ())) for v in made)

    def replace(self, nodes: Iterable[Node], last: Node, op: Op, inputs: Sequence[Value | None]) -> None:
        """Let the last node compute ``op`` of ``inputs``; the others, which must be closed, are gone."""
        for node in {*nodes, last}:
            for v in node.inputs:
                if v is not None and node in self._readers.get(v, ()):
                    self._readers[v] = [r for r in self._readers[v] if r is not node]
            if node is not last:
                self._gone.add(node)
        last.op, last.inputs = op, tuple(inputs)
        self._read_by(last)

    def put_before(self, node: Node, op: Op, inputs: Sequence[Value | None]) -> Value:
        """Put a node of one output in front of another one."""
        made = self.graph.append(op, inputs, f"{node.name}.{op.name}")[0]
        new = self.graph.nodes.pop()
        self._before.setdefault(node, []).append(new)
        self._read_by(new)
        return made

    def finish(self) -> None:
        """Drop what is gone, and put what is new in its place."""
        if self._gone or self._before:
            self.graph.nodes = [n for node in self.graph.nodes for n in (*self._before.get(node, ()), node) if n not in self._gone]

    def _read_by(self, node: Node) -> None:
        for v in node.inputs:
            if v is not None:
                self._readers.setdefault(v, []).append(node)


def scalar(value: Value | None) -> float | None:
    """The number that a constant of one element holds, whatever its rank."""
    if value is None or not value.is_constant or value.spec.size != 1 or value.dtype.kind != "f":
        return None
    return float(value.data.reshape(-1)[0])
