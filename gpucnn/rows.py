"""Rows of a batch: whether the images that go through a net together stay apart.

A batch may be cut and filled up as suits the device only where row i of the results provably comes from row i of the inputs alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Literal

import numpy as np

from .errors import GpucnnError
from .graph import Graph, NeedsValues, Value
from .ops import Op

__all__ = ["Batching", "batching_of", "differ_in_batch_alone", "keeps_batch"]

Batching = Literal["any", "single", "whole"]
"""How a batch goes through a net: any number of images at once; one after another; or only as a whole."""

_ODD_BATCH = 23  # no usual size of an axis; and n − 1 has no small divisors but 2, so what follows from n is seldom what follows from 1


def batching_of(declared: Graph, batch: int | str | None, trace: Callable[[int], Graph]) -> tuple[Batching, str]:
    """How batches go through a net, and why not as any number of images.

    Parameters
    ----------
    declared : Graph
        The net as recorded at its declared sizes.
    batch : int, str or None
        The first size that its inputs share: a number, a name for any, or none.
    trace : callable
        Records the net for another batch.

    Notes
    -----
    Asked of a batch that no net has written into it: ``reshape(x, (1, -1))`` keeps rows apart for one image only. And of one image:
    ``squeeze(x)`` then takes the batch for an axis to drop, and what is computed from the batch's size is another constant.
    """
    if batch is None:
        return "whole", "its inputs do not share a batch"
    try:
        odd, one = (
            declared if all(v.shape[:1] == (n,) for v in declared.inputs.values()) else trace(n) for n in (_ODD_BATCH, 1)
        )
    except (GpucnnError, NeedsValues) as error:
        why = str(error)
    else:
        if keeps_batch(odd) and differ_in_batch_alone(odd, one):
            return "any", ""
        why = "images of a batch mix, or cannot be shown not to"
    alone = batch == 1 and all(v.shape[:1] == (1,) for v in declared.outputs.values())
    return ("single" if alone else "whole"), why


def keeps_batch(graph: Graph) -> bool:
    """Whether row i of every output provably depends on row i of the inputs alone."""
    batch = {v.shape[:1] for v in graph.inputs.values()}
    batched: set[Value] = set(graph.inputs.values())
    for node in graph.nodes:
        flags = tuple(v in batched or (v is not None and v.shape[:1] in batch and _rows_are_equal(v)) for v in node.inputs)
        if any(v in batched for v in node.inputs):
            if not node.op.keeps_batch(flags, *node.specs):
                return False
            batched.update(node.outputs)
    return all(v in batched for v in graph.outputs.values())


def differ_in_batch_alone(graph: Graph, other: Graph) -> bool:
    """Whether recordings of a net for two batches have the same nodes on the same values, and constants whose rows may be repeated."""
    if len(graph.nodes) != len(other.nodes):
        return False
    (n,), (m,) = ({v.shape[:1] for v in g.inputs.values()} for g in (graph, other))
    twins: dict[Value | None, Value | None] = dict(zip(graph.inputs.values(), other.inputs.values()))
    for a, b in zip(graph.nodes, other.nodes):
        if not _same_op(a.op, b.op, n, m) or any(v.shape[1:] != w.shape[1:] for v, w in zip(a.outputs, b.outputs)):
            return False
        if len(a.inputs) != len(b.inputs) or not all(twins.get(v) is w or _same_constant(v, w) for v, w in zip(a.inputs, b.inputs)):
            return False
        twins.update(zip(a.outputs, b.outputs))
    return all(
        twins.get(v) is w and (v.shape[:1], w.shape) == (n, (*m, *v.shape[1:]))
        for v, w in zip(graph.outputs.values(), other.outputs.values())
    )


def _rows_are_equal(value: Value) -> bool:
    """Whether a constant says the same for every row of a batch, and there is more than one."""
    return value.data is not None and value.ndim > 0 and value.shape[0] > 1 and bool((value.data == value.data[:1]).all())


def _same_op(a: Op, b: Op, n: tuple[int, ...], m: tuple[int, ...]) -> bool:
    """Whether both are the same but for shapes that begin with the batch, which is ``n`` in one and ``m`` in the other."""
    if type(a) is not type(b):
        return False
    pairs = ((getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return all(v == w or (isinstance(v, tuple) and isinstance(w, tuple) and v[:1] == n and w == (*m, *v[1:])) for v, w in pairs)


def _same_constant(a: Value | None, b: Value | None) -> bool:
    """Whether both are the same constant, but for rows that a batch repeats; or both are absent."""
    if a is None or b is None or a.data is None or b.data is None:
        return a is b is None
    if a.data is b.data:
        return True
    if a.shape != b.shape and (a.shape[1:] != b.shape[1:] or not a.ndim):
        return False
    if a.shape == b.shape:
        return bool(np.array_equal(a.data, b.data, equal_nan=a.dtype.kind == "f"))
    return bool((a.data == b.data[:1]).all() and (b.data == b.data[:1]).all())
