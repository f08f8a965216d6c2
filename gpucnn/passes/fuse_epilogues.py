"""Fuse what follows a convolution or linear layer into its epilogue."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node, Value
from ..ops import Activation, Binary, Conv, ConvTranspose, Linear

__all__ = ["fuse_epilogues"]

FUSED = (Conv, ConvTranspose, Linear)
"""Ops with an epilogue: inputs x, weight, bias, residual."""


def fuse_epilogues(graph: Graph) -> None:
    """Turn ``act(conv(x) + residual)`` and its parts into one node: ``post(pre(sum + bias) + residual)``.

    A value that is asked for from outside, or read by anything else, stays as it is.
    """
    changed = True
    while changed:
        users = graph.users()
        changed = any(_fuse_one(graph, node, users) for node in list(graph.nodes) if isinstance(node.op, FUSED))


def _fuse_one(graph: Graph, node: Node, users: dict[Value, list[Node]]) -> bool:
    y = node.outputs[0]
    readers = users.get(y, [])
    if node not in graph.nodes or len(readers) != 1 or graph.is_output(y) or readers[0] not in graph.nodes:
        return False
    assert isinstance(node.op, (Conv, ConvTranspose, Linear))
    after, epilogue = readers[0], node.op.epilogue
    inputs = (*node.inputs, None, None)[:4]
    residual = inputs[3]
    if isinstance(after.op, Activation):
        # Behind a residual, or a second activation, comes `post`; alone, `pre`.
        if residual is None and epilogue.pre is None and epilogue.post is None:
            epilogue = replace(epilogue, pre=after.op)
        elif epilogue.post is None:
            epilogue = replace(epilogue, post=after.op)
        else:
            return False
    elif isinstance(after.op, Binary) and after.op.kind == "add" and residual is None and epilogue.post is None:
        x, z = after.inputs
        other = z if x is y else x
        if other is None or other is y or other.shape != y.shape or other.is_constant or after.outputs[0].shape != y.shape:
            return False
        inputs = (*inputs[:3], other)
    else:
        return False
    # The fused node stands where the reader stood: there the residual exists already.
    result = after.outputs[0]
    fused = graph.insert(replace(node.op, epilogue=epilogue), inputs, result.name, before=after, instead=result)[0]
    graph.nodes.remove(node)
    graph.nodes.remove(after)
    graph.replace(result, fused)
    graph.note("epilogues fused")
    return True
