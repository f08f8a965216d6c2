"""One reshape for several."""

from __future__ import annotations

from ..graph import Graph, Node, Value
from ..ops import Flatten, Reshape
from .walk import rewrite

__all__ = ["merge_reshapes"]


def merge_reshapes(graph: Graph) -> None:
    """Let a reshape or flatten read what the one before it reads; drop it where that has its shape already."""

    def change(node: Node) -> tuple[Value, ...] | None:
        x, y = node.inputs[0] if node.inputs else None, node.outputs[0]
        if x is None or not isinstance(node.op, (Reshape, Flatten)):
            return None
        before = x.producer
        if before is not None and isinstance(before.op, (Reshape, Flatten)) and before.inputs[0] is not None:
            graph.note("reshapes merged")
            x = before.inputs[0]
            if x.shape != y.shape:
                return graph.insert(Reshape(y.shape), (x,), node.name, instead=y)
        return (x,) if x.shape == y.shape else None

    rewrite(graph, change)
    graph.prune()
