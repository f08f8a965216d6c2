"""The tolerances themselves: what is right passes, what is wrong by little more than rounding does not."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, RELU, Case, conv, linear
from close import allowed, assert_close, gamma, local_error, magnitude, reduction_length

from gpucnn.ops import (
    Activation,
    AvgPool,
    BatchNorm,
    Binary,
    Conv,
    ConvTranspose,
    CumSum,
    GlobalAvgPool,
    GlobalLpPool,
    Identity,
    Linear,
    LpPool,
    MaxPool,
    Reduce,
    Resize,
    Softmax,
)

EVERY = [pytest.param(case, id=f"{kind.__name__}/{case.id}") for kind, cases in CASES.items() for case in cases]


def expected(case: Case):
    with np.errstate(all="ignore"):
        return tuple(np.asarray(y) for y in case.op.reference(np, *case.arrays()))


@pytest.mark.parametrize("case", EVERY)
def test_every_bound_lets_the_reference_pass_and_a_perturbed_result_fail(case):
    arrays, right = case.arrays(), expected(case)
    assert_close(case.op, right, arrays)
    for i, y in enumerate(right):
        if y.size == 0:
            continue
        finite = np.argwhere(np.isfinite(y)) if y.dtype.kind == "f" else np.argwhere(np.ones(y.shape, bool))
        for at in map(tuple, finite[:: max(1, len(finite) // 3)]):
            limit = allowed(case.op, arrays, y)[at]
            wrong = y.copy()
            if y.dtype.kind != "f":
                wrong[at] ^= 1
            elif limit == 0:
                with np.errstate(over="ignore"):  # behind the largest number comes infinity
                    wrong[at] = np.nextafter(y[at], y.dtype.type(np.inf))
            else:
                wrong[at] = np.float64(y[at]) + 2 * limit + 2 * np.spacing(np.abs(y[at]))
            with pytest.raises(AssertionError, match="elements are wrong"):
                assert_close(case.op, (*right[:i], wrong, *right[i + 1 :]), arrays)


def _terms_show(case: Case) -> bool:
    """Whether a term is larger than rounding: not with so many of them that K²·eps > 1, and not in 16 bits."""
    kinds = (Conv, ConvTranspose, Linear, AvgPool, GlobalAvgPool, LpPool, GlobalLpPool)
    if not isinstance(case.op, kinds) or case.inputs[0].dtype == "float16":
        return False
    return 1 < reduction_length(case.op, case.arrays()) < 500


@pytest.mark.parametrize("case", [p for p in EVERY if _terms_show(p.values[0])])
def test_bounds_are_narrower_than_an_average_term(case):
    """So a lost or doubled term shows."""
    arrays, right = case.arrays(), expected(case)[0]
    with np.errstate(all="ignore"):
        term = magnitude(case.op, arrays) / reduction_length(case.op, arrays) / max(1, getattr(case.op, "p", 1))
        error = local_error(case.op, arrays, right.dtype)
    assert (error <= term)[np.isfinite(right)].all()


def test_a_lost_product_fails():
    case = conv("lost", (1, 10, 3, 3), (1, 10, 3, 3))
    x, w, b = case.arrays()
    x[0, 5, 1, 1] = w[0, 5, 1, 1] = 1  # drawn, one in a hundred thousand is too small to be missed
    short = w.copy()
    short[0, 5, 1, 1] = 0
    with pytest.raises(AssertionError, match="1 of 1 elements"):
        assert_close(case.op, case.op.reference(np, x, short, b), (x, w, b))


@pytest.mark.parametrize("op", [Identity(), MaxPool((2, 2), (2, 2))])
def test_exact_means_bits(op):
    x = np.ones((1, 1, 2, 2), np.float32)
    (y,) = op.reference(np, x)
    assert_close(op, (y.copy(),), (x,))
    with pytest.raises(AssertionError):
        assert_close(op, (np.nextafter(y, np.float32(2)),), (x,))


def test_negative_zero_is_not_zero_where_exact():
    x = np.zeros((2, 2), np.float32)
    with pytest.raises(AssertionError):
        assert_close(Identity(), (-x,), (x,))


@pytest.mark.parametrize(("value", "other"), [(np.nan, 0.0), (np.inf, -np.inf), (np.inf, np.nan), (np.inf, 3.4e38), (0.0, np.nan)])
@pytest.mark.parametrize("op", [RELU, Identity(), Activation("tanh")])
def test_what_is_not_finite_must_be_the_same(op, value, other):
    x = np.full((2, 3), 1, np.float32)
    x[1, 1] = value
    y = op.reference(np, x)[0]
    assert_close(op, (y,), (x,))
    wrong = y.copy()
    wrong[1, 1] = other
    if not np.array_equal(y, wrong, equal_nan=True):
        with pytest.raises(AssertionError):
            assert_close(op, (wrong,), (x,))


@pytest.mark.parametrize(
    "actual",
    [(), (np.zeros((2, 3)),), (np.zeros((3, 2), np.float32),), (np.zeros((2, 3), np.float32),) * 2],
    ids=["missing", "dtype", "shape", "one too many"],
)
def test_form_must_fit(actual):
    with pytest.raises(AssertionError):
        assert_close(RELU, actual, (np.zeros((2, 3), np.float32),))


def test_a_sum_is_bounded_in_every_order():
    """The bound holds for the plainest float32 sum, forwards and backwards, and is within K of its error."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((4, 5, 31, 33)) + 3).astype(np.float32)
    flat = x.reshape(4, 5, -1)
    for order in (flat, flat[..., ::-1]):
        total = np.zeros((4, 5), np.float32)
        for k in range(flat.shape[-1]):
            total += order[..., k]
        mean = (total / np.float32(flat.shape[-1])).reshape(4, 5, 1, 1)
        assert_close(GlobalAvgPool(), (mean,), (x,))


@pytest.mark.parametrize("kind", ["sum", "mean", "norm", "sum_square", "logsumexp", "var", "std"])
def test_bounds_of_reductions_hold_for_float32(kind):
    """The plainest way in float32 passes, and what the bound allows stays far below the result."""
    x = (np.random.default_rng(0).standard_normal((5, 700)) + 3).astype(np.float32)
    op = Reduce(kind, (1,))
    one = np.float32(x.shape[1])
    mean = np.add.accumulate(x, 1)[:, -1] / one
    apart = np.add.accumulate((x - mean[:, None]) ** 2, 1)[:, -1] / (one - 1)
    plain = {
        "sum": mean * one, "mean": mean, "norm": np.sqrt(np.add.accumulate(x * x, 1)[:, -1]),
        "sum_square": np.add.accumulate(x * x, 1)[:, -1],
        "logsumexp": np.log(np.add.accumulate(np.exp(x), 1)[:, -1]), "var": apart, "std": np.sqrt(apart),
    }[kind]  # fmt: skip
    assert_close(op, (plain,), (x,))
    assert (allowed(op, (x,), plain) < 1e-3 * np.abs(plain)).all()


def test_bounds_follow_the_type():
    case = {dtype: conv("types", (1, 3, 5, 5), (2, 3, 3, 3), dtype=dtype) for dtype in ("float16", "float32", "float64")}
    size = {dtype: local_error(c.op, c.arrays(), dtype).max() for dtype, c in case.items()}
    assert size["float64"] < size["float32"] * 2**-20 < size["float16"] * 2**-20


def test_bounds_follow_the_magnitude_not_the_result():
    x, mean = np.full((1, 1, 1, 1), 1000, np.float32), np.full(1, 1000, np.float32)
    assert expected_norm_error(x, mean) > 100 * expected_norm_error(x, np.zeros(1, np.float32) + 1) / 1000
    near = np.full((1, 1), 1e4, np.float32)
    assert local_error(Binary("sub"), (near, near), "float32")[0, 0] > np.finfo(np.float32).eps * 1e4


def expected_norm_error(x, mean):
    return local_error(BatchNorm(), (x, mean, np.ones(1, np.float32), None, None), "float32").max()


def test_reduction_lengths():
    x = np.zeros((2, 6, 5, 7), np.float32)
    assert reduction_length(conv("k", (2, 6, 5, 7), (4, 3, 3, 2), groups=2).op, (x, np.zeros((4, 3, 3, 2)))) == 18
    assert reduction_length(linear("k", (3, 7), 5).op, (np.zeros((3, 7)), np.zeros((5, 7)))) == 7
    assert reduction_length(GlobalAvgPool(), (x,)) == 35
    assert reduction_length(Softmax(-1), (x,)) == 7
    assert reduction_length(Reduce("sum", (1, -1)), (x,)) == 42
    assert reduction_length(CumSum(2), (x,)) == 5
    assert reduction_length(Resize((2, 3), (7, 3), mode="cubic"), (x,)) == 16


def test_gamma():
    assert gamma(1000, 2.0**-23) == pytest.approx(1000 * 2.0**-23, rel=1e-3)
    with pytest.raises(AssertionError, match="says nothing"):
        gamma(2000, 2.0**-10)
