"""Wrong use of what takes from places and puts there says which op, what was expected, what came, and the shapes."""

from __future__ import annotations

import numpy as np
import pytest
from truth import Planned

from gpucnn import functional as F
from gpucnn.errors import ShapeError
from gpucnn.graph import Graph
from gpucnn.ops import GatherND, OneHot, ScatterElements, ScatterND
from gpucnn.spec import Spec

F32 = np.dtype(np.float32)


def z(*shape: int, dtype: object = np.float32):
    return np.zeros(shape, dtype)


def i(*shape: int):
    return np.zeros(shape, np.int64)


X = z(2, 6, 5)

WRONG = {
    "gather_nd batch": (lambda: GatherND(-1), "gather_nd: batch_dims must be at least 0, got -1"),
    "gather_nd batch rank": (lambda: F.gather_nd(X, i(2, 1), 2), "gather_nd: batch_dims 2 leaves no axis to look up along", "indices 2×1"),
    "gather_nd batch sizes": (lambda: F.gather_nd(X, i(3, 1), 1), "gather_nd: x and indices must agree in the first 1 axes", "x 2×6×5"),
    "gather_nd depth": (lambda: F.gather_nd(X, i(2, 4)), "the last axis of indices must name from 1 to 3 axes of x, it names 4"),
    "gather_nd type": (lambda: F.gather_nd(X, z(2, 1)), "gather_nd: indices must be whole numbers, got float32", "x 2×6×5 float32"),
    "gather_nd of nothing": (lambda: F.gather_nd(z(0, 2), i(1, 1)), "gather_nd: an axis of x is empty"),
    "gather_nd range": (lambda: F.gather_nd(X, np.array([[1, 6]])), "gather_nd: indices must lie in [-6, 5] for axis 1, got 6 to 6"),
    "scatter reduction": (lambda: ScatterElements(0, "add"), "scatter: reduction must be one of none, sum, prod, amax, amin, got 'add'"),
    "scatter dim": (lambda: F.scatter(X, 3, i(2, 6, 5), X), "scatter: dim must lie in [-3, 2] for a value of rank 3, got 3"),
    "scatter rank": (lambda: F.scatter(X, 0, i(2), z(2)), "scatter: indices must have 3 axes, got 1", "indices 2 int64"),
    "scatter type": (lambda: F.scatter(X, 0, X, X), "scatter: indices must be whole numbers, got float32"),
    "scatter large": (lambda: F.scatter(X, 0, i(2, 7, 5), z(2, 7, 5)), "indices must not be larger than x, but along dim 0", "x 2×6×5"),
    "scatter src": (lambda: F.scatter(X, 0, i(2, 6, 5), z(2, 6, 4)), "index must not be larger than src, got index 2×6×5 and src 2×6×4"),
    "scatter dtypes": (lambda: F.scatter(X, 0, i(2, 6, 5), i(2, 6, 5)), "scatter: updates are int64 where x is float32; convert one"),
    "scatter number": (lambda: F.scatter(i(2), 0, i(1), 0.5), "scatter: 0.5 is no int64 number"),
    "scatter bools": (lambda: F.scatter_add(X > 0, 0, i(1, 6, 5), X > 0), "scatter: reduction 'sum' is of numbers, x holds bool"),
    "scatter to nothing": (lambda: F.scatter(z(0), 0, i(1), z(1)), "scatter: axis 0 of x is empty, nothing can be put there"),
    "scatter range": (lambda: F.scatter(z(2), 0, np.array([2]), z(1)), "scatter: indices must lie in [-2, 1] for axis 0, got 2 to 2"),
    "scatter op": (
        lambda: ScatterElements().infer(Spec((2,), F32), Spec((2,), np.dtype(int)), Spec((1,), F32)),
        "scatter: every update needs an index: their shapes must agree", "updates 1 float32",
    ),
    "scatter_reduce": (lambda: F.scatter_reduce(X, 0, i(1), z(1), "median"), "reduce must be one of sum, prod, mean", "got 'median'"),
    "scatter_reduce bools": (lambda: F.scatter_reduce(X > 0, 0, i(1), X, "sum"), "scatter_reduce: x must hold numbers, got bool"),
    "scatter_nd reduction": (lambda: ScatterND("mean"), "scatter_nd: reduction must be one of none", "got 'mean'"),
    "scatter_nd depth": (lambda: F.scatter_nd(X, i(2, 4), z(2)), "scatter_nd: the last axis of indices must name from 1 to 3 axes of x"),
    "scatter_nd scalar": (lambda: F.scatter_nd(X, np.int64(1), z(2)), "scatter_nd: the last axis of indices must name from 1 to 3 axes"),
    "scatter_nd updates": (lambda: F.scatter_nd(X, i(4, 2), z(4)), "scatter_nd: updates must have shape (4, 5)", "updates 4 float32"),
    "scatter_nd range": (lambda: F.scatter_nd(X, i(1, 1) - 3, z(1, 6, 5)), "scatter_nd: indices must lie in [-2, 1] for axis 0, got -3"),
    "scatter_nd to nothing": (lambda: F.scatter_nd(z(0), i(1, 1), z(1)), "scatter_nd: an axis of x is empty"),
    "one_hot depth": (lambda: OneHot(-1), "one_hot: depth must be at least 0, got -1"),
    "one_hot type": (lambda: OneHot(3).infer(Spec((2,), np.dtype(bool)), Spec((2,), F32)), "one_hot: x must hold numbers, got bool"),
    "one_hot values": (lambda: OneHot(3).infer(Spec((2,), F32), Spec((3,), F32)), "one_hot: values must be two", "values 3 float32"),
    "one_hot dim": (lambda: OneHot(3, 2).infer(Spec((2,), F32), Spec((2,), F32)), "one_hot: dim must lie in [-2, 1]", "got 2"),
    "hardmax": (lambda: F.hardmax(i(2), 0), "hardmax: x must be floating point, got int64"),
    "hardmax dim": (lambda: F.hardmax(X, 3), "hardmax: dim must lie in [-3, 2]"),
    "triu": (lambda: F.triu(z(2)), "triu: x needs at least 2 axes, got shape 2"),
    "tril": (lambda: F.tril(z(2, 2), 0.5), "tril: diagonal must be a whole number, got 0.5"),
    "nonzero": (
        lambda: F.nonzero(Graph().input("x", Spec((2,), F32))),
        "nonzero: how many elements of 'x' (2 float32) are not 0 is known only when the net runs", "compute it outside and pass it in",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_message_says_what_is_wrong(case):
    call, *said = WRONG[case]
    with pytest.raises(ShapeError) as error:
        call()
    for part in said:
        assert part in str(error.value)


def test_places_out_of_range_are_found_when_a_net_runs():
    """Nothing is written: the program raises, and works again with places that are there."""
    graph = Graph()
    x, index = graph.input("x", Spec((2, 3), F32)), graph.input("index", Spec((2, 1), np.dtype(np.int64)))
    graph.outputs = {"y": F.scatter(x, 1, index, 7.0)}
    planned, rows = Planned(graph), np.arange(6, dtype=np.float32).reshape(2, 3)
    with pytest.raises(ShapeError, match=r"indices must lie in \[-3, 2\] for axis 1, got 0 to 3"):
        planned.run({"x": rows, "index": np.array([[0], [3]])})
    assert planned.run({"x": rows, "index": np.array([[2], [-1]])})["y"].tolist() == [[0, 1, 7], [3, 4, 7]]
