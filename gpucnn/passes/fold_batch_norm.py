"""Fold batch normalisation into the weights before it."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import BatchNorm, Conv, ConvTranspose, Linear

__all__ = ["fold_batch_norm"]

_Wide = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def fold_batch_norm(graph: Graph) -> None:
    """Scale the weights of a convolution or linear layer by the batch norm that alone reads it.

    ``bn(w·x + b) = (s·w)·x + s·(b − mean) + bias`` with ``s = weight/sqrt(var + eps)``, computed in float64.
    """
    for node in list(graph.nodes):
        if not isinstance(node.op, BatchNorm) or not all(v is None or v.is_constant for v in node.inputs[1:]):
            continue
        x = node.inputs[0]
        before = x.producer if x is not None else None
        if x is None or before is None or before not in graph.nodes or not _foldable(before):
            continue
        if len(graph.users()[x]) != 1 or graph.is_output(x) or node.outputs[0].ndim < 2:
            continue
        _fold(graph, before, node)
        graph.note("batch norms folded")


def _foldable(node: Node) -> bool:
    if not isinstance(node.op, (Conv, ConvTranspose, Linear)) or node.op.epilogue:
        return False
    if isinstance(node.op, Linear) and node.outputs[0].ndim != 2:
        return False  # behind a linear layer of rank 3, axis 1 is not its features
    weight, bias = node.inputs[1:3]
    alone = len(node.inputs) < 4 or node.inputs[3] is None
    return alone and weight is not None and weight.is_constant and (bias is None or bias.is_constant)


def _fold(graph: Graph, before: Node, norm: Node) -> None:
    assert isinstance(norm.op, BatchNorm)
    weight, bias = before.inputs[1:3]
    assert weight is not None
    mean, var, gain, shift = (_wide(v) for v in (*norm.inputs[1:], None, None)[:4])
    assert mean is not None
    assert var is not None
    scale = (np.ones_like(var) if gain is None else gain) / np.sqrt(var + norm.op.eps)
    b = _wide(bias)
    folded_bias = (-mean if b is None else b - mean) * scale + (0.0 if shift is None else shift)
    wide = np.asarray(weight.data, np.float64)
    folded = wide * _of_outputs(before, scale, weight.shape)
    names = "+".join("-" if v is None else v.name for v in (weight, bias, *norm.inputs[1:])) + f", eps {norm.op.eps}"
    inputs = (
        before.inputs[0],
        graph.constant(folded.astype(weight.dtype), f"fold({names})"),
        graph.constant(folded_bias.astype(weight.dtype), f"fold.bias({names})"),
    )
    fused = graph.insert(before.op, inputs, norm.name, before=before, instead=norm.outputs[0])[0]
    graph.nodes.remove(before)
    graph.nodes.remove(norm)
    graph.replace(norm.outputs[0], fused)


def _of_outputs(node: Node, scale: _Wide, shape: tuple[int, ...]) -> _Wide:
    """One factor an output channel, as it broadcasts to a weight: along axis 0, or where a convolution is transposed, group by group."""
    if not isinstance(node.op, ConvTranspose):
        return scale.reshape(-1, *(1,) * (len(shape) - 1))
    each = np.repeat(scale.reshape(node.op.groups, -1), shape[0] // node.op.groups, axis=0)
    return each.reshape(*shape[:2], *(1,) * (len(shape) - 2))


def _wide(value: Value | None) -> _Wide | None:
    return None if value is None else np.asarray(value.data, np.float64)
