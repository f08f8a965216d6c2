"""Arrays as callers have them, and values that no photograph has: the right answer or a clear error; nothing of the caller's changes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cases import CASES, Case

import gpucnn
from gpucnn import functional as F
from gpucnn import nn, plan, zoo
from gpucnn.errors import GpucnnError, LimitError, ShapeError


def _every_second(a: np.ndarray) -> np.ndarray:
    wide = np.zeros(tuple(2 * s for s in a.shape), a.dtype)
    there = (..., *[slice(None, None, 2)] * a.ndim)
    wide[there] = a
    return wide[there]


def _backwards(a: np.ndarray) -> np.ndarray:
    turn = (..., *[slice(None, None, -1)] * a.ndim)
    return a[turn].copy()[turn]


def _channels_last(a: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) if a.ndim > 2 else a


FORMS = {
    "Fortran order": lambda a: a.copy(order="F"),
    "negative strides": _backwards,
    "every second element": _every_second,
    "channels last": _channels_last,
    "another byte order": lambda a: a.astype(a.dtype.newbyteorder()),
}
SOME = [case for cases in CASES.values() for case in cases[:3]]


def shaped(make, arrays):
    """The arrays in another form, read-only."""
    made = [None if a is None else make(a) for a in arrays]
    for a in made:
        if a is not None:
            a.flags.writeable = False
    return made


def the_same_answer(case: Case, make) -> None:
    arrays = case.arrays()
    right = plan.evaluate(case.op, *arrays)
    made = shaped(make, arrays)
    kept = [None if a is None else a.tobytes() for a in made]
    came = plan.evaluate(case.op, *made)
    for a, b in zip(came, right, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a.tobytes(), b.tobytes())
        assert a.flags.writeable
        assert not any(np.shares_memory(a, one) for one in made if one is not None)
    assert [None if a is None else a.tobytes() for a in made] == kept


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_an_op_takes_arrays_in_any_form(case, make):
    the_same_answer(case, make)


# ---- NaN and infinities ----------------------------------------------------------------------------------------------


@pytest.fixture
def state():
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, np.float32) * 0.1 for name, shape in zoo.create("lenet5").state_shapes().items()}


X = np.random.default_rng(1).standard_normal((5, 1, 32, 32), np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_load_and_go_through(state, value):
    with gpucnn.load("lenet5", weights=state) as model:
        right = model(X)
    state["output.bias"][3] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with gpucnn.load("lenet5", weights=state) as model:
            scores = model(X)
            results = list(gpucnn.Classifier(model).predict([np.zeros((32, 32), np.uint8)]))
    np.testing.assert_array_equal(scores[:, 3], np.full(5, value, np.float32))
    others = [i for i in range(10) if i != 3]
    np.testing.assert_array_equal(scores[:, others], right[:, others])
    if value < 0:  # a class that is ruled out
        assert results[0].error is None
        assert 3 not in [p.index for p in results[0].predictions]
    else:
        assert "not finite" in results[0].error
        assert not results[0].predictions


def test_weights_in_any_form_are_taken_as_they_are_meant(state):
    with gpucnn.load("lenet5", weights=state) as model:
        right = model(X)
    for make in [*FORMS.values(), lambda a: a.astype(np.float64)]:
        names = list(state)
        other = dict(zip(names, shaped(make, state.values()), strict=True))
        kept = {name: a.tobytes() for name, a in other.items()}
        with gpucnn.load("lenet5", weights=other) as model:
            np.testing.assert_array_equal(model(X), right)
        assert {name: a.tobytes() for name, a in other.items()} == kept


def test_what_does_not_fit_is_reported_together(state):
    del state["output.weight"]
    state["more"] = np.zeros(3, np.float32)
    state["output.bias"] = np.zeros(11, np.float32)
    with pytest.raises(gpucnn.errors.ModelError) as caught:
        gpucnn.load("lenet5", weights=state)
    for part in ("1 missing: output.weight 10×84", "1 unexpected: more 3", "1 of another shape: output.bias expected 10, got 11"):
        assert part in str(caught.value)


# ---- more than 2³¹ elements, which take no memory here: one number seen from everywhere -------------------------------


def endless(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.float32(1), shape)


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.relu(endless(1 << 16, 1 << 15)),
        lambda: F.max_pool2d(endless(1, 1, 1 << 16, 1 << 15), 2),
        lambda: F.interpolate(endless(1, 1, 2, 2), size=(1 << 16, 1 << 15)),
        lambda: F.pad(endless(1, 1, 2, 2), (1 << 20, 1 << 20, 1 << 20, 1 << 20)),
        lambda: F.conv2d(endless(1, 1, 2, 2), endless(1, 1, 1, 1), padding=1 << 20),
        lambda: F.conv_transpose2d(endless(1, 1, 2, 2), endless(1, 1, 1, 1), stride=1 << 20),
        lambda: F.add(endless(1 << 16, 1), endless(1 << 16)),
    ],
)
def test_more_elements_than_the_limit_are_refused_by_functions(call):
    with pytest.raises(LimitError, match=r"has \d+ elements, the limit is 2147483647; set GPUCNN_MAX_ELEMENTS to raise it"):
        call()


def test_more_elements_than_the_limit_are_refused_by_models():
    with gpucnn.compile(nn.Sequential(nn.ReLU()), (1, 1, 8, 8)) as model:
        with pytest.raises(LimitError, match=r"input: \d×1×65536×32768 float32 has \d+ elements, the limit is 2147483647"):
            model(endless(1, 1, 1 << 16, 1 << 15))
        assert model(endless(2, 1, 4, 4)).all()


def test_a_batch_of_more_elements_goes_through_in_parts(set_limits):
    x = np.random.default_rng(2).standard_normal((300, 1, 8, 8), np.float32)
    with gpucnn.compile(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), (1, 1, 8, 8)) as model:
        right = model(x)
    set_limits(max_elements=300)  # a single image has 64
    with gpucnn.compile(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), (1, 1, 8, 8)) as model:
        np.testing.assert_array_equal(model(x), right)


# ---- what is no float32 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, np.complex64, object, "U1"])
def test_a_model_refuses_what_is_not_floating_point_and_says_what_to_do(dtype):
    with gpucnn.compile(nn.Sequential(nn.ReLU()), (1, 1, 2, 2)) as model:
        x = np.ones((1, 1, 2, 2)).astype(dtype)
        with pytest.raises(ShapeError, match=r"input 'input' must be float32 .*, got 1×1×2×2 .*; .*astype\('float32'\)"):
            model(x)


# ---- numbers that no net has ------------------------------------------------------------------------------------------

ABSURD = [2**31, 10**10, 2**62, 2**63, 2**64, 10**30]
SMALL, KERNEL = np.ones((1, 2, 8, 8), np.float32), np.ones((2, 2, 3, 3), np.float32)
CALLS = {
    "conv stride": lambda n: F.conv2d(SMALL, KERNEL, stride=n),
    "conv padding": lambda n: F.conv2d(SMALL, KERNEL, padding=n),
    "conv padding and stride": lambda n: F.conv2d(SMALL, KERNEL, padding=n, stride=n),
    "conv dilation": lambda n: F.conv2d(SMALL, KERNEL, dilation=n),
    "conv dilation and padding": lambda n: F.conv2d(SMALL, KERNEL, dilation=n, padding=n),
    "conv groups": lambda n: F.conv2d(SMALL, KERNEL, groups=n),
    "transposed stride": lambda n: F.conv_transpose2d(SMALL, KERNEL, stride=n),
    "transposed dilation": lambda n: F.conv_transpose2d(SMALL, KERNEL, dilation=n),
    "transposed padding": lambda n: F.conv_transpose2d(SMALL, KERNEL, stride=n, padding=n, output_padding=1),
    "max pool kernel": lambda n: F.max_pool2d(SMALL, n, padding=n // 2),
    "max pool stride": lambda n: F.max_pool2d(SMALL, 2, stride=n),
    "max pool dilation": lambda n: F.max_pool2d(SMALL, 2, dilation=n),
    "avg pool kernel": lambda n: F.avg_pool2d(SMALL, n, padding=n // 2),
    "lp pool kernel": lambda n: F.lp_pool2d(SMALL, 2.0, n),
    "adaptive size": lambda n: F.adaptive_avg_pool2d(SMALL, (n, 1)),
    "interpolate size": lambda n: F.interpolate(SMALL, size=(n, 1)),
    "interpolate factor": lambda n: F.interpolate(SMALL, scale_factor=float(n)),
    "pad": lambda n: F.pad(SMALL, (n, 0)),
    "pad and cut": lambda n: F.pad(SMALL, (-n, n)),
    "cut": lambda n: F.pad(SMALL, (-n, 0)),
    "reshape": lambda n: F.reshape(SMALL, (n, -1)),
    "reshape of nothing": lambda n: F.reshape(SMALL[:0], (n, 0, n)),
    "tile": lambda n: F.tile(SMALL, (n, 1, 1, 1)),
    "pixel shuffle": lambda n: F.pixel_shuffle(SMALL, n),
    "group norm": lambda n: F.group_norm(SMALL, n),
    "pixel unshuffle": lambda n: F.pixel_unshuffle(SMALL, n),
    "topk": lambda n: F.topk(SMALL, n),
    "cumsum": lambda n: F.cumsum(SMALL, n),
    "one hot": lambda n: F.one_hot(np.array([1]), n),
}


@pytest.mark.parametrize("number", ABSURD)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_absurd_numbers_end_in_an_error_of_ours(call, number):
    if number < 1 << 40 and call in (CALLS["conv stride"], CALLS["max pool stride"]):  # one window, whatever the next would be
        assert call(number).shape == (1, 2, 1, 1)
        return
    with pytest.raises(GpucnnError) as caught:
        call(number)
    assert caught.value.__cause__ is None
