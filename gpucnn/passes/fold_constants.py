"""Compute now what depends on constants alone."""

from __future__ import annotations

import numpy as np

from ..graph import Graph

__all__ = ["fold_constants"]


def fold_constants(graph: Graph) -> None:
    """Replace nodes whose inputs are all constants by their value, computed by the reference."""
    for node in list(graph.nodes):
        if node.inputs and all(v is None or v.is_constant for v in node.inputs):
            arrays = node.op.reference(np, *(None if v is None else v.data for v in node.inputs))
            for value, array in zip(node.outputs, arrays):
                graph.replace(value, graph.constant(np.ascontiguousarray(array)))
            graph.nodes.remove(node)
            graph.note("constants folded")
    graph.prune()
