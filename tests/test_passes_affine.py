"""``fold_batch_norm`` and ``fold_input_scales``: factors and addends per channel go into the weights beside them, where that is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rewritten import LAY_OUT, after, names, rewritten
from truth import Planned, assert_true, draw_feeds, record, truth, verify

import gpucnn
from gpucnn import functional as F
from gpucnn import nn
from gpucnn.ops import Activation, BatchNorm
from gpucnn.passes import PASSES_FLOAT16, SIMPLIFY, fold_batch_norm, fold_input_scales, fuse_epilogues
from gpucnn.passes.affine import scaled

RNG = np.random.default_rng(7)
X = (2, 4, 5, 7)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def away(*shape: int):
    """To be divided by: away from 0."""
    return (np.sign(w(*shape)) * RNG.uniform(0.5, 2, shape)).astype(np.float32)


def conv(x, k=4, kernel=3, **fields):
    return F.conv2d(x, w(k, x.shape[1] // fields.get("groups", 1), kernel, kernel), fields.pop("bias", w(k)), **fields)


def norm(x, affine=True):
    c = x.shape[1]
    return F.batch_norm(x, w(c), np.abs(w(c)) + np.float32(0.1), *((w(c), w(c)) if affine else ()))


STEPS = {
    "mul": lambda y: y * w(4, 1, 1),
    "mul in front": lambda y: w(1, 4, 1, 1) * y,
    "mul number": lambda y: y * 0.25,
    "add": lambda y: y + w(4, 1, 1),
    "add in front": lambda y: w(1, 4, 1, 1) + y,
    "add one": lambda y: y + w(1, 1, 1),
    "sub": lambda y: y - w(4, 1, 1),
    "sub from": lambda y: w(4, 1, 1) - y,
    "div": lambda y: y / away(4, 1, 1),
    "div number": lambda y: y / 255,
    "neg": lambda y: -y,
    "norm": norm,
    "norm without weights": lambda y: norm(y, False),
}
"""Affine steps on a value with four channels."""

CONSUMERS = {
    "conv": lambda x: conv(x, 6),
    "conv without bias": lambda x: conv(x, 6, bias=None),
    "grouped": lambda x: conv(x, 6, groups=2),
    "depthwise": lambda x: conv(x, 4, groups=4),
    "multiplied": lambda x: conv(x, 8, groups=4, stride=2),
    "pointwise": lambda x: conv(x, 3, 1),
    "dilated": lambda x: conv(x, 3, 3, dilation=2),
    "transposed": lambda x: F.conv_transpose2d(x, w(4, 3, 3, 2), w(3), 2),
    "transposed, grouped": lambda x: F.conv_transpose2d(x, w(4, 3, 2, 2), None, groups=2),
}
"""What has weights, for such a value."""

MADE = {
    "conv": lambda x: conv(x),
    "conv without bias": lambda x: conv(x, bias=None, padding=1),
    "grouped": lambda x: conv(x, groups=2),
    "transposed": lambda x: F.conv_transpose2d(x, w(4, 4, 3, 2), w(4), 2),
    "transposed, grouped": lambda x: F.conv_transpose2d(x, w(4, 2, 2, 2), None, groups=2),
    "norm": norm,
    "norm without weights": lambda x: norm(x, False),
}
"""What has weights and makes such a value."""


# -- into the weights before


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("made", MADE)
def test_what_follows_weights_goes_into_them(made, step):
    graph = after(lambda x: F.relu(STEPS[step](MADE[made](x))), fold_batch_norm, shapes=(X,))
    assert len(graph.nodes) == 2
    assert graph.notes == {"batch norms folded" if step.startswith("norm") else "scales and shifts folded": 1}


@pytest.mark.parametrize("made", MADE)
def test_a_chain_goes_into_the_weights_at_once(made):
    def forward(x):
        y = MADE[made](x)
        for step in STEPS.values():
            y = step(y)
        return y

    graph = after(forward, fold_batch_norm, shapes=(X,))
    assert len(graph.nodes) == 1
    assert graph.notes == {"batch norms folded": 2, "scales and shifts folded": len(STEPS) - 2}


def test_a_shift_alone_leaves_the_weight_as_it_is():
    weight, bias, shift = w(4, 4, 3, 3), w(4), w(4, 1, 1)
    graph = rewritten(lambda x: F.conv2d(x, weight) + bias.reshape(4, 1, 1) - shift, fold_batch_norm, shapes=(X,))
    (node,) = graph.nodes
    assert node.inputs[1].data is weight
    np.testing.assert_array_equal(node.inputs[2].data, (bias.astype(float) - shift.reshape(4)).astype(np.float32))


def test_a_scale_alone_makes_no_bias():
    graph = rewritten(lambda x: F.conv2d(x, w(4, 4, 3, 3)) * 2, fold_batch_norm, shapes=(X,))
    assert graph.nodes[0].inputs[2] is None


def test_the_result_is_rounded_once():
    weight, first, second = w(4, 4, 1, 1), w(4, 1, 1), w(4, 1, 1)
    graph = rewritten(lambda x: F.conv2d(x, weight) * first * second, fold_batch_norm, shapes=(X,))
    exact = weight.astype(float) * (first.astype(float) * second).reshape(4, 1, 1, 1)
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].data, exact.astype(np.float32))


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5), (5,)])
@pytest.mark.parametrize("step", [lambda y: y * w(6), lambda y: y + w(1), lambda y: w(6) - y, lambda y: -y / 3])
def test_behind_a_linear_layer_the_features_are_last(step, shape):
    assert names(after(lambda x: step(F.linear(x, w(6, 5), w(6))), fold_batch_norm, shapes=(shape,))) == ["linear"]


def test_one_spatial_axis_and_three():
    after(lambda x: F.conv1d(x, w(4, 4, 3)) * w(4, 1) + w(1, 4, 1), fold_batch_norm, shapes=((2, 4, 9),))
    graph = after(lambda x: norm(F.conv3d(x, w(4, 2, 2, 2, 2)) * w(4, 1, 1, 1)), fold_batch_norm, shapes=((1, 2, 3, 4, 5),))
    assert names(graph) == ["conv3d"]


def two(x):
    y = conv(x)
    return y * w(4, 1, 1), F.relu(y)


def seen(x):
    y = conv(x)
    return y * w(4, 1, 1), y


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (two, ["conv2d", "mul", "relu"]),
        (seen, ["conv2d", "mul"]),
        (lambda x: (lambda y: y * y)(conv(x)), ["conv2d", "mul"]),
        (lambda x: F.relu(conv(x)) * w(4, 1, 1), ["conv2d", "relu", "mul"]),
        (lambda x: conv(x, padding=1) * w(5, 1), ["conv2d", "mul"]),
        (lambda x: conv(x, padding=1) * w(7), ["conv2d", "mul"]),
        (lambda x: conv(x, padding=1) * w(5, 7), ["conv2d", "mul"]),
        (lambda x: conv(x, padding=1) * w(4, 5, 7), ["conv2d", "mul"]),
        (lambda x: conv(x, padding=1) * w(2, 1, 1, 1), ["conv2d", "mul"]),
        (lambda x: conv(x, padding=1) * w(2, 4, 1, 1), ["conv2d", "mul"]),
        (lambda x: conv(x, 1) + w(4, 1, 1), ["conv2d", "add"]),  # it enlarges
        (lambda x: conv(x[:1]) + w(2, 4, 1, 1), ["slice", "conv2d", "add"]),
        (lambda x: conv(x) + w(1, 1, 4, 1, 1), ["conv2d", "add"]),  # another rank
        (lambda x: conv(x, padding=1) + x, ["conv2d", "add"]),
        (lambda x: F.maximum(conv(x), w(4, 1, 1)), ["conv2d", "maximum"]),
        (lambda x: F.max_pool2d(x, 2) * w(4, 1, 1), ["max_pool2d", "mul"]),
        (lambda x: x * w(4, 1, 1) + w(4, 1, 1), ["mul", "add"]),
        (lambda x: norm(F.cat([x, conv(x, padding=1)], 1)), ["conv2d", "cat", "batch_norm"]),
    ],
)
def test_what_is_not_alone_or_not_of_channels_stays(forward, left):
    assert names(after(forward, fold_batch_norm, shapes=(X,))) == left


def test_a_number_that_is_divided_stays():
    graph = rewritten(lambda x: w(4, 1, 1) / conv(x), fold_batch_norm, shapes=(X,))
    assert names(graph) == ["conv2d", "div"]
    graph = rewritten(lambda x: conv(x) ** 2, fold_batch_norm, shapes=(X,))
    assert names(graph) == ["conv2d", "pow"]


@pytest.mark.parametrize("shape", [(3, 1), (2, 1, 1), (3, 6), (2, 3, 6)])
def test_behind_a_linear_layer_other_axes_are_not_features(shape):
    forward = lambda x: F.linear(x, w(6, 5), w(6)) + w(*shape)  # noqa: E731
    assert names(after(forward, fold_batch_norm, shapes=((2, 3, 5),))) == ["linear", "add"]


def test_computed_weights_and_factors_stay():
    left = ["conv2d", "mul"]
    assert names(after(lambda x, weight: F.conv2d(x, weight) * w(3, 1, 1), fold_batch_norm, shapes=(X, (3, 4, 2, 2)))) == left
    assert names(after(lambda x, y: conv(x) * y, fold_batch_norm, shapes=(X, (4, 1, 1)))) == left
    assert names(after(lambda x, b: F.conv2d(x, w(3, 4, 2, 2), b) * w(3, 1, 1), fold_batch_norm, shapes=(X, (3,)))) == left


@pytest.mark.parametrize(
    "step",
    [
        lambda y: y * np.float32([1, 2, np.inf, 3]).reshape(4, 1, 1),
        lambda y: y + np.float32([1, 2, np.nan, 3]).reshape(4, 1, 1),
        lambda y: y / np.float32([1, 0, 2, 3]).reshape(4, 1, 1),
        lambda y: y * np.float32(1e30) * np.float32(1e30),
        lambda y: (y + np.float32(3e38)) * 2,
        lambda y: F.batch_norm(y, w(4), np.float32([1, 2, -1, 3])),
        lambda y: F.batch_norm(y, w(4), np.zeros(4, np.float32), eps=0.0),
    ],
)
def test_numbers_that_a_weight_cannot_hold_stay_outside(step):
    """Inf·0 is NaN in a weight; behind the sum it is what the sum makes of it."""
    with np.errstate(all="ignore"):
        graph = rewritten(lambda x: step(conv(x)), fold_batch_norm, shapes=(X,))
    assert len(graph.nodes) == len(record(lambda x: step(conv(x)), X).nodes)


def test_float16_weights_keep_their_precision():
    """Numbers below the normal ones have fewer digits; in a net that is stored in float16 a scale that makes such stays outside."""
    weight, f16 = w(4, 4, 3, 3).astype(np.float16), np.float16

    def left(factor, given=weight):
        forward = lambda x: F.conv2d(x, given) * np.full((4, 1, 1), factor, f16)  # noqa: E731
        return names(rewritten(forward, fold_batch_norm, shapes=(X,), dtype="float16"))

    assert left(0.01) == ["conv2d"]
    assert left(1e-5) == ["conv2d", "mul"]
    assert left(6e4) == ["conv2d", "mul"]
    assert left(0.0) == ["conv2d", "mul"]
    dead = weight.copy()
    dead[2] *= f16(1e-5)  # an output that was no better before
    assert left(0.5, dead) == ["conv2d"]
    assert scaled(weight.astype(np.float32), np.full((4, 1, 1, 1), 1e-5)) is not None


def test_names_say_what_is_in_a_weight():
    """Packed weights are kept by name between the plans of a model: the same for every batch, another for other constants."""
    net = nn.Conv2d(4, 4, 3)
    scale, shift = w(4, 1, 1), w(4, 1, 1)

    def made(forward, n):
        graph = rewritten(forward, fold_batch_norm, fold_input_scales, shapes=((n, *X[1:]),))
        return [v.name for node in graph.nodes for v in node.inputs if v is not None and v.is_constant]

    def forward(x):
        return F.conv2d((x - shift) * scale, net.weight, net.bias) * scale + shift

    assert made(forward, 1) == made(forward, 4)
    other = made(lambda x: F.conv2d((x - scale) * scale, net.weight, net.bias) * scale + shift, 1)
    again = made(lambda x: F.conv2d((x - shift) * scale, net.weight, net.bias) * shift + scale, 1)
    assert not set(made(forward, 1)) & {*other, *again}
    before, behind = made(lambda x: F.conv2d(x * 2, net.weight) / 2, 1), made(lambda x: F.conv2d(x / 2, net.weight) * 2, 1)
    assert not set(before) & set(behind)


def test_a_models_plans_share_what_they_pack():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)

        def forward(self, x):
            y = self.norm(self.conv(F.pad((x - 0.5) / 0.25, (1, 1, 1, 1))))
            return self.head(y * 2 + F.relu(y))

    x = w(5, 3, 8, 8)
    with gpucnn.compile(Net(), x.shape, device="cpu") as model:
        many = model(x)
        packed = len(model._packed)
        few = model(x[:1])
        assert len(model._packed) == packed
    np.testing.assert_allclose(few, many[:1], rtol=0, atol=float(np.abs(many).max()) * 64 * float(np.finfo(np.float32).eps))


# -- into the weights behind


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_what_stands_before_weights_goes_into_them(consumer, step):
    graph = after(lambda x: F.relu(CONSUMERS[consumer](STEPS[step](F.tanh(x)))), fold_input_scales, shapes=(X,))
    shifts = not any(step.startswith(name) for name in ("mul", "div", "neg"))
    if consumer.startswith("transposed") and shifts:
        assert len(graph.nodes) == 4, "its borders see less of the shift"
        assert graph.notes == {}
    else:
        assert len(graph.nodes) == 3
        assert graph.notes == {"scales and shifts folded into what reads them": 1}


def test_a_chain_before_weights():
    def forward(x):
        for step in STEPS.values():
            x = step(x)
        return conv(x, 6, groups=2)

    graph = after(forward, fold_input_scales, shapes=(X,))
    assert names(graph) == ["conv2d"]
    assert graph.notes == {"scales and shifts folded into what reads them": len(STEPS)}


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5), (5,)])
@pytest.mark.parametrize("bias", [True, False])
def test_before_a_linear_layer(shape, bias):
    forward = lambda x: F.linear((x - w(5)) / away(5), w(6, 5), w(6) if bias else None)  # noqa: E731
    assert names(after(forward, fold_input_scales, shapes=(shape,))) == ["linear"]


def test_a_norm_before_a_linear_layer():
    assert names(after(lambda x: F.linear(norm(x), w(6, 5)), fold_input_scales, shapes=((3, 5),))) == ["linear"]
    for shape in ((2, 4, 5), (2, 5, 5)):  # the norm's channels are axis 1, the features the last
        graph = after(lambda x: F.linear(norm(x), w(6, 5)), fold_input_scales, shapes=(shape,))
        assert names(graph) == ["batch_norm", "linear"]


@pytest.mark.parametrize("padding", [1, "same", "same_lower", ((0, 1), (0, 0)), ((0, 0), (2, 0))])
@pytest.mark.parametrize(
    ("step", "left"),
    [
        (lambda x: x * w(4, 1, 1), []),
        (lambda x: -x / 255, []),
        (lambda x: norm(x), ["batch_norm"]),
        (lambda x: x + w(4, 1, 1), ["add"]),
        (lambda x: (x - w(4, 1, 1)) / away(4, 1, 1), ["sub"]),
        (lambda x: (x - 0.5) * away(4, 1, 1) * 2, ["sub"]),
        (lambda x: x * away(4, 1, 1) + w(4, 1, 1), ["add"]),
        (lambda x: w(4, 1, 1) - x / 255, ["div", "sub"]),  # more than an addition
        (lambda x: ((x / 255 - 0.5) * 4 + w(4, 1, 1)) / 3, ["div", "sub", "add"]),
        (lambda x: norm(x) * 3, ["batch_norm"]),
        (lambda x: x / away(4, 1, 1) - 1, ["add"]),
        (lambda x: x * np.float32([1, 0, 2, 3]).reshape(4, 1, 1) + 1, ["mul", "add"]),  # no shift is 1/0
        (lambda x: x * np.float32(1e-38) + np.float32(1e5), ["mul", "add"]),
        (lambda x: F.batch_norm(x, np.zeros(4, np.float32), np.ones(4, np.float32), w(4)), []),
        (lambda x: F.batch_norm(x, np.zeros(4, np.float32), np.ones(4, np.float32), None, np.float32([0, 0, 1, 0])), ["batch_norm"]),
    ],
)
def test_zeros_around_the_image_must_stay_zeros(step, left, padding):
    """A shift would move them, a scale does not; an addition behind it trades places with it."""
    graph = after(lambda x: conv(step(x), padding=padding), fold_input_scales, shapes=((2, 4, 6, 8),))
    assert names(graph) == [*left, "conv2d"]


def test_padding_that_is_none_is_none():
    """A ``"same"`` that adds nothing lets a shift in."""
    assert names(after(lambda x: conv(norm(x), 3, 1, padding="same"), fold_input_scales, shapes=(X,))) == ["conv2d"]
    assert names(after(lambda x: conv(norm(x), 3, 2, padding="same", stride=2), fold_input_scales, shapes=((2, 4, 6, 8),))) == ["conv2d"]
    assert names(after(lambda x: conv(norm(x), 3, 2, padding="same", stride=2), fold_input_scales, shapes=(X,))) == ["batch_norm", "conv2d"]


def read_twice(x):
    y = x * w(4, 1, 1)
    return conv(y), F.relu(y)


def as_weight(x):
    return F.conv2d(w(1, 4, 9, 9), x * w(4, 1, 1))


def residual_too(x):
    y = x * w(4, 1, 1)
    return conv(y, padding=1) + y


def shared_by_two(x):
    y = x * w(4, 1, 1)
    return conv(y), conv(y, 6)


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (read_twice, ["mul", "conv2d", "relu"]),
        (as_weight, ["mul", "conv2d"]),
        (residual_too, ["mul", "conv2d", "add"]),
        (shared_by_two, ["mul", "conv2d", "conv2d"]),
        (lambda x: (lambda y: (conv(y), y))(x * w(4, 1, 1)), ["mul", "conv2d"]),
        (lambda x: conv(x * w(5, 1)), ["mul", "conv2d"]),
        (lambda x: conv(x * w(7)), ["mul", "conv2d"]),
        (lambda x: conv(x * w(2, 4, 1, 1)), ["mul", "conv2d"]),
        (lambda x: conv(x[:, :1] * w(4, 1, 1)), ["slice", "mul", "conv2d"]),
        (lambda x: conv(F.relu(x * w(4, 1, 1))), ["mul", "relu", "conv2d"]),
        (lambda x: F.linear(x * w(4, 1, 1), w(3, 7)), ["mul", "linear"]),
        (lambda x: F.max_pool2d(x * w(4, 1, 1), 2), ["mul", "max_pool2d"]),
        (lambda x: conv(x * np.float32(1e30) * np.float32(1e30)), ["mul", "mul", "conv2d"]),
    ],
)
def test_what_others_read_or_is_not_of_channels_stays(forward, left):
    graph = rewritten(forward, fold_input_scales, shapes=(X,))
    assert names(graph) == left


def test_computed_weights_take_nothing_in():
    assert names(after(lambda x, y: F.conv2d(x * 2, y), fold_input_scales, shapes=(X, (3, 4, 2, 2)))) == ["mul", "conv2d"]
    assert names(after(lambda x, b: F.conv2d(x * 2, w(3, 4, 2, 2), b), fold_input_scales, shapes=(X, (3,)))) == ["mul", "conv2d"]


def test_the_nets_own_weights_stay_as_they_are():
    weight, bias, scale = w(4, 4, 3, 3), w(4), w(4, 1, 1)
    before = weight.copy(), bias.copy(), scale.copy()
    after(lambda x: F.conv2d((x + scale) * scale, weight, bias) * scale + F.conv2d(x, weight, bias), *SIMPLIFY, shapes=(X,))
    for array, copy in zip((weight, bias, scale), before):
        np.testing.assert_array_equal(array, copy)


# -- all together


def test_a_norm_between_two_convolutions_goes_into_the_first():
    first, second = w(4, 4, 3, 3), w(4, 4, 3, 3)
    graph = after(lambda x: F.conv2d(norm(F.conv2d(x, first)), second), *SIMPLIFY, shapes=((2, 4, 9, 9),))
    assert names(graph) == ["conv2d", "conv2d"]
    assert graph.nodes[1].inputs[1].data is second


def test_a_photograph_normalised_in_the_graph():
    mean, std = np.float32([0.485, 0.456, 0.406]).reshape(3, 1, 1), np.float32([0.229, 0.224, 0.225]).reshape(3, 1, 1)

    def net(padding):
        return lambda x: F.relu(norm(conv((x / 255 - mean) / std, 8, 3, stride=2, padding=padding, bias=None)))

    assert names(after(net(0), *SIMPLIFY, shapes=((2, 3, 17, 15),))) == ["conv2d"]
    assert names(after(net(1), *SIMPLIFY, shapes=((2, 3, 17, 15),))) == ["add", "conv2d"]


def test_a_frozen_norm_behind_a_concatenation_stays_one_norm():
    """There is nothing with weights before it, and an activation behind."""
    graph = after(lambda x: conv(F.relu(norm(F.cat([x, F.tanh(x)], 1)) * w(8, 1, 1) + w(8, 1, 1))), *SIMPLIFY, shapes=(X,))
    assert names(graph) == ["tanh", "cat", "batch_norm", "conv2d"]
    assert graph.nodes[2].op.activation == Activation("relu")


def test_in_16_bits_a_folded_bias_stays_float32():
    weight, mean, scale = w(8, 4, 3, 3), w(4, 1, 1), away(8, 1, 1)
    forward = lambda x: F.relu(F.conv2d(x - mean, weight) * scale)  # noqa: E731
    graph = record(forward, X)
    feeds = draw_feeds(graph)
    made = Planned(record(forward, X), passes=PASSES_FLOAT16)
    (node,) = (step.node for step in made.plan.steps if step.node.op.name == "conv2d")
    assert [v.dtype for v in node.inputs[1:3]] == [np.float16, np.float32]
    assert_true(made.run(feeds)["0"], truth(graph, feeds, np.float16)["0"])


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (lambda x: F.relu(norm(x)), ["batch_norm"]),
        (lambda x: F.silu(norm(x)), ["batch_norm"]),
        (lambda x: F.tanh(F.relu(norm(x))), ["batch_norm", "tanh"]),
        (lambda x: norm(F.relu(norm(x))), ["batch_norm", "batch_norm"]),
        (lambda x: F.relu(norm(x) + x), ["batch_norm", "add", "relu"]),
        (lambda x: (lambda y: F.relu(y) + y)(norm(x)), ["batch_norm", "relu", "add"]),
        (lambda x: (lambda y: (F.relu(y), y))(norm(x)), ["batch_norm", "relu"]),
        (lambda x: F.softmax(norm(x), 1), ["batch_norm", "softmax"]),
        (lambda x: F.relu(norm(conv(x))), ["conv2d"]),
    ],
)
def test_an_activation_behind_a_norm_that_stays_is_its_own(forward, left):
    graph = after(forward, *SIMPLIFY, shapes=(X,))
    assert names(graph) == left
    for one in SIMPLIFY:  # a norm with an activation is no affine step
        one(graph)
    assert names(graph) == left


def test_a_computed_norm_has_its_activation_too():
    graph = after(lambda x, mean: F.relu(F.batch_norm(x, mean, np.ones(4, np.float32))), fuse_epilogues, shapes=(X, (4,)))
    assert names(graph) == ["batch_norm"]
    assert graph.notes == {"activations fused into norms": 1}


def test_a_norm_with_an_activation_is_described():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x):
            return F.relu6(self.norm(x))

    with gpucnn.compile(Net(), (1, 3, 4, 4), device="cpu") as model:
        assert "batch_norm+relu6" in model.describe()


def test_norms_behind_norms_keep_mean_and_variance():
    graph = after(lambda x: norm(norm(x, False), True) * 3 - 1, fold_batch_norm, shapes=(X,))
    (node,) = graph.nodes
    assert isinstance(node.op, BatchNorm)
    assert graph.notes == {"batch norms folded": 1, "scales and shifts folded": 2}


@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_chain_around_any_weights(data):
    """However they follow one another: the plan is true, and nothing that could go is left where nothing is padded."""
    steps = st.lists(st.sampled_from(sorted(STEPS)), max_size=3)
    chains = [data.draw(steps) for _ in range(3)]
    made, consumer = data.draw(st.sampled_from(sorted(MADE))), data.draw(st.sampled_from(sorted(CONSUMERS)))

    def through(x, chain):
        for step in chain if x.shape[1] == 4 else ():
            x = STEPS[step](x)
        return x

    def forward(x):
        y = MADE[made](through(x, chains[0]))
        return through(CONSUMERS[consumer](through(y, chains[1])), chains[2])

    found = verify(record(forward, (2, 4, 9, 9)), passes=(*SIMPLIFY, *LAY_OUT))
    if not made.startswith(("norm", "transposed")) and made != "conv without bias":  # whose zeros hold up a shift
        assert len([op for op in found.ops if op != "reorder"]) == 2
