"""What is put at places, cut to triangles and written as one-hot vectors, against values computed by hand or in ONNX's documentation."""

from __future__ import annotations

import numpy as np
import pytest
from truth import record, verify

from gpucnn import functional as F
from gpucnn.graph import Graph
from gpucnn.ops import OneHot, ScatterElements, ScatterND
from gpucnn.spec import Spec

f32 = np.float32
nan, inf = np.nan, np.inf


def test_scatter_along_each_axis():
    """The example of ONNX's ScatterElements."""
    x, index, src = np.zeros((3, 3), f32), np.array([[1, 0, 2], [0, 2, 1]]), f32([[1.0, 1.1, 1.2], [2.0, 2.1, 2.2]])
    assert F.scatter(x, 0, index, src).tolist() == f32([[2, 1.1, 0], [1, 0, 2.2], [0, 2.1, 1.2]]).tolist()
    row = f32([[1, 2, 3, 4, 5]])
    assert F.scatter(row, 1, np.array([[1, 3]]), f32([[1.1, 2.1]])).tolist() == f32([[1, 1.1, 3, 2.1, 5]]).tolist()
    assert not x.any()


def test_the_last_of_several_updates_stays():
    index, src = np.array([1, 0, 1, -1, 1]), f32([10, 20, 30, 40, 50])
    assert F.scatter(f32([1, 2, 3]), 0, index, src).tolist() == [20, 50, 40]
    assert F.scatter_nd(f32([1, 2, 3]), index[:, None], src).tolist() == [20, 50, 40]


@pytest.mark.parametrize(
    ("reduce", "with_own", "without"),
    [
        ("sum", [7, 13, 3], [6, 11, 3]),
        ("prod", [8, 48, 3], [8, 24, 3]),
        ("mean", [7 / 3, 13 / 4, 3], [3, 11 / 3, 3]),
        ("amax", [4, 6, 3], [4, 6, 3]),
        ("amin", [1, 1, 3], [2, 1, 3]),
    ],
)
def test_reductions_of_updates(reduce, with_own, without):
    """x is 1, 2, 3; to the first place come 2 and 4, to the second 1, 4 and 6."""
    x, index, src = f32([1, 2, 3]), np.array([0, 1, 0, 1, 1]), f32([2, 1, 4, 4, 6])
    np.testing.assert_allclose(F.scatter_reduce(x, 0, index, src, reduce), with_own, rtol=1e-7)
    np.testing.assert_allclose(F.scatter_reduce(x, 0, index, src, reduce, include_self=False), without, rtol=1e-7)
    whole = F.scatter_reduce(x.astype(int), 0, index, src.astype(int), reduce, include_self=False)
    assert whole.tolist() == np.floor(without).tolist()


def test_sums_in_the_order_of_the_updates():
    """2²⁴ + 1 + 1 is 2²⁴ in float32, 1 + 1 + 2²⁴ is not; in float16, where sums are made in float32, 2048 + 1 + 1 is 2050."""
    big = 2.0**24
    assert F.scatter_add(f32([big]), 0, np.array([0, 0]), f32([1, 1])).tolist() == [big]
    assert F.scatter_add(f32([1]), 0, np.array([0, 0]), f32([1, big])).tolist() == [big + 2]
    assert F.scatter_add(np.float16([2048]), 0, np.array([0, 0]), np.float16([1, 1])).tolist() == [2050]


def test_nan_goes_through_the_extremes():
    for reduce in ("amax", "amin"):
        assert np.isnan(F.scatter_reduce(f32([nan, 1]), 0, np.array([0, 1]), f32([2, nan]), reduce)).all()


def test_source_larger_than_index_and_a_number():
    x, index = np.zeros((2, 3), int), np.array([[2], [0]])
    assert F.scatter(x, 1, index, np.array([[5, 6], [7, 8]])).tolist() == [[0, 0, 5], [7, 0, 0]]
    assert F.scatter(x, 1, index, 9).tolist() == [[0, 0, 9], [9, 0, 0]]
    assert F.scatter_add(x + 1, 1, index, 9).tolist() == [[1, 1, 10], [10, 1, 1]]


def test_scatter_slices():
    """The first example of ONNX's ScatterND, and slices added."""
    assert F.scatter_nd(np.arange(1, 9), np.array([[4], [3], [1], [7]]), np.array([9, 10, 11, 12])).tolist() == [1, 11, 3, 10, 9, 6, 7, 12]
    y = F.scatter_nd(np.ones((3, 2), int), np.array([[0], [-1], [0]]), np.array([[1, 2], [3, 4], [5, 6]]), "sum")
    assert y.tolist() == [[7, 9], [1, 1], [4, 5]]


def test_gather_nd_as_onnx_shows_it():
    x = np.array([[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    assert F.gather_nd(x[0], np.array([[0, 0], [1, 1]])).tolist() == [0, 3]
    assert F.gather_nd(x[0], np.array([[1], [0]])).tolist() == [[2, 3], [0, 1]]
    assert F.gather_nd(x, np.array([[0, 1], [1, 0]])).tolist() == [[2, 3], [4, 5]]
    assert F.gather_nd(x, np.array([[[0, 1]], [[1, 0]]])).tolist() == [[[2, 3]], [[4, 5]]]
    assert F.gather_nd(x, np.array([[1], [0]]), batch_dims=1).tolist() == [[2, 3], [4, 5]]


def test_one_hot_as_onnx_says():
    """Negative numbers count from the end, what is out of range names no place, and any type is cut off."""
    values = f32([2, 5])
    (y,) = OneHot(3).reference(np, np.array([1, -1, 3, -4]), values)
    assert y.tolist() == [[2, 5, 2], [2, 2, 5], [2, 2, 2], [2, 2, 2]]
    (y,) = OneHot(3, 0).reference(np, f32([1.9, -0.5]), np.array([False, True]))
    assert y.tolist() == [[False, True], [True, False], [False, False]]


def test_hardmax_takes_the_first_of_equal_ones():
    assert F.hardmax(f32([3, 3, 1]), 0).tolist() == [1, 0, 0]
    assert F.hardmax(f32([[1, nan], [inf, nan]]), 1).tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("k", [-9, -2, -1, 0, 1, 2, 9])
@pytest.mark.parametrize("shape", [(4, 4), (2, 5), (5, 2), (3, 2, 4)])
def test_triangles_as_numpy_cuts_them(k, shape):
    x = np.arange(1, np.prod(shape) + 1).reshape(shape)
    np.testing.assert_array_equal(F.triu(x, k), np.triu(x, k))
    np.testing.assert_array_equal(F.tril(x, k), np.tril(x, k))


def test_a_triangle_of_nan_is_zero():
    assert F.triu(np.full((2, 2), nan, f32))[1, 0] == 0


def test_places_of_what_is_not_zero():
    x = f32([[0, nan, -0.0], [2, 0, inf]])
    assert F.nonzero(x).tolist() == [[0, 1], [1, 0], [1, 2]]
    assert F.nonzero(np.zeros((2, 3))).shape == (0, 2)
    assert F.nonzero(np.float32(3)).shape == (1, 0)
    assert F.nonzero(np.float32(0)).shape == (0, 0)
    assert [c.tolist() for c in F.nonzero(x, as_tuple=True)] == [[0, 1, 1], [1, 0, 2]]
    graph = Graph()
    assert [c.data.tolist() for c in F.nonzero(graph.constant(x), as_tuple=True)] == [[0, 1, 1], [1, 0, 2]]
    found = F.nonzero(graph.constant(x))
    assert found.is_constant
    assert found.data.tolist() == [[0, 1], [1, 0], [1, 2]]


def test_in_a_recorded_net():
    index = np.array([[2, 0], [1, 1], [0, 2]])
    verify(record(lambda x, u: F.relu(F.scatter(x, 1, index, F.sin(u))), (3, 4), (3, 2)))
    verify(record(lambda x, u: F.scatter_nd(F.sin(x), index[:, :1], u, "sum"), (3, 4, 5), (3, 4, 5)))
    verify(record(lambda x: F.gather_nd(F.sin(x), index), (3, 4, 5)))
    verify(record(lambda x: F.triu(F.sin(x), 1) + F.tril(x), (2, 3, 4)))
    verify(record(lambda x, u: F.scatter_reduce(x, 1, index, u, "amin"), (3, 4), (3, 2)))


def test_a_batch_is_scattered_row_by_row():
    x, index, other = (Spec(s, np.dtype(t)) for s, t in (((4, 5), f32), ((4, 2), np.int64), ((3, 2), np.int64)))
    updates = Spec((4, 2), np.dtype(f32))
    assert ScatterElements(1).keeps_batch((True, True, True), x, index, updates)
    assert not ScatterElements(0).keeps_batch((True, True, True), x, index, updates)
    assert not ScatterElements(1).keeps_batch((True, False, True), x, index, updates)
    assert not ScatterElements(1).keeps_batch((True, True, True), x, other, updates)
    assert not ScatterND().keeps_batch((True, True, True), x, index, updates)
