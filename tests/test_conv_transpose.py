"""Transposed convolution: values by hand, the adjoint of convolution, at random, in passes, and what wrong use is told."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, Draw
from close import allowed, assert_close
from harness import Harness
from hypothesis import assume, given
from hypothesis import strategies as st
from test_graphs import PROFILE
from test_passes import after, names, norm, w
from truth import AlwaysLanes, Planned, assert_true, draw_feeds, record, truth

from gpucnn import functional as F
from gpucnn import nn, plan
from gpucnn.backends.cpu import CpuBackend
from gpucnn.errors import GpucnnError, ShapeError
from gpucnn.ops import RELU6, Activation, Conv, ConvTranspose, Epilogue
from gpucnn.passes import PASSES_FLOAT16, SIMPLIFY, fold_batch_norm, fuse_epilogues, lower_precision

f32 = np.float32


def line(*values: float):
    return f32(values).reshape(1, 1, -1)


# -- by hand


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({}, [1, 10 + 2, 100 + 20, 200]),
        ({"stride": 2}, [1, 10, 102, 20, 200]),
        ({"stride": 3, "output_padding": 2}, [1, 10, 100, 2, 20, 200, 0, 0]),
        ({"dilation": 2}, [1, 2, 10, 20, 100, 200]),
        ({"stride": 2, "padding": 1}, [10, 102, 20]),
        ({"stride": 2, "padding": ((0, 2),)}, [1, 10, 102]),
        ({"stride": 2, "padding": "same"}, [1, 10, 102, 20]),  # five places for four: the last is cut off
        ({"stride": 2, "padding": "same_lower"}, [10, 102, 20, 200]),
        ({"stride": 4, "padding": "same"}, [1, 10, 100, 0, 2, 20, 200, 0]),
    ],
)
def test_one_line_by_hand(fields, values):
    assert F.conv_transpose1d(line(1, 2), line(1, 10, 100), **fields).ravel().tolist() == values


def test_groups_take_their_own_channels():
    x, weight = f32([1, 10, 100, 1000]).reshape(1, 4, 1, 1), f32([[1, 2], [3, 4], [5, 6], [7, 8]]).reshape(4, 2, 1, 1)
    assert F.conv_transpose2d(x, weight, groups=2).ravel().tolist() == [31, 42, 7500, 8600]
    assert F.conv_transpose2d(x, weight).ravel().tolist() == [7531, 8642]


def test_the_bias_is_added_once_where_nothing_else_is_too():
    y = F.conv_transpose2d(np.ones((1, 1, 2, 2), f32), np.ones((1, 1, 1, 1), f32), f32([5]), stride=2, output_padding=1)
    assert y[0, 0].tolist() == [[6, 5, 6, 5], [5, 5, 5, 5], [6, 5, 6, 5], [5, 5, 5, 5]]


def test_two_images_by_hand():
    y = F.conv_transpose2d(f32([[[[1, 2], [3, 4]]]]), f32([[[[1, 0], [0, 10]]]]))
    assert y[0, 0].tolist() == [[1, 2, 0], [3, 14, 20], [0, 30, 40]]


def test_output_size_of_a_layer():
    layer = nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1)
    x = np.zeros((1, 3, 4, 5), f32)
    for size in ((7, 9), (8, 9), (7, 10), (1, 2, 8, 10)):
        assert layer(x, output_size=size).shape[2:] == size[-2:]
    with pytest.raises(ShapeError, match=r"output_size must lie between \(7, 9\) and \(8, 10\) for an input of \(4, 5\), got \(9, 9\)"):
        layer(x, output_size=(9, 9))


# -- at random


@st.composite
def geometries(draw):
    """Shape of x, of the weight of a convolution, and the convolution, in one to three dimensions."""
    axes, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    n, c, k = draw(st.integers(1, 2)), groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    sizes, kernel = each(1, 9 if axes < 3 else 5), each(1, 4 if axes < 3 else 3)
    pads = tuple(zip(each(0, 2), each(0, 2)))
    op = Conv(each(1, 3), pads, each(1, 3), groups)
    return (n, c, *sizes), (k, c // groups, *kernel), op


@PROFILE
@given(geometries(), st.integers(0, 9))
def test_it_is_the_adjoint_of_convolution(geometry, seed):
    """The inner products of conv(x) with y, and of x with conv_transpose(y), are one, whatever x and y are."""
    shape, kernel, op = geometry
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal(shape, f32), rng.standard_normal(kernel, f32)
    try:
        forward = plan.evaluate(op, x, weight)[0]
    except ShapeError:
        assume(False)
    y = rng.standard_normal(forward.shape, f32)
    reach = [(m - 1) * d + 1 for m, d in zip(kernel[2:], op.dilation)]
    rest = tuple((m + sum(pad) - r) % s for m, pad, r, s in zip(shape[2:], op.padding, reach, op.stride))  # what no window met
    turned = ConvTranspose(op.stride, op.padding, op.dilation, op.groups, rest)
    back = plan.evaluate(turned, y, weight)[0]
    assert back.shape == x.shape
    left = (forward.astype(np.float64) * y).sum()
    right = (x.astype(np.float64) * back).sum()
    error = (allowed(op, (x, weight), forward) * np.abs(y)).sum() + (allowed(turned, (y, weight), back) * np.abs(x)).sum()
    assert abs(left - right) <= error
    assert error <= 2.0**-12 * (np.abs(forward) * np.abs(y)).sum() + 2.0**-9


@st.composite
def transposed(draw) -> Case:
    shape, kernel, conv = draw(geometries())
    kernel = (shape[1], kernel[0] // conv.groups, *kernel[2:])
    padding = draw(st.sampled_from([conv.padding, conv.padding, "same", "same_lower", "valid"]))
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(conv.stride, conv.dilation))
    epilogue = Epilogue(draw(st.sampled_from([None, RELU6])), draw(st.sampled_from([None, Activation("relu")])))
    op = ConvTranspose(conv.stride, padding, conv.dilation, conv.groups, extra, None, epilogue)
    inputs = [Draw(shape), Draw(kernel), Draw((kernel[1] * conv.groups,)) if draw(st.booleans()) else None]
    case = Case("random", op, tuple(inputs))
    try:
        (y,) = op.infer(*case.specs)
    except ShapeError:
        assume(False)
    return Case(case.id, op, (*inputs, Draw(y.shape)), (0, 3)) if draw(st.booleans()) else case


@pytest.fixture(scope="module")
def two_lanes():
    backend = AlwaysLanes(lanes=2)
    yield backend
    backend.close()


@PROFILE
@given(case=transposed(), way=st.sampled_from(["alone", "slice", "lanes"]))
def test_any_geometry_on_the_cpu(case, way, two_lanes):
    backend = two_lanes if way == "lanes" else CpuBackend()
    impl = plan.candidates(backend, case.op, *case.specs)[0]
    assert impl is not plan.REFERENCE
    harness = Harness(case, impl, backend, way)
    assert_close(case.op, harness.run(), harness.arrays)


@pytest.mark.parametrize("shape", [(4, 8, 9, 11), (4, 8, 40)])
def test_an_image_has_the_same_bits_alone_and_in_a_batch(shape):
    axes = len(shape) - 2
    layer = (nn.ConvTranspose1d, nn.ConvTranspose2d)[axes - 1](8, 6, 4, 2, 1)
    x = np.random.default_rng(1).standard_normal(shape, f32)
    whole = layer(x)
    for i in range(len(x)):
        np.testing.assert_array_equal(layer(x[i : i + 1]).view(np.uint32), whole[i : i + 1].view(np.uint32))


# -- passes


def up(x, k=4, groups=1, **fields):
    return F.conv_transpose2d(x, w(x.shape[1], k // groups, 3, 3), w(k), groups=groups, **fields)


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: norm(up(x, stride=2)),
        lambda x: norm(up(x, 6, groups=2, stride=2)),
        lambda x: norm(up(x, 8, groups=4)),
        lambda x: norm(F.conv_transpose2d(x, w(4, 3, 2, 2)), affine=False),
    ],
)
def test_a_norm_behind_it_is_folded(forward):
    assert names(after(forward, fold_batch_norm)) == ["conv_transpose2d"]


def test_what_follows_it_is_fused():
    graph = after(lambda x: F.relu(F.relu6(up(x, padding=1)) + x), fuse_epilogues)
    assert names(graph) == ["conv_transpose2d"]
    assert str(graph.nodes[0].op.epilogue) == "relu6+relu"


def test_a_decoder_in_one_plan():
    def forward(x):
        small = F.max_pool2d(x, 2, 2, ceil_mode=True)
        return F.cat([F.relu(norm(up(small, stride=2, padding="same"))), F.pad(x, (0, 1, 0, 1))], 1)

    graph = after(forward, *SIMPLIFY)
    assert names(graph) == ["max_pool2d", "conv_transpose2d", "pad", "cat"]


def test_in_16_bits_its_bias_stays_float32():
    weight, bias = w(4, 4, 3, 3), w(4)
    forward = lambda x: F.relu(F.conv_transpose2d(x, weight, bias, 2))  # noqa: E731
    graph = record(forward, (2, 4, 5, 7))
    for one in (*SIMPLIFY, lower_precision):
        one(graph)
    (node,) = (node for node in graph.nodes if isinstance(node.op, ConvTranspose))
    assert [v.dtype for v in node.inputs[:3]] == [np.float16, np.float16, np.float32]
    feeds = draw_feeds(record(forward, (2, 4, 5, 7)))
    exact = truth(record(forward, (2, 4, 5, 7)), feeds, np.float16)["0"]
    assert_true(Planned(record(forward, (2, 4, 5, 7)), passes=PASSES_FLOAT16).run(feeds)["0"], exact)


# -- errors


def z(*shape: int):
    return np.zeros(shape, f32)


X = z(2, 6, 5, 7)

WRONG = {
    "channels": (lambda: F.conv_transpose2d(X, z(8, 6, 3, 3)), "weight takes 8 input channels, x has 6", "(in, out/groups, …)", "8×6×3×3"),
    "groups": (lambda: F.conv_transpose2d(X, z(6, 6, 3, 3), groups=4), "conv_transpose2d: groups 4 must divide the channels of x, 6"),
    "no groups": (lambda: F.conv_transpose2d(X, z(6, 6, 3, 3), groups=0), "groups must be at least 1, got 0"),
    "rank": (lambda: F.conv_transpose1d(X, z(6, 6, 3, 3)), "conv_transpose1d: x and weight must have 3 axes", "got 4 and 4"),
    "bias": (lambda: F.conv_transpose2d(X, z(6, 2, 3, 3), z(2), groups=3), "bias must have shape 6, one value an output channel"),
    "empty kernel": (lambda: F.conv_transpose2d(X, z(6, 2, 0, 3)), "the kernel is empty", "weight 6×2×0×3"),
    "empty map": (lambda: F.conv_transpose2d(z(2, 6, 0, 3), z(6, 2, 3, 3)), "the map is empty", "x 2×6×0×3"),
    "too much padding": (lambda: F.conv_transpose2d(X, z(6, 2, 3, 3), padding=4), "padding ((4, 4), (4, 4)) leaves -1×1", "use less"),
    "negative padding": (lambda: F.conv_transpose2d(X, z(6, 2, 3, 3), padding=-1), "padding must not be negative", "output_padding"),
    "output_padding": (
        lambda: F.conv_transpose2d(X, z(6, 2, 3, 3), stride=2, output_padding=(1, 2)),
        "output_padding must be at least 0 and below stride or dilation, got (1, 2) with stride (2, 2) and dilation (1, 1)",
    ),
    "stride": (lambda: F.conv_transpose3d(X, X, stride=(1, 2)), "conv_transpose3d: stride must be an int or (depth, height, width)"),
    "padding by name": (lambda: F.conv_transpose2d(X, z(6, 2, 3, 3), padding="full"), "'valid', got 'full'"),
    "output_shape": (
        lambda: ConvTranspose(output_shape=(3, 3)),
        "output_shape decides how much is cut, padding must then be 'same' or 'same_lower'",
    ),
    "lengths": (lambda: ConvTranspose(output_padding=(0,)), "stride (1, 1) and output_padding (0,) differ in length"),
    "dtype": (lambda: F.conv_transpose2d(X, z(6, 2, 3, 3).astype(float)), "weight is float64 where x is float32"),
    "residual": (
        lambda: plan.evaluate(ConvTranspose(), X, z(6, 2, 3, 3), None, X),
        "residual must have the output's shape (2, 2, 7, 9)",
    ),
    "layer": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=3), "ConvTranspose2d: groups 3 must divide in_channels 4 and out_channels 6"),
}


@pytest.mark.parametrize(("call", "parts"), [pytest.param(v[0], v[1:], id=k) for k, v in WRONG.items()])
def test_message_says_what_is_wrong(call, parts):
    with pytest.raises(GpucnnError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
