"""Let reductions keep their axes where they are put back."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph
from ..ops import Reduce, Reshape
from .rewriter import Rewriter

__all__ = ["keep_reduced_axes"]


def keep_reduced_axes(graph: Graph) -> None:
    """Turn a reduction without its axes and the reshape that puts them back, of size 1, into one that keeps them."""
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            reduced = node.inputs[0] if isinstance(node.op, Reshape) else None
            before = reduced.producer if reduced is not None else None
            x = before.inputs[0] if before is not None else None
            if before is None or x is None or not isinstance(before.op, Reduce) or not rewriter.is_closed([before], node):
                continue
            kept = replace(before.op, keepdim=True)
            if kept.infer(x.spec)[0].shape == node.outputs[0].shape:
                rewriter.change(node, kept, (x,), [before])
                graph.note("reduced axes kept")
