"""Fuse what follows a convolution or linear layer into its epilogue, and an activation into the norm before it."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node
from ..ops import Activation, BatchNorm, Binary, Conv, ConvTranspose, Linear
from .rewriter import Rewriter

__all__ = ["fuse_epilogues"]

FUSED = (Conv, ConvTranspose, Linear)
"""Ops with an epilogue: inputs x, weight, bias, residual."""


def fuse_epilogues(graph: Graph) -> None:
    """Turn ``act(conv(x) + residual)`` and its parts into one node: ``post(pre(sum + bias) + residual)``; and ``act(batch_norm(x))``.

    A value that is asked for from outside, or read by anything else, stays as it is. A fused node stands where its last part stood, so
    one sweep meets it again and goes on from there; what stands before it can be fused no further by it.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            if isinstance(node.op, FUSED):
                _fuse(rewriter, node)
            elif isinstance(node.op, BatchNorm) and node.op.activation is None:
                after = rewriter.only_reader(node.outputs[0])
                if after is not None and isinstance(after.op, Activation):
                    rewriter.replace((node, after), replace(node.op, activation=after.op), node.inputs, at=after)
                    graph.note("activations fused into norms")


def _fuse(rewriter: Rewriter, node: Node) -> None:
    """Fuse the next step into a node, where it can be."""
    y = node.outputs[0]
    after = rewriter.only_reader(y)
    if after is None:
        return
    assert isinstance(node.op, FUSED)
    epilogue = node.op.epilogue
    inputs = (*node.inputs, None, None)[:4]
    residual = inputs[3]
    if isinstance(after.op, Activation):
        # Behind a residual, or a second activation, comes `post`; alone, `pre`.
        if residual is None and epilogue.pre is None and epilogue.post is None:
            epilogue = replace(epilogue, pre=after.op)
        elif epilogue.post is None:
            epilogue = replace(epilogue, post=after.op)
        else:
            return
    elif isinstance(after.op, Binary) and after.op.kind == "add" and residual is None and epilogue.post is None:
        x, z = after.inputs
        other = z if x is y else x
        if other is None or other is y or other.shape != y.shape or other.is_constant or after.outputs[0].shape != y.shape:
            return
        inputs = (*inputs[:3], other)
    else:
        return
    # The fused node stands where the reader stood: there the residual exists already.
    rewriter.replace((node, after), replace(node.op, epilogue=epilogue), inputs, at=after)
    rewriter.graph.note("epilogues fused")
