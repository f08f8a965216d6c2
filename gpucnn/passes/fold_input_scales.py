"""Fold what scales and shifts the channels of an input into the weights that read it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Binary, Conv, ConvTranspose, Linear
from .affine import Affine, Wide, affine_of, names_of, rounded, scaled, wide
from .rewriter import Rewriter

__all__ = ["fold_input_scales"]


def fold_input_scales(graph: Graph) -> None:
    """Let the weights of a convolution or linear layer do what the affine steps before it do, where it alone reads them.

    ``w·(s·x + t) + b = (w·s)·x + (b + w·t)`` in float64, rounded once: a batch norm, or a normalisation such as ``(x − mean)/std``. The
    shift is the same for all pixels only where the convolution adds no zeros around them; where it does, or is transposed, what moves 0
    stays. An addition behind a multiplication then trades places with it, ``s·x + t = s·(x + t/s)``, so that one of them can go.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            if not isinstance(node.op, (Conv, ConvTranspose, Linear)) or not all(v is None or v.is_constant for v in node.inputs[1:3]):
                continue
            before, steps = _chain(rewriter, node)
            if steps and _fold(rewriter, node, before, steps):
                graph.note("scales and shifts folded into what reads them", len(steps))


def _axis(node: Node) -> int:
    """The axis of x that the weight sums over."""
    x = node.inputs[0]
    assert x is not None
    return x.ndim - 1 if isinstance(node.op, Linear) else 1


def _sees_all(node: Node) -> bool:
    """Whether every output is a sum over all of the weight, so that a constant on the input is a constant on the output."""
    x, weight = node.specs[:2]
    assert x is not None
    assert weight is not None
    if isinstance(node.op, Conv):
        return not any(p for pair in node.op.pads(x, weight) for p in pair)
    return isinstance(node.op, Linear)


def _step(rewriter: Rewriter, value: Value | None, reader: Node, axis: int) -> tuple[Node, Affine] | None:
    """The affine step that makes a value, where only this node reads that."""
    maker = rewriter.maker(value)
    if value is None or maker is None or rewriter.only_reader(value) is not reader:
        return None
    step = affine_of(maker, axis)
    return None if step is None else (maker, step)


def _chain(rewriter: Rewriter, node: Node) -> tuple[list[Node], list[Affine]]:
    """The affine steps before a node that it can take in, in running order."""
    axis, anything = _axis(node), _sees_all(node)
    nodes: list[Node] = []
    steps: list[Affine] = []
    found = _step(rewriter, node.inputs[0], node, axis)
    while found is not None:
        if not anything and found[1].moves:
            found = _traded(rewriter, *found)
            if found is None:
                break
        maker, step = found
        nodes.insert(0, maker)
        steps.insert(0, step)
        found = _step(rewriter, step.x, maker, axis)
    return nodes, steps


def _traded(rewriter: Rewriter, adding: Node, to: Affine) -> tuple[Node, Affine] | None:
    """The multiplication before an addition, which has traded places with it; None where there is no such multiplication."""
    before = _step(rewriter, to.x, adding, 1)
    if to.scale is not None or before is None:
        return None
    scaling, by = before
    if by.adds or by.scale is None or not by.scale.all():
        return None
    shift = rounded(to.apply(np.zeros(to.size)) / by.scale, by.x.dtype)
    if shift is None:
        return None
    constant = rewriter.graph.constant(shift.reshape(-1, *(1,) * (by.x.ndim - 2)), f"shift({by.text}; {to.text})")
    added = rewriter.replace((scaling,), Binary("add"), (by.x, constant), at=scaling).outputs[0]
    last = rewriter.replace((adding,), scaling.op, tuple(added if v is by.x else v for v in scaling.inputs), at=adding)
    return last, replace(by, x=added)


def _fold(rewriter: Rewriter, node: Node, before: list[Node], steps: list[Affine]) -> bool:
    """Put one node for all; False where a constant cannot hold what it should."""
    weight, bias, *rest = (*node.inputs[1:], None)[: max(2, len(node.inputs) - 1)]
    assert weight is not None
    name = "; ".join((*(s.text for s in steps), names_of((weight, bias))))
    scales = [s.scale for s in steps if s.scale is not None]
    own = np.asarray(weight.data)
    shift = np.zeros(steps[0].size)
    for step in steps:
        shift = step.apply(shift)
    if shift.any():
        sums = own.sum(axis=tuple(range(2, own.ndim)), dtype=np.float64) if own.ndim > 2 else own
        moved = np.einsum("kc,kc->k", sums, np.broadcast_to(_of_inputs(node, shift, sums.shape), sums.shape), dtype=np.float64)
        addend = rounded(moved if bias is None else wide(bias.data) + moved, weight.dtype if bias is None else bias.dtype)
        if addend is None:
            return False
    if scales:
        data = scaled(own, _of_inputs(node, np.multiply.reduce(scales), own.shape), 1 if isinstance(node.op, ConvTranspose) else 0)
        if data is None:
            return False
        weight = rewriter.graph.constant(data, f"fold({name})")
    if shift.any():
        bias = rewriter.graph.constant(addend, f"fold.bias({name})")
    rewriter.replace((*before, node), node.op, (steps[0].x, weight, bias, *rest), at=node, name=node.name)
    return True


def _of_inputs(node: Node, vector: Wide, shape: tuple[int, ...]) -> Wide:
    """One factor an input channel, as it broadcasts to a weight: along axis 1, group by group; along axis 0 of a transposed one's."""
    ones = (1,) * (len(shape) - 2)
    if isinstance(node.op, ConvTranspose):
        return vector.reshape(-1, 1, *ones)
    groups = node.op.groups if isinstance(node.op, Conv) else 1
    return np.repeat(vector.reshape(groups, -1), shape[0] // groups, axis=0).reshape(*shape[:2], *ones)
