"""Drop what does nothing."""

from __future__ import annotations

from ..graph import Graph, Node
from ..ops import AvgPool, Concat, Flatten, Identity, MaxPool, Pad, Reshape, Transpose

__all__ = ["drop_identities"]


def _does_nothing(node: Node) -> bool:
    op, x = node.op, node.inputs[0]
    if x is None or len(node.outputs) != 1 or x.spec.shape != node.outputs[0].shape:
        return False
    match op:
        case Identity() | Reshape() | Flatten() | Pad():
            return True
        case Transpose(dims):
            return dims == tuple(range(len(dims)))
        case Concat():
            return len(node.inputs) == 1
        case MaxPool(kernel_size=k, padding=p) | AvgPool(kernel_size=k, padding=p, divisor_override=None):
            return set(k) == {1} and (isinstance(p, str) or not any(a for pair in p for a in pair))
        case _:
            return False


def drop_identities(graph: Graph) -> None:
    """Let the readers of an identity, an empty pad, a reshape to the same shape and the like read its input."""
    for node in list(graph.nodes):
        if _does_nothing(node):
            assert node.inputs[0] is not None
            graph.replace(node.outputs[0], node.inputs[0])
            graph.nodes.remove(node)
            graph.note("identities dropped")
