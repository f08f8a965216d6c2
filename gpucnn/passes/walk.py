"""One walk over a graph that may put other values in the place of what its nodes make."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph import Graph, Node, Value

__all__ = ["rewrite"]


def rewrite(graph: Graph, change: Callable[[Node], Sequence[Value] | None]) -> None:
    """Ask ``change`` of every node, in running order, what to read instead of its outputs.

    Parameters
    ----------
    graph : Graph
    change : callable
        Is given a node whose inputs are replaced already. It may put nodes at the graph's end (``graph.insert`` without ``before``): all
        that stands there runs before what is still to come. It returns a value for each output of the node, which then is gone, or None:
        the node stays.

    Notes
    -----
    Linear in the size of the graph, where replacing values one at a time is quadratic.
    """
    nodes, graph.nodes = graph.nodes, []
    instead: dict[Value, Value] = {}
    for node in nodes:
        if instead:
            node.inputs = tuple(None if v is None else instead.get(v, v) for v in node.inputs)
        made = change(node)
        if made is None:
            graph.nodes.append(node)
        else:
            instead.update(zip(node.outputs, made))
    for name, value in graph.outputs.items():
        graph.outputs[name] = instead.get(value, value)
