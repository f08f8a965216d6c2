"""Fold batch norms, and what else scales and shifts channels, into the weights before them."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node
from ..ops import BatchNorm, Conv, ConvTranspose, Linear
from .affine import Affine, Wide, affine_of, names_of, rounded, scaled, wide
from .rewriter import Rewriter

__all__ = ["axis_of_weights", "fold_batch_norm"]


def fold_batch_norm(graph: Graph) -> None:
    """Let the weights of a convolution, linear layer or batch norm do what the affine steps do that one after another alone read it.

    An affine step is a batch norm, ``bn(w·x + b) = (s·w)·x + s·(b − mean) + bias`` with ``s = weight/sqrt(var + eps)``, or a constant per
    channel that is added, subtracted, multiplied with or divided by. All of a chain are folded at once, in float64, and rounded once.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            axis = axis_of_weights(node)
            if axis is None:
                continue
            behind, steps = _chain(rewriter, node, axis)
            if not steps or not _fold(rewriter, node, behind, steps):
                continue
            norms = sum(isinstance(n.op, BatchNorm) for n in behind)
            for what, count in (("batch norms folded", norms), ("scales and shifts folded", len(behind) - norms)):
                if count:
                    graph.note(what, count)


def axis_of_weights(node: Node) -> int | None:
    """Axis of the result that the node has weights for, where those can take in what follows; None where they cannot."""
    op, x, own = node.op, node.inputs[0] if node.inputs else None, node.inputs[1:]
    if not isinstance(op, (Conv, ConvTranspose, Linear, BatchNorm)) or x is None or not all(v is None or v.is_constant for v in own):
        return None
    if isinstance(op, BatchNorm):
        return 1 if op.activation is None else None
    if op.epilogue or any(v is not None for v in own[2:]):
        return None
    return node.outputs[0].ndim - 1 if isinstance(op, Linear) else 1


def _chain(rewriter: Rewriter, node: Node, axis: int) -> tuple[list[Node], list[Affine]]:
    """The affine steps behind a node, up to the first value that anything else needs."""
    nodes: list[Node] = []
    steps: list[Affine] = []
    y = node.outputs[0]
    while (after := rewriter.only_reader(y)) is not None and (step := affine_of(after, axis)) is not None and step.x is y:
        nodes.append(after)
        steps.append(step)
        y = after.outputs[0]
    return nodes, steps


def _fold(rewriter: Rewriter, node: Node, behind: list[Node], steps: list[Affine]) -> bool:
    """Put one node for all; False where a constant cannot hold what it should."""
    first = 3 if isinstance(node.op, BatchNorm) else 1
    kept, (weight, bias) = node.inputs[:first], (*node.inputs[first:], None, None)[:2]
    name = "; ".join((names_of(node.inputs[1:]), *(s.text for s in steps)))
    size, dtype = steps[0].size, next(v.dtype for v in (bias, weight, kept[-1]) if v is not None)
    scales = [s.scale for s in steps if s.scale is not None]
    if scales:
        own = np.ones(size, dtype) if weight is None else np.asarray(weight.data)  # a norm need not have a weight
        axis = 1 if isinstance(node.op, ConvTranspose) else 0
        data = scaled(own, _of_outputs(node, np.multiply.reduce(scales), own.shape), axis)
        if data is None:
            return False
    if bias is not None or any(s.adds for s in steps):
        shift = np.zeros(size) if bias is None else wide(bias.data)
        for step in steps:
            shift = step.apply(shift)
        addend = rounded(shift, dtype)
        if addend is None:
            return False
        bias = rewriter.graph.constant(addend, f"fold.bias({name})")
    if scales:
        weight = rewriter.graph.constant(data, f"fold({name})")
    rewriter.replace((node, *behind), node.op, (*kept, weight, bias), at=node, name=behind[-1].name)
    return True


def _of_outputs(node: Node, scale: Wide, shape: tuple[int, ...]) -> Wide:
    """One factor an output channel, as it broadcasts to a weight: along axis 0, or where a convolution is transposed, group by group."""
    if not isinstance(node.op, ConvTranspose):
        return scale.reshape(-1, *(1,) * (len(shape) - 1))
    each = np.repeat(scale.reshape(node.op.groups, -1), shape[0] // node.op.groups, axis=0)
    return each.reshape(*shape[:2], *(1,) * (len(shape) - 2))
