"""Random ONNX nets in the manner of real exports, through the importer, the passes and the plans: on the CPU, and on the emulator of a GPU.

``random_nets.random_net(seed)`` is one again. tests/perf/onnx_fuzz.py holds as many as one likes to ONNX Runtime.
"""

from __future__ import annotations

from typing import Any

import emulator
import numpy as np
import pytest
from cases import SEED
from drivers import driver
from emulated import EmulatorDriver
from random_nets import Net, random_net
from shaken import by_references, shaken
from truth import AlwaysLanes, Planned

from gpucnn.backends.cpu import CpuBackend
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.formats.onnx import read_onnx
from gpucnn.from_onnx import model_from_onnx
from gpucnn.graph import Graph
from gpucnn.ops import LayerNorm
from gpucnn.passes import PASSES, PASSES_FLOAT16
from gpucnn.spec import Spec, spec_of

TIMES, ROUNDINGS = 4, 32
MANY = 1000  # multiprocessors: the small tiles are chosen, which the emulator builds quickly

KNOWN, FRESH = range(40), [(SEED + i) % 2**32 for i in range(20)]
"""Seeds of nets: the same in every run, and others in every run."""

SMALL = range(100, 112)
"""Of few nodes: on the emulator every new width of access is a kernel to build."""


def recorded(net: Net, feeds: dict[str, Any]) -> Graph:
    """Before any pass; sizes that are fed are constants."""
    file, graph = read_onnx(net.model), Graph()
    arrays = {port.name: feeds[port.name] for port in file.inputs}
    values = [graph.constant(a, k) if a.dtype == np.int64 else graph.input(k, spec_of(a)) for k, a in arrays.items()]
    graph.outputs = dict(zip((port.name for port in file.outputs), file.record(graph, *values)))
    return graph


def fed(graph: Graph, feeds: dict[str, Any]) -> dict[str, Any]:
    return {name: feeds[name] for name in graph.inputs}


def assert_near(actual: dict[str, Any], exact: dict[str, Any], moved: dict[str, float], dtype: Any = np.float32) -> None:
    """Within what rounding does to the values, or a few roundings of the largest."""
    for name, y in actual.items():
        assert y.shape == exact[name].shape, name
        assert y.dtype == np.float32, name
        if not np.isfinite(exact[name]).all() or np.abs(exact[name]).max(initial=0) > float(np.finfo(dtype).max):
            continue
        limit = TIMES * moved[name] + ROUNDINGS * float(np.finfo(dtype).eps) * np.abs(exact[name]).max(initial=0)
        off = np.abs(y - exact[name]).max(initial=0)
        assert off <= limit + np.finfo(dtype).smallest_normal, f"{name}: {off:.2e} off, {limit:.2e} allowed"


@pytest.fixture(scope="module", params=["one thread", "two threads"])
def backend(request):
    made = CpuBackend() if request.param == "one thread" else AlwaysLanes(lanes=2)
    yield made
    made.close()


@pytest.mark.parametrize("seed", [*KNOWN, *FRESH])
def test_planned_values_are_those_of_the_references(seed, backend):
    """The outputs, and some values inside that are asked for: on poisoned memory, twice."""
    net, rng = random_net(seed), np.random.default_rng(seed)
    for feeds in net.feeds:
        graph = recorded(net, feeds)
        inside = [name for name, v in graph.layers.items() if v.dtype == np.float32 and rng.random() < 0.2]
        for wanted in ({}, {name: graph.layers[name] for name in inside}):
            graph = recorded(net, feeds)
            graph.outputs.update((name, graph.layers[name]) for name in wanted)
            graph.prune()
            given = fed(graph, feeds)
            exact, moved = by_references(graph, given), shaken(graph, given)
            planned = Planned(graph, backend=backend)
            first, second = planned.run(given), planned.run(given)
            assert_near(first, exact, moved)
            for name, y in first.items():
                np.testing.assert_array_equal(y, second[name])


@pytest.mark.parametrize("seed", [s for s in KNOWN if random_net(s).batch in (None, 1)][::2])
def test_rows_do_not_depend_on_the_batch(seed):
    """Through one model: few images and many, each with others beside it."""
    net = random_net(seed)
    feeds = net.feeds[-1]
    if any(a.dtype == np.int64 for a in feeds.values()):
        pytest.skip("its sizes are fed, and it is run as a whole")
    images = {k: np.concatenate([a, a[::-1]] * 6)[:6] for k, a in feeds.items()}
    images = {k: a + np.arange(6, dtype=a.dtype).reshape(6, *(1,) * (a.ndim - 1)) for k, a in images.items()}
    with model_from_onnx(read_onnx(net.model), "net", shapes={k: a.shape for k, a in feeds.items()}, device="cpu") as model:
        if model.batching == "whole":
            pytest.skip("its images mix, or cannot be shown not to")

        def run(rows: slice) -> dict[str, Any]:
            return model.run({k: a[rows] for k, a in images.items()})

        every, turned, four, three, one = run(slice(6)), run(slice(None, None, -1)), run(slice(4)), run(slice(3)), run(slice(1))
        for name, y in every.items():
            assert y.shape[0] == 6
            np.testing.assert_array_equal(turned[name][::-1], y)
            np.testing.assert_array_equal(four[name], y[:4])
            np.testing.assert_array_equal(one[name], three[name][:1])
        one_at_a_time = model.batching == "single"
        parts = [{k: a[i : i + 1] for k, a in images.items()} for i in range(6)] if one_at_a_time else [images]
        graphs = [recorded(net, part) for part in parts]
        exact = [by_references(g, fed(g, part)) for g, part in zip(graphs, parts)]
        moved = [shaken(g, fed(g, part)) for g, part in zip(graphs, parts)]
        assert_near(every, {k: np.concatenate([e[k] for e in exact]) for k in every}, {k: max(m[k] for m in moved) for k in every})


@pytest.fixture(scope="module", params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def gpu(request):
    if request.param == "cuda":
        return CudaBackend(driver("cuda"))
    emulator.require()
    return CudaBackend(EmulatorDriver(80, multiprocessors=MANY))


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
@pytest.mark.parametrize("seed", SMALL)
def test_planned_values_on_a_gpu(seed, passes, gpu):
    net = random_net(seed, most=16)
    feeds = net.feeds[0]
    dtype = np.float32 if passes is PASSES else np.float16
    graph = recorded(net, feeds)
    given = fed(graph, feeds)
    exact, moved = by_references(graph, given), shaken(graph, given, dtype=dtype)
    planned = Planned(graph, backend=gpu, passes=passes)
    first, second = planned.run(given), planned.run(given)
    assert_near(first, exact, moved, dtype)
    for name, y in first.items():
        np.testing.assert_array_equal(y, second[name])


def test_nets_are_of_all_kinds_and_say_something():
    """What is drawn is what this file is for: most outputs differ from place to place, and the plans use what they can."""
    kinds: set[str] = set()
    opsets, ranks, notes, telling = set(), set(), set(), 0
    for seed in KNOWN:
        net = random_net(seed)
        kinds |= {node.op_type for node in net.model.graph.node}
        opsets.add(net.model.opset_import[0].version)
        ranks.add(max(a.ndim for a in net.feeds[0].values()))
        graph = recorded(net, net.feeds[-1])
        values = by_references(graph, fed(graph, net.feeds[-1]))
        telling += any(np.isfinite(y).all() and y.std() > 1e-3 * np.abs(y).max(initial=0) for y in values.values())
        notes |= set(Planned(graph, backend=CpuBackend()).plan.graph.notes)
    assert len(kinds) > 60
    assert ranks == {3, 4, 5}
    assert len(opsets) > 10
    assert telling > 0.9 * len(KNOWN)
    assert notes >= {
        "activations recognised", "batch norms folded", "concat inputs in place", "duplicates merged", "epilogues fused",
        "global pools recognised", "norms recognised", "scales and shifts folded", "scales and shifts folded into what reads them",
        "transposes cancelled", "views",
    }  # fmt: skip


def test_another_epsilon_is_noticed():
    """How far rounding moves values is no excuse for a norm that adds 1e-3 where the net says 1e-5."""
    x = np.random.default_rng(0).standard_normal((2, 5, 16)).astype(np.float32)

    def of(eps: float) -> Graph:
        graph = Graph()
        value = graph.input("x", Spec(x.shape, x.dtype))
        graph.outputs = {"y": graph.append(LayerNorm(1, eps), (value, None, None))[0]}
        return graph

    exact, moved = by_references(of(1e-5), {"x": x}), shaken(of(1e-5), {"x": x})
    assert_near(Planned(of(1e-5)).run({"x": x}), exact, moved)
    with pytest.raises(AssertionError, match="y: .* off"):
        assert_near(Planned(of(1e-3)).run({"x": x}), exact, moved)
