"""Clips and softmaxes that are written out as arithmetic: recognised in every order, and worth the same."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from test_passes_patterns import EPS, SPECIAL, X_SHAPE, after, by_reference, names
from truth import record

from gpucnn import functional as F
from gpucnn.ops import Activation, LogSoftmax, Softmax
from gpucnn.passes import recognise_activations

# -- clips


@pytest.mark.parametrize(("form", "expected"), [
    (lambda x: F.minimum(F.maximum(x, -1.0), 2.0), Activation("clip", -1.0, 2.0)),
    (lambda x: F.maximum(F.minimum(2.0 * np.float32(1), x), -1.0), Activation("clip", -1.0, 2.0)),
    (lambda x: F.minimum(F.relu(x), 6.0), Activation("clip", 0.0, 6.0)),
    (lambda x: F.relu(F.minimum(x, 6.0)), Activation("clip", 0.0, 6.0)),
    (lambda x: F.relu6(F.relu(x)), Activation("clip", 0.0, 6.0)),
    (lambda x: F.relu(F.relu(x)), Activation("relu")),
    (lambda x: F.hardtanh(x, 0.0, inf), Activation("relu")),
    (lambda x: F.maximum(x, 0.5), Activation("clip", 0.5, inf)),
    (lambda x: F.minimum(0.5, x), Activation("clip", -inf, 0.5)),
    (lambda x: F.hardtanh(F.hardtanh(x, -1.0, 0.5), 0.0, 1.0), Activation("clip", 0.0, 0.5)),
    (lambda x: F.hardtanh(F.hardtanh(x, -1.0, 0.0), 0.5, 1.0), Activation("clip", 0.5, 0.5)),
    (lambda x: F.minimum(F.maximum(x, 1.0), -1.0), Activation("clip", -1.0, -1.0)),
])  # fmt: skip
def test_minima_and_maxima_of_numbers_are_one_clip(form, expected):
    (node,) = after(form).nodes
    assert node.op == expected
    graph = record(form, SPECIAL.shape)
    before = by_reference(graph, SPECIAL)
    recognise_activations(graph)
    np.testing.assert_array_equal(by_reference(graph, SPECIAL), before)


@pytest.mark.parametrize("form", [
    lambda x: F.maximum(x, -inf), lambda x: F.minimum(x, inf), lambda x: F.maximum(x, float("nan")),
    lambda x: F.maximum(x, np.float32([1, 2, 3, 4, 5, 6, 7])), lambda x: F.relu(x), lambda x: F.relu6(x),
])  # fmt: skip
def test_what_is_no_clip_or_one_already_stays(form):
    graph = record(form, X_SHAPE)
    before = [node.op for node in graph.nodes]
    recognise_activations(graph)
    assert [node.op for node in graph.nodes] == before
    assert graph.notes == {}


def test_an_inner_clip_that_others_need_stays():
    def forward(x):
        y = F.maximum(x, -1.0)
        return F.minimum(y, 1.0), y

    assert [node.op for node in after(forward).nodes] == [Activation("clip", -1.0, inf), Activation("clip", -inf, 1.0)]


@pytest.mark.parametrize(("form", "alpha", "beta"), [
    (lambda x: F.hardtanh(0.2 * x + 0.5, 0, 1), 0.2, 0.5),
    (lambda x: F.relu6(0.5 * x + 1.0) / 6.0, 0.5 / 6, 1 / 6),
    (lambda x: F.relu6(3.0 - x) / 6.0, -1 / 6, 0.5),
    (lambda x: F.hardtanh((x + 2.0) / 4.0, 0, 1), 0.25, 0.5),
    (lambda x: F.hardtanh(x + 0.5, 0, 1), 1.0, 0.5),
])  # fmt: skip
def test_a_line_that_is_clipped_to_0_and_1_is_a_hard_sigmoid(form, alpha, beta):
    (node,) = after(form).nodes
    assert node.op.kind == "hardsigmoid"
    np.testing.assert_allclose((node.op.alpha, node.op.beta), (alpha, beta), rtol=4 * EPS)


# -- softmax


def softmax(x, dim=1, keepdim=True, divide=lambda e, s: e / s):
    e = F.exp(x - F.amax(x, dim, keepdim))
    return divide(e, F.sum(e, dim, keepdim))


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("divide", [lambda e, s: e / s, lambda e, s: e * F.reciprocal(s), lambda e, s: (1.0 / s) * e])
def test_a_softmax_that_is_written_out(dim, divide):
    (node,) = after(lambda x: softmax(x, dim, divide=divide)).nodes
    assert node.op == Softmax(dim % 4)


def test_its_exponentials_may_be_computed_twice():
    (node,) = after(lambda x: F.exp(x - F.amax(x, 1, True)) / F.sum(F.exp(x - F.amax(x, 1, True)), 1, True)).nodes
    assert node.op == Softmax(1)


@pytest.mark.parametrize("form", [
    lambda x: F.exp(x) / F.sum(F.exp(x), 1, True),
    lambda x: F.exp(x - F.amax(x, 1, True)) / F.sum(F.exp(x - F.amax(x, 1, True)), 2, True),
    lambda x: F.exp(x - F.amax(x, 2, True)) / F.sum(F.exp(x - F.amax(x, 2, True)), 1, True),
    lambda x: softmax(x, (2, 3)),
    lambda x: softmax(x, divide=lambda e, s: e * (np.ones((1, 1, 1, 1, 1), np.float32) / s)),
    lambda x: F.exp(x - F.amin(x, 1, True)) / F.sum(F.exp(x - F.amin(x, 1, True)), 1, True),
    lambda x: F.exp(x - F.amax(F.sin(x), 1, True)) / F.sum(F.exp(x - F.amax(x, 1, True)), 1, True),
    lambda x: F.sum(F.exp(x - F.amax(x, 1, True)), 1, True) / F.exp(x - F.amax(x, 1, True)),
])  # fmt: skip
def test_what_is_no_softmax_stays(form):
    assert "softmax" not in names(after(form))


def test_a_softmax_whose_sum_is_needed_stays():
    def forward(x):
        e = F.exp(x - F.amax(x, 1, True))
        s = F.sum(e, 1, True)
        return e / s, s

    assert "softmax" not in names(after(forward))


def test_the_logarithm_of_a_softmax():
    (node,) = after(lambda x: F.log(F.softmax(x, 2))).nodes
    assert node.op == LogSoftmax(2)
    (node,) = after(lambda x: F.log(softmax(x))).nodes
    assert node.op == LogSoftmax(1)
    assert names(after(lambda x: (lambda p: (F.log(p), p))(F.softmax(x, 1)))) == ["softmax", "log"]
