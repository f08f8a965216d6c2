"""A graph before and after passes: its ops, and its values by the references, which know nothing of passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from truth import draw_feeds, record, verify

from gpucnn.graph import Graph, Value
from gpucnn.passes import alias_buffers, assign_layouts

LAY_OUT = (assign_layouts, alias_buffers)


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def rewritten(forward: Callable[..., Any], *passes: Any, shapes: Any, **kw: Any) -> Graph:
    """The graph after some passes."""
    graph = record(forward, *shapes, **kw)
    for one in passes:
        one(graph)
    graph.check()
    return graph


def after(forward: Callable[..., Any], *passes: Any, shapes: Any, **kw: Any) -> Graph:
    """The graph after some passes; its values in a plan with them are held to the truth of the graph as recorded."""
    verify(record(forward, *shapes, **kw), passes=(*passes, *LAY_OUT))
    return rewritten(forward, *passes, shapes=shapes, **kw)


def by_reference(graph: Graph, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs, every op by its reference in the types that the graph has."""
    known: dict[Value, Any] = {v: feeds[name] for name, v in graph.inputs.items()}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            arrays = (None if v is None else v.data if v.is_constant else known[v] for v in node.inputs)
            known.update(zip(node.outputs, node.op.reference(np, *arrays)))
    return {name: v.data if v.is_constant else known[v] for name, v in graph.outputs.items()}


def awkward_feeds(graph: Graph, seed: int = 0) -> dict[str, Any]:
    """Random inputs, a few of them NaN, ±Inf or zeros of either sign."""
    feeds, rng = draw_feeds(graph, seed), np.random.default_rng(seed + 1)
    for x in feeds.values():
        if x.dtype.kind == "f":
            few = rng.random(x.shape) < 0.1
            x[few] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], int(few.sum()))
    return feeds
