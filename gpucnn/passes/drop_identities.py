"""Drop what does nothing."""

from __future__ import annotations

from ..graph import Graph, Node
from ..ops import AvgPool, Concat, Expand, Flatten, Identity, MaxPool, MinPool, Pad, Reshape, Slice, Tile, Transpose

__all__ = ["drop_identities"]


def _does_nothing(node: Node) -> bool:
    op, x = node.op, node.inputs[0]
    if x is None or len(node.outputs) != 1 or x.spec.shape != node.outputs[0].shape:
        return False
    match op:
        case Identity() | Reshape() | Flatten() | Pad() | Expand():
            return True
        case Slice():
            return all(taken == range(n) for taken, n in zip(op.ranges(x.shape), x.shape))
        case Tile():
            return x.spec.size > 0 or set(op.repeats) <= {1}
        case Transpose(dims):
            return dims == tuple(range(len(dims)))
        case Concat():
            return len(node.inputs) == 1
        case MaxPool() | MinPool() | AvgPool(divisor_override=None):
            padded = not isinstance(op.padding, str) and any(a for pair in op.padding for a in pair)
            return set(op.kernel_size) == {1} and not padded
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
