"""Compute at once what is computed of each part of a value, and joined again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Binary, Concat
from ..spec import Array
from .join_concats import run_of
from .walk import rewrite

__all__ = ["join_parts"]

Step = tuple[Binary, int, Array]
"""Arithmetic with a constant, on which side that stands, and what it is for the whole."""


def join_parts(graph: Graph) -> None:
    """Turn ``cat(x[:, :1]·a + c, x[:, 1:]·b + d)`` into ``x·[a, b] + [c, d]``, as nets change the range of each colour.

    The parts must be slices of one value, next to each other and all of it, and the arithmetic of all the same, with constants.
    """
    readers = graph.users()
    asked = set(graph.outputs.values())

    def change(node: Node) -> tuple[Value, ...] | None:
        if not isinstance(node.op, Concat) or len(node.inputs) < 2:
            return None
        dim, parts, steps = node.op.dim % node.outputs[0].ndim, list(node.inputs), list[Step]()
        while True:
            whole = _whole(parts, dim)
            if whole is not None:
                break
            if any(v is None or v in asked or len(readers.get(v, ())) != 1 for v in parts):
                return None
            step = _same_step(parts, dim)
            if step is None:
                return None
            op, side, constant = step
            steps.append(step)
            parts = [v.producer.inputs[1 - side] for v in parts if v is not None and v.producer is not None]
        if not steps:
            return None
        value = whole
        for op, side, constant in reversed(steps):
            both = (constant, value) if side == 0 else (value, constant)
            last = op is steps[0][0] and constant is steps[0][2]
            value = graph.insert(op, both, node.name if last else f"{node.name}.{op.name}", instead=node.outputs[0] if last else None)[0]
        graph.note("parts joined")
        return (value,)

    rewrite(graph, change)
    graph.prune()


def _whole(parts: Sequence[Value | None], dim: int) -> Value | None:
    """The value of which the parts are all slices, in their order."""
    x, at = run_of(parts[0], dim)[0], 0
    for part in parts:
        source, run = run_of(part, dim)
        if source is None or source is not x or run.start != at:
            return None
        at = run.stop
    return x if x is not None and at == x.shape[dim] else None


def _same_step(parts: Sequence[Value | None], dim: int) -> Step | None:
    """The arithmetic that makes every part, if it is the same, with the constants of all next to each other."""
    found: list[Array] = []
    kinds: set[tuple[str, int]] = set()
    for part in parts:
        node = part.producer if part is not None else None
        if part is None or node is None or not isinstance(node.op, Binary):
            return None
        sides = [i for i, v in enumerate(node.inputs) if v is not None and v.is_constant]
        other = node.inputs[1 - sides[0]] if len(sides) == 1 else None
        if other is None or other.shape != part.shape:
            return None
        kinds.add((node.op.kind, sides[0]))
        constant = node.inputs[sides[0]]
        assert constant is not None
        array = np.asarray(constant.data)
        array = array.reshape((1,) * (part.ndim - array.ndim) + array.shape)
        shape: list[int] = list(array.shape)
        shape[dim] = part.shape[dim]
        found.append(np.broadcast_to(array, shape))
    if len(kinds) > 1 or len({(*a.shape[:dim], *a.shape[dim + 1 :]) for a in found}) > 1:
        return None
    ((kind, side),) = kinds
    return Binary(kind), side, np.concatenate(found, axis=dim)
