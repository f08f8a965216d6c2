"""``matmul_to_linear``: a product with a constant matrix on the right is a dense layer, and has what those have."""

from __future__ import annotations

import numpy as np
import pytest
from rewritten import after, names, rewritten
from truth import Planned, assert_true, draw_feeds, record, truth, verify

from gpucnn import functional as F
from gpucnn.ops import Linear
from gpucnn.passes import PASSES_FLOAT16, SIMPLIFY, fold_batch_norm, matmul_to_linear

RNG = np.random.default_rng(7)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5), (2, 1, 3, 5), (1, 5)])
@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.matmul(x, w(5, 4)),
        lambda x: x @ w(5, 1),
        lambda x: F.einsum("...c,kc->...k", x, w(4, 5)),
        lambda x: F.einsum("...c,ck->...k", x, w(5, 4)),
        lambda x: F.einsum("kc,...c->...k", w(4, 5), x),
    ],
)
def test_a_product_with_a_constant_matrix(forward, shape):
    graph = after(forward, matmul_to_linear, shapes=(shape,))
    assert names(graph) == ["linear"]
    assert graph.notes == {"matrix products made linear layers": 1}


@pytest.mark.parametrize(
    ("forward", "shape"),
    [
        (lambda x: F.einsum("nc,kc->nk", x, w(4, 5)), (3, 5)),
        (lambda x: F.einsum("ij,jk", x, w(5, 4)), (3, 5)),
        (lambda x: F.einsum("nlc,ck->nlk", x, w(5, 4)), (2, 3, 5)),
        (lambda x: F.einsum("nlc,ck->nlk", x, w(1, 4)), (2, 3, 1)),
        (lambda x: F.matmul(x, w(1, 5, 4)), (2, 3, 5)),
        (lambda x: F.matmul(x, w(1, 5, 4)), (2, 2, 3, 5)),
    ],
)
def test_other_ways_to_write_it(forward, shape):
    assert names(after(forward, matmul_to_linear, shapes=(shape,))) == ["linear"]


@pytest.mark.parametrize(
    ("forward", "shapes"),
    [
        (lambda x: F.matmul(w(4, 3), x), ((3, 5),)),
        (lambda x: F.matmul(x, w(5)), ((3, 5),)),
        (lambda x: F.matmul(x, w(5, 4)), ((5,),)),
        (lambda x: F.matmul(x, w(2, 5, 4)), ((2, 3, 5),)),
        (lambda x: F.matmul(x, w(1, 5, 4)), ((3, 5),)),  # it makes an axis
        (lambda x, y: F.matmul(x, y), ((3, 5), (5, 4))),
        (lambda x: F.einsum("nc,kc->kn", x, w(4, 5)), ((3, 5),)),
        (lambda x: F.einsum("nc,kn->kc", x, w(4, 3)), ((3, 5),)),
        (lambda x: F.einsum("nc,c->n", x, w(5)), ((3, 5),)),
        (lambda x: F.einsum("nc,nc->nc", x, w(3, 5)), ((3, 5),)),
        (lambda x: F.einsum("nc,kc->n", x, w(4, 5)), ((3, 5),)),
        (lambda x: F.einsum("nc,kc->nck", x, w(4, 5)), ((3, 5),)),
        (lambda x: F.einsum("nc,kc->nk", x, w(4, 1)), ((3, 5),)),  # its 1 stretches
        (lambda x: F.einsum("nc,kc->nk", x, w(4, 5)), ((3, 1),)),
        (lambda x: F.einsum("nnc,kc->nk", x, w(4, 5)), ((3, 3, 5),)),
        (lambda x: F.einsum("nchw,kc->nkhw", x, w(4, 5)), ((2, 5, 2, 3),)),
        (lambda x, y: F.einsum("nc,kc->nk", x, y), ((3, 5), (4, 5))),
        (lambda x: F.einsum("nc,kc,k->nk", x, w(4, 5), w(4)), ((3, 5),)),
    ],
)
def test_other_products_stay(forward, shapes):
    graph = after(forward, matmul_to_linear, shapes=shapes)
    assert len(graph.nodes) == 1
    assert not isinstance(graph.nodes[0].op, Linear)


def test_whole_numbers_stay():
    matrix = np.ones((5, 4), np.int32)
    assert names(rewritten(lambda x: F.matmul(x, matrix), matmul_to_linear, shapes=((3, 5),), dtype="int32")) == ["matmul"]


def test_empty_matrices_stay():
    assert names(rewritten(lambda x: F.matmul(x, w(0, 4)), matmul_to_linear, shapes=((3, 0),))) == ["matmul"]


def test_a_matrix_is_turned_once_for_all_its_readers():
    matrix = w(5, 5)
    before = matrix.copy()
    graph = after(lambda x: F.matmul(F.relu(F.matmul(x, matrix)), matrix) + x, matmul_to_linear, shapes=((3, 5),))
    first, second = (node.inputs[1] for node in graph.nodes if isinstance(node.op, Linear))
    assert first is second
    np.testing.assert_array_equal(matrix, before)
    both = after(lambda x: F.matmul(x, matrix) + F.einsum("nc,kc->nk", x, matrix), matmul_to_linear, shapes=((3, 5),))
    turned, plain = (node.inputs[1] for node in both.nodes if isinstance(node.op, Linear))
    np.testing.assert_array_equal(turned.data, plain.data.T)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 4), ()])
def test_what_is_added_behind_it_becomes_the_bias(shape):
    matrix, bias = w(5, 4), w(*shape)
    graph = after(lambda x: F.relu(F.matmul(x, matrix) + bias), *SIMPLIFY, shapes=((2, 3, 5),))
    assert names(graph) == ["linear"]
    np.testing.assert_array_equal(graph.nodes[0].inputs[2].data, np.broadcast_to(bias, (1, 1, 4)).reshape(4))
    assert str(graph.nodes[0].op.epilogue) == "relu"


@pytest.mark.parametrize("bias", [w(3, 1), w(2, 1, 1), w(3, 4), w(2, 3, 4), w(1, 2, 3, 4), w(5, 2, 3, 4)])
def test_other_addends_are_no_bias(bias):
    graph = after(lambda x: F.matmul(x, w(5, 4)) + bias, matmul_to_linear, fold_batch_norm, shapes=((2, 3, 5),))
    assert names(graph) == ["linear", "add"]


def test_behind_a_map_the_weight_is_permuted_and_nothing_moves():
    matrix, bias = w(60, 3), w(3)
    made = verify(record(lambda x: F.matmul(F.flatten(F.conv2d(x, w(4, 4, 3, 3)), 1), matrix) + bias, (2, 4, 5, 7), order="channels_last"))
    assert made.ops == ["conv2d", "linear"]


def test_in_16_bits():
    matrix, bias = w(5, 4), w(4)
    forward = lambda x: F.softmax(F.matmul(x, matrix) + bias, 1)  # noqa: E731
    graph = record(forward, (3, 5))
    feeds = draw_feeds(graph)
    made = Planned(record(forward, (3, 5)), passes=PASSES_FLOAT16)
    assert made.ops == ["cast", "linear", "softmax"]
    assert_true(made.run(feeds)["0"], truth(graph, feeds, np.float16)["0"])
