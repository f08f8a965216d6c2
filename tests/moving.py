"""What the tests of passes that move values share: graphs by reference, and counts of what is left to move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from truth import Planned, draw_feeds, record, verify

from gpucnn.graph import Graph, Value
from gpucnn.ops import Transpose
from gpucnn.passes import alias_buffers, assign_layouts
from gpucnn.passes.permuted import moves_nothing

MOVING = ("reorder", "permute", "reshape", "flatten", "cat", "slice", "expand", "tile", "identity", "channel_shuffle")
"""Names of steps that compute nothing."""


def by_reference(graph: Graph, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a graph, every op by its reference, in running order."""
    known: dict[Value, Any] = {v: feeds[name] for name, v in graph.inputs.items()}

    def array(v: Value | None) -> Any:
        return None if v is None else v.data if v.is_constant else known[v]

    for node in graph.nodes:
        known.update(zip(node.outputs, node.op.reference(np, *map(array, node.inputs))))
    return {name: array(v) for name, v in graph.outputs.items()}


def transposes(graph: Graph) -> int:
    """Transpositions that move elements."""
    return sum(isinstance(node.op, Transpose) and not moves_nothing(node.inputs[0].shape, node.op.dims) for node in graph.nodes)


def moved(planned: Planned) -> dict[str, int]:
    """Steps left in a plan that compute nothing, by name."""
    found = Counter(planned.ops)
    return {name: found[name] for name in MOVING if found[name]}


def reorders(planned: Planned) -> list[str]:
    """What is still put into another order, by the name of the step."""
    return [step.node.name for step in planned.plan.steps if step.node.op.name == "reorder"]


def assert_same_bits(got: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Assert that all outputs agree bit by bit."""
    assert got.keys() == expected.keys()
    for name, y in expected.items():
        assert got[name].dtype == y.dtype
        assert got[name].shape == y.shape
        assert np.ascontiguousarray(got[name]).tobytes() == np.ascontiguousarray(y).tobytes(), f"output {name!r} differs"


def after(
    forward: Callable[..., Any], *passes: Callable[[Graph], None], shapes: Any = ((2, 5, 7, 4),), exact: bool = True, bounded: bool = True
) -> Graph:
    """The graph after some passes alone. By reference its values are the same, bit by bit; in a plan, as close as any to the true ones.

    Not ``exact``: a sum runs in another order. Not ``bounded``: what is compared has no bound.
    """
    graph = record(forward, *shapes)
    feeds = draw_feeds(graph)
    expected = by_reference(graph, feeds)
    for one in passes:
        one(graph)
    graph.check()
    if exact:
        assert_same_bits(by_reference(graph, feeds), expected)
    if bounded:
        verify(record(forward, *shapes), passes=(*passes, assign_layouts, alias_buffers))
        verify(record(forward, *shapes))
    return graph
