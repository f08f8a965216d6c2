"""Pools against values computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpucnn import functional as F
from gpucnn.errors import ShapeError
from gpucnn.ops import FractionalMaxPool, MaxUnpool

f32 = np.float32
EPS = float(np.finfo(f32).eps)


def row(*values: float) -> Any:
    """An image of one line."""
    return f32(values).reshape(1, 1, 1, -1)


def column(*values: float) -> Any:
    """An image of one column."""
    return f32(values).reshape(1, 1, -1, 1)


def flat(y: Any) -> list[float]:
    return np.asarray(y).ravel().tolist()


# -- Lp


def test_lp_norms_of_three_and_four():
    assert flat(F.lp_pool2d(row(3, -4, 6, 8), 2, (1, 2))) == [5, 10]
    assert flat(F.lp_pool2d(row(3, -4, 6, 8), 1, (1, 2))) == [7, 14]
    assert flat(F.lp_pool2d(row(4, 9, -16, 0), 0.5, (1, 2))) == [25, 16]  # (2 + 3)², 4²


def test_an_odd_power_takes_no_sign():
    """∛(27 + 64 + 125) = 6, where PyTorch's sum, −27 + 64 − 125, is below 0 and gives NaN."""
    assert flat(F.lp_pool2d(row(-3, 4, -5), 3, (1, 3))) == [pytest.approx(6, rel=4 * EPS)]


def test_a_window_that_is_cut_off_is_not_scaled_up():
    assert flat(F.lp_pool2d(row(3, 4, 12), 2, (1, 2), ceil_mode=True)) == [5, 12]
    assert flat(F.lp_pool2d(row(3, 4, 12), 2, (1, 2), padding=(0, 1))) == [3, pytest.approx(160**0.5, rel=2 * EPS)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("p", [1, 2, 3, 7, 40])
def test_powers_do_not_leave_the_type(p):
    for size in (1e30, 1e-30, 1e37):
        for y in (F.lp_pool2d(row(size, 0), p, (1, 2)), F.global_lp_pool2d(row(size, 0, 0), p)):
            assert flat(y) == [pytest.approx(size, rel=1e-6)]


def test_norms_of_what_is_not_finite():
    nan, inf = np.nan, np.inf
    np.testing.assert_array_equal(flat(F.lp_pool2d(row(1, nan, -inf, 1, inf, nan, 0, 0), 3, (1, 2))), [nan, inf, nan, 0])
    assert flat(F.global_lp_pool2d(row(1, -inf))) == [inf]


# -- the whole map


def test_whole_maps():
    x = f32([[1, -2, 2], [5, 0, -7]]).reshape(1, 2, 1, 3)
    for axes in (1, 2, 3):
        maps = x.reshape(1, 2, *(1,) * (axes - 1), 3)
        found = [flat(getattr(F, f"global_{kind}_pool{axes}d")(maps)) for kind in ("max", "min", "lp")]
        assert found == [[2, 5], [-2, -7], [3, pytest.approx(74**0.5, rel=2 * EPS)]]
    assert np.isnan(F.global_max_pool2d(row(1, np.nan, 3))).all()
    assert np.isnan(F.global_min_pool2d(row(1, np.nan, 3))).all()
    assert flat(F.global_max_pool2d(np.uint8([[[[3, 255]]]]))) == [255]
    assert flat(F.global_min_pool2d(np.int32([[[[3, -255]]]]))) == [-255]


@pytest.mark.parametrize("sizes", [(120, 130), (20, 25, 30)])
def test_large_maps_are_added_line_by_line(sizes):
    """No element goes through a rounding for every pixel, all of which go one way here: only for each line and each place in it."""
    x = np.full((2, 5, *sizes), 1.1, f32)
    mean = {2: F.global_avg_pool2d, 3: F.global_avg_pool3d}[len(sizes)]
    assert (np.abs(mean(x).astype(np.float64) / f32(1.1) - 1) <= (sum(sizes) + 2) * EPS / 2).all()


# -- adaptive


@pytest.mark.parametrize(
    ("n", "best", "places"),
    [
        (5, [2, 4, 5], [1, 3, 4]),  # [0, 2) [1, 4) [3, 5)
        (7, [3, 5, 7], [2, 4, 6]),  # [0, 3) [2, 5) [4, 7)
        (2, [1, 2, 2], [0, 1, 1]),  # [0, 1) [0, 2) [1, 2)
        (3, [1, 2, 3], [0, 1, 2]),
        (6, [2, 4, 6], [1, 3, 5]),
        (1, [1, 1, 1], [0, 0, 0]),
    ],
)
def test_adaptive_maxima(n, best, places):
    y, where = F.adaptive_max_pool2d(row(*range(1, n + 1)), (1, 3), return_indices=True)
    assert (flat(y), flat(where)) == (best, places)
    assert flat(F.adaptive_max_pool1d(row(*range(1, n + 1))[0], 3)) == best
    assert flat(F.adaptive_max_pool2d(column(*range(1, n + 1)), (3, 1))) == best


def test_adaptive_pools_keep_a_size_that_is_none():
    x = np.arange(24, dtype=f32).reshape(1, 1, 4, 6)
    np.testing.assert_array_equal(F.adaptive_max_pool2d(x, (None, 1)), F.max_pool2d(x, (1, 6)))
    np.testing.assert_array_equal(F.adaptive_avg_pool2d(x, (2, None)), F.avg_pool2d(x, (2, 1)))
    np.testing.assert_array_equal(F.adaptive_max_pool2d(x, None), x)
    y, where = F.adaptive_max_pool2d(x, (1, None), True)
    assert (flat(y), flat(where)) == ([18, 19, 20, 21, 22, 23],) * 2


@pytest.mark.parametrize("size", [1, (2, 3), (4, 6), (3, 4), (5, 7)])
def test_adaptive_indices_point_at_the_maxima(size):
    """Through the whole map, equal windows and unequal ones."""
    x = np.random.default_rng(0).permutation(48).astype(f32).reshape(1, 2, 4, 6)
    y, where = F.adaptive_max_pool2d(x, size, True)
    np.testing.assert_array_equal(np.take_along_axis(x.reshape(1, 2, -1), where.reshape(1, 2, -1), 2).reshape(y.shape), y)
    np.testing.assert_array_equal(F.adaptive_max_pool2d(x, size), y)


# -- fractional


@pytest.mark.parametrize(
    ("u", "starts"),
    [
        (0.0, [0, 2, 4, 7]),  # alpha = 7/3: int(0), int(2.33), int(4.67)
        (0.5, [0, 2, 4, 7]),  # int(1.17) = 1, int(3.5) = 3, int(5.83) = 5, less 1
        (0.9, [0, 2, 4, 7]),  # int(2.1) = 2, int(4.43) = 4, int(6.77) = 6, less 2
        (0.8, [0, 3, 5, 7]),  # int(1.87) = 1, int(4.2) = 4, int(6.53) = 6, less 1
        (0.3, [0, 3, 5, 7]),  # int(0.7) = 0, int(3.03) = 3, int(5.37) = 5
    ],
)
def test_fractional_windows(u, starts):
    """Nine pixels, four windows of two."""
    x = range(10, 19)
    ends = [x[s + 1] for s in starts]
    for kind in (np.float32, np.float64):
        assert flat(F.fractional_max_pool2d(row(*x), (1, 2), (1, 4), samples=kind([[[u, 0]]]))) == ends
        assert flat(F.fractional_max_pool2d(column(*x), (2, 1), (4, 1), samples=kind([[[0, u]]]))) == ends
    y, where = F.fractional_max_pool3d(row(*x)[None], (1, 1, 2), (1, 1, 4), return_indices=True, samples=[[[0, 0, u]]])
    assert (flat(y), flat(where)) == (ends, [s + 1 for s in starts])
    y = F.fractional_max_pool3d(row(*x).reshape(1, 1, 9, 1, 1), (2, 1, 1), (4, 1, 1), samples=[[[u, 0, 0]]])
    assert flat(y) == ends


def test_a_ratio_gives_the_windows():
    x = np.zeros((1, 1, 10, 7), f32)
    assert F.fractional_max_pool2d(x, 2, output_ratio=0.5).shape == (1, 1, 5, 3)
    assert F.fractional_max_pool2d(x, 2, output_ratio=(0.79, 0.3)).shape == (1, 1, 7, 2)


def test_one_window_is_the_last():
    assert flat(F.fractional_max_pool2d(row(9, 8, 1, 2), (1, 2), (1, 1))) == [2]


def test_samples_of_a_seed_are_those_that_the_page_says_and_the_same_for_all_images():
    x = np.random.default_rng(1).standard_normal((4, 3, 15, 13)).astype(f32)
    u = np.random.default_rng(5).random((1, 3, 2))
    y = F.fractional_max_pool2d(x, 2, (9, 8), seed=5)
    np.testing.assert_array_equal(y, F.fractional_max_pool2d(x, 2, (9, 8), samples=np.broadcast_to(u, (4, 3, 2))))
    np.testing.assert_array_equal(y, F.fractional_max_pool2d(x, 2, (9, 8), seed=5))
    np.testing.assert_array_equal(y[2:3], F.fractional_max_pool2d(x[2:3], 2, (9, 8), seed=5))
    assert (y != F.fractional_max_pool2d(x, 2, (9, 8), seed=6)).any()


def test_samples_of_an_image_go_with_it():
    rng = np.random.default_rng(2)
    x, u = rng.standard_normal((3, 2, 15, 13)).astype(f32), rng.random((3, 2, 2)).astype(f32)
    y = F.fractional_max_pool2d(x, 3, (8, 7), samples=u)
    for i in range(3):
        np.testing.assert_array_equal(y[i : i + 1], F.fractional_max_pool2d(x[i : i + 1], 3, (8, 7), samples=u[i : i + 1]))
    assert (y[0] != F.fractional_max_pool2d(x[:1], 3, (8, 7), samples=u[1:2])[0]).any()


def test_no_sample_leads_outside():
    """The op itself cannot tell: what arrives at run time is held inside."""
    x = np.arange(9, dtype=f32).reshape(1, 1, 9)
    for u in (np.nan, np.inf, -np.inf, -50.0, 1.0, 1e30):
        with np.errstate(invalid="ignore"):
            y, where = FractionalMaxPool((2,), (4,), True).reference(np, x, np.full((1, 1, 1), u))
        assert (where >= 1).all()
        assert (where <= 8).all()
        assert flat(y) == flat(where)


# -- the way back


def test_values_go_back_where_they_were():
    x = f32([[1, 2, 6, 3], [3, 5, 2, 1], [1, 2, 2, 1], [7, 3, 4, 8]]).reshape(1, 1, 4, 4)
    y = F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)
    assert y[0, 0].tolist() == [[0, 0, 6, 0], [0, 5, 0, 0], [0, 0, 0, 0], [7, 0, 0, 8]]


def test_the_size_can_be_told():
    """Five pixels and four both give two windows of two."""
    y, where = F.max_pool1d(f32([[[1, 2, 3, 4, 5]]]), 2, return_indices=True)
    assert flat(F.max_unpool1d(y, where, 2)) == [0, 2, 0, 4]
    for size in ((5,), (1, 1, 5), [5]):
        assert flat(F.max_unpool1d(y, where, 2, output_size=size)) == [0, 2, 0, 4, 0]
    assert F.max_unpool2d(np.ones((1, 1, 2, 3)), np.zeros((1, 1, 2, 3), int), 3, 2, 1).shape == (1, 1, 3, 5)


def test_of_several_values_at_a_place_the_last_is_kept():
    where = np.int64([[[1, 0, 1]]])
    assert flat(F.max_unpool1d(f32([[[5, 6, 4]]]), where, 2, 1)) == [6, 4, 0, 0]
    lying = np.empty((1, 3, 2, 1)).transpose(0, 3, 1, 2)  # in memory the other way round
    lying[0, 0] = [[1, 2], [3, 4], [5, 6]]
    places = np.zeros((1, 1, 3, 2), int)
    for y in (F.max_unpool2d(lying, places, 2), *MaxUnpool((6, 4)).reference(np, lying, places)):
        assert y[0, 0, 0, 0] == 6


def test_a_window_in_the_padding_alone_goes_nowhere():
    y, where = F.max_pool1d(f32([[[7]]]), 1, 1, 1, return_indices=True)
    assert flat(where) == [-1, 0, -1]
    assert flat(F.max_unpool1d(y, where, 3, 1, 2)) == [7]


@pytest.mark.parametrize("index", [-2, 4, 2**40, -(2**62)])
def test_an_index_that_leads_out_is_an_error(index):
    with pytest.raises(ShapeError, match=r"max_unpool1d: indices lie in .*, the plane of 4 has 4 places; pass the output_size"):
        F.max_unpool1d(np.ones((1, 1, 2)), np.int64([[[0, index]]]), 2)
