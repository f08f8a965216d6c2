"""Add up what was stacked to be summed up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Binary, Concat, Flatten, Op, Reduce, Reshape, Slice
from .rewriter import Rewriter

__all__ = ["unstack_sums"]

_MOST = 4
"""Values in a stack: each takes a step of its own."""


def unstack_sums(graph: Graph) -> None:
    """Turn ``sum(stack(a, b))`` into ``a + b``, and ``sum(stack(a, b)·g)`` into ``a·g[0] + b·g[1]``, where the stack serves nothing else.

    So does attention to branches, as of SKNet, or to groups of channels, as of ResNeSt: a stack is a concatenation along an axis of size
    1, or what comes of a reshape that splits the channels of a map. Of five axes, in logical order, it would have to be written out.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            stack = _stack(node)
            uses = _uses(rewriter, node.outputs[0], stack) if stack is not None else []
            if stack is None or not uses:
                continue
            members = _members(rewriter, node, stack)
            for use in uses:
                _add_up(rewriter, use, members, stack)
            graph.note("stacked sums added up", len(uses))
    graph.prune()


@dataclass(frozen=True)
class _Stack:
    """``size`` values along an axis."""

    axis: int
    size: int


@dataclass(frozen=True)
class _Use:
    """A sum over a stack, or over its product with something."""

    sum_: Node
    product: Node | None = None
    by: Value | None = None


def _stack(node: Node) -> _Stack | None:
    """What a node stacks."""
    y, x = node.outputs[0], node.inputs[0] if node.inputs else None
    if isinstance(node.op, Concat):
        axis = node.op.dim % y.ndim
        single = all(v is not None and v.shape[axis] == 1 for v in node.inputs)
        return _Stack(axis, y.shape[axis]) if single and 1 < y.shape[axis] <= _MOST and y.ndim > 1 else None
    if not isinstance(node.op, Reshape) or x is None or x.ndim < 3 or y.ndim != x.ndim + 1 or not _is_map(x):
        return None
    size = y.shape[1]
    splits = (*y.shape[:1], size * y.shape[2], *y.shape[3:]) == x.shape
    return _Stack(1, size) if splits and 1 < size <= _MOST and y.shape[2] > 1 else None


def _is_map(value: Value) -> bool:
    """Whether it will lie channels last, so that a run of its channels is a view."""
    while value.producer is not None and value.producer.op.layout == "pointwise" and value.producer.inputs[0] is not None:
        value = value.producer.inputs[0]
    return value.producer is not None and value.producer.op.layout == "spatial"


def _uses(rewriter: Rewriter, value: Value, stack: _Stack) -> list[_Use]:
    """All that a stack serves; none if that is anything but sums."""
    found = []
    for reader in rewriter.readers(value):
        use = _use(rewriter, value, reader, stack)
        if use is None:
            return []
        found.append(use)
    return [] if rewriter.graph.is_output(value) else found


def _use(rewriter: Rewriter, value: Value, reader: Node, stack: _Stack) -> _Use | None:
    if _sums(reader, value, stack):
        return _Use(reader)
    if reader.op != Binary("mul") or value.dtype.kind != "f":
        return None
    product = reader.outputs[0]
    by = reader.inputs[1] if reader.inputs[0] is value else reader.inputs[0]
    after = rewriter.only_reader(product)
    if by is None or by is value or by.ndim != value.ndim or product.shape != value.shape or after is None:
        return None
    return _Use(after, reader, by) if _sums(after, product, stack) else None


def _sums(node: Node, value: Value, stack: _Stack) -> bool:
    op = node.op
    return isinstance(op, Reduce) and op.kind == "sum" and op.dtype is None and op.axes(value.ndim) == (stack.axis,)


def _members(rewriter: Rewriter, node: Node, stack: _Stack) -> list[Value]:
    """What is stacked, without the axis."""
    shape = _without(node.outputs[0].shape, stack.axis)
    if isinstance(node.op, Reshape):
        x = node.inputs[0]
        assert x is not None
        return [rewriter.put_before(node, _run(stack, i, shape[1]), (x,)) for i in range(stack.size)]
    found = []
    for v in node.inputs:
        assert v is not None
        maker = v.producer
        x = maker.inputs[0] if maker is not None and isinstance(maker.op, (Reshape, Flatten)) else None
        found.append(x if x is not None and x.shape == shape else rewriter.put_before(node, Reshape(shape), (v,)))
    return found


def _add_up(rewriter: Rewriter, use: _Use, members: list[Value], stack: _Stack) -> None:
    """Put additions in the place of a sum."""
    out, terms = use.sum_.outputs[0], members
    if use.by is not None:
        factors = _factors(rewriter, use.sum_, use.by, stack)
        terms = [rewriter.put_before(use.sum_, Binary("mul"), pair) for pair in zip(members, factors)]
    total = terms[0]
    for term in terms[1:-1]:
        total = rewriter.put_before(use.sum_, Binary("add"), (total, term))
    last: tuple[Op, tuple[Value, ...]] = Binary("add"), (total, terms[-1])
    if out.shape != total.shape:  # the axis stays
        last = Reshape(out.shape), (rewriter.put_before(use.sum_, *last),)
    rewriter.change(use.sum_, *last, [] if use.product is None else [use.product])


def _factors(rewriter: Rewriter, before: Node, by: Value, stack: _Stack) -> list[Value]:
    """What each member is multiplied with: runs of the axis that follows the stack's, joined with that, which may be views."""
    shape, graph = _without(by.shape, stack.axis), rewriter.graph
    if by.is_constant:
        array = np.asarray(by.data)
        parts = [np.ascontiguousarray(np.take(array, i, stack.axis)) for i in range(by.shape[stack.axis])]
        made = [graph.constant(part, f"{by.name}[{i} of {len(parts)}]") for i, part in enumerate(parts)]
    elif by.shape[stack.axis] == 1:
        made = [rewriter.put_before(before, Reshape(shape), (by,))]
    elif stack.axis == len(shape):  # nothing follows
        runs = [rewriter.put_before(before, _run(stack, i, 1), (by,)) for i in range(stack.size)]
        made = [rewriter.put_before(before, Reshape(shape), (run,)) for run in runs]
    else:
        each = shape[stack.axis]
        flat = (*shape[: stack.axis], stack.size * each, *shape[stack.axis + 1 :])
        joined = rewriter.put_before(before, Reshape(flat), (by,))
        made = [rewriter.put_before(before, _run(stack, i, each), (joined,)) for i in range(stack.size)]
    return made * (stack.size // len(made))


def _run(stack: _Stack, i: int, each: int) -> Slice:
    return Slice((i * each,), ((i + 1) * each,), (stack.axis,), (1,))


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]
