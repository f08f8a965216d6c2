"""Activations: values by hand, what lies far out, the error function, and the constants that the tests' bounds rest on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases.conv import CURVES, SIGMOID, SILU, TANH
from curves import JUMPS, SIZES, SLOPES, carried
from scipy import special

from gpucnn import functional as F
from gpucnn.backends.cpu.activation import SCRATCH, activate
from gpucnn.backends.cuda.backend import ACTIVATION_CODES
from gpucnn.errors import ShapeError
from gpucnn.ops import ACTIVATIONS, Activation, PReLU
from gpucnn.ops.erf import erf
from gpucnn.spec import Spec

f32 = np.float32
EVERY = {**CURVES, "silu": SILU, "sigmoid": SIGMOID, "tanh": TANH}
INF, NAN = math.inf, math.nan
EPS = float(np.finfo(np.float32).eps)


def cpu(op: Activation, x):
    """By the CPU's chain of ufuncs."""
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        for call in activate(op, x, out, [np.empty(SCRATCH, f32)]):
            call()
    return out


# -- by hand: from the formulas of the papers, on paper

LN2, E = math.log(2), math.e

VALUES = {
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.25), {-8: -2, 0: 0, 3: 3, -INF: -INF, INF: INF}),
    "leaky_relu, slope 2": (lambda x: F.leaky_relu(x, 2), {-8: -16, 3: 3}),
    "elu": (lambda x: F.elu(x, 2), {-1: 2 / E - 2, 0: 0, 3: 3, -INF: -2, INF: INF}),
    "selu": (F.selu, {-INF: -1.7580993408473766, 2: 2.101401974711, 0: 0}),
    "celu": (lambda x: F.celu(x, 2), {-2: 2 / E - 2, 3: 3, -INF: -2, INF: INF}),
    "silu": (F.silu, {LN2: LN2 * 2 / 3, -LN2: -LN2 / 3, 0: 0, INF: INF, -INF: NAN}),
    "mish": (F.mish, {0: 0, LN2: LN2 * 0.8, INF: INF, -INF: NAN}),  # tanh(log 3) = (9 − 1)/(9 + 1)
    "hardswish": (F.hardswish, {-4: 0, -3: 0, -1.5: -0.375, 0: 0, 3: 3, 5: 5, INF: INF, -INF: NAN}),
    "hardsigmoid": (F.hardsigmoid, {-4: 0, -1.5: 0.25, 0: 0.5, 3: 1, INF: 1, -INF: 0}),
    "hardsigmoid, ONNX's": (lambda x: F.hardsigmoid(x, 0.2), {-4: 0, 1: 0.7, 3: 1}),
    "erf": (F.erf, {0.5: 0.5204998778130465, 1: 0.8427007929497149, -2: -0.9953222650189527, INF: 1, -INF: -1}),
    "gelu": (F.gelu, {1: 0.8413447460685429, -1: -0.15865525393145705, 0: 0, INF: INF, -INF: NAN}),  # Φ(1), a table's
    "gelu, tanh": (lambda x: F.gelu(x, "tanh"), {1: 0.841191990608, -1: -0.158808009392, INF: INF, -INF: NAN}),
    "softplus": (F.softplus, {0: LN2, LN2: math.log(3), 25: 25, 1e30: 1e30, -INF: 0, INF: INF}),
    "softplus, scaled": (lambda x: F.softplus(x, 2, 1), {0: LN2 / 2, 0.5: math.log1p(E) / 2, 0.6: 0.6}),
    "softsign": (F.softsign, {-1: -0.5, 3: 0.75, INF: NAN, -INF: NAN}),
    "logsigmoid": (F.logsigmoid, {0: -LN2, -LN2: -math.log(3), 1000: 0, -1000: -1000, INF: 0, -INF: -INF}),
    "shrink": (lambda x: F.shrink(x, 2, 0.5), {-3: -2.5, -2: 0, 1: 0, 3: 2.5, INF: INF}),
    "softshrink": (F.softshrink, {-3: -2.5, -0.5: 0, 0.25: 0, 3: 2.5}),
    "hardshrink": (F.hardshrink, {-3: -3, -0.5: 0, 0.25: 0, 3: 3}),
    "tanhshrink": (F.tanhshrink, {LN2: LN2 - 0.6, INF: INF}),
    "threshold": (lambda x: F.threshold(x, 1, 20), {0: 20, 1: 20, 1.5: 1.5, INF: INF, -INF: 20}),
    "thresholded_relu": (F.thresholded_relu, {-2: 0, 1: 0, 1.5: 1.5}),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_by_hand(name, dtype):
    function, points = VALUES[name]
    x = np.asarray([*points, NAN], dtype)
    expected = np.asarray([*points.values(), NAN])
    error = 8 * np.finfo(np.float32).eps * (np.abs(expected) + 1)  # what is written above has twelve digits
    y = function(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(expected))
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(y[~finite], expected[~finite].astype(dtype))
    assert (np.abs(y[finite] - expected[finite]) <= error[finite]).all()


def test_channels_and_halves_by_hand():
    x = f32([[-1, -1, 2], [-4, 3, -2]])
    assert F.prelu(x, f32([0.5, 2, 3])).tolist() == [[-0.5, -2, 2], [-2, 3, -6]]
    assert F.prelu(x, [0.5]).tolist() == [[-0.5, -0.5, 2], [-2, 3, -1]]
    image = np.broadcast_to(x[:, :, None, None], (2, 3, 2, 2))
    assert F.prelu(image, f32([0.5, 2, 3]))[:, :, 1, 0].tolist() == [[-0.5, -2, 2], [-2, 3, -6]]
    y = F.glu(f32([[[8], [2], [0], [-INF]]]))
    assert y.tolist() == [[[4], [0]]]
    assert F.glu(f32([[8, 0], [2, INF]]), -1).tolist() == [[4], [2]]
    assert F.glu(f32([[8, 0], [0, INF]]), 0).tolist() == [[4, 0]]


def test_log_softmax_by_hand():
    """Where a probability is below float32's numbers its logarithm is right all the same."""
    assert F.log_softmax(f32([0, 0, 0, 0]), 0).tolist() == [f32(-math.log(4))] * 4
    assert F.log_softmax(f32([1000, 0, -1000]), 0).tolist() == [0, -1000, -2000]
    assert np.isnan(F.log_softmax(f32([-INF, -INF]), 0)).all()
    assert F.log_softmax(f32([0, -INF]), 0).tolist() == [0, -INF]
    assert F.softmin(f32([0, INF]), 0).tolist() == [1, 0]


def test_no_finite_number_overflows():
    x = np.asarray([-3e38, -1e30, -1e4, -100, -89, 89, 100, 1e4, 1e30, 3e38], f32)
    for name, op in EVERY.items():
        if op.kind in ("leaky_relu", "selu", "hardsigmoid") and max(abs(op.alpha), abs(op.beta)) > 1:
            continue  # these multiply by more than 1
        with np.errstate(over="ignore"):  # an argument of exp may become −Inf
            assert np.isfinite(op.reference(np, x)[0]).all(), name
        assert np.isfinite(cpu(op, x)).all(), name
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for op in (SIGMOID, SILU, CURVES["mish"], CURVES["gelu"], CURVES["softplus"], CURVES["logsigmoid"], CURVES["elu"]):
            op.reference(np, x)


@pytest.mark.parametrize("name", ["sigmoid", "silu", "mish", "gelu_tanh", "softplus", "logsigmoid", "elu", "celu"])
def test_small_results_keep_their_digits(name):
    """Far from 0, and close to it, a result is right to some roundings of its own, not only of the largest number on the way."""
    op = EVERY[name]
    least = -6.0 if name == "gelu_tanh" else -80.0
    x = np.concatenate([np.linspace(least, -1e-3, 2001), np.linspace(1e-3, 80 if name == "logsigmoid" else 10, 2001)]).astype(f32)
    exact = op.reference(np, x.astype(np.float64))[0]
    for y in (cpu(op, x), op.reference(np, x)[0]):
        steep = 8 * (1 + np.abs(x) + np.abs(x) ** 3)  # an argument of exp is rounded before: its roundings are relative ones of the result
        assert (np.abs(y - exact) <= steep * EPS * np.abs(exact))[exact != 0].all()


def test_what_has_infinities_or_nan_is_the_same_by_every_way():
    x = f32([NAN, INF, -INF, 0, -0.0, 1, -1])
    for name, op in EVERY.items():
        with np.errstate(all="ignore"):
            expected = op.reference(np, x)[0]
        y = cpu(op, x)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(expected), err_msg=name)
        np.testing.assert_array_equal(y[np.isinf(expected)], expected[np.isinf(expected)], err_msg=name)
        assert np.isnan(y[0]), name


# -- the error function


def ulps(actual, expected):
    return np.abs(actual - expected) / np.spacing(np.abs(expected))


def test_erf_in_float64():
    rng = np.random.default_rng(5)
    x = np.concatenate([
        rng.uniform(-7, 7, 100_000), 10.0 ** rng.uniform(-307, 2, 20_000), np.nextafter([0.46875, 4.0, 6.0] * 2, [0, 0, 0, 9, 9, 9]),
        [0.0, -0.0, 0.46875, 4.0, 6.0, 1e308, -1e308, INF, -INF],
    ])  # fmt: skip
    y = erf(np, x)
    by_math = np.asarray([math.erf(v) for v in x.tolist()])
    for expected in (special.erf(x), by_math):
        assert ulps(y, expected).max() <= 8
    assert np.isnan(erf(np, np.asarray([NAN]))).all()
    assert math.copysign(1, erf(np, np.asarray([-0.0]))[0]) == -1
    np.testing.assert_array_equal(erf(np, -x), -y)


def test_erf_in_float32_on_every_stretch():
    """Each ufunc rounds as IEEE says, so what holds here holds on every machine: the error, the sign, and exactly 1 far out."""
    bits = np.arange(0, f32(4.5).view(np.uint32), 1999, dtype=np.uint32)
    x = bits.view(f32)
    normal = x >= 100 * np.finfo(f32).smallest_normal  # x·0.016 is normal too
    y, op = cpu(CURVES["erf"], x), CURVES["erf"]
    exact = special.erf(x.astype(np.float64))
    assert (np.abs(y - exact) <= 6 * EPS * exact)[normal].all()
    assert y.max() == 1
    np.testing.assert_array_equal(cpu(op, -x), -y)
    assert cpu(op, f32([4, 5, 1e30, INF, -4, -1e30, -INF])).tolist() == [1, 1, 1, 1, -1, -1, -1]
    assert cpu(CURVES["gelu"], f32([-6, -1e30, 6, 1e30])).tolist() == [0, 0, 6, f32(1e30)]


# -- what the bounds rest on


def test_every_kind_is_everywhere():
    assert set(ACTIVATIONS) == set(SIZES) == set(SLOPES) == set(ACTIVATION_CODES)
    assert set(JUMPS) <= set(ACTIVATIONS)
    assert sorted(ACTIVATION_CODES.values()) == list(range(1, len(ACTIVATIONS) + 1))
    assert {op.kind for op in EVERY.values()} == set(ACTIVATIONS) - {"relu", "clip"}


@pytest.mark.parametrize("name", EVERY)
def test_slopes_are_the_steepest(name):
    """Differences on a fine grid never exceed the constant, and come close to it."""
    op = EVERY[name]
    x = np.linspace(-120, 120, 1_200_001)
    y = op.reference(np, x)[0]
    slope = SLOPES[op.kind](op.alpha, op.beta)
    step = x[1] - x[0]
    places = [p for p, _ in JUMPS.get(op.kind, lambda a, b: ())(op.alpha, op.beta)]
    smooth = np.all([np.abs(x[:-1] - p) > 2 * step for p in places], axis=0) if places else np.full(len(x) - 1, True)
    found = (np.abs(np.diff(y)) / step)[smooth]
    assert 0.99 * slope <= found.max() <= slope * (1 + 1e-6)
    # An error of two steps may cross a jump too.
    assert (np.abs(y[2:] - y[:-2]) <= carried(op, x[:-2], 2 * step) + 1e-9).all()


@pytest.mark.parametrize("name", EVERY)
def test_sizes_bound_results_and_grow(name):
    op = EVERY[name]
    x = np.linspace(0, 30, 3001)
    sizes = SIZES[op.kind](x, op.alpha, op.beta)
    assert (np.diff(sizes) >= 0).all()
    if op.kind != "threshold":  # which puts a number there that nobody rounds
        for sign in (1, -1):
            assert (np.abs(op.reference(np, sign * x)[0]) <= sizes + 1e-12).all()


# -- errors

WRONG = {
    "celu": (lambda: F.celu(f32([1]), 0), "celu: alpha must be above 0, got 0.0"),
    "softplus": (lambda: F.softplus(f32([1]), 0), "softplus: beta must not be 0"),
    "softplus, infinite": (lambda: F.softplus(f32([1]), INF), "softplus: beta must be finite, got inf"),
    "leaky_relu": (lambda: F.leaky_relu(f32([1]), NAN), "leaky_relu: negative_slope must be finite, got nan"),
    "hardsigmoid": (lambda: F.hardsigmoid(f32([1]), 1, INF), "hardsigmoid: beta must be finite, got inf"),
    "softshrink": (lambda: F.softshrink(f32([1]), -1), "shrink: lambd must be at least 0, got -1.0"),
    "gelu": (lambda: F.gelu(f32([1]), "sigmoid"), "gelu: approximate must be 'none' or 'tanh', got 'sigmoid'"),
    "silu": (lambda: F.silu(np.asarray([1])), "silu: x must be floating point, got int64"),
    "threshold": (lambda: F.threshold(np.asarray([1]), 0, 0), "threshold: x must be floating point, got int64"),
    "glu": (lambda: F.glu(np.zeros((2, 5, 3), f32)), "glu: dim 1 must have an even size, to be halved, got 5 (x 2×5×3 float32)"),
    "glu, dim": (lambda: F.glu(np.zeros((2, 4), f32), 2), "glu: dim must lie in [-2, 1] for a value of rank 2, got 2"),
    "prelu": (
        lambda: F.prelu(np.zeros((2, 5, 3), f32), np.zeros(3, f32)),
        "prelu: weight must have shape 1, or one value a channel of x (x 2×5×3, weight 3)",
    ),
    "prelu, a matrix": (lambda: F.prelu(np.zeros((2, 5), f32), np.zeros((1, 1), f32)), "prelu: weight must have shape 1, or one value"),
    "prelu, dtype": (lambda: F.prelu(np.zeros((2, 5), f32), np.zeros(5)), "prelu: weight is float64 where x is float32"),
    "log_softmax": (lambda: F.log_softmax(np.zeros((2, 3), f32), 2), "log_softmax: dim must lie in [-2, 1] for a value of rank 2, got 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_message_says_what_is_wrong(name):
    call, message = WRONG[name]
    with pytest.raises(ValueError, match="^") as caught:
        call()
    assert message in str(caught.value)


def test_weights_broadcast_as_onnx_has_it():
    x, weight = Spec((2, 5, 3), np.dtype(f32)), Spec((2, 1), np.dtype(f32))
    with pytest.raises(ShapeError, match="prelu: weight does not broadcast to x.*x 2×5×3 float32, weight 2×1 float32"):
        PReLU().infer(x, weight)
    with pytest.raises(ShapeError, match="does not broadcast"):
        PReLU().infer(Spec((3,), np.dtype(f32)), Spec((1, 3), np.dtype(f32)))
