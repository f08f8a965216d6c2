"""Concatenate what lies together as one."""

from __future__ import annotations

from ..graph import Graph, Node, Value
from ..ops import Concat, Slice
from .walk import rewrite

__all__ = ["join_concats", "run_of"]


def join_concats(graph: Graph) -> None:
    """Let a concatenation read wholes instead of all their parts.

    Where its first inputs are those of an earlier concatenation it reads that one's result, as layers do that read all before them;
    where slices follow each other as they do in what they were cut from, it reads that.
    """
    known: dict[tuple[int, tuple[Value | None, ...]], Value] = {}
    longest: dict[tuple[int, Value | None], int] = {}

    def change(node: Node) -> tuple[Value, ...] | None:
        if not isinstance(node.op, Concat):
            return None
        y = node.outputs[0]
        dim = node.op.dim % y.ndim
        parts = _whole_again(node.inputs, dim)
        start = (dim, parts[0])
        for k in range(min(longest.get(start, 0), len(parts)), 1, -1):
            earlier = known.get((dim, parts[:k]))
            if earlier is not None:
                parts_now: tuple[Value | None, ...] = (earlier, *parts[k:])
                break
        else:
            parts_now = parts
        known.setdefault((dim, parts), y)
        longest[start] = max(longest.get(start, 0), len(parts))
        if parts_now == node.inputs:
            return None
        graph.note("concatenations joined")
        if len(parts_now) == 1 and parts_now[0] is not None:
            known[dim, parts] = parts_now[0]
            return (parts_now[0],)
        made = graph.insert(Concat(dim), parts_now, node.name, instead=y)
        known[dim, parts] = made[0]
        return made

    rewrite(graph, change)
    graph.prune()


def _whole_again(inputs: tuple[Value | None, ...], dim: int) -> tuple[Value | None, ...]:
    """The inputs, with all slices of a value for which that can be said replaced by the value."""
    found: list[Value | None] = []
    i = 0
    while i < len(inputs):
        x, taken = run_of(inputs[i], dim)
        j, end = i + 1, taken.stop
        while x is not None and j < len(inputs) and end < x.shape[dim]:
            other, run = run_of(inputs[j], dim)
            if other is not x or run.start != end:
                break
            j, end = j + 1, run.stop
        if x is not None and taken.start == 0 and end == x.shape[dim]:
            found.append(x)
            i = j
        else:
            found.append(inputs[i])
            i += 1
    return tuple(found)


def run_of(value: Value | None, dim: int) -> tuple[Value | None, range]:
    """What a value is a run of along ``dim`` and nowhere else, and which; None where it is not."""
    nothing = None, range(0)
    if value is None or value.producer is None or not isinstance(value.producer.op, Slice):
        return nothing
    x = value.producer.inputs[0]
    if x is None or x.is_constant:
        return nothing
    for axis, (taken, size) in enumerate(zip(value.producer.op.ranges(x.shape), x.shape)):
        if axis == dim:
            run = taken
        elif taken != range(size):
            return nothing
    return (x, run) if len(run) and run.step == 1 else nothing
