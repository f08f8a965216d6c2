"""Filters against SciPy, OpenCV's own loops and what they promise; images under them against SciPy's correlation."""

from __future__ import annotations

import cmath
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from close import FEW, gamma
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, signal
from test_graphs import PROFILE

from gpucnn import filters
from gpucnn import functional as F
from gpucnn.errors import ShapeError

EPS, EPS64 = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)
ROOT = Path(__file__).parent.parent
CHELSEA = np.asarray(Image.open(ROOT / "examples" / "images" / "chelsea.png").convert("RGB"))
GREY = np.asarray(Image.fromarray(CHELSEA).convert("L"))
WHOLE = GREY.astype(np.int64)
"""Sums of small whole numbers are exact in float32, in any order: what SciPy computes in integers must come out bit by bit."""

DERIVATIVES = {"sobel": filters.sobel, "prewitt": filters.prewitt, "scharr": filters.scharr}
AXIS = {"x": 1, "y": 0}
every_derivative = pytest.mark.parametrize("name", DERIVATIVES)


def correlated(image: Any, kernel: Any, stride: tuple[int, int], pads: tuple[tuple[int, int], ...]) -> tuple[Any, Any]:
    """SciPy's cross-correlation in float64, and how far float32 may lie from it."""
    padded = np.pad(image.astype(np.float64), pads)
    kernel = kernel.astype(np.float64)
    keep = tuple(slice(None, None, s) for s in stride)
    truth = signal.correlate2d(padded, kernel, "valid")[keep]
    size = signal.correlate2d(abs(padded), abs(kernel), "valid")[keep]
    return truth, gamma(kernel.size + FEW, EPS) * size


def same(n: int, k: int, s: int) -> tuple[int, int]:
    """TensorFlow's SAME, as its documentation words it."""
    total = max(k - s, 0) if n % s == 0 else max(k - n % s, 0)
    return total // 2, total - total // 2


# -- kernels


def kernels() -> dict[str, Any]:
    return {
        **{f"{name} {d}": make(d) for name, make in DERIVATIVES.items() for d in "xy"},
        "laplacian": filters.laplacian(),
        "laplacian diagonal": filters.laplacian(diagonal=True),
        "sharpen": filters.sharpen(),
        "box": filters.box((2, 3)),
        "gaussian": filters.gaussian(5, 1.2),
        "gabor": filters.gabor(9, 2.0, 0.5, 5.0, 0.7, 0.3),
    }


@pytest.mark.parametrize("name", kernels())
def test_kernels_are_float32_and_ones_own(name):
    kernel, again = kernels()[name], kernels()[name]
    assert kernel.dtype == np.float32
    assert kernel.ndim == 2
    assert kernel.flags.c_contiguous
    kernel[:] = 7
    assert not np.array_equal(kernel, again)
    np.testing.assert_array_equal(kernels()[name], again)


@pytest.mark.parametrize("direction", AXIS)
@pytest.mark.parametrize(("name", "theirs"), [("sobel", ndimage.sobel), ("prewitt", ndimage.prewitt)])
def test_sobel_and_prewitt_are_scipys(name, theirs, direction):
    ours = filters.apply(GREY, DERIVATIVES[name](direction))
    np.testing.assert_array_equal(ours, theirs(WHOLE, AXIS[direction], mode="constant"))


def test_the_laplacian_is_scipys():
    np.testing.assert_array_equal(filters.apply(GREY, filters.laplacian()), ndimage.laplace(WHOLE, mode="constant"))


@every_derivative
def test_derivatives_rise_where_the_brightness_does(name):
    y, x = np.mgrid[:7, :8].astype(np.float32)
    gain = {"sobel": 8, "prewitt": 6, "scharr": 32}[name]
    for direction, along, across in (("x", x, y), ("y", y, x)):
        kernel = DERIVATIVES[name](direction)
        assert kernel.sum() == 0
        assert (filters.apply(along, kernel, padding="valid") == gain).all()
        assert (filters.apply(across, kernel, padding="valid") == 0).all()
        assert (filters.apply(-along, kernel, padding="valid") == -gain).all()


def test_a_step_from_black_to_white_under_sobel_is_1020():
    step = np.zeros((6, 8), np.uint8)
    step[:, 4:] = 255
    np.testing.assert_array_equal(filters.apply(step, filters.sobel("x"), padding="valid"), [[0, 0, 1020, 1020, 0, 0]] * 4)
    np.testing.assert_array_equal(filters.apply(step.T, filters.sobel("y"), padding="valid"), np.transpose([[0, 0, 1020, 1020, 0, 0]] * 4))
    np.testing.assert_array_equal(filters.apply(step, filters.sobel("y"), padding="valid"), np.zeros((4, 6)))
    # Zeros around the image are black: the white half ends in an edge that falls by as much.
    assert (filters.apply(step, filters.sobel("x"))[1:-1, -1] == -1020).all()


def test_scharr_sees_directions_better_than_sobel():
    y, x = np.mgrid[:3, :3] - 1.0

    def worst(name: str, wavelength: float) -> float:
        error = 0.0
        for angle in np.linspace(0, math.pi / 2, 91):
            wave = np.sin(2 * math.pi / wavelength * (x * math.cos(angle) + y * math.sin(angle)))
            rise = [float((wave * DERIVATIVES[name](d)).sum()) for d in "xy"]
            error = max(error, abs(math.atan2(rise[1], rise[0]) - angle))
        return error

    for wavelength in (5.0, 8.0, 12.0):
        assert worst("scharr", wavelength) < worst("sobel", wavelength) < worst("prewitt", wavelength)


def test_laplacians_of_a_bowl_and_a_ramp():
    y, x = np.mgrid[:6, :7].astype(np.float32)
    for diagonal, curvature in ((False, 4), (True, 12)):
        kernel = filters.laplacian(diagonal)
        assert (filters.apply(x * x + y * y, kernel, padding="valid") == curvature).all()
        assert (filters.apply(3 * x - 2 * y + 5, kernel, padding="valid") == 0).all()
        np.testing.assert_array_equal(kernel, np.rot90(kernel))


def test_sharpening_is_the_image_less_its_laplacian():
    np.testing.assert_array_equal(
        filters.apply(GREY, filters.sharpen()), WHOLE - ndimage.laplace(WHOLE, mode="constant").astype(np.float64)
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4, (1, 5), (4, 7)])
def test_the_box_is_the_mean(size):
    kernel = filters.box(size)
    assert kernel.shape == (size if isinstance(size, tuple) else (size, size))
    means = F.avg_pool2d(GREY[None, None].astype(np.float32), kernel.shape, 1)[0, 0]
    truth, bound = correlated(GREY, np.full(kernel.shape, 1 / kernel.size), (1, 1), ((0, 0), (0, 0)))
    ours = filters.apply(GREY, kernel, padding="valid")
    assert (abs(ours - truth) <= bound).all()
    assert (abs(means - truth) <= bound).all()


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 40.0, (0.7, 2.0)])
@pytest.mark.parametrize("size", [1, 3, 7, (5, 9)])
def test_a_gaussian_is_the_answer_of_scipys_to_one_point(size, sigma):
    h, w = size if isinstance(size, tuple) else (size, size)
    point = np.zeros((h, w))
    point[h // 2, w // 2] = 1
    theirs = ndimage.gaussian_filter(point, sigma, mode="constant", radius=(h // 2, w // 2))
    np.testing.assert_allclose(filters.gaussian(size, sigma), theirs, rtol=EPS, atol=float(np.finfo(np.float32).tiny))


@pytest.mark.parametrize("sigma", [0.05, 0.8, 3.0, 1e9])
@pytest.mark.parametrize("size", [1, 2, 3, 6, 15, (2, 5)])
def test_a_gaussian_sums_to_one_is_even_and_separates(size, sigma):
    kernel = filters.gaussian(size, sigma)
    h, w = kernel.shape
    assert abs(float(kernel.astype(np.float64).sum()) - 1) <= EPS  # each value is rounded by at most half of eps of itself
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])
    np.testing.assert_array_equal(kernel, kernel[::-1])
    if h == w:
        np.testing.assert_array_equal(kernel, kernel.T)
    rows, columns = filters.gaussian((h, 1), sigma), filters.gaussian((1, w), sigma)
    np.testing.assert_allclose(kernel, rows.astype(np.float64) * columns, rtol=2 * EPS, atol=float(np.finfo(np.float32).tiny))
    assert (np.diff(kernel[h // 2, w // 2 :]) <= 0).all()


@pytest.mark.parametrize(("size", "shift"), [(4, 0.5), (5, 0.0)])
def test_an_even_blur_moves_the_image_by_half_a_pixel(size, shift):
    point = np.zeros((12, 12))
    point[5, 6] = 1
    blurred = filters.apply(point, filters.gaussian(size, 1.0)).astype(np.float64)
    centre = [float((blurred * index).sum()) for index in np.mgrid[:12, :12]]
    np.testing.assert_allclose(centre, [5 - shift, 6 - shift], rtol=gamma(size * size, EPS))


def test_very_narrow_and_very_wide_gaussians():
    np.testing.assert_array_equal(filters.gaussian(3, 1e-200), [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(filters.gaussian((1, 4), 1e-200), [[0, 0.5, 0.5, 0]])
    np.testing.assert_array_equal(filters.gaussian(4, 1e200), filters.box(4))


def gabor_by_hand(size: tuple[int, int], sigma: float, theta: float, wavelength: float, gamma: float, psi: float) -> Any:
    """Daugman's complex filter, a pixel at a time: the offset turned back by theta, a bell times exp(i·phase), the real part of that."""
    h, w = size
    out = np.empty(size)
    for row in range(h):
        for column in range(w):
            turned = complex(column - (w - 1) / 2, row - (h - 1) / 2) * cmath.exp(-1j * theta)
            bell = math.exp(-((turned.real**2 + gamma**2 * turned.imag**2) / (2 * sigma**2)))
            out[row, column] = (bell * cmath.exp(1j * (2 * math.pi * turned.real / wavelength + psi))).real
    return out


def gabor_of_opencv(size: tuple[int, int], sigma: float, theta: float, wavelength: float, gamma: float, psi: float) -> Any:
    """The loops of ``cv::getGaborKernel`` (modules/imgproc/src/gabor.cpp), for odd sizes."""
    ymax, xmax = size[0] // 2, size[1] // 2
    c, s = math.cos(theta), math.sin(theta)
    ex, ey, cscale = -0.5 / sigma**2, -0.5 / (sigma / gamma) ** 2, 2 * math.pi / wavelength
    kernel = np.empty(size)
    for y in range(-ymax, ymax + 1):
        for x in range(-xmax, xmax + 1):
            xr, yr = x * c + y * s, -x * s + y * c
            kernel[ymax - y, xmax - x] = math.exp(ex * xr * xr + ey * yr * yr) * math.cos(cscale * xr + psi)
    return kernel


GABORS = [
    ((7, 7), 2.0, 0.0, 4.0, 1.0, 0.0),
    ((9, 5), 2.5, 0.7, 5.0, 0.5, 1.1),
    ((15, 15), 4.0, math.pi / 3, 8.0, 0.5, -math.pi / 2),
    ((21, 31), 5.0, -2.0, 3.0, 2.0, 3.0),
    ((1, 1), 1.0, 1.0, 2.0, 1.0, 0.4),
    ((3, 3), 1e-3, 0.3, 2.0, 1.0, 0.0),
]


@pytest.mark.parametrize("arguments", [*GABORS, ((8, 6), 2.0, 0.4, 4.0, 0.8, 0.2), ((2, 2), 1.0, 0.0, 4.0, 1.0, 0.0)])
def test_a_gabor_filter_is_its_formula(arguments):
    kernel, truth = filters.gabor(*arguments), gabor_by_hand(*arguments)
    # One rounding to float32; what the angle is off by in float64 is far less, and counts by the bell, which is at most 1.
    reach = 2 * math.pi * math.hypot(*arguments[0]) / arguments[3]
    np.testing.assert_allclose(kernel, truth, rtol=EPS, atol=FEW * reach * EPS64)


@pytest.mark.parametrize("arguments", GABORS)
def test_opencvs_gabor_filter_has_the_other_phase(arguments):
    *others, psi = arguments
    reach = 2 * math.pi * math.hypot(*arguments[0]) / arguments[3]
    np.testing.assert_allclose(
        filters.gabor(*others, -psi), gabor_of_opencv(*arguments), rtol=EPS, atol=FEW * reach * EPS64
    )


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("theta", [0.0, 0.3, 1.2])
def test_a_quarter_turn_of_theta_turns_the_gabor_filter_clockwise(size, theta):
    other = {"sigma": 2.0, "wavelength": 4.5, "gamma": 0.6, "psi": 0.8}
    turned = filters.gabor(size, theta=theta + math.pi / 2, **other)
    reach = 2 * math.pi * size / other["wavelength"]
    np.testing.assert_allclose(turned, np.rot90(filters.gabor(size, theta=theta, **other), -1), rtol=EPS, atol=FEW * reach * EPS64)
    # Half a turn is the wave the other way round: the phase changes its sign.
    half = filters.gabor(size, theta=theta + math.pi, **other)
    np.testing.assert_allclose(half, filters.gabor(size, theta=theta, **{**other, "psi": -0.8}), rtol=EPS, atol=FEW * reach * EPS64)


def test_a_gabor_filter_answers_to_stripes_of_its_own_direction_and_width():
    y, x = np.mgrid[:64, :64]
    thetas, wavelengths = [k * math.pi / 8 for k in range(8)], (5.0, 8.0, 13.0)
    bank = {(t, w): filters.gabor(31, 0.5 * w, t, w) for t in thetas for w in wavelengths}
    for theta in thetas:
        for wavelength in wavelengths:
            stripes = np.cos(2 * math.pi / wavelength * (x * math.cos(theta) + y * math.sin(theta)))
            energy = {k: float((filters.apply(stripes, g / abs(g).sum(), padding="valid") ** 2).mean()) for k, g in bank.items()}
            assert max(energy, key=energy.__getitem__) == (theta, wavelength)


def test_an_odd_gabor_filter_sees_edges_as_sobel_does():
    step = np.zeros((31, 31), np.uint8)
    step[:, 16:] = 255
    for image, theta in ((step, 0.0), (step.T, math.pi / 2)):
        edge = filters.gabor(15, 2.0, theta, 8.0, psi=-math.pi / 2)
        assert abs(float(edge.astype(np.float64).sum())) <= EPS * abs(edge).sum()
        assert filters.apply(image, edge, padding="valid").max() > 255
        assert filters.apply(image, filters.gabor(15, 2.0, theta, 8.0, psi=math.pi / 2), padding="valid").min() < -255


# -- stack


def test_one_size_stacks_as_it_is():
    bank = filters.stack([filters.sobel("x"), filters.sobel("y"), filters.laplacian()])
    assert bank.shape == (3, 1, 3, 3)
    assert bank.dtype == np.float32
    maps = F.conv2d(GREY[None, None].astype(np.float32), bank, padding="same")[0]
    theirs = [ndimage.sobel(WHOLE, 1, mode="constant"), ndimage.sobel(WHOLE, 0, mode="constant"), ndimage.laplace(WHOLE, mode="constant")]
    np.testing.assert_array_equal(maps, theirs)


def test_kernels_of_unlike_sizes_give_the_maps_that_they_give_alone():
    rng = np.random.default_rng(0)
    many = [rng.integers(-9, 10, (h, w)) for h in (1, 2, 3, 4, 7) for w in (1, 2, 5, 6)]
    bank = filters.stack(many)
    assert bank.shape == (20, 1, 7, 6)
    image = rng.integers(0, 256, (9, 11), np.uint8)
    maps = F.conv2d(image[None, None].astype(np.float32), bank, padding="same")[0]
    for kernel, y in zip(many, maps):
        np.testing.assert_array_equal(y, filters.apply(image, kernel))


def test_odd_kernels_are_centred():
    np.testing.assert_array_equal(filters.stack([np.ones((5, 5)), np.ones((3, 1))])[1, 0, :, 2], [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(filters.stack([np.ones((6, 6)), np.ones((2, 4))])[1, 0].sum(0), [0, 2, 2, 2, 2, 0])
    assert filters.stack([np.ones((6, 6)), np.ones((2, 4))])[1, 0, 2:4, 1:5].all()


def test_groups_decide_whether_channels_are_averaged_or_kept_apart():
    x = CHELSEA.transpose(2, 0, 1)[None].astype(np.float32)
    both = [filters.sobel("x"), filters.laplacian()]
    apart = F.conv2d(x, filters.stack(both, channels=3, groups=3), padding="same", groups=3)
    alone = np.concatenate([[filters.apply(CHELSEA[..., c], kernel) for kernel in both] for c in range(3)])
    np.testing.assert_array_equal(apart[0], alone)

    bank = filters.stack(both, channels=3)
    assert bank.shape == (2, 3, 3, 3)
    mean = CHELSEA.astype(np.float64).mean(2)
    for kernel, y in zip(both, F.conv2d(x, bank, padding="same")[0]):
        truth, bound = correlated(mean, kernel, (1, 1), ((1, 1), (1, 1)))
        assert (abs(y - truth) <= gamma(27 + FEW, EPS) / gamma(9 + FEW, EPS) * bound).all()  # 27 products, where SciPy had 9

    halves = filters.stack(both, channels=4, groups=2)
    assert halves.shape == (4, 2, 3, 3)
    np.testing.assert_array_equal(halves[2:], halves[:2])
    np.testing.assert_array_equal(halves[0], [filters.sobel("x") / 2] * 2)


# -- apply


@PROFILE
@given(st.data())
def test_apply_is_scipys_correlation(data):
    whole = st.integers
    h, w, r, s = (data.draw(whole(1, top)) for top in (9, 9, 5, 5))
    stride = (data.draw(whole(1, 3)), data.draw(whole(1, 3)))
    padding: Any = data.draw(st.sampled_from(["same", "valid", "same_lower", "pixels"]))
    if padding == "valid" and (r > h or s > w):
        r, s = min(r, h), min(s, w)
    pads = ((0, 0), (0, 0))
    if padding.startswith("same"):
        pads = (same(h, r, stride[0]), same(w, s, stride[1]))
        pads = tuple(p[::-1] for p in pads) if padding == "same_lower" else pads
    elif padding == "pixels":
        pads = padding = ((r - 1, data.draw(whole(0, 2))), (data.draw(whole(0, 2)), s - 1))
    rng = np.random.default_rng(data.draw(whole(0, 99)))
    kernel = rng.standard_normal((r, s)).astype(data.draw(st.sampled_from(["f2", "f4"])))
    colour = data.draw(st.booleans())
    shape = (h, w, 3) if colour else (h, w)
    if data.draw(st.booleans()):
        image = rng.integers(0, 256, shape).astype(np.uint8)
    else:
        image = rng.standard_normal(shape).astype(np.float32)

    got = filters.apply(image, kernel, stride=stride, padding=padding)
    assert got.dtype == np.float32
    assert got.ndim == image.ndim
    if padding == "same":
        assert got.shape[:2] == (math.ceil(h / stride[0]), math.ceil(w / stride[1]))
    for c in range(3 if colour else 1):
        ours, plane = (got[..., c], image[..., c]) if colour else (got, image)
        truth, bound = correlated(plane, kernel, stride, pads)
        assert ours.shape == truth.shape
        assert (abs(ours - truth) <= bound).all()


@pytest.mark.parametrize("name", kernels())
def test_every_kernel_over_a_photograph_is_scipys_correlation(name):
    kernel = kernels()[name]
    if kernel.shape[0] % 2 and kernel.shape[1] % 2:
        theirs = ndimage.correlate(GREY.astype(np.float64), kernel.astype(np.float64), mode="constant")
        size = ndimage.correlate(GREY.astype(np.float64), abs(kernel.astype(np.float64)), mode="constant")
        assert (abs(filters.apply(GREY, kernel) - theirs) <= gamma(kernel.size + FEW, EPS) * size).all()
    colour = filters.apply(CHELSEA, kernel, stride=2)
    assert colour.shape == (150, 226, 3)
    assert colour.flags.c_contiguous
    for c in range(3):
        truth, bound = correlated(CHELSEA[..., c], kernel, (2, 2), tuple(same(n, k, 2) for n, k in zip((300, 451), kernel.shape)))
        assert (abs(colour[..., c] - truth) <= bound).all()


def test_bytes_count_as_they_are_and_every_float_gives_the_same():
    kernel = filters.gabor(7, 2.0, 0.4, 4.0)
    of_bytes = filters.apply(CHELSEA, kernel)
    for dtype in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(filters.apply(CHELSEA.astype(dtype), kernel), of_bytes)
    np.testing.assert_array_equal(filters.apply(CHELSEA, np.float32([[1]])), CHELSEA)


def test_images_and_kernels_are_left_as_they_are():
    image, kernel = CHELSEA.copy()[::-1, :, ::-1], filters.sobel("x")[:, ::-1]
    expected = np.stack([signal.correlate2d(image[..., c].astype(np.int64), kernel.astype(np.int64), "valid") for c in range(3)], 2)
    np.testing.assert_array_equal(filters.apply(image, kernel, padding="valid"), expected)
    np.testing.assert_array_equal(image, CHELSEA[::-1, :, ::-1])
    np.testing.assert_array_equal(kernel, filters.sobel("x")[:, ::-1])


def test_kernels_may_be_lists_and_whole_numbers():
    ours = filters.apply(GREY, [[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    np.testing.assert_array_equal(ours, filters.apply(GREY, filters.laplacian()))


def test_nan_spreads_as_far_as_the_kernel():
    image = np.zeros((5, 6))
    image[2, 2] = np.nan
    bad = np.isnan(filters.apply(image, filters.sobel("x")))
    expected = np.zeros((5, 6), bool)
    expected[1:4, 1:4] = True
    np.testing.assert_array_equal(bad, expected)


IMAGE, KERNEL = np.zeros((6, 7), np.uint8), np.ones((3, 3), np.float32)

WRONG = {
    "direction": (lambda: filters.sobel("z"), "filters.sobel: direction must be 'x'", "got 'z'"),
    "direction of scharr": (lambda: filters.scharr(0), "filters.scharr: direction", "got 0"),
    "size": (lambda: filters.gaussian(0, 1.0), "filters.gaussian: size", "at least 1, got 0"),
    "size of three": (lambda: filters.box((3, 3, 3)), "filters.box: size must be a whole number of pixels or (height, width)"),
    "broken size": (lambda: filters.gabor(2.5, 1.0, 0.0, 2.0), "filters.gabor: size", "got 2.5"),
    "true as size": (lambda: filters.box(True), "filters.box: size", "got True"),
    "sigma": (lambda: filters.gaussian(3, 0), "filters.gaussian: sigma must be a number above 0 (pixels), got 0"),
    "sigma of three": (lambda: filters.gaussian(3, (1, 2, 3)), "sigma must be one number or (down, across), got (1, 2, 3)"),
    "endless sigma": (lambda: filters.gaussian(3, math.inf), "sigma must be a number above 0 (pixels), got inf"),
    "wavelength": (lambda: filters.gabor(3, 1.0, 0.0, -2.0), "filters.gabor: wavelength must be a number above 0 (pixels), got -2.0"),
    "theta": (lambda: filters.gabor(3, 1.0, math.nan, 2.0), "filters.gabor: theta must be a finite number (radians), got nan"),
    "theta in words": (lambda: filters.gabor(3, 1.0, "45", 2.0), "theta must be a finite number (radians), got '45'"),
    "gamma": (lambda: filters.gabor(3, 1.0, 0.0, 2.0, gamma=0), "filters.gabor: gamma must be a number above 0", "got 0"),
    "no kernel": (lambda: filters.stack([]), "filters.stack: there is no kernel; give at least one"),
    "a number for kernels": (lambda: filters.stack(3), "filters.stack: kernels must be a sequence of (h, w) arrays, got 3", "[kernel]"),
    "a kernel that is no list": (lambda: filters.stack(KERNEL), "filters.stack: kernel 0 must be (h, w), got shape 3", "stack([kernel])"),
    "groups": (lambda: filters.stack([KERNEL], channels=4, groups=3), "filters.stack: groups 3 must divide channels 4"),
    "channels": (lambda: filters.stack([KERNEL], channels=0), "filters.stack: channels must be a whole number of at least 1, got 0"),
    "image of channels first": (lambda: filters.apply(np.zeros((3, 6, 7), "f"), KERNEL), "(h, w) or colour (h, w, 3), got shape 3×6×7"),
    "batch": (lambda: filters.apply(np.zeros((1, 3, 6, 7), "f"), KERNEL), "got shape 1×3×6×7", "go to F.conv2d with filters.stack"),
    "integers": (lambda: filters.apply(IMAGE.astype(int), KERNEL), "image must be uint8 (0…255) or floating point, got int64", "astype"),
    "mask": (lambda: filters.apply(IMAGE > 0, KERNEL), "floating point, got bool"),
    "complex image": (lambda: filters.apply(IMAGE * 1j, KERNEL), "floating point, got complex128"),
    "kernel of four axes": (lambda: filters.apply(IMAGE, KERNEL[None, None]), "kernel must be (h, w), got shape 1×1×3×3", "filters.stack"),
    "empty kernel": (lambda: filters.apply(IMAGE, KERNEL[:0]), "filters.apply: kernel must be (h, w), got shape 0×3"),
    "ragged kernel": (lambda: filters.apply(IMAGE, [[1, 2], [3]]), "filters.apply: kernel must be (h, w), its rows differ in length"),
    "complex kernel": (lambda: filters.apply(IMAGE, KERNEL * 1j), "kernel must hold real numbers, got complex64"),
    "kernel of truths": (lambda: filters.apply(IMAGE, KERNEL > 0), "kernel must hold real numbers, got bool"),
    "kernel with NaN": (lambda: filters.apply(IMAGE, np.float32([[1, 2], [np.nan, 4]])), "got nan at (1, 0)"),
    "kernel beyond float32": (lambda: filters.stack([KERNEL, [[1, 1e99]]]), "kernel 1 must hold finite numbers", "got 1e+99 at (0, 1)"),
    "large kernel": (lambda: filters.apply(IMAGE, np.ones((9, 3)), padding="valid"), "the kernel reaches over 9 pixels", "has 6"),
    "stride": (lambda: filters.apply(IMAGE, KERNEL, stride=0), "stride must be at least 1"),
    "padding": (lambda: filters.apply(IMAGE, KERNEL, padding="edge"), "padding must be pixels, 'same'", "got 'edge'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_use_says_what_was_expected(what):
    call, *parts = WRONG[what]
    with pytest.raises(ShapeError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
