"""Every reference against oracles that are not ours (``oracles/``), and against values computed by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from cases import CASES
from close import assert_close
from oracles import ORACLES, UNLIKE_ONNX
from oracles.conv import conv_by_scipy

from gpucnn import functional as F
from gpucnn.ops import Activation, AdaptiveAvgPool, AvgPool, Conv, GlobalAvgPool, LpPool, MaxPool, MinPool, Softmax
from gpucnn.spec import spec_of

CHANNELS = 6
"""Channels of a pool that the oracles are asked for: they do not see each other, and plain loops over 64 take seconds."""


def _asked() -> list[Any]:
    found = []
    for kind, cases in CASES.items():
        for case, (i, oracle) in itertools.product(cases, enumerate(ORACLES[kind])):
            empty = any(d is not None and 0 in d.shape for d in case.inputs)
            if (i == 0 and (kind.__name__, case.id) in UNLIKE_ONNX) or (oracle is conv_by_scipy and empty):
                continue
            found.append(pytest.param(case, oracle, id=f"{kind.__name__}/{case.id}/{i}"))
    return found


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")  # ONNX's, for windows of nothing
@pytest.mark.parametrize(("case", "oracle"), _asked())
def test_reference_equals_the_oracle(case, oracle):
    arrays = case.arrays()
    if isinstance(case.op, (MaxPool, MinPool, AvgPool, LpPool)):
        arrays = (arrays[0][:, :CHANNELS],)
    with np.errstate(all="ignore"):
        specs = case.op.infer(*(None if a is None else spec_of(a) for a in arrays))
        rounded = tuple(np.asarray(y).astype(s.dtype) for y, s in zip(oracle(case.op, *arrays), specs))
    assert_close(case.op, rounded, arrays)


def test_every_case_has_an_oracle():
    asked = {(type(p.values[0].op).__name__, p.values[0].id) for p in _asked()}
    by_hand = {("GlobalAvgPool", "batch 0")}  # nothing in, nothing out
    assert {(kind.__name__, case.id) for kind, cases in CASES.items() for case in cases} == asked | by_hand


# -- by hand

f32 = np.float32


def row(*values: float) -> Any:
    """An image of one line."""
    return f32(values).reshape(1, 1, 1, -1)


def test_weighted_sums():
    y = F.linear(f32([[155, 60]]), f32([[0.27, 0.2], [-0.1, -0.4]]))
    np.testing.assert_allclose(y, [[53.85, -39.5]], rtol=4 * np.finfo(f32).eps)
    assert F.relu(y)[0, 1] == 0


def test_softmax_of_three():
    (y,) = Softmax(0).reference(np, f32([2.5, 1.8, 0.2]))
    assert [f"{v:.4f}" for v in y] == ["0.6262", "0.3110", "0.0628"]
    y = F.softmax(f32([1e4, 1e4 - 1, -1e38]), 0)  # 1/(1 + 1/e), and what is left
    assert [f"{v:.4f}" for v in y] == ["0.7311", "0.2689", "0.0000"]


def test_the_kernel_is_not_flipped():
    assert F.conv2d(row(1, 2, 3, 4), row(1, 10, 0)).ravel().tolist() == [21, 32]


def test_4x4_under_3x3_gives_2x2():
    x = np.arange(16, dtype=f32).reshape(1, 1, 4, 4)
    assert F.conv2d(x, np.ones((1, 1, 3, 3), f32))[0, 0].tolist() == [[45, 54], [81, 90]]


@pytest.mark.parametrize(("padding", "sums"), [("same", [6, 7]), ("same_lower", [3, 9]), ("valid", [6])])
def test_the_odd_pixel_of_same_padding(padding, sums):
    assert F.conv2d(row(1, 2, 3, 4), row(1, 1, 1), stride=2, padding=padding).ravel().tolist() == sums


def test_groups_take_their_own_channels():
    x = f32([1, 10, 100, 1000]).reshape(1, 4, 1, 1)
    w = f32([[1, 1], [1, 2], [1, 1], [2, 1]]).reshape(4, 2, 1, 1)
    assert F.conv2d(x, w, groups=2).ravel().tolist() == [11, 21, 1100, 1200]
    multiplier = f32([1, 2, 3, 4]).reshape(4, 1, 1, 1)
    assert F.conv2d(x[:, :2], multiplier, groups=2).ravel().tolist() == [1, 2, 30, 40]


def test_the_epilogue_in_its_order():
    """−3 + 1 = −2, relu 0, − 1 = −1, clip −0.5."""
    case = next(c for c in CASES[Conv] if c.id == "images grouped into one product")
    epilogue = type(case.op.epilogue)(Activation("relu"), Activation("clip", -0.5, 9.0))
    arrays = [f32(v).reshape(shape) for v, shape in ((-3, (1, 1, 1, 1)), (1, (1, 1, 1, 1)), (1, (1,)), (-1, (1, 1, 1, 1)))]
    assert Conv(epilogue=epilogue).reference(np, *arrays)[0].item() == -0.5


def test_a_window_that_would_start_in_the_padding_is_dropped():
    """5 pixels, windows of 2 at stride 3, padding 1: ceil((5 + 2 − 2)/3) + 1 = 3, but the third would start behind the last pixel."""
    x = np.arange(25, dtype=f32).reshape(1, 1, 5, 5)
    assert F.max_pool2d(x, 2, 3, 1, ceil_mode=True)[0, 0].tolist() == [[0, 3], [15, 18]]
    assert F.max_pool2d(row(1, 2, 3, 4), (1, 3), (1, 2), ceil_mode=True).ravel().tolist() == [3, 4]


@pytest.mark.parametrize(
    ("fields", "means"),
    [
        ({}, [2, 6, 4]),  # windows [−1, 2), [1, 4), [3, 6) cut off at 5: divisors 3, 3, 2
        ({"count_include_pad": False}, [3, 6, 8]),
        ({"divisor_override": 2}, [3, 9, 4]),
    ],
)
def test_average_with_ceil_mode_and_padding_counts_as_pytorch(fields, means):
    y = F.avg_pool2d(row(2, 4, 6, 8), (1, 3), (1, 2), (0, 1), ceil_mode=True, **fields)
    np.testing.assert_allclose(y.ravel(), means, rtol=2 * np.finfo(f32).eps)


@pytest.mark.parametrize(
    ("n", "means"),
    [
        (5, [1.5, 3, 4.5]),  # [0, 2) [1, 4) [3, 5)
        (7, [2, 4, 6]),  # [0, 3) [2, 5) [4, 7)
        (2, [1, 1.5, 2]),  # [0, 1) [0, 2) [1, 2)
        (3, [1, 2, 3]),
        (1, [1, 1, 1]),
    ],
)
def test_adaptive_windows(n, means):
    assert F.adaptive_avg_pool2d(row(*range(1, n + 1)), (1, 3)).ravel().tolist() == means


def test_adaptive_windows_are_whole_numbers():
    """i·in is above 2**24: float32 would put some windows a pixel aside."""
    n, p = 9973, 9967
    y = AdaptiveAvgPool((p,)).reference(np, np.arange(n, dtype=np.float64).reshape(1, 1, n))[0].ravel()
    assert y.tolist() == [(i * n // p + -(-(i + 1) * n // p) - 1) / 2 for i in range(p)]


def test_padding_counts_as_minus_infinity_and_nan_goes_through():
    assert F.max_pool2d(row(-3, -2), (1, 3), (1, 1), (0, 1)).ravel().tolist() == [-2, -2]
    y = F.max_pool2d(row(1, np.nan, 3, 4, 5, 6), (1, 2))
    np.testing.assert_array_equal(y.ravel(), [np.nan, 4, 6])
    y, where = F.max_pool2d(row(7, 7, 3, np.nan, 5, 6), (1, 2), return_indices=True)
    assert where.ravel().tolist() == [0, 3, 5]
    assert np.isnan(y.ravel()[1])


def test_the_minimum_takes_the_padding_as_plus_infinity():
    assert F.min_pool2d(row(3, 2), (1, 3), (1, 1), (0, 1)).ravel().tolist() == [2, 2]
    np.testing.assert_array_equal(F.min_pool2d(row(1, np.nan, 3, 4, 5, 6), (1, 2)).ravel(), [np.nan, 3, 5])
    assert F.min_pool2d(row(1, 2, 3), 1, 2, (0, 2)).ravel().tolist() == [np.inf, 1, 3, np.inf]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_the_minimum_of_integers_needs_no_negative(dtype):
    limits = np.iinfo(dtype)
    x = np.asarray([limits.max, 7, limits.min, 5], dtype).reshape(1, 1, 1, 4)
    y = F.min_pool2d(x, (1, 2))
    assert y.dtype == dtype
    assert y.ravel().tolist() == [7, limits.min]


def test_ranking_by_hand():
    nan, inf = np.nan, np.inf
    for k, largest, values, places in (
        (7, True, [nan, nan, inf, 2, 2, -1, -inf], [1, 5, 2, 0, 4, 6, 3]),
        (7, False, [-inf, -1, 2, 2, inf, nan, nan], [3, 6, 0, 4, 2, 1, 5]),
        (2, True, [nan, nan], [1, 5]),
        (2, False, [-inf, -1], [3, 6]),
    ):
        y, where = F.topk(f32([2, nan, inf, -inf, 2, nan, -1]), k, largest=largest)
        np.testing.assert_array_equal(y, f32(values))
        assert where.tolist() == places


def test_both_zeros_rank_alike():
    y, where = F.topk(f32([-0.0, 0.0, -0.0, 0.0]), 4)
    assert where.tolist() == [0, 1, 2, 3]
    assert np.signbit(y).tolist() == [True, False, True, False]
    assert F.topk(f32([0.0, -0.0]), 2, largest=False)[1].tolist() == [0, 1]


def test_ranking_takes_the_last_axis_unless_told():
    x = f32([[1, 5, 3], [4, 2, 6]])
    assert F.topk(x, 1)[1].tolist() == [[1], [2]]
    assert F.topk(x, 1, 0)[0].tolist() == [[4, 5, 6]]
    assert F.topk(np.uint8([3, 255, 0]), 3, largest=False)[1].tolist() == [2, 0, 1]


def test_nothing_in_gives_nothing_out():
    assert GlobalAvgPool().reference(np, np.zeros((0, 3, 2, 2), f32))[0].shape == (0, 3, 1, 1)


def test_batch_norm_by_hand():
    one = f32([1])
    assert F.batch_norm(f32([[3]]), one, 4 * one, 2 * one, one / 2, eps=0.0).item() == 2.5


@pytest.mark.filterwarnings("error")
def test_sigmoid_does_not_overflow():
    extremes = f32([-np.finfo(f32).max, -1000, -100, 0, 100, 1000, np.finfo(f32).max])
    (y,) = Activation("sigmoid").reference(np, extremes)
    assert y.tolist() == [0, 0, pytest.approx(np.exp(-100), rel=1e-5), 0.5, 1, 1, 1]


def test_bounds_of_clip():
    assert F.relu6(f32([-1, 3, 7])).tolist() == [0, 3, 6]
    assert F.hardtanh(f32([-2, 0.5, 2])).tolist() == [-1, 0.5, 1]
    assert np.isnan(F.relu6(f32([np.nan])))[0]
    assert np.isnan(F.relu(f32([np.nan])))[0]


def test_sixteen_bits_are_summed_in_thirty_two():
    """In float16 4096 ones add up to 2048: there 2048 + 1 is 2048."""
    ones = np.ones((1, 4096), np.float16)
    assert F.linear(ones, ones).item() == 4096
    assert F.conv2d(ones.reshape(1, 4096, 1, 1), ones.reshape(1, 4096, 1, 1)).item() == 4096
    assert F.global_avg_pool2d(np.full((1, 1, 64, 64), 3, np.float16)).item() == 3


def test_flatten_order_is_nchw_whatever_the_memory():
    x = np.arange(24, dtype=f32).reshape(1, 2, 3, 4)
    lying = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert F.flatten(lying, 1).ravel().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("constant", [9, 9, 1, 2, 3, 9]),
        ("reflect", [3, 2, 1, 2, 3, 2]),
        ("replicate", [1, 1, 1, 2, 3, 3]),
        ("circular", [2, 3, 1, 2, 3, 1]),
    ],
)
def test_modes_of_padding(mode, line):
    assert F.pad(f32([1, 2, 3]), (2, 1), mode, 9.0).tolist() == line


def test_pad_takes_the_last_axis_first():
    assert F.pad(np.zeros((2, 3, 4, 5), f32), (1, 2, 3, 4)).shape == (2, 3, 11, 8)


def test_lookup_takes_the_channels_column():
    table = np.stack([np.arange(256), np.arange(256) * 1000], axis=1).astype(f32)
    assert F.lookup(np.uint8([[3, 4]]), table).tolist() == [[3, 4000]]
