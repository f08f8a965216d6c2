"""The heart: every impl of the CPU backend on every case that it supports, in a real plan with a poisoned arena, against the reference.

Each case runs in several ways, because an impl must not care where its arrays lie:

``alone``     inputs in logical order, the result in a buffer of its own
``slice``     inputs channels last where they have a channel axis, the result inside a concatenation, its neighbours intact
``lanes``     as ``slice``, but every step is split over two threads
``computed``  weights arrive at run time too, and are packed at every run
``bias``      the weight is a constant, but not what comes after it
``in place``  the result over its first input (activations and arithmetic)
``copied``    views are forbidden, so that what usually costs nothing has to run
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import CASES, FEWEST, Case
from close import assert_close
from truth import AlwaysLanes

from gpucnn import ops, plan
from gpucnn.backends.base import Impl
from gpucnn.backends.cpu import IMPLS, CpuBackend
from gpucnn.graph import Graph, Node, Placement, Value
from gpucnn.ops import (
    Activation,
    BatchNorm,
    Binary,
    Concat,
    Conv,
    Flatten,
    Identity,
    Linear,
    Op,
    Reorder,
    Reshape,
    Transpose,
)
from gpucnn.passes import alias_buffers, assign_layouts
from gpucnn.passes.alias_buffers import dense_strides
from gpucnn.plan import REFERENCE
from gpucnn.spec import Spec

MOVES = (Identity, Reorder, Reshape, Flatten, Transpose)
"""Ops that are views where that is possible."""


@pytest.fixture(scope="module")
def one_lane():
    return CpuBackend()


@pytest.fixture(scope="module")
def two_lanes():
    backend = AlwaysLanes(lanes=2)
    yield backend
    backend.close()


_BACKEND = CpuBackend()


def listed(op: Op, *specs: Spec | None) -> tuple[Impl, ...]:
    return plan.candidates(_BACKEND, op, *specs)


def own_buffers(graph: Graph) -> None:
    """Instead of the alias pass: no two values share memory."""
    for node in graph.nodes:
        if isinstance(node.op, Reorder) and node.outputs[0].ndim >= 3:
            node.outputs[0].order = node.op.order
    for value in (*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)):
        graph.placements[value] = Placement(value, 0, dense_strides(value.shape, value.order))


class Harness:
    """One op in a graph of its own, planned with a given impl, run on an arena of NaNs (all bytes 0xFF)."""

    around = (2, 3)
    """Sizes of the neighbours in the concatenation: no access of more than two elements is aligned there."""

    def __init__(self, case: Case, impl: Impl, backend: CpuBackend, way: str) -> None:
        self.case, self.impl, self.way = case, impl, way
        self.arrays = case.arrays()
        self.feeds: dict[str, Any] = {}
        graph = Graph()
        everything = range(len(self.arrays))
        flows = {"computed": everything, "bias": (0, *everything[2:])}.get(way, case.flows)
        order = "channels_last" if way in ("slice", "lanes", "in place") else "logical"
        inputs = [self._input(graph, f"x{i}", a, order) if i in flows and a is not None else a for i, a in enumerate(self.arrays)]
        if way == "in place":
            inputs[0] = graph.append(Identity(), inputs[:1], "copy")[0]
        results = graph.append(case.op, inputs, "tested")
        self.neighbours: dict[str, Any] = {}
        if way in ("slice", "lanes"):
            graph.outputs = {str(i): self._between(graph, i, v, order) for i, v in enumerate(results)}
        else:
            graph.outputs = {str(i): v for i, v in enumerate(results)}
        self.tested = graph.nodes[:]
        last = own_buffers if way == "copied" else alias_buffers
        self.plan = plan.compile(graph, backend, choose=self._choose, passes=(assign_layouts, last))
        self.placements = [graph.placements[v] for v in results]
        self.program = self.plan.bind()

    def _input(self, graph: Graph, name: str, array: Any, order: Any) -> Value:
        self.feeds[name] = array
        return graph.input(name, Spec(array.shape, array.dtype), order if array.ndim >= 3 else "logical")

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
        if self.way not in ("slice", "lanes"):
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

    def ran(self) -> bool:
        """Whether the tested step is in the plan, rather than having become a view or being empty."""
        return any(step.node.name == "tested" and step.impl is self.impl for step, _ in self.program.calls)


def ways(case: Case, impl: Impl) -> list[str]:
    found = ["alone", "slice", "lanes"]
    if any(a is not None for i, a in enumerate(case.inputs) if i not in case.flows):
        found.append("computed")
    if isinstance(case.op, (Conv, Linear, BatchNorm)) and case.inputs[2] is not None:
        found.append("bias")
    if isinstance(case.op, (Activation, Binary)):
        found.append("in place")
    if isinstance(case.op, MOVES):
        found.append("copied")
    return found


EVERY = [
    pytest.param(case, impl, way, id=f"{kind.__name__}/{case.id}/{impl.name}/{way}")
    for kind, cases in CASES.items()
    for case in cases
    for impl in listed(case.op, *case.specs)
    for way in ways(case, impl)
]


@pytest.mark.parametrize(("case", "impl", "way"), EVERY)
def test_impl_equals_the_reference(case, impl, way, one_lane, two_lanes):
    harness = Harness(case, impl, two_lanes if way == "lanes" else one_lane, way)
    before = [None if a is None else a.copy() for a in harness.arrays]
    first = harness.run()
    assert_close(case.op, first, harness.arrays)
    for y, again in zip(first, harness.run()):
        np.testing.assert_array_equal(y.view(np.uint8) if y.ndim else y, again.view(np.uint8) if again.ndim else again)
    for a, b in zip(harness.arrays, before):
        if a is not None:
            np.testing.assert_array_equal(a, b, err_msg="an impl must not write to its inputs or weights")
    empty = all(y.size == 0 for y in first)
    if way == "copied":
        assert harness.ran() != empty
    if way == "in place" and harness.placements[0].root.name == "copy":
        assert case.inputs[0] is not None
        assert case.inputs[0].shape == first[0].shape


PLACED = [p for p in EVERY if p.values[2] == "slice" and not isinstance(p.values[0].op, MOVES)]


@pytest.mark.parametrize(("case", "impl", "way"), PLACED)
def test_results_lie_where_a_concatenation_wants_them(case, impl, way, one_lane):
    harness = Harness(case, impl, one_lane, way)
    for i, (place, spec) in enumerate(zip(harness.placements, case.op.infer(*case.specs))):
        pitched = spec.ndim in (1, 2) or (spec.ndim >= 3 and case.op.layout != "logical" and has_order(case))
        assert not pitched or place.root.name == f"cat{i}"


def has_order(case: Case) -> bool:
    """Whether the op's result is channels last when its inputs are."""
    out = case.op.infer(*case.specs)[0].ndim
    return case.op.layout == "spatial" or any(d is not None and len(d.shape) == out for d in case.inputs)


ROWS = [
    p
    for p in EVERY
    if p.values[2] == ("slice" if all(s.ndim >= 3 for s in p.values[0].op.infer(*p.values[0].specs)) else "alone")
    and p.values[0].inputs[0].shape[:1] not in ((), (0,), (1,))
    and p.values[0].op.keeps_batch(tuple(i in p.values[0].flows for i in range(len(p.values[0].inputs))), *p.values[0].specs)
]


@pytest.mark.parametrize(("case", "impl", "way"), ROWS)
def test_an_image_has_the_same_bits_at_every_place(case, impl, way, one_lane):
    harness = Harness(case, impl, one_lane, way)
    forward = harness.run()
    rank = max(a.ndim for k, a in harness.feeds.items() if k not in harness.neighbours)
    turned = {k: a[::-1] if k in harness.neighbours or (a.ndim == rank and a.shape[0] != 1) else a for k, a in harness.feeds.items()}
    harness.neighbours = {k: turned[k] for k in harness.neighbours}
    for y, z in zip(forward, harness.run(turned)):
        np.testing.assert_array_equal(y.view(np.uint8), np.ascontiguousarray(z[::-1]).view(np.uint8))


def test_every_op_has_cases():
    kinds = {k for k in vars(ops).values() if isinstance(k, type) and issubclass(k, Op) and k is not Op}
    assert set(CASES) == kinds
    assert all(len(cases) >= FEWEST for cases in CASES.values())
    for cases in CASES.values():
        assert len({case.id for case in cases}) == len(cases)


def test_cases_cover_what_breaks_things():
    for kind, cases in CASES.items():
        shapes = [d.shape for case in cases for d in case.inputs[:1] if d is not None]
        assert any(0 in shape for shape in shapes), f"{kind.__name__}: no batch of 0"
        assert any(1000 in shape for shape in shapes) or kind in (Concat, ops.Pad, Transpose), f"{kind.__name__}: no 1000 channels"


@pytest.mark.parametrize("impl", [impl for impls in IMPLS.values() for impl in impls], ids=lambda impl: impl.name)
def test_every_impl_is_exercised(impl, one_lane):
    kinds = [kind for kind, impls in IMPLS.items() if impl in impls]
    for kind in kinds:
        runs = [p for p in EVERY if p.values[1] is impl and type(p.values[0].op) is kind]
        assert len(runs) >= FEWEST
        way = "copied" if kind in MOVES else "alone"
        assert any(Harness(*p.values[:2], one_lane, way).ran() for p in runs if p.values[2] == way)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_the_reference_is_the_last_resort(kind):
    for case in CASES[kind]:
        assert listed(case.op, *case.specs)[-1] is REFERENCE


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("1x1", "conv_pointwise"),
        ("1x1 stride 2", "conv_pointwise"),
        ("1x1 padded", "conv_im2col"),
        ("groups 1x1", "conv_im2col"),
        ("odd sizes", "conv_im2col"),
        ("depthwise", "conv_depthwise"),
        ("depthwise times 3", "conv_depthwise"),
        ("float64", "reference"),
        ("1-d", "reference"),
        ("3-d", "reference"),
    ],
)
def test_first_choice_for_convolutions(case, name):
    found = next(c for c in CASES[ops.Conv] if c.id == case)
    assert listed(found.op, *found.specs)[0].name == name


@pytest.mark.parametrize("impl", [impl for impls in IMPLS.values() for impl in impls], ids=lambda impl: impl.name)
def test_the_choice_does_not_depend_on_the_batch(impl):
    for kind, impls in IMPLS.items():
        for case in CASES[kind] if impl in impls else ():
            specs = case.specs
            if specs[0] is None or specs[0].ndim < 2 or case.flows != (0,):
                continue
            others = [(Spec((n, *specs[0].shape[1:]), specs[0].dtype), *specs[1:]) for n in (1, 4, 64)]
            assert len({impl.supports(case.op, *s) for s in others}) == 1
