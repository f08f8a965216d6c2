"""Normalisation: values by hand, what is refused, what cancels, and sums that neighbours do not change."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from gpucnn import functional as F
from gpucnn import nn
from gpucnn.errors import ShapeError
from gpucnn.ops import GroupNorm, LayerNorm, LocalResponseNorm, Normalize
from gpucnn.spec import Spec, spec_of

f32 = np.float32


def z(*shape: int, dtype: object = np.float32):
    return np.zeros(shape, dtype)


# -- by hand


def test_a_row_by_its_mean_and_variance():
    """1, 5: mean 3, variance 4. 0, 0, 3, 9: mean 3, variance (9 + 9 + 0 + 36)/4 = 13.5."""
    assert F.layer_norm(f32([[1, 5]]), 2, f32([2, 3]), f32([10, 20]), 0.0).tolist() == [[8, 23]]
    y = F.layer_norm(f32([0, 0, 3, 9]), (4,), eps=2.5)  # 13.5 + 2.5 = 16
    assert y.tolist() == [-0.75, -0.75, 0, 1.5]


def test_a_row_may_have_several_axes():
    x = f32([[[1, 1], [5, 5]], [[2, 4], [2, 4]]])
    assert F.layer_norm(x, (2, 2), eps=0.0).tolist() == [[[-1, -1], [1, 1]], [[-1, 1], [-1, 1]]]
    assert F.layer_norm(x, 2, eps=1.0)[0].tolist() == [[0, 0], [0, 0]]


def test_rms_leaves_the_mean():
    """(1 + 49)/2 = 25."""
    np.testing.assert_allclose(F.rms_norm(f32([[1, 7]]), 2, f32([5, 10]), 0.0), [[1, 14]], rtol=1e-6)
    np.testing.assert_allclose(F.rms_norm(f32([1e-4, 0]), 2), [1e-4 / math.sqrt(0.5e-8 + 2.0**-23), 0], rtol=1e-5)


def test_groups_of_channels():
    """Two groups of two channels of two pixels."""
    x = f32([[[1, 1], [5, 5], [2, 4], [2, 4]]])
    assert F.group_norm(x, 2, eps=0.0).tolist() == [[[-1, -1], [1, 1], [-1, 1], [-1, 1]]]
    y = F.group_norm(x, 2, f32([1, 2, 3, 4]), f32([0, 0, 10, 10]), 0.0)
    assert y.tolist() == [[[-1, -1], [2, 2], [7, 13], [6, 14]]]
    assert F.group_norm(x, 4, eps=1.0)[0, :2].tolist() == [[0, 0], [0, 0]]


def test_instances():
    x = f32([[[1, 5], [2, 4]]])
    assert F.instance_norm(x, eps=0.0).tolist() == [[[-1, 1], [-1, 1]]]
    one = f32([1, 1])
    y = F.instance_norm(x, one, 4 * one, 2 * one, one, use_input_stats=False, eps=0.0)  # (x − 1)/2·2 + 1
    assert y.tolist() == [[[1, 5], [2, 4]]]


def test_the_windows_of_neighbours():
    """Of size 4 one channel before and two after, as ONNX; of size 3 one on each side."""
    x = f32([[1, 2, 4, 8, 16]])
    squares = np.square(x[0])
    for size, windows in ((3, [(0, 2), (0, 3), (1, 4), (2, 5), (3, 5)]), (4, [(0, 3), (0, 4), (1, 5), (2, 5), (3, 5)])):
        y = F.local_response_norm(x, size, alpha=float(size), beta=1.0, k=0.0)
        np.testing.assert_allclose(y[0], [v / squares[a:b].sum() for v, (a, b) in zip(x[0], windows)], rtol=1e-6)
    assert LocalResponseNorm(5).window == (2, 2)
    assert LocalResponseNorm(2).window == (0, 1)


def test_vectors():
    x = f32([[3, -4], [0, 0]])
    np.testing.assert_allclose(F.normalize(x), [[0.6, -0.8], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(F.normalize(x, 1.0), [[3 / 7, -4 / 7], [0, 0]], rtol=1e-6)
    assert F.normalize(x, math.inf).tolist() == [[0.75, -1], [0, 0]]
    assert F.normalize(x, dim=0).tolist() == [[1, -1], [0, 0]]
    assert F.normalize(x, eps=10.0)[0].tolist() == pytest.approx([0.3, -0.4])
    with np.errstate(invalid="ignore"):
        assert np.isnan(Normalize(eps=0.0).reference(np, z(1, 2))[0]).all()


def test_a_layer_is_the_function_with_its_weights():
    layer = nn.LayerNorm(2, 0.0).load_state_dict({"weight": f32([2, 3]), "bias": f32([10, 20])})
    assert layer(f32([[1, 5]])).tolist() == [[8, 23]]
    assert list(nn.LayerNorm((3, 2), bias=False).state_shapes().items()) == [("weight", (3, 2))]
    assert nn.LayerNorm(3, elementwise_affine=False).state_shapes() == {}
    assert list(nn.GroupNorm(2, 4).state_shapes()) == ["weight", "bias"]
    assert nn.InstanceNorm2d(4).state_shapes() == {}
    assert list(nn.InstanceNorm1d(4, affine=True, track_running_stats=True).state_dict()) == [
        "weight", "bias", "running_mean", "running_var",
    ]  # fmt: skip
    for kind, shape in ((nn.BatchNorm1d, (2, 3, 4)), (nn.BatchNorm3d, (2, 3, 1, 2, 2))):
        x = np.arange(math.prod(shape), dtype=f32).reshape(shape)
        np.testing.assert_allclose(kind(3)(x), x, rtol=1e-5)  # mean 0, variance 1
    for kind, shape in ((nn.InstanceNorm1d, (2, 3, 2)), (nn.InstanceNorm3d, (2, 3, 1, 1, 2))):
        x = np.arange(12, dtype=f32).reshape(shape)
        np.testing.assert_allclose(kind(3)(x).ravel(), [-1, 1] * 6, rtol=1e-4)


# -- rounding


def test_a_large_mean_does_not_cancel():
    """The squares of numbers near 4096 differ from the square of their mean in the last bits of float32 alone; these are exact."""
    x = 4096 + f32([[-1, 1, -1, 1, -1, 1, -1, 1]])
    for y in (F.layer_norm(x, 8, eps=0.0), F.group_norm(x.reshape(1, 2, 4), 1, eps=0.0), F.instance_norm(x[None], eps=0.0)):
        assert y.ravel().tolist() == [-1, 1, -1, 1, -1, 1, -1, 1]


@pytest.mark.parametrize("row", [1, 7, 96, 1000, 4096, 4097, 8192, 8193, 20000])
def test_a_row_has_the_same_bits_in_any_company(row):
    rng = np.random.default_rng(row)
    x = rng.standard_normal((5, row)).astype(f32)
    together = F.layer_norm(x, row)
    for i in range(5):
        np.testing.assert_array_equal(F.layer_norm(x[i : i + 1], row)[0].view(np.uint32), together[i].view(np.uint32))
    np.testing.assert_array_equal(F.layer_norm(x[::-1], row).view(np.uint32), together[::-1].view(np.uint32))


def test_sixteen_bits_are_summed_in_thirty_two():
    """4096 ones and as many threes: in float16 their sum would end at 2048 and 6144, and the squares beyond 65504."""
    x = np.repeat(np.float16([[100, 300]]), 4096, axis=1)
    y = F.layer_norm(x, 8192, eps=0.0)
    assert y.dtype == np.float16
    assert set(y[0].tolist()) == {-1.0, 1.0}


def test_parameters_of_float32_beside_float16():
    x = np.float16([[1, 5]])
    y = F.layer_norm(x, 2, f32([1e5, 1]), f32([1e5, 0]), 0.0)  # beyond float16 on the way, 0 at the end
    assert y.dtype == np.float16
    assert y.tolist() == [[0, 1]]


# -- what is refused

X = z(2, 6, 5, 7)

WRONG = {
    "row": (lambda: F.layer_norm(X, 6), r"layer_norm: normalized_shape (6,) must be the last sizes of x, which has shape (2, 6, 5, 7)"),
    "row of another rank": (lambda: F.layer_norm(z(7), (5, 7)), "layer_norm: normalized_shape (5, 7) must be the last sizes of x"),
    "no row": (lambda: F.layer_norm(X, ()), "layer_norm: normalized_shape () must be the last sizes"),
    "row of a fraction": (lambda: F.layer_norm(X, 7.0), "layer_norm: each size of normalized_shape must be a whole number, got 7.0"),
    "rms row": (lambda: F.rms_norm(X, 5), "rms_norm: normalized_shape (5,) must be"),
    "row weight": (lambda: F.layer_norm(X, 7, z(5)), "layer_norm: weight must have the shape of the last 1 axes of x, (7,) (x 2×6×5×7"),
    "row bias": (lambda: F.layer_norm(X, (5, 7), None, z(7)), "layer_norm: bias must have the shape of the last 2 axes of x, (5, 7)"),
    "row dtype": (lambda: F.layer_norm(X, 7, z(7, dtype=np.float64)), "layer_norm: weight is float64 where x is float32"),
    "row of integers": (lambda: F.layer_norm(z(2, 3, dtype=int), 3), "layer_norm: x must be floating point, got int64"),
    "axes": (lambda: LayerNorm(5).infer(spec_of(X)), "layer_norm: from 1 to 4 of the last axes can be normalised, got 5"),
    "groups": (lambda: F.group_norm(X, 4), "group_norm: num_groups 4 must be at least 1 and divide the channels of x, which are 6"),
    "no groups": (lambda: F.group_norm(X, 0), "group_norm: num_groups 0 must be at least 1"),
    "groups of a fraction": (lambda: F.group_norm(X, 2.0), "group_norm: num_groups must be a whole number, got 2.0"),
    "group weight": (lambda: F.group_norm(X, 3, z(3)), "group_norm: weight must have shape 6, one value a channel of x"),
    "group rank": (lambda: F.group_norm(z(4), 2), "group_norm: x needs at least 2 axes, got shape 4"),
    "instance rank": (lambda: F.instance_norm(z(2, 4)), "instance_norm: x needs at least 3 axes, got shape 2×4"),
    "instance bias": (lambda: F.instance_norm(X, None, None, None, z(5)), "instance_norm: bias must have shape 6"),
    "no statistics": (
        lambda: F.instance_norm(X, z(6), use_input_stats=False),
        "instance_norm: without use_input_stats, running_mean and running_var must be given",
    ),
    "window": (lambda: F.local_response_norm(X, 0), "local_response_norm: size must be at least 1, got 0"),
    "window of a fraction": (lambda: F.local_response_norm(X, 2.5), "local_response_norm: size must be a whole number, got 2.5"),
    "window rank": (lambda: F.local_response_norm(z(4), 3), "local_response_norm: x needs at least 2 axes"),
    "window of integers": (lambda: F.local_response_norm(z(2, 3, dtype=int), 3), "local_response_norm: x must be floating point"),
    "norm": (lambda: F.normalize(X, 0.0), "normalize: p must be above 0, got 0.0"),
    "norm dim": (lambda: F.normalize(X, dim=4), "normalize: dim must lie in [-4, 3] for a value of rank 4, got 4"),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_message_says_what_is_wrong(call, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        call()


def test_which_norms_keep_the_batch():
    x, w = Spec((4, 6, 5), np.dtype(f32)), Spec((5,), np.dtype(f32))
    assert LayerNorm(2).keeps_batch((True,), x)
    assert not LayerNorm(3).keeps_batch((True,), x)
    assert not LayerNorm(1).keeps_batch((True, True), x, w)
    assert GroupNorm(2).keeps_batch((True,), x)
    assert not Normalize(dim=-3).keeps_batch((True,), x)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm1d(3), (2, 3, 4, 5), "BatchNorm1d: x must be (n, c) or (n, c, l), 2 or 3 axes, got 4 (x 2×3×4×5)"),
        (nn.BatchNorm2d(3), (3, 4, 5), "BatchNorm2d: x must be (n, c, h, w), 4 axes, got 3 (x 3×4×5)"),
        (nn.BatchNorm3d(3), (2, 3, 4, 5), "BatchNorm3d: x must be (n, c, d, h, w), 5 axes, got 4"),
        (nn.InstanceNorm1d(3), (2, 3), "InstanceNorm1d: x must be (n, c, l), 3 axes, got 2"),
        (nn.InstanceNorm2d(3), (3, 4, 5), "InstanceNorm2d: x must be (n, c, h, w), 4 axes, got 3"),
        (nn.InstanceNorm3d(3), (2, 3, 4, 5), "InstanceNorm3d: x must be (n, c, d, h, w), 5 axes, got 4"),
    ],
)
def test_layers_take_their_own_number_of_axes(layer, shape, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        layer(np.zeros(shape, np.float32))
