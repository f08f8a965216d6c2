"""Let what makes the input of a convolution write it into its padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph
from ..ops import AvgPool, Conv, ConvMaxPool, MaxPool, Pad
from ..spec import Spec
from .rewriter import Rewriter

__all__ = ["unfold_pads"]

_WRITERS = (Conv, ConvMaxPool, MaxPool, AvgPool)  # what writes an image line by line

_TILE = 4  # side of Winograd's tiles: where they reach beyond the padding, the convolution copies its input nevertheless


def unfold_pads(graph: Graph) -> None:
    """Give convolutions that would copy their input into a padded frame a padded input instead, where they alone read it.

    The padding is a node then whose input lies inside its result: what makes it writes it there, and only the borders are filled. For
    plans on a CPU.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            op, x = node.op.conv if isinstance(node.op, ConvMaxPool) else node.op, node.inputs[0] if node.inputs else None
            if not isinstance(op, Conv) or x is None or x.producer is None or x.ndim != 4 or x.dtype != np.float32:
                continue
            weight = node.inputs[1]
            if weight is None or rewriter.only_reader(x) is not node or not isinstance(x.producer.op, _WRITERS):
                continue
            pads = op.pads(x.spec, weight.spec)
            if any(p for pair in pads for p in pair) and _is_copied_for_it(op, x.spec, weight.spec):
                padded = rewriter.put_before(node, Pad(((0, 0), (0, 0), *pads)), (x,))
                bare = replace(op, padding=((0, 0), (0, 0)))
                rewriter.change(node, ConvMaxPool(bare) if isinstance(node.op, ConvMaxPool) else bare, (padded, *node.inputs[1:]))
                graph.note("pads unfolded")


def _is_copied_for_it(op: Conv, x: Spec, weight: Spec) -> bool:
    """Whether the padding is why a convolution copies its input: all do so for it, but tiles may reach beyond it."""
    tiled = weight.shape[2:] == (3, 3) and (*op.stride, *op.dilation, op.groups) == (1, 1, 1, 1, 1)
    return not tiled or not any(size % _TILE for size in op.infer(x, weight)[0].shape[2:])
