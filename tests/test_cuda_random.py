"""Random convolutions, pools, dense layers and whole graphs through the CUDA backend on the emulator, in check mode.

``GPUCNN_TEST_EXAMPLES=5000 pytest tests/test_cuda_random.py`` looks further, at others every time.
"""

from __future__ import annotations

from functools import lru_cache

import emulator
import pytest
from cases import CASES, Case, Draw
from close import assert_close
from emulated import EmulatorDriver
from harness import Harness
from hypothesis import assume, given, note
from hypothesis import strategies as st
from test_cuda_impls import SMALL
from test_graphs import PROFILE, Net
from truth import Planned, assert_true, draw_feeds, truth, verify

from gpucnn import plan
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.errors import ShapeError
from gpucnn.ops import RELU6, Activation, AvgPool, Conv, ConvTranspose, Epilogue, Linear, LpPool, MaxPool, MinPool
from gpucnn.passes import PASSES_FLOAT16

MOST_FLOPS = 400_000  # a check takes some hundred times as long as the kernel
CHANNELS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 40)
"""Few, and so chosen that every width of access is met; each width is a kernel to build."""
WITHOUT_KERNEL = set(CASES) - set(IMPLS)
"""Ops that the reference may compute; ``test_cuda_table.py`` says why."""


@pytest.fixture(autouse=True, scope="module")
def _usable():
    emulator.require()


@lru_cache(maxsize=1)
def backend() -> CudaBackend:
    return CudaBackend(EmulatorDriver(80, check=True))


def check(case: Case, way: str) -> None:
    """The first impl that supports the case, in its small tile, against the reference, twice."""
    first = plan.candidates(backend(), case.op, *case.specs)[0]
    assert first is not plan.REFERENCE
    harness = Harness(case, SMALL.get(first.name, first), backend(), way)
    results = harness.run()
    assert_close(case.op, results, harness.arrays)
    for y, again in zip(results, harness.run()):
        assert (y.view("u1") == again.view("u1")).all()


types = st.sampled_from(["float32", "float16"])
ways = st.sampled_from(["alone", "slice"])
epilogues = st.builds(Epilogue, st.sampled_from([None, RELU6, Activation("tanh")]), st.sampled_from([None, Activation("relu")]))


def pair(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


paddings = st.one_of(st.tuples(pair(0, 3), pair(0, 3)), st.sampled_from(["same", "same_lower", "valid"]))


@st.composite
def convolutions(draw) -> Case:
    dtype, groups = draw(types), draw(st.sampled_from([1, 1, 1, 2, 3]))
    per = draw(st.sampled_from(CHANNELS))
    c, k = groups * per, groups * draw(st.sampled_from(CHANNELS))
    if draw(st.integers(0, 3)) == 0:  # depthwise, with a multiplier now and then
        groups, per = c, 1
        k = c * draw(st.sampled_from([1, 1, 2]))
    n, (h, w), (r, s) = draw(st.sampled_from([1, 1, 2, 3])), draw(pair(1, 13)), draw(pair(1, 7))
    op = Conv(draw(pair(1, 4)), draw(paddings), draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 3)])), groups, draw(epilogues))
    inputs = [Draw((n, c, h, w), dtype), Draw((k, per, r, s), dtype), Draw((k,), dtype) if draw(st.booleans()) else None]
    case = Case(f"random {dtype}", op, tuple(inputs))
    try:
        (y,) = op.infer(*case.specs)
    except ShapeError:
        assume(False)
    assume(y.size and op.flops(*case.specs) <= MOST_FLOPS)
    return Case(case.id, op, (*inputs, Draw(y.shape, dtype)), (0, 3)) if draw(st.booleans()) else case


@PROFILE
@given(convolutions(), ways)
def test_convolutions(case, way):
    check(case, way)


@st.composite
def transposed(draw) -> Case:
    dtype, groups, n = draw(types), draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2, 3]))
    c, per = groups * draw(st.sampled_from(CHANNELS)), draw(st.sampled_from(CHANNELS))
    if draw(st.integers(0, 3)) == 0:  # depthwise, with a multiplier now and then
        groups, per = c, draw(st.sampled_from([1, 1, 2]))
    stride, dilation = draw(pair(1, 4)), draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 3)]))
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation))
    op = ConvTranspose(stride, draw(paddings), dilation, groups, extra, None, draw(epilogues))
    draws = [Draw((n, c, *draw(pair(1, 7))), dtype), Draw((c, per, *draw(pair(1, 5))), dtype)]
    inputs = (*draws, Draw((per * groups,), dtype) if draw(st.booleans()) else None)
    case = Case(f"random {dtype}", op, inputs)
    try:
        (y,) = op.infer(*case.specs)
    except ShapeError:
        assume(False)
    assume(y.size and op.flops(*case.specs) <= MOST_FLOPS)
    return Case(case.id, op, (*inputs, Draw(y.shape, dtype)), (0, 3)) if draw(st.booleans()) else case


@PROFILE
@given(transposed(), ways)
def test_transposed_convolutions(case, way):
    check(case, way)


@st.composite
def pools(draw) -> Case:
    kind, dtype = draw(st.sampled_from([MaxPool, MinPool, AvgPool, LpPool])), draw(types)
    shape = (draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from(CHANNELS)), *draw(pair(1, 13)))
    extra = {"dilation": draw(pair(1, 2)), "ceil_mode": draw(st.booleans())}
    if kind is AvgPool:
        extra["count_include_pad"] = draw(st.booleans())
    if kind is LpPool:
        extra["p"] = draw(st.sampled_from([1.0, 2.0, 3.0, 4.5]))
    op = kind(draw(pair(1, 5)), draw(pair(1, 4)), draw(paddings), **extra)
    case = Case(f"random {dtype}", op, (Draw(shape, dtype),))
    try:
        (y,) = op.infer(*case.specs)
    except ShapeError:
        assume(False)
    assume(y.size and op.flops(*case.specs) <= MOST_FLOPS)
    return case


@PROFILE
@given(pools(), ways)
def test_pools(case, way):
    check(case, way)


@st.composite
def dense(draw) -> Case:
    dtype, rows = draw(types), draw(st.lists(st.integers(1, 9), min_size=0, max_size=3))
    features, out = draw(st.integers(1, 40)), draw(st.integers(1, 20))
    inputs = [Draw((*rows, features), dtype), Draw((out, features), dtype), Draw((out,), dtype) if draw(st.booleans()) else None]
    if draw(st.booleans()):
        return Case(f"random {dtype}", Linear(draw(epilogues)), (*inputs, Draw((*rows, out), dtype)), (0, 3))
    return Case(f"random {dtype}", Linear(draw(epilogues), draw(st.sampled_from([None, "float32"]))), tuple(inputs))


@PROFILE
@given(dense(), ways)
def test_dense_layers(case, way):
    check(case, way)


def choose_small(backend, node):
    """The first impl, in its small tile: large ones take the emulator long to build."""
    first = plan.choose_first(backend, node)
    return SMALL.get(first.name, first)


@PROFILE
@given(st.data())
def test_graphs_in_float32(data):
    net = Net(data.draw)
    text = str(net.graph)
    try:
        planned = verify(net.graph, backend=backend(), choose=choose_small)
        assert {type(step.node.op) for step in planned.plan.slow_steps} <= WITHOUT_KERNEL
    except Exception:
        note(text)
        raise


@PROFILE
@given(st.data())
def test_graphs_in_float16(data):
    net = Net(data.draw)
    text, feeds = str(net.graph), draw_feeds(net.graph)
    expected = truth(net.graph, feeds, "float16")
    try:
        planned = Planned(net.graph, backend=backend(), passes=PASSES_FLOAT16, choose=choose_small)
        assert {type(step.node.op) for step in planned.plan.slow_steps} <= WITHOUT_KERNEL
        for name, y in planned.run(feeds).items():
            assert_true(y, expected[name])
    except Exception:
        note(text)
        raise
