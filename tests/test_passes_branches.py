"""``merge_parallel_convs``: sums of convolutions that become one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rewritten import LAY_OUT, after, awkward_feeds, by_reference, names, rewritten
from truth import record, verify

import gpucnn
from gpucnn import functional as F
from gpucnn import nn
from gpucnn.graph import Graph
from gpucnn.ops import Activation, Conv, Epilogue
from gpucnn.passes import SIMPLIFY, branches, merge_parallel_convs

RNG = np.random.default_rng(11)
X = (2, 4, 6, 7)
PROFILE = settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, kernel: Any = 3, k=4, **fields):
    size = (kernel,) * (x.ndim - 2) if isinstance(kernel, int) else kernel
    weight = w(k, x.shape[1] // fields.get("groups", 1), *size)
    return {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[x.ndim](x, weight, fields.pop("bias", w(k)), **fields)


def c3(x, **fields):
    return conv(x, 3, **{"padding": 1, **fields})


def c1(x, **fields):
    return conv(x, 1, **fields)


def large(x, kernel, **fields):
    return conv(x, kernel, groups=4, padding=4, **fields)


def row(x, count, before):
    """Every second pixel of a line."""
    return conv(x, (1, count), dilation=2, padding=((0, 0), (before, before)))


def norm(x):
    c = x.shape[1]
    return F.batch_norm(x, w(c), np.abs(w(c)) + np.float32(0.1), w(c), w(c))


def flops(graph: Graph) -> int:
    return sum(node.op.flops(*node.specs) for node in graph.nodes)


# -- a sum of convolutions


MERGED = {
    "small in large": lambda x: c3(x) + c1(x),
    "large behind small": lambda x: c1(x) + c3(x),
    "RepVGG": lambda x: c3(x) + c1(x) + norm(x),
    "with norms of their own": lambda x: norm(c3(x, bias=None)) + norm(c1(x, bias=None)) + norm(x),
    "x itself": lambda x: x + c3(x),
    "x twice": lambda x: (x + x) + c3(x),
    "two of one tap": lambda x: c1(x, k=3) + c1(x, k=3, bias=None),
    "strided": lambda x: c3(x, stride=2) + c1(x, stride=2) + conv(x, 5, stride=2, padding=2),
    "strides of their own": lambda x: c3(x, stride=(2, 1)) + c1(x, stride=(2, 1)),
    "depthwise": lambda x: c3(x, groups=4) + c1(x, groups=4) + norm(x) + x,
    "more than depthwise": lambda x: conv(x, 7, 8, groups=4, stride=2, padding=3) + c3(x, k=8, groups=4, stride=2),
    "grouped": lambda x: c3(x, groups=2) + c1(x, groups=2) + norm(x),
    "groups in groups": lambda x: c3(x, groups=2) + c3(x, groups=4),
    "depthwise in dense": lambda x: conv(x, 5, padding=2) + c3(x, k=4, groups=4) + c3(x, groups=2),
    "subtracted": lambda x: c3(x) - c1(x) - norm(x),
    "subtracted from x": lambda x: x - c3(x),
    "subtracted sum": lambda x: c1(x) - (norm(x) - c3(x)),
    "FastViT": lambda x: x + w(4, 1, 1) * (norm(x) + c1(x, groups=4) + c3(x, groups=4) - norm(x)),
    "scaled sums in scaled sums": lambda x: c3(x) - 2 * (c1(x) + (norm(x) - c3(x)) / 3 - 1),
    "constants between": lambda x: (c3(x) + w(4, 1, 1)) + (0.5 - c1(x)) * 2,
    "bent pads": lambda x: conv(x, 3, padding=((0, 2), (2, 0))) + c1(x),
    "off the middle": lambda x: conv(x, (4, 3), padding=((3, 0), (1, 1))) + conv(x, (2, 1), padding=((1, 0), (0, 0))) + norm(x),
    "ends that nothing sees": lambda x: conv(x, 3, stride=3, padding=((1, 2), (1, 1))) + c1(x, stride=3, padding=((0, 2), (0, 0))),
    "padding by name": lambda x: c3(x, stride=2, padding="same") + c1(x, stride=2, padding="same_lower"),
    "dilated": lambda x: c3(x, dilation=2, padding=2) + c1(x) + norm(x),
    "dilated alike": lambda x: c3(x, dilation=2, padding=2) + conv(x, (1, 3), dilation=2, padding=((0, 0), (2, 2))),
    "dilated, between each other": lambda x: row(x, 3, 2) + row(x, 2, 1),
    "UniRepLKNet": lambda x: large(x, 9) + large(x, 5, dilation=2) + conv(x, 3, groups=4, padding=3, dilation=3),
    "as many taps as apart": lambda x: conv(x, (1, 2), padding=((0, 0), (0, 1))) + conv(x, (2, 1), padding=((0, 1), (0, 0))),
}  # fmt: skip


@pytest.mark.parametrize("form", MERGED)
def test_branches_become_one_convolution(form):
    before = record(MERGED[form], X)
    graph = after(MERGED[form], merge_parallel_convs, shapes=(X,))
    assert names(graph) == ["conv2d"]
    assert flops(graph) <= flops(before)
    assert graph.notes["parallel convolutions merged"] > 1


@pytest.mark.parametrize("shape", [(2, 4, 9), (1, 4, 4, 5, 3), (0, 4, 5, 5), (1, 4, 1, 1)])
def test_any_number_of_axes(shape):
    graph = after(lambda x: c3(x) + c1(x) + norm(x), merge_parallel_convs, shapes=(shape,))
    assert names(graph) == [f"conv{len(shape) - 2}d"]


def test_the_weight_is_summed_up_in_float64_and_rounded_once():
    a, b, scale, shift = w(4, 4, 3, 3), w(4, 4, 1, 1), w(4, 1, 1), w(4, 1, 1)
    first, second = w(4), w(4)
    graph = rewritten(
        lambda x: x + (F.conv2d(x, a, first, padding=1) - F.conv2d(x, b, second) * 0.1 + shift) * scale, merge_parallel_convs, shapes=(X,)
    )
    by = scale.astype(float).reshape(4, 1, 1, 1)
    exact = a * by
    tenth = float(np.float32(0.1))
    exact[:, :, 1:2, 1:2] += -tenth * b.astype(float) * by + np.eye(4).reshape(4, 4, 1, 1)
    (node,) = graph.nodes
    assert_nearest(node.inputs[1].data, exact)
    assert_nearest(node.inputs[2].data, (first.astype(float) - tenth * second.astype(float) + shift.reshape(4)) * scale.reshape(4))


def assert_nearest(rounded, exact):
    """Half a unit in the last place away, and the few roundings of float64."""
    assert (np.abs(rounded - exact) <= np.spacing(np.abs(exact).astype(np.float32)) * (0.5 + 1e-6)).all()


def test_branches_without_a_bias_make_none():
    graph = rewritten(lambda x: c3(x, bias=None) + c1(x, bias=None) + x, merge_parallel_convs, shapes=(X,))
    assert graph.nodes[0].inputs[2] is None


@pytest.mark.parametrize("form", ["groups in groups", "UniRepLKNet", "FastViT", "depthwise in dense"])
def test_large_weights_are_summed_up_piece_by_piece(form, monkeypatch):
    def weight():
        RNG.bit_generator.state = state
        return rewritten(MERGED[form], merge_parallel_convs, shapes=(X,)).nodes[0].inputs[1].data

    state = RNG.bit_generator.state
    at_once = weight()
    monkeypatch.setattr(branches, "_AT_ONCE", 1)
    np.testing.assert_array_equal(weight(), at_once)


def test_what_stands_behind_goes_into_the_one_convolution():
    graph = after(lambda x: F.relu(norm((c3(x) + c1(x) + norm(x)) * w(4, 1, 1))), *SIMPLIFY, shapes=(X,))
    assert names(graph) == ["conv2d"]
    assert graph.nodes[0].op.epilogue.pre == Activation("relu")


def test_what_stands_before_goes_into_the_one_convolution():
    """It was read by several."""
    graph = after(lambda x: (lambda y: conv(y, 3) + conv(y, 3))(x * w(4, 1, 1) + 1), *SIMPLIFY, shapes=(X,))
    assert names(graph) == ["conv2d"]


def test_what_is_no_branch_is_added_where_it_was():
    graph = after(lambda x, y: F.relu(c3(x) + y + c1(x)), *SIMPLIFY, shapes=(X, X))
    assert names(graph) == ["conv2d"]
    assert graph.nodes[0].inputs[3] is graph.inputs["x1"]
    forms = {
        "add add": lambda x, y: (c3(x) + F.tanh(y)) + c1(x),
        "sub add": lambda x, y: (F.tanh(y) - c3(x)) + c1(x),
        "add sub": lambda x, y: F.tanh(y) + (c3(x) - c1(x)),
        "of the second alone": lambda x, y: (norm(x) - F.tanh(y)) + c1(x),
        "of the first alone": lambda x, y: c1(x) - (norm(x) - F.tanh(y)),
    }
    for form, forward in forms.items():
        left = ["conv2d", "tanh", "sub" if form == "of the second alone" else "add"]
        assert sorted(names(after(forward, merge_parallel_convs, shapes=(X, X)))) == sorted(left), form


def test_each_value_has_its_own_convolution():
    graph = after(lambda x, y: (c3(x) + c3(y)) - (c1(y) + c1(x)) + F.tanh(y), merge_parallel_convs, shapes=(X, X))
    assert names(graph) == ["conv2d", "conv2d", "add", "tanh", "add"]


def test_large_kernels_do_not_take_in_groups():
    """5×5 in four groups and 3×3 in one cost 25 + 36 multiplications an output, together 100; the 1×1 goes with the latter."""
    graph = after(lambda x: conv(x, 5, groups=4, padding=2) + c3(x) + c1(x) + c1(x, groups=4), merge_parallel_convs, shapes=(X,))
    assert names(graph) == ["conv2d", "conv2d", "add"]
    assert sorted(node.op.groups for node in graph.nodes[:2]) == [1, 4]


def test_blocks_behind_each_other():
    def forward(x):
        for _ in range(3):
            x = F.relu(c3(x) + c1(x) + norm(x))
        return x

    assert names(after(forward, *SIMPLIFY, shapes=(X,))) == ["conv2d"] * 3


def test_the_outputs_keep_their_names():
    graph = rewritten(lambda x: (c3(x) + c1(x), x - c1(x)), merge_parallel_convs, shapes=(X,))
    assert [graph.outputs[k].producer.op.name for k in ("0", "1")] == ["conv2d", "conv2d"]


def read_elsewhere(x):
    y = c1(x)
    return c3(x) + y, F.relu(y)


def scaled_and_read_elsewhere(x):
    y = norm(x)
    return c3(x) + y, F.relu(y)


def with_activation(x):
    op = Conv(padding=((1, 1), (1, 1)), epilogue=Epilogue(Activation("relu")))
    return x.graph.append(op, (x, w(4, 4, 3, 3)))[0] + c1(x)


def with_residual(x):
    return x.graph.append(Conv(), (x, w(4, 4, 1, 1), None, x))[0] + c1(x)


def asked_for(x):
    y = c1(x)
    return c3(x) + y, y


def sum_read_elsewhere(x):
    y = c3(x) + F.tanh(x)
    return y + c1(x), F.relu(y)


def scaled_beside_others(x):
    return c3(x) + 2 * (c1(x) + F.tanh(x))


@pytest.mark.parametrize(
    "forward",
    [
        read_elsewhere,
        scaled_and_read_elsewhere,
        with_activation,
        with_residual,
        asked_for,
        sum_read_elsewhere,
        scaled_beside_others,
        lambda x: c3(x) + F.relu(c1(x)),
        lambda x: c3(x) + c1(F.tanh(x)),
        lambda x: c3(x) * c1(x),
        lambda x: F.maximum(c3(x), c1(x)),
        lambda x: c3(x) + c1(x[:, :, :1, :1]),  # it enlarges
        lambda x: c3(x) + c1(x[:1]),
        lambda x: c3(x[:, :, :1, :1], stride=2) + c1(x[:, :, :1, :1]),
        lambda x: (lambda y: c3(y, stride=2) + y)(F.tanh(x[:, :, :1, :1])),
        lambda x: (lambda y: c3(y, stride=2) + norm(y))(F.tanh(x[:, :, :1, :1])),
        lambda x: norm(x) + x,
        lambda x: norm(x) + norm(x),
        lambda x: (lambda y: y + y)(c3(x)),
        lambda x: c3(x) + x * w(6, 1),
        lambda x: c3(x) + w(2, 4, 6, 7),
        lambda x: c3(x) + c1(x) * w(7),
        lambda x: c3(x, k=1) + c1(x, k=4),
        lambda x: conv(x, (1, 5), padding=((0, 0), (2, 2))) + conv(x, (5, 1), padding=((2, 2), (0, 0))),  # 25 taps for 10
        lambda x: c3(x) + c3(x, dilation=2, padding=2),
        lambda x: c3(x, dilation=3, padding=3) + conv(x, 2, dilation=2, padding=1),
        lambda x: c1(x) + conv(x, 5, groups=4, padding=2),
        lambda x: c3(x[:, :3]) + c1(x[:, :3]),  # the same, but two values
        lambda x: F.conv_transpose2d(x, w(4, 4, 1, 1)) + c1(x),
        lambda x: F.max_pool2d(x, 3, 1, 1) + c3(x),
    ],
)
def test_what_is_no_sum_of_branches_stays(forward):
    graph = after(forward, merge_parallel_convs, shapes=(X,))
    assert names(graph) == names(record(forward, X))
    assert graph.notes == {}


def test_groups_without_a_common_divisor_stay():
    forward = lambda x: c3(x, groups=4, k=12) + c3(x, groups=6, k=12)  # noqa: E731
    assert names(after(forward, merge_parallel_convs, shapes=((1, 12, 4, 4),))) == ["conv2d", "conv2d", "add"]


def test_computed_weights_and_biases_stay():
    left = ["conv2d", "conv2d", "add"]
    assert names(after(lambda x, y: F.conv2d(x, y) + c1(x), merge_parallel_convs, shapes=(X, (4, 4, 1, 1)))) == left
    assert names(after(lambda x, y: F.conv2d(x, w(4, 4, 1, 1), y) + c1(x), merge_parallel_convs, shapes=(X, (4,)))) == left


@pytest.mark.parametrize(
    ("forward", "dtype"),
    [
        (lambda x: F.conv2d(x, np.full((4, 4, 1, 1), 3e38, np.float32)) + F.conv2d(x, np.full((4, 4, 1, 1), 3e38, np.float32)), "float32"),
        (lambda x: c1(x, bias=np.full(4, 3e38, np.float32)) + c1(x, bias=np.full(4, 3e38, np.float32)), "float32"),
        (lambda x: F.conv2d(x, np.full((4, 4, 1, 1), np.inf, np.float32)) + c1(x), "float32"),
        (lambda x: F.conv2d(x, np.full((4, 4, 1, 1), np.nan, np.float32)) + c1(x), "float32"),
        (lambda x: F.conv2d(x, np.full((4, 4, 1, 1), 6e4, np.float16)) + F.conv2d(x, np.full((4, 4, 1, 1), 6e4, np.float16)), "float16"),
        (lambda x: F.conv2d(x, np.full((4, 4, 1, 1), 1, np.float16)) - F.conv2d(x, np.full((4, 4, 1, 1), 1, np.float16)), "float16"),
    ],
)
def test_numbers_that_a_weight_cannot_hold_stay_apart(forward, dtype):
    with np.errstate(all="ignore"):
        graph = rewritten(forward, merge_parallel_convs, shapes=(X,), dtype=dtype)
    assert len(graph.nodes) == 3


def test_float16_weights_are_rounded_once():
    a, b = w(4, 4, 3, 3).astype(np.float16), w(4, 4, 1, 1).astype(np.float16)
    graph = rewritten(lambda x: F.conv2d(x, a, padding=1) + F.conv2d(x, b) + x, merge_parallel_convs, shapes=(X,), dtype="float16")
    exact = a.astype(float)
    exact[:, :, 1:2, 1:2] += b + np.eye(4).reshape(4, 4, 1, 1)
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].data, exact.astype(np.float16))


@pytest.mark.parametrize("form", [form for form in MERGED if form not in ("as many taps as apart", "dilated, between each other")])
def test_infinity_and_nan_come_out_where_they_did(form):
    """Though which of them it is may change: Inf − Inf."""
    graph = record(MERGED[form], X)
    feeds = awkward_feeds(graph)
    before = by_reference(graph, feeds)["0"]
    merge_parallel_convs(graph)
    now = by_reference(graph, feeds)["0"]
    np.testing.assert_array_equal(np.isfinite(now), np.isfinite(before))
    assert 0 < np.isfinite(before).mean() < 1 or form in ("UniRepLKNet", "more than depthwise")


def test_names_say_what_is_in_a_weight():
    """Packed weights are kept by name between the plans of a model."""
    net, small = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1)

    def made(n=2, side=6, sign=1, scale=2.0):
        def forward(x):
            a = F.conv2d(x, net.weight, net.bias, stride=2, padding="same")
            b = F.conv2d(x, small.weight, small.bias, stride=2, padding="same") * scale
            return a + b if sign > 0 else a - b

        graph = rewritten(forward, merge_parallel_convs, shapes=((n, 4, side, side),))
        assert names(graph) == ["conv2d"]
        return [v.name for v in graph.nodes[0].inputs[1:]]

    assert made() == made(n=5) == made(side=8)
    for other in (made(side=7), made(sign=-1), made(scale=3.0)):  # an odd side has its windows elsewhere
        assert other[0] != made()[0]


def test_a_models_plans_share_what_they_pack():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.large, self.small, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            return F.relu(self.large(x) + self.small(x) + self.norm(x))

    x = w(5, 3, 8, 8)
    with gpucnn.compile(Block(), x.shape, device="cpu") as model:
        many = model(x)
        packed = len(model._packed)
        few = model(x[:1])
        assert len(model._packed) == packed
    np.testing.assert_allclose(few, many[:1], rtol=0, atol=float(np.abs(many).max()) * 64 * float(np.finfo(np.float32).eps))


LEAVES = {
    "3×3": c3,
    "1×1": c1,
    "5×5, grouped": lambda x: conv(x, 5, groups=2, padding=2),
    "depthwise": lambda x: c3(x, groups=4),
    "dilated": lambda x: c3(x, dilation=2, padding=2),
    "bent": lambda x: conv(x, 2, padding=((0, 1), (1, 0))),
    "norm": norm,
    "scaled": lambda x: x * w(4, 1, 1),
    "itself": lambda x: x,
    "other": F.tanh,
    "normed": lambda x: norm(c1(x)),
}


@PROFILE
@given(st.data())
def test_any_sum(data):
    """Of any two values, in any order, scaled anywhere: the plan is true, and there is no more to compute than before."""

    def tree(x, y, depth):
        if not depth or data.draw(st.booleans()):
            return LEAVES[data.draw(st.sampled_from(sorted(LEAVES)))](data.draw(st.sampled_from((x, x, y))))
        a, b = tree(x, y, depth - 1), tree(x, y, depth - 1)
        made = a + b if data.draw(st.booleans()) else a - b
        step = data.draw(st.sampled_from([None, None, None, "mul", "add", "relu"]))
        return {None: lambda: made, "mul": lambda: made * w(4, 1, 1), "add": lambda: 1 - made, "relu": lambda: F.relu(made)}[step]()

    graph = record(lambda x, y: tree(x, y, 3) + c1(x), X, X)
    before = flops(graph)
    made = verify(graph, passes=(merge_parallel_convs, *LAY_OUT))
    assert sum(s.node.op.flops(*s.node.specs) for s in made.plan.steps if s.node.op.name != "reorder") <= before


# -- with what stands around them


def test_sums_of_branches_take_in_what_follows_their_concatenation():
    graph = after(lambda x: norm(F.cat([c3(x) + c1(x), c1(x)], 1)), *SIMPLIFY, shapes=(X,))
    assert sorted(names(graph)) == ["cat", "conv2d", "conv2d"]


def test_an_image_that_torchvision_transforms():
    """``transform_input`` of its GoogLeNet and Inception: the mean and scale of another training."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def net(padding):
        def forward(x):
            parts = [x[:, i : i + 1] * (std[i] / 0.5) + (mean[i] - 0.5) / 0.5 for i in range(3)]
            return F.relu(conv(F.cat(parts, 1), 7, 8, stride=2, padding=padding))

        return forward

    assert names(after(net(3), *SIMPLIFY, shapes=((2, 3, 17, 19),))) == ["add", "conv2d"]
    assert names(after(net(0), *SIMPLIFY, shapes=((2, 3, 17, 19),))) == ["conv2d"]
