"""Convolution of lines and volumes, and padding that is not zeros: by hand, as layers in a model, and what wrong use is told."""

from __future__ import annotations

import numpy as np
import pytest
from test_nn import RNG, expected
from truth import assert_true

import gpucnn
from gpucnn import functional as F
from gpucnn import nn
from gpucnn.backends.unit_axis import images_of_lines
from gpucnn.errors import GpucnnError
from gpucnn.ops import AvgPool, Conv, ConvTranspose, LookupConv

f32 = np.float32


def line(*values: float):
    return f32(values).reshape(1, 1, -1)


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({}, [21, 32, 43]),
        ({"stride": 2}, [21, 43]),
        ({"dilation": 2}, [31, 42]),
        ({"padding": 1}, [10, 21, 32, 43, 4]),
        ({"padding": ((1, 0),)}, [10, 21, 32, 43]),
        ({"padding": "same"}, [21, 32, 43, 4]),
        ({"padding": "same_lower"}, [10, 21, 32, 43]),
    ],
)
def test_lines_by_hand(fields, values):
    assert F.conv1d(line(1, 2, 3, 4), line(1, 10), **fields).ravel().tolist() == values


def test_volumes_by_hand():
    """Planes 1, 2, 3 of one voxel, then of two; the kernel is not flipped."""
    x = f32([1, 2, 3]).reshape(1, 1, 3, 1, 1)
    weight = f32([1, 10]).reshape(1, 1, 2, 1, 1)
    assert F.conv3d(x, weight).ravel().tolist() == [21, 32]
    assert F.conv3d(x, weight, padding=(1, 0, 0), stride=(2, 1, 1)).ravel().tolist() == [10, 32]
    wide = np.concatenate([x, 100 * x], axis=4)
    assert F.conv3d(wide, f32([1, 2, 3, 4]).reshape(1, 1, 2, 1, 2)).ravel().tolist() == [1 + 200 + 6 + 800, 2 + 400 + 9 + 1200]


def test_lines_are_images_of_height_1():
    x, weight, bias = (RNG.standard_normal(s).astype(f32) for s in ((3, 4, 17), (6, 2, 3), (6,)))
    y = F.conv1d(x, weight, bias, 2, 1, 2, 2)
    image = F.conv2d(x[:, :, None], weight[:, :, None], bias, (1, 2), (0, 1), (1, 2), 2)
    np.testing.assert_array_equal(y.view(np.uint32), image[:, :, 0].view(np.uint32))


def test_ops_of_lines_as_ops_of_images():
    conv = Conv((2,), ((1, 2),), (3,), 4)
    assert images_of_lines(conv) == Conv((1, 2), ((0, 0), (1, 2)), (1, 3), 4)
    assert images_of_lines(LookupConv(conv)) == LookupConv(images_of_lines(conv))
    assert images_of_lines(AvgPool((3,), (2,), "same")) == AvgPool((1, 3), (1, 2), "same")
    turned = ConvTranspose((2,), "same", (1,), 1, (1,), (9,))
    assert images_of_lines(turned) == ConvTranspose((1, 2), "same", (1, 1), 1, (0, 1), (1, 9))


LAYERS = (
    (nn.Conv1d(3, 4, 3, 2, 1), (3, 12)),
    (nn.Conv1d(3, 6, 5, padding="same", groups=3, bias=False, dilation=2), (3, 12)),
    (nn.Conv1d(3, 4, 3, padding=2, padding_mode="circular"), (3, 12)),
    (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (3, 6, 7)),
    (nn.Conv2d(3, 4, (3, 5), 2, "same", padding_mode="replicate"), (3, 6, 7)),
    (nn.Conv2d(3, 4, 3, padding=((0, 1), (2, 0)), padding_mode="circular"), (3, 6, 7)),
    (nn.Conv3d(3, 4, (2, 3, 3), (1, 2, 1), (1, 0, 1)), (3, 4, 6, 5)),
    (nn.Conv3d(3, 4, 3, padding=1, padding_mode="reflect"), (3, 4, 3, 5)),
    (nn.ConvTranspose1d(3, 4, 4, 2, 1), (3, 12)),
    (nn.ConvTranspose2d(3, 6, 3, (2, 3), 1, 1, 3, dilation=(1, 2)), (3, 5, 4)),
    (nn.ConvTranspose2d(3, 4, 2, 2, bias=False), (3, 5, 4)),
    (nn.ConvTranspose3d(3, 4, 2, 2), (3, 2, 3, 4)),
)


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_layer_equals_its_functional_and_its_model(layer, shape):
    x = RNG.standard_normal((5, *shape)).astype(f32)
    exact = expected(layer, x)["0"]
    assert_true(layer(x), exact)
    with gpucnn.compile(layer, (1, *shape)) as made:
        assert_true(made(x), exact)
        assert_true(made(x[:1]), tuple(a[:1] for a in exact))
        assert "reference" not in {step.impl.name for step in made.plan().steps if step.node.op.name != "pad"}


@pytest.mark.parametrize(
    ("mode", "values"),
    [
        ("reflect", [2 + 10, 1 + 20, 2 + 30, 3 + 20]),
        ("replicate", [1 + 10, 1 + 20, 2 + 30, 3 + 30]),
        ("circular", [3 + 10, 1 + 20, 2 + 30, 3 + 10]),
    ],
)
def test_padding_modes_by_hand(mode, values):
    layer = nn.Conv1d(1, 1, 2, padding=1, bias=False, padding_mode=mode)
    layer.load_state_dict({"weight": f32([[[1, 10]]])})
    assert layer(line(1, 2, 3)).ravel().tolist() == values


def z(*shape: int):
    return np.zeros(shape, f32)


WRONG = {
    "rank of a line": (lambda: F.conv1d(z(2, 3, 4, 5), z(2, 3, 1)), "conv1d: x and weight must have 3 axes", "got 4 and 3"),
    "rank of a volume": (lambda: F.conv3d(z(2, 3, 4, 5), z(2, 3, 1, 1, 1)), "conv3d: x and weight must have 5 axes", "got 4 and 5"),
    "channels": (lambda: F.conv1d(z(2, 3, 4), z(2, 4, 1)), "conv1d: weight takes 4 input channels, x has 3", "x 2×3×4"),
    "kernel": (lambda: F.conv3d(z(2, 3, 4, 5, 6), z(2, 3, 5, 1, 1)), "conv3d: the kernel reaches over 5 pixels, the padded input has 4"),
    "stride": (lambda: F.conv1d(z(2, 3, 4), z(2, 3, 1), stride=(1, 2)), "conv1d: stride must be an int or (length,), got (1, 2)"),
    "padding": (lambda: F.conv3d(z(2, 3, 4, 5, 6), z(2, 3, 1, 1, 1), padding=(1, 2)), "(depth, height, width)", "got (1, 2)"),
    "kernel size of a layer": (lambda: nn.Conv3d(2, 3, (1, 2)), "Conv3d: kernel_size must be an int or (depth, height, width), got (1, 2)"),
    "padding mode": (lambda: nn.Conv2d(2, 3, 1, padding_mode="mirror"), "must be one of zeros, reflect, replicate, circular, got 'mirror'"),
    "reflection beyond": (
        lambda: nn.Conv1d(1, 1, 3, padding=3, padding_mode="reflect")(z(1, 1, 3)), "pad: mode 'reflect' can add at most 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "parts"), [pytest.param(v[0], v[1:], id=k) for k, v in WRONG.items()])
def test_message_says_what_is_wrong(call, parts):
    with pytest.raises(GpucnnError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
