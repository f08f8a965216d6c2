"""``Harness``: one op by one impl, in a real plan with a poisoned arena. No pytest here: ``perf/sanitize.py`` does without."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import Case

from gpucnn import plan
from gpucnn.backends.base import Backend, Impl
from gpucnn.graph import Graph, Node, Placement, Value
from gpucnn.ops import Concat, Flatten, Identity, Pad, Reorder, Reshape, Slice, Transpose
from gpucnn.passes import alias_buffers, alias_buffers_and_pads, assign_layouts
from gpucnn.passes.alias_buffers import dense_strides
from gpucnn.spec import Spec

MOVES = (Identity, Reorder, Reshape, Flatten, Transpose, Slice)
"""Ops that are views where that is possible."""


BETWEEN = ("slice", "cut", "lanes")
"""Ways in which the result lies between two neighbours."""


def own_buffers(graph: Graph) -> None:
    """Instead of the alias pass: no two values share memory."""
    for node in graph.nodes:
        if isinstance(node.op, Reorder) and node.outputs[0].ndim >= 3:
            node.outputs[0].order = node.op.order
    for value in (*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)):
        graph.placements[value] = Placement(value, 0, dense_strides(value.shape, value.order))


PADS = ((0, 0), (0, 0), (1, 2), (2, 1))
"""What the result is padded with, of another number than zero."""

CUT = (1, 2)
"""Channels before and behind those that a step reads."""


class Harness:
    """One op in a graph of its own, planned with a given impl, run on an arena of NaNs (all bytes 0xFF)."""

    around = (2, 3)
    """Sizes of the neighbours in the concatenation: no access of more than two elements is aligned there."""

    def __init__(self, case: Case, impl: Impl, backend: Backend, way: str) -> None:
        self.case, self.impl, self.way = case, impl, way
        self.arrays = case.arrays()
        self.feeds: dict[str, Any] = {}
        graph = Graph()
        everything = range(len(self.arrays))
        flows = {"computed": everything, "bias": (0, *everything[2:])}.get(way, case.flows)
        order = "channels_last" if way in (*BETWEEN, "in place", "padded") else "logical"
        make = self._cut if way == "cut" else self._input
        inputs = [make(graph, f"x{i}", a, order) if i in flows and a is not None else a for i, a in enumerate(self.arrays)]
        if way == "in place":
            inputs[0] = graph.append(Identity(), inputs[:1], "copy")[0]
        results = graph.append(case.op, inputs, "tested")
        self.neighbours: dict[str, Any] = {}
        if way in BETWEEN:
            graph.outputs = {str(i): self._between(graph, i, v, order) for i, v in enumerate(results)}
        elif way == "padded":
            graph.outputs = {str(i): graph.append(Pad(PADS, value=7), (v,), f"pad{i}")[0] for i, v in enumerate(results)}
        else:
            graph.outputs = {str(i): v for i, v in enumerate(results)}
        self.tested = graph.nodes[:]
        last = {"copied": own_buffers, "padded": alias_buffers_and_pads}.get(way, alias_buffers)
        self.plan = plan.compile(graph, backend, choose=self._choose, passes=(assign_layouts, last))
        self.placements = [graph.placements[v] for v in results]
        self.program = self.plan.bind()

    def _input(self, graph: Graph, name: str, array: Any, order: Any) -> Value:
        self.feeds[name] = array
        return graph.input(name, Spec(array.shape, array.dtype), order if array.ndim >= 3 else "logical")

    def _cut(self, graph: Graph, name: str, array: Any, order: Any) -> Value:
        """Of a map, some channels out of more."""
        if array.ndim < 3:
            return self._input(graph, name, array, order)
        before, after = (np.ones((array.shape[0], n, *array.shape[2:]), array.dtype) for n in CUT)
        whole = self._input(graph, name, np.concatenate([before, array, after], 1), order)
        return graph.append(Slice((CUT[0],), (CUT[0] + array.shape[1],), (1,), (1,)), (whole,), f"cut {name}")[0]

    def _between(self, graph: Graph, i: int, result: Value, order: Any) -> Value:
        """The result between two neighbours: along the channels, else along the first axis."""
        if result.ndim == 0:
            return result
        dim = 1 if result.ndim >= 3 else 0
        rng = np.random.default_rng(1)
        parts = []
        for name, size in zip((f"before{i}", f"after{i}"), self.around):
            shape = (*result.shape[:dim], size, *result.shape[dim + 1 :])
            self.neighbours[name] = rng.integers(1, 9, shape).astype(result.dtype)
            parts.append(graph.append(Identity(), (self._input(graph, name, self.neighbours[name], order),), f"copy {name}")[0])
        return graph.append(Concat(dim), (parts[0], result, parts[1]), f"cat{i}")[0]

    def _choose(self, backend: Any, node: Node) -> Impl:
        return self.impl if node.name == "tested" else plan.choose_first(backend, node)

    def run(self, feeds: dict[str, Any] | None = None) -> tuple[Any, ...]:
        backend = self.plan.backend
        with backend.session():
            self.program.arena[...] = 0xFF
            for name, array in (feeds or self.feeds).items():
                backend.write(self.program.inputs[name], array)
            self.program.run()
        whole = [backend.read(self.program.outputs[str(i)]) for i in range(len(self.program.outputs))]
        if self.way == "padded":
            return tuple(self._inside(y) for y in whole)
        if self.way not in BETWEEN:
            return tuple(whole)
        results = []
        for i, y in enumerate(whole):
            if y.ndim == 0:
                results.append(y)
                continue
            before, result, after = np.split(y, (self.around[0], -self.around[1]), axis=1 if y.ndim >= 3 else 0)
            np.testing.assert_array_equal(before, self.neighbours[f"before{i}"])
            np.testing.assert_array_equal(after, self.neighbours[f"after{i}"])
            results.append(result)
        return tuple(results)

    @staticmethod
    def _inside(y: Any) -> Any:
        (top, bottom), (left, right) = PADS[2:]
        inside = y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]
        np.testing.assert_array_equal(y, np.pad(inside, PADS, constant_values=7))
        return inside

    def ran(self) -> bool:
        """Whether the tested step is in the plan, rather than having become a view or being empty."""
        return any(step.node.name == "tested" and step.impl is self.impl for step, _ in self.program.calls)
