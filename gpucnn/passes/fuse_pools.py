"""Fuse the maximum of each 2×2 into the convolution before it."""

from __future__ import annotations

from collections.abc import Callable

from ..graph import Graph
from ..ops import Conv, ConvMaxPool, MaxPool
from .rewriter import Rewriter

__all__ = ["fuse_pools"]


def fuse_pools(graph: Graph, supported: Callable[..., bool]) -> None:
    """Turn ``max_pool2d(conv(x), 2)`` into one node, where nothing else reads what is between them.

    Parameters
    ----------
    graph : Graph
    supported : callable
        Whether the backend has an impl for an op on such inputs; asked of every node that would be made.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            pool, conv = node.op, rewriter.maker(node.inputs[0] if node.inputs else None)
            if not isinstance(pool, MaxPool) or conv is None or not isinstance(conv.op, Conv) or conv.inputs[3:] not in ((), (None,)):
                continue
            between, (y, *indices) = conv.outputs[0], node.outputs
            if rewriter.only_reader(between) is not node or indices or pool.kernel_size != (2, 2) or pool.stride != (2, 2):
                continue
            inputs, fused = conv.inputs[:3], ConvMaxPool(conv.op)
            specs = [None if v is None else v.spec for v in inputs]
            # Of another padding, dilation or rounding where those do nothing, it is the same pool.
            same = pool.dilation == (1, 1) and not any(p for pair in pool.pads(between.spec) for p in pair)
            if same and 0 not in y.shape and fused.infer(*(s for s in specs if s is not None))[0] == y.spec and supported(fused, *specs):
                rewriter.replace((conv, node), fused, inputs, at=node)
                graph.note("pools fused")
