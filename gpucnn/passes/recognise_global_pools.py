"""Recognise the pooling of a whole map in reductions and in windows."""

from __future__ import annotations

from ..graph import Graph, Node, Value
from ..ops import AdaptiveAvgPool, AvgPool, Flatten, GlobalAvgPool, GlobalLpPool, GlobalMaxPool, GlobalMinPool, MaxPool, MinPool, Op, Reduce
from .rewriter import Rewriter

__all__ = ["recognise_global_pools"]

_POOLS: dict[str, type[Op]] = {"mean": GlobalAvgPool, "amax": GlobalMaxPool, "amin": GlobalMinPool, "norm": GlobalLpPool}


def recognise_global_pools(graph: Graph) -> None:
    """Put global pooling where a mean, norm or extreme runs over all spatial axes, in one step or several, or a window is the whole map.

    Notes
    -----
    NaN goes through all of them alike. Where the axes do not stay, a flatten follows, which moves nothing.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            match node.op:
                case Reduce(kind) if kind in _POOLS and _reduced(rewriter, node):
                    pass
                case AvgPool(divisor_override=None) if _is_whole(node):
                    rewriter.change(node, GlobalAvgPool(), node.inputs)
                case MaxPool(return_indices=False) if _is_whole(node):
                    rewriter.change(node, GlobalMaxPool(), node.inputs)
                case MinPool() if _is_whole(node):
                    rewriter.change(node, GlobalMinPool(), node.inputs)
                case AdaptiveAvgPool(sizes) if set(sizes) == {1}:
                    rewriter.change(node, GlobalAvgPool(), node.inputs)
                case _:
                    continue
            graph.note("global pools recognised")


def _is_whole(node: Node) -> bool:
    """Whether one window without padding is the whole map."""
    x, op = node.inputs[0], node.op
    assert x is not None
    assert isinstance(op, (AvgPool, MaxPool, MinPool))
    padded = any(p for pair in op.pads(x.spec) for p in pair)
    return op.kernel_size == x.shape[2:] and not padded and node.outputs[0].spec.size == x.shape[0] * x.shape[1]


def _reduced(rewriter: Rewriter, node: Node) -> bool:
    """Whether reductions over all spatial axes end here; if so they are one pool."""
    op, y = node.op, node.outputs[0]
    assert isinstance(op, Reduce)
    x, axes, nodes = _source(rewriter, node)
    if op.kind == "norm" and op.p != 2:
        return False
    numbers = "f" if op.kind in ("mean", "norm") else "fiu"
    if not 3 <= x.ndim <= 5 or axes != set(range(2, x.ndim)) or 0 in x.shape[2:] or x.dtype.kind not in numbers or y.dtype != x.dtype:
        return False
    pool = _POOLS[op.kind]()
    if op.keepdim:
        rewriter.change(node, pool, (x,), nodes)
    else:
        rewriter.change(node, Flatten(1), (rewriter.put_before(node, pool, (x,)),), nodes)
    return True


def _source(rewriter: Rewriter, last: Node) -> tuple[Value, set[int], list[Node]]:
    """What a chain of reductions of one kind reduces, and which of its axes."""
    x = last.inputs[0]
    assert x is not None
    assert isinstance(last.op, Reduce)
    axes, nodes = set(last.op.axes(x.ndim)), []
    while (before := x.producer) is not None and rewriter.only_reader(x) is not None:
        op, source = before.op, before.inputs[0]
        if not isinstance(op, Reduce) or (op.kind, op.keepdim, op.p) != (last.op.kind, last.op.keepdim, last.op.p) or source is None:
            break
        if op.dtype not in (None, source.dtype.name):
            break
        gone = op.axes(source.ndim)
        left = range(source.ndim) if op.keepdim else [a for a in range(source.ndim) if a not in gone]
        axes = {left[a] for a in axes} | set(gone)
        nodes.append(before)
        x = source
    return x, axes, nodes
