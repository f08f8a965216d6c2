"""The heart: every impl of the CPU backend on every case that it supports, in a real plan with a poisoned arena, against the reference.

Each case runs in several ways, because an impl must not care where its arrays lie:

``alone``     inputs in logical order, the result in a buffer of its own
``slice``     inputs channels last where they have a channel axis, the result inside a concatenation, its neighbours intact
``cut``       as ``slice``, and the inputs are some channels out of more
``lanes``     as ``slice``, but every step is split over two threads
``computed``  weights arrive at run time too, and are packed at every run
``bias``      the weight is a constant, but not what comes after it
``padded``    the result inside a padded one, its lines between those of the borders
``in place``  the result over its first input (activations and arithmetic)
``copied``    views are forbidden, so that what usually costs nothing has to run
"""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, FEWEST, Case
from close import assert_close
from harness import MOVES, Harness
from truth import AlwaysLanes

from gpucnn import ops, plan
from gpucnn.backends.base import Impl
from gpucnn.backends.cpu import IMPLS_THROUGHPUT as IMPLS
from gpucnn.backends.cpu import CpuBackend
from gpucnn.backends.cpu.winograd import ConvWinograd
from gpucnn.ops import Activation, BatchNorm, Binary, Concat, Conv, ConvTranspose, Linear, Op, PReLU, Transpose, Unary
from gpucnn.plan import REFERENCE
from gpucnn.spec import Spec


@pytest.fixture(scope="module")
def one_lane():
    return CpuBackend()


@pytest.fixture(scope="module")
def two_lanes():
    backend = AlwaysLanes(lanes=2)
    yield backend
    backend.close()


_BACKEND = CpuBackend(impls=IMPLS)


def listed(op: Op, *specs: Spec | None) -> tuple[Impl, ...]:
    return plan.candidates(_BACKEND, op, *specs)


def ways(case: Case, impl: Impl) -> list[str]:
    found = ["alone", "slice", "lanes"]
    if any(case.inputs[i] is not None and len(case.inputs[i].shape) >= 3 for i in case.flows):
        found.append("cut")
    if any(a is not None for i, a in enumerate(case.inputs) if i not in case.flows):
        found.append("computed")
    if isinstance(case.op, (Conv, ConvTranspose, Linear, BatchNorm)) and case.inputs[2] is not None:
        found.append("bias")
    if all(spec.ndim == 4 for spec in case.op.infer(*case.specs)):
        found.append("padded")
    if isinstance(case.op, (Activation, Binary, PReLU, Unary)):
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
    assert_close(case.op, first, harness.arrays, tile=impl.m if isinstance(impl, ConvWinograd) else None)
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
        np.testing.assert_array_equal(bits(y), bits(z[::-1]))


def bits(y):
    """Bytes of an array, with one NaN for all: which of two an instruction passes on is its own business."""
    y = np.ascontiguousarray(y)
    return (np.where(np.isnan(y), y.dtype.type(np.nan), y) if y.dtype.kind == "f" else y).view(np.uint8)


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
        ("odd sizes", "conv_phases"),
        ("depthwise", "conv_depthwise"),
        ("depthwise times 3", "conv_depthwise"),
        ("float64", "reference"),
        ("1-d", "conv_im2col"),
        ("1-d 1x1", "conv_pointwise"),
        ("1-d depthwise", "conv_depthwise"),
        ("3-d", "conv_volume"),
    ],
)
def test_first_choice_for_convolutions(case, name):
    found = next(c for c in CASES[ops.Conv] if c.id == case)
    assert next(impl for impl in listed(found.op, *found.specs) if impl.suits(found.op, *found.specs)).name.split("/")[0] == name


@pytest.mark.parametrize("impl", [impl for impls in IMPLS.values() for impl in impls], ids=lambda impl: impl.name)
def test_the_choice_does_not_depend_on_the_batch(impl):
    for kind, impls in IMPLS.items():
        for case in CASES[kind] if impl in impls else ():
            specs = case.specs
            if specs[0] is None or specs[0].ndim < 2 or case.flows != (0,):
                continue
            if not case.op.keeps_batch(tuple(i in case.flows for i in range(len(specs))), *specs):
                continue  # the first axis is not a batch
            others = [(Spec((n, *specs[0].shape[1:]), specs[0].dtype), *specs[1:]) for n in (1, 4, 64)]
            assert len({impl.supports(case.op, *s) and impl.suits(case.op, *s) for s in others}) == 1
