"""The worked examples of a textbook on CNNs, number by number: through the functions, and through a compiled net."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from close import FEW, gamma

import gpucnn
from gpucnn import filters, nn, zoo
from gpucnn import functional as F

EPS = float(np.finfo(np.float32).eps)


class Page(nn.Module):
    """A net of one function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


@pytest.fixture(params=["functions", "compiled"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Any], Any], Any], Any]:
    """Compute ``function(x)`` at once, or record it, plan it and then run it."""

    def run(function: Callable[[Any], Any], x: Any) -> Any:
        x = np.asarray(x, np.float32)
        if request.param == "functions":
            return function(x)
        with gpucnn.compile(Page(function), x.shape, device="cpu") as model:
            return model(x)

    return run


def image(*rows: Any) -> Any:
    """One grey image (1, 1, h, w)."""
    return np.asarray(rows, np.float32)[None, None]


def kernel(*rows: Any) -> Any:
    """The weight (1, 1, h, w) of one filter."""
    return image(*rows)


def book(values: Any, digits: int) -> list[str]:
    """Numbers as a book prints them."""
    return [f"{v:.{digits}f}" for v in np.ravel(values)]


# -- convolution


def test_4x4_under_3x3_is_2x2(run):
    x = image([1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 0], [1, 0, 1, 2])
    w = kernel([1, 0, -1], [1, 0, -1], [1, 0, -1])
    # Left column of each window minus its right column: (1+0+2) − (0+3+0), (2+1+1) − (1+1+0), (0+2+1) − (3+0+1), (1+1+0) − (1+0+2).
    np.testing.assert_array_equal(run(lambda x: F.conv2d(x, w), x), image([0, 2], [-1, -1]))


def test_the_kernel_is_not_flipped(run):
    x = image([1, 2, 3])
    assert run(lambda x: F.conv2d(x, kernel([1, 10, 100])), x).item() == 1 * 1 + 2 * 10 + 3 * 100
    assert np.convolve([1, 2, 3], [1, 10, 100], "valid").item() == 3 * 1 + 2 * 10 + 1 * 100  # what mathematics calls convolution


@pytest.mark.parametrize("size", [3, 5, 7])
def test_zero_padding_keeps_the_size(run, size):
    x, w = np.ones((1, 1, 9, 12), np.float32), np.ones((1, 1, size, size), np.float32)
    y = run(lambda x: F.conv2d(x, w, padding=(size - 1) // 2), x)
    assert y.shape == x.shape
    np.testing.assert_array_equal(y, run(lambda x: F.conv2d(x, w, padding="same"), x))
    # Ones under ones count the pixels in the window: all in the middle, the padding's zeros not, a corner sees a good quarter.
    assert y[0, 0, 4, 6] == size * size
    assert y[0, 0, 0, 0] == ((size + 1) // 2) ** 2


@pytest.mark.parametrize("n", [4, 28, 224])
def test_stride_2_halves(run, n):
    x, w = np.zeros((1, 1, n, n), np.float32), np.zeros((1, 1, 3, 3), np.float32)
    assert run(lambda x: F.conv2d(x, w, stride=2, padding=1), x).shape == (1, 1, n // 2, n // 2)
    assert run(lambda x: F.max_pool2d(x, 2), x).shape == (1, 1, n // 2, n // 2)


def test_stride_takes_every_second_result(run):
    x = np.arange(49).reshape(1, 1, 7, 7)
    w = kernel([0, 1, 0], [1, -3, 1], [0, 1, 0])
    every = run(lambda x: F.conv2d(x, w), x)
    assert every.shape == (1, 1, 5, 5)
    np.testing.assert_array_equal(run(lambda x: F.conv2d(x, w, stride=2), x), every[:, :, ::2, ::2])


@pytest.mark.parametrize(
    ("n", "k", "p", "s", "out"),
    [
        (4, 3, 0, 1, 2),
        (7, 3, 0, 1, 5),
        (7, 3, 0, 2, 3),
        (7, 3, 1, 1, 7),
        (10, 3, 1, 3, 4),  # (10 + 2 − 3)/3 = 3 exactly
        (10, 4, 0, 4, 2),  # 6/4 rounds down: two columns are never looked at
        (32, 5, 0, 1, 28),  # LeNet-5, first layer
        (32, 5, 2, 1, 32),
        (227, 11, 0, 4, 55),  # AlexNet, first layer
        (224, 7, 3, 2, 112),  # ResNet, first layer
        (112, 3, 1, 2, 56),  # and its pooling
        (5, 1, 0, 1, 5),
        (1, 3, 1, 1, 1),
    ],
)
def test_size_formula(run, n, k, p, s, out):
    assert out == (n - k + 2 * p) // s + 1
    x, w = np.zeros((1, 1, n, n), np.float32), np.zeros((1, 1, k, k), np.float32)
    assert run(lambda x: F.conv2d(x, w, stride=s, padding=p), x).shape == (1, 1, out, out)
    assert run(lambda x: F.max_pool2d(x, k, s, p), x).shape == (1, 1, out, out)


def test_a_filter_sums_over_the_channels_and_adds_one_bias(run):
    red, green, blue = np.eye(3), np.full((3, 3), 2), np.arange(9).reshape(3, 3)
    on_red, on_green, on_blue = np.full((3, 3), 5), np.eye(3), np.array([[0, 0, 0], [0, 1, 0], [0, 0, -1]])
    x, w = np.float32([[red, green, blue]]), np.float32([[on_red, on_green, on_blue]])
    # red 5 + 5 + 5 = 15, green 2 + 2 + 2 = 6, blue 4 − 8 = −4; 15 + 6 − 4 + 10 = 27
    assert run(lambda x: F.conv2d(x, w, np.float32([10])), x).item() == 27
    alone = [run(lambda x, c=c: F.conv2d(x, w[:, c : c + 1]), x[:, c : c + 1]).item() for c in range(3)]
    assert alone == [15, 6, -4]


def test_as_many_maps_as_filters(run):
    w = np.zeros((16, 3, 5, 5), np.float32)
    assert run(lambda x: F.conv2d(x, w), np.zeros((10, 3, 32, 32))).shape == (10, 16, 28, 28)


def test_a_1x1_convolution_mixes_channels_at_each_pixel(run):
    x = np.float32([[[[1, 2]], [[10, 20]], [[100, 200]]]])  # three channels of 1×2
    w = np.float32([[1, 1, 1], [0.5, 0, -1]])[:, :, None, None]
    np.testing.assert_array_equal(run(lambda x: F.conv2d(x, w), x)[0, :, 0], [[111, 222], [-99.5, -199]])


def test_moving_the_image_moves_the_map(run):
    x = np.zeros((1, 1, 9, 9))
    x[0, 0, 2, 3], moved = 1, np.zeros((1, 1, 9, 9))
    moved[0, 0, 4, 6] = 1
    w = kernel([1, 2, 3], [4, 5, 6], [7, 8, 9])
    y, z = (run(lambda x: F.conv2d(x, w, padding="same"), a) for a in (x, moved))
    np.testing.assert_array_equal(z, np.roll(y, (2, 3), (2, 3)))
    np.testing.assert_array_equal(y[0, 0, 1:4, 2:5], w[0, 0, ::-1, ::-1])  # one point draws the kernel, turned by half a turn


def test_sobel_on_a_step_edge(run):
    x = image(*[[0, 0, 0, 255, 255, 255]] * 4)
    down, across = filters.sobel("y"), filters.sobel("x")
    # (1 + 2 + 1)·255 where the window holds the edge, 0 where it does not
    np.testing.assert_array_equal(run(lambda x: F.conv2d(x, across[None, None]), x), image(*[[0, 1020, 1020, 0]] * 2))
    np.testing.assert_array_equal(run(lambda x: F.conv2d(x, down[None, None]), x), image(*[[0, 0, 0, 0]] * 2))
    np.testing.assert_array_equal(run(lambda x: F.conv2d(x, across[None, None]), x[..., ::-1]), image(*[[0, -1020, -1020, 0]] * 2))
    np.testing.assert_array_equal(filters.apply(x[0, 0].astype(np.uint8), across, padding="valid"), [[0, 1020, 1020, 0]] * 2)


# -- pooling


def test_pooling_of_1_0_4_6(run):
    x = image([1, 0], [4, 6])
    assert run(lambda x: F.avg_pool2d(x, 2), x).item() == 2.75
    assert run(lambda x: F.max_pool2d(x, 2), x).item() == 6
    assert run(lambda x: F.min_pool2d(x, 2), x).item() == 0
    assert run(F.global_avg_pool2d, x).item() == 2.75


def test_pooling_of_four_windows(run):
    x = image([1, 0, 2, 3], [4, 6, 6, 8], [3, 1, 1, 0], [1, 2, 2, 4])
    np.testing.assert_array_equal(run(lambda x: F.max_pool2d(x, 2), x), image([6, 8], [3, 4]))
    np.testing.assert_array_equal(run(lambda x: F.min_pool2d(x, 2), x), image([0, 2], [1, 0]))
    np.testing.assert_array_equal(run(lambda x: F.avg_pool2d(x, 2), x), image([2.75, 4.75], [1.75, 1.75]))
    np.testing.assert_array_equal(run(lambda x: F.max_pool2d(x, 3, 1), x), image([6, 8], [6, 8]))  # windows that overlap


def test_pooling_keeps_the_channels_apart(run):
    x = np.stack([np.full((4, 4), c) for c in range(5)])[None]
    y = run(lambda x: F.max_pool2d(x, 2), x)
    assert y.shape == (1, 5, 2, 2)
    np.testing.assert_array_equal(y[0, :, 0, 0], range(5))


def test_min_pooling_keeps_dark_strokes_on_a_light_page(run):
    page = np.full((8, 8), 255)
    page[:, 2] = page[5, :] = 0  # one pixel wide: an upright stroke and a level one
    strokes = image([255, 0, 255, 255], [255, 0, 255, 255], [0, 0, 0, 0], [255, 0, 255, 255])
    np.testing.assert_array_equal(run(lambda x: F.min_pool2d(x, 2), image(*page)), strokes)
    # The brightest of each window is paper: max pooling wipes them out, the mean makes them grey.
    assert (run(lambda x: F.max_pool2d(x, 2), image(*page)) == 255).all()
    mean = run(lambda x: F.avg_pool2d(x, 2), image(*page))[0, 0]
    assert (mean[0, 0], mean[0, 1], mean[2, 1]) == (255, 127.5, 63.75)  # no, two and three of four pixels are dark
    # On a dark page with light strokes it is the other way round.
    night = 255 - page
    np.testing.assert_array_equal(run(lambda x: F.max_pool2d(x, 2), image(*night)), 255 - strokes)
    assert (run(lambda x: F.min_pool2d(x, 2), image(*night)) == 0).all()


def test_global_average_pooling_makes_a_number_of_each_map(run):
    x = np.arange(2 * 7 * 7).reshape(1, 2, 7, 7)
    np.testing.assert_array_equal(run(F.global_avg_pool2d, x), np.float32([24, 73]).reshape(1, 2, 1, 1))


# -- activations


def test_relu_cuts_what_is_negative(run):
    np.testing.assert_array_equal(run(F.relu, [[-3, -0.5, 0, 0.5, 155]]), [[0, 0, 0, 0.5, 155]])


def test_softmax_of_three_scores(run):
    y = run(lambda x: F.softmax(x, 1), [[2.5, 1.8, 0.2]])
    assert book(y, 3) == ["0.626", "0.311", "0.063"]
    assert abs(float(y.sum(dtype=np.float64)) - 1) <= gamma(3 + FEW, EPS)
    # By hand: e^2.5 = 12.182, e^1.8 = 6.050, e^0.2 = 1.221, together 19.453
    assert book(np.exp([2.5, 1.8, 0.2]) / 19.453, 3) == book(y, 3)


def test_softmax_knows_differences_only(run):
    np.testing.assert_array_equal(run(lambda x: F.softmax(x, 1), [[1002.5, 1002, 1000.5]]), run(lambda x: F.softmax(x, 1), [[2.5, 2, 0.5]]))


@pytest.mark.parametrize("z", [-90.0, -3.0, -0.2, 0.0, 0.7, 4.0, 90.0])
def test_two_classes_by_sigmoid_or_by_softmax(run, z):
    one = run(F.sigmoid, [[z]]).item()
    two = run(lambda x: F.softmax(x, 1), [[z, 0]])[0]
    truth = 1 / (1 + math.exp(-z))
    # A few roundings of the result, and the argument's rounding, which exp makes |z| times as large; what is below all normal numbers is 0.
    bound = (FEW + abs(z)) * EPS * truth + float(np.finfo(np.float32).smallest_normal)
    assert abs(one - truth) <= bound
    assert abs(float(two[0]) - truth) <= bound
    assert (one > 0.5) == (two[0] > two[1]) == (z > 0)


def test_sigmoid_at_zero_is_a_half(run):
    assert run(F.sigmoid, [[0]]).item() == 0.5


# -- dense layers


def test_a_dense_layer_is_a_weighted_sum(run):
    w = np.float32([[0.27, 0.2], [-0.1, -0.4]])
    y = run(lambda x: F.linear(x, w), [[155, 60]])
    assert book(y, 2) == ["53.85", "-39.50"]  # 155·0.27 + 60·0.2 and 155·(−0.1) + 60·(−0.4)
    z = run(lambda x: F.relu(F.linear(x, w)), [[155, 60]])
    assert book(z, 2) == ["53.85", "0.00"]
    assert z[0, 1] == 0


def test_a_bias_is_added_to_each_sum(run):
    w, b = np.float32([[1, 2, 3], [0, 0, 1]]), np.float32([10, -5])
    np.testing.assert_array_equal(run(lambda x: F.linear(x, w, b), [[1, 1, 1], [2, 0, 4]]), [[16, -4], [24, -1]])


def test_flatten_goes_channel_by_channel_and_row_by_row(run):
    x = np.float32([[[[1, 2, 3], [4, 5, 6]], [[10, 20, 30], [40, 50, 60]]]])
    expected = [[1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]]
    np.testing.assert_array_equal(run(lambda x: F.flatten(x, 1), x), expected)
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)  # whatever the order in memory
    assert channels_last.strides != x.strides
    np.testing.assert_array_equal(run(lambda x: F.flatten(x, 1), channels_last), expected)


def test_a_dense_layer_over_a_map_is_a_convolution_as_large_as_the_map(run):
    x, w = np.arange(-9, 9).reshape(1, 2, 3, 3), np.arange(72).reshape(4, 2, 3, 3).astype(np.float32) % 7
    dense = run(lambda x: F.linear(F.flatten(x, 1), w.reshape(4, 18)), x)
    np.testing.assert_array_equal(dense, run(lambda x: F.conv2d(x, w), x)[:, :, 0, 0])


# -- counting


def test_parameters_of_a_small_cnn():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),  # (3·3·3 + 1)·8       =    224
        nn.ReLU(),
        nn.MaxPool2d(2),  #                                      0
        nn.Conv2d(8, 16, 5, padding=2),  # (5·5·8 + 1)·16     =  3 216
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 8 * 8, 32),  # (1024 + 1)·32           = 32 800
        nn.ReLU(),
        nn.Linear(32, 10),  # (32 + 1)·10                     =    330
    )
    assert [layer.num_parameters() for layer in (net[0], net[2], net[3], net[7], net[9])] == [224, 0, 3216, 32800, 330]
    assert net.num_parameters() == 224 + 3216 + 32800 + 330 == 36570
    assert net(np.zeros((2, 3, 32, 32), np.float32)).shape == (2, 10)


def test_parameters_without_bias_and_of_batch_norm():
    assert nn.Conv2d(3, 64, 7, bias=False).num_parameters() == 7 * 7 * 3 * 64 == 9408
    assert nn.BatchNorm2d(64).num_parameters() == 2 * 64  # scale and shift; mean and variance are not trained


def test_depthwise_and_pointwise_need_an_eighth():
    whole = nn.Conv2d(32, 64, 3, bias=False)
    depthwise, pointwise = nn.Conv2d(32, 32, 3, groups=32, bias=False), nn.Conv2d(32, 64, 1, bias=False)
    assert whole.num_parameters() == 9 * 32 * 64 == 18432
    assert (depthwise.num_parameters(), pointwise.num_parameters()) == (9 * 32, 32 * 64) == (288, 2048)


def test_parameters_of_vgg16():
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    convolutions = sum((9 * a + 1) * b for a, b in pairwise(channels))
    dense = (512 * 7 * 7 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    assert (convolutions, dense) == (14_714_688, 123_642_856)
    assert zoo.create("vgg16").num_parameters() == convolutions + dense == 138_357_544


def test_two_3x3_layers_see_as_far_as_one_5x5(run):
    x, w = np.zeros((1, 1, 9, 9), np.float32), np.ones((1, 1, 3, 3), np.float32)
    x[0, 0, 4, 4] = 1
    twice = run(lambda x: F.conv2d(F.conv2d(x, w, padding=1), w, padding=1), x)
    seen = np.argwhere(twice[0, 0])
    assert (seen.min(), seen.max()) == (2, 6)  # five pixels
    np.testing.assert_array_equal(twice[0, 0, 2:7, 2:7], np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]))
    assert 2 * nn.Conv2d(64, 64, 3, bias=False).num_parameters() < nn.Conv2d(64, 64, 5, bias=False).num_parameters()


# -- a whole net by hand


class Letters(nn.Module):
    """Two filters, pooling and a dense layer: which of the strokes L, I and − is drawn?"""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(8, 3)
        self.softmax = nn.Softmax(1)

    def forward(self, x: Any) -> Any:
        return self.softmax(self.fc(self.flatten(self.pool(self.relu(self.conv(x))))))


UPRIGHT = [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]]
LEVEL = [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]]
LETTERS = {
    "conv.weight": np.float32([[UPRIGHT], [LEVEL]]),
    "conv.bias": np.float32([-1, -2]),
    "fc.weight": np.float32(
        [
            [0.25, 0, 0.25, 0, 0, 0, 0.25, 0.25],  # L: something upright at the left, and something level at the bottom
            [0.5, 0, 0.5, 0, 0, 0, -0.5, -0.5],  # I
            [-0.5, 0, -0.5, 0, 0, 0, 0.5, 0.5],  # −
        ]
    ),
    "fc.bias": np.float32([-1, 0, 0]),
}
AN_L = image(
    [0, 1, 0, 0, 0, 0],
    [0, 1, 0, 0, 0, 0],
    [0, 1, 0, 0, 0, 0],
    [0, 1, 0, 0, 0, 0],
    [0, 1, 1, 1, 1, 0],
    [0, 0, 0, 0, 0, 0],
)
BY_HAND = {
    # 6×6 under 3×3 is 4×4. Upright, first window: 2·(1 + 1 + 1) = 6, and the bias −1 makes 5.
    "conv": [
        [[5, -4, -1, -1], [5, -4, -1, -1], [4, -3, -1, 0], [2, -2, -1, 0]],
        [[-2, -2, -2, -2], [-2, -2, -2, -2], [-3, -4, -5, -4], [1, 3, 4, 2]],
    ],
    "relu": [
        [[5, 0, 0, 0], [5, 0, 0, 0], [4, 0, 0, 0], [2, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 3, 4, 2]],
    ],
    "pool": [[[5, 0], [4, 0]], [[0, 0], [3, 4]]],
    "flatten": [5, 0, 4, 0, 0, 0, 3, 4],
    # (5 + 4 + 3 + 4)/4 − 1, (5 + 4 − 3 − 4)/2, (−5 − 4 + 3 + 4)/2
    "fc": [3, 1, -1],
}


def test_a_whole_net_by_hand_with_functions():
    y = F.conv2d(AN_L, LETTERS["conv.weight"], LETTERS["conv.bias"])
    np.testing.assert_array_equal(y[0], BY_HAND["conv"])
    y = F.relu(y)
    np.testing.assert_array_equal(y[0], BY_HAND["relu"])
    y = F.max_pool2d(y, 2)
    np.testing.assert_array_equal(y[0], BY_HAND["pool"])
    y = F.flatten(y, 1)
    np.testing.assert_array_equal(y[0], BY_HAND["flatten"])
    y = F.linear(y, LETTERS["fc.weight"], LETTERS["fc.bias"])
    np.testing.assert_array_equal(y[0], BY_HAND["fc"])
    y = F.softmax(y, 1)
    assert book(y, 3) == ["0.867", "0.117", "0.016"]  # 1, e^−2 and e^−4 over 1.1537


def test_a_whole_net_by_hand_with_layers():
    net = Letters().load_state_dict(LETTERS)
    assert net.num_parameters() == (9 + 1) * 2 + (8 + 1) * 3 == 47
    assert book(net(AN_L), 3) == ["0.867", "0.117", "0.016"]
    with gpucnn.compile(net, (1, 1, 6, 6), device="cpu") as model:
        assert book(model(AN_L), 3) == ["0.867", "0.117", "0.016"]
        inside = model.run({"input": AN_L}, outputs=[*BY_HAND, "output"])
        for name, by_hand in BY_HAND.items():
            np.testing.assert_array_equal(inside[name][0], by_hand, err_msg=name)

        an_i, a_line = AN_L.copy(), AN_L.copy()
        an_i[..., 4, 2:] = 0
        a_line[..., :4, 1] = 0
        batch = model(np.concatenate([AN_L, an_i, a_line]))
        np.testing.assert_array_equal(batch.argmax(1), [0, 1, 2])
