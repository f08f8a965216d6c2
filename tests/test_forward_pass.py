"""The contact sheet of examples/forward_pass.py: what it draws is what the ops give, at the place and on the scale that it says."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from close import FEW, gamma
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

import gpucnn
from gpucnn import filters
from gpucnn import functional as F

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

import contact_sheet  # noqa: E402
import forward_pass  # noqa: E402

sys.path.remove(str(EXAMPLES))

EPS = float(np.finfo(np.float32).eps)
CHELSEA = EXAMPLES / "images" / "chelsea.png"
PHOTO = np.asarray(ImageOps.fit(Image.open(CHELSEA).convert("RGB"), (324, 216), Image.Resampling.LANCZOS))
GREY = PHOTO.astype(np.float64).mean(2)


@pytest.fixture(scope="module")
def rows() -> Any:
    return forward_pass.steps(CHELSEA)


@pytest.fixture(scope="module")
def panels(rows) -> dict[str, Any]:
    return {panel.title: panel for row in rows for panel in row.panels}


@pytest.fixture(scope="module")
def cut(rows, tmp_path_factory) -> Any:
    """The pixels of a panel's picture, as they are in the file."""
    image, places = contact_sheet.sheet("title", "subtitle", rows)
    path = tmp_path_factory.mktemp("sheet") / "sheet.png"
    image.save(path)
    with Image.open(path) as saved:
        pixels = np.asarray(saved)
    return lambda title: pixels[places[title][1] : places[title][3], places[title][0] : places[title][2]]


def assert_drawn(pixels: Any, truth: Any, bound: Any, high: float, signed: bool, factor: int = 1) -> None:
    """``truth`` on the scale −high…high, or 0…high; what lies within ``bound`` of it may have its colour as well."""
    table = contact_sheet.DIVERGING if signed else contact_sheet.GREYS
    zero, steps = (127, 127) if signed else (0, 255)
    ends = [zero + np.rint(np.clip((truth + side * bound) / high, -1 if signed else 0, 1) * steps).astype(int) for side in (-1, 1)]
    assert pixels.shape[:2] == tuple(n * factor for n in truth.shape)
    for row in range(factor):
        for column in range(factor):
            drawn = pixels[row::factor, column::factor]
            fits = [(drawn == table[np.minimum(ends[0] + k, ends[1])]).all(-1) for k in range(int((ends[1] - ends[0]).max()) + 1)]
            assert np.any(fits, 0).all()


def high_of(values: Any) -> float:
    return float(np.percentile(np.abs(values), 99.5))


# -- colours


def test_the_middle_colour_is_zero_and_the_sides_are_alike():
    table = contact_sheet.DIVERGING.astype(int)
    assert table.shape == (255, 3)
    middle = table[127]
    assert middle.min() >= 240
    assert len(set(middle)) == 1
    assert (table[:127, 2] > table[:127, 0]).all()  # blue below
    assert (table[128:, 0] > table[128:, 2]).all()  # red above
    assert len({tuple(colour) for colour in table}) == 255
    np.testing.assert_array_equal(contact_sheet.GREYS, np.repeat(np.arange(256)[:, None], 3, 1))


def test_every_signed_panel_is_centred_on_zero(panels):
    signed = [panel for panel in panels.values() if panel.kind == "signed"]
    assert len(signed) >= 15
    for panel in signed:
        low, high = contact_sheet.scale(panel)
        assert low == -high < 0
        values = np.float32([0, high, -high, 2 * high, -2 * high])
        np.testing.assert_array_equal(contact_sheet.colours(panel, values), contact_sheet.DIVERGING[[127, 254, 0, 254, 0]])
        assert panel.array.min() < 0 < panel.array.max()


def test_values_below_zero_are_never_drawn_as_grey():
    panel = contact_sheet.Panel("wrong", "", np.float32([[-1, 1], [0, 1]]), "unsigned")
    with pytest.raises(ValueError, match="wrong: values below zero need kind='signed'"):
        contact_sheet.picture(panel)


# -- panels, computed anew


def test_the_photograph_is_there_as_it_is(panels, cut):
    np.testing.assert_array_equal(cut("Photograph"), PHOTO)
    for c, name in enumerate(("Red", "Green", "Blue")):
        np.testing.assert_array_equal(cut(name), np.repeat(PHOTO[..., c, None], 3, 2))
    assert_drawn(cut("Grey"), GREY, gamma(3 + FEW, EPS) * GREY, 255, signed=False)


def test_sobel_by_scipy(panels, cut):
    truth = ndimage.sobel(GREY, 1, mode="constant")
    bound = gamma(9 + 3 + 2 * FEW, EPS) * ndimage.correlate(GREY, abs(filters.sobel("x")).astype(float), mode="constant")
    panel = panels["Sobel x: brighter to the right"]
    assert (abs(panel.array - truth) <= bound).all()
    high = high_of(panel.array)
    assert contact_sheet.scale(panel) == (-high, high)
    assert_drawn(cut(panel.title), truth, bound, high, signed=True)
    # The same scale for what is compared with it.
    assert_drawn(cut("Stride 2"), truth[1::2, 1::2], bound[1::2, 1::2], high, signed=True, factor=2)
    assert_drawn(cut("No padding"), truth[1:-1, 1:-1], bound[1:-1, 1:-1], high, signed=True)
    assert_drawn(cut("Zero padding, lower left corner"), truth[-18:, :27], bound[-18:, :27], high, signed=True, factor=12)
    assert_drawn(cut("No padding, the same corner"), truth[-19:-1, 1:28], bound[-19:-1, 1:28], high, signed=True, factor=12)


def test_gauss_by_scipy(panels, cut):
    truth = ndimage.gaussian_filter(GREY, 2.5, mode="constant", radius=6)
    assert_drawn(cut("Gaussian"), truth, gamma(169 + 3 + 2 * FEW, EPS) * truth, 255, signed=False)


def test_differences_of_colours(panels, cut):
    red, green, blue = PHOTO.astype(np.float64).transpose(2, 0, 1)
    for title, mixture, size in (
        ("Red less green", red - green, red + green),
        ("Blue less yellow", blue - (red + green) / 2, blue + (red + green) / 2),
    ):
        truth, magnitude = (ndimage.gaussian_filter(a, 1.5, mode="constant", radius=4) for a in (mixture, size))
        assert_drawn(cut(title), truth, gamma(243 + 2 * FEW, EPS) * magnitude, high_of(panels[title].array), signed=True)


def test_pooling_by_numpy(panels, cut):
    windows = GREY.reshape(36, 6, 54, 6)
    bound = gamma(36 + 3 + 2 * FEW, EPS)
    for title, truth in (("Maximum", windows.max((1, 3))), ("Minimum", windows.min((1, 3))), ("Average", windows.mean((1, 3)))):
        assert_drawn(cut(title), truth, bound * truth, 255, signed=False, factor=6)
    norms = np.sqrt((windows**2).sum((1, 3)))
    assert_drawn(cut("Root of the sum of squares"), norms, bound * norms, 6 * 255, signed=False, factor=6)


def test_adaptive_pooling_by_its_windows(panels, cut):
    def spans(n: int, out: int) -> list[slice]:
        return [slice(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]

    for title, reduce in (("Adaptive average", np.mean), ("Adaptive maximum", np.max)):
        truth = np.array([[reduce(GREY[r, c]) for c in spans(324, 19)] for r in spans(216, 13)])
        assert_drawn(cut(title), truth, gamma(18 * 19 + 3 + FEW, EPS) * truth, 255, signed=False, factor=17)


def test_fractional_pooling_by_its_windows(panels, cut):
    def starts(n: int, out: int, u: float) -> list[int]:
        alpha = (n - 2) / (out - 1)
        return [*(int((i + u) * alpha) - int(u * alpha) for i in range(out - 1)), n - 2]

    for seed, title in enumerate(("Fractional maximum", "The same with another seed")):
        across, down = np.random.default_rng(seed).random((1, 1, 2))[0, 0]
        truth = np.array([[GREY[r : r + 2, c : c + 2].max() for c in starts(324, 150, across)] for r in starts(216, 100, down)])
        assert_drawn(cut(title), truth, gamma(3 + FEW, EPS) * truth, 255, signed=False, factor=2)


def test_the_net_by_hand_computed_anew(panels, cut):
    kernels = [filters.gabor(15, 3.0, k * math.pi / 4, 7.0).astype(np.float64) for k in range(4)]
    kernels = [(k - k.mean()) / abs(k - k.mean()).sum() for k in kernels]
    truth = np.array([ndimage.correlate(GREY, k, mode="constant")[7:-7:2, 7:-7:2] for k in kernels])
    bound = np.array([ndimage.correlate(GREY, abs(k), mode="constant")[7:-7:2, 7:-7:2] for k in kernels]) * gamma(225 + 3 + 4 * FEW, EPS)
    high = high_of(panels["Convolution"].array)
    assert contact_sheet.scale(panels["ReLU"]) == (0, high)
    for title, values, signed in (("Convolution", truth, True), ("ReLU", np.maximum(truth, 0), False)):
        pixels = cut(title)
        assert pixels.shape[:2] == (2 * 101 + 2, 2 * 155 + 2)
        for k in range(4):
            top, left = k // 2 * 103, k % 2 * 157
            assert_drawn(pixels[top : top + 101, left : left + 155], values[k], bound[k], high, signed)
    negative = truth[0] < -bound[0]
    assert negative.any()
    assert (cut("ReLU")[:101, :155][negative] == 0).all()

    pooled = np.maximum(truth, 0)[:, :100, :154].reshape(4, 50, 2, 77, 2).max((2, 4))
    np.testing.assert_allclose(panels["Max pooling"].array[0], pooled, rtol=0, atol=float(bound.max()))
    fields = F.adaptive_avg_pool2d(pooled[None], (4, 6)).reshape(4, 24)  # float64
    np.testing.assert_allclose(panels["Flatten"].array, fields.reshape(1, 96), rtol=0, atol=2 * float(bound.max()))
    means = fields.mean(1)
    np.testing.assert_allclose(panels["Dense layer"].array[0], 4 * means - means.sum(), rtol=0, atol=16 * float(bound.max()))
    shares = panels["Softmax"].array[0]
    assert shares.argmax() == means.argmax()
    assert abs(float(shares.sum(dtype=np.float64)) - 1) <= gamma(4 + FEW, EPS)


def test_the_trained_net_is_the_classifiers(panels, cut):
    with gpucnn.Classifier("efficientnet_lite0", device="cpu") as classifier:
        (result,) = classifier.predict([str(CHELSEA)])
    best = panels["The five most probable"]
    assert best.labels == tuple(p.label for p in result.predictions)
    # Another plan, so other roundings: far less apart than two classes are.
    np.testing.assert_allclose(best.array[0], [p.probability for p in result.predictions], rtol=1e-3)
    stem = panels["First layer"]
    assert stem.array.shape == (1, 32, 112, 112)
    high = high_of(stem.array)
    for k in (0, 1, 12, 31):
        top, left = k // 11 * 114, k % 11 * 114
        assert_drawn(cut("First layer")[top : top + 112, left : left + 112], stem.array[0, k].astype(np.float64), 0.0, high, signed=True)
    scores = panels["Scores"].array
    assert_drawn(cut("Scores"), scores.reshape(25, 40).astype(np.float64), 0.0, high_of(scores), signed=True, factor=8)


def test_bars_are_as_long_as_their_numbers():
    values = np.float32([[0.5, 1.0, -0.25]])
    pixels = np.asarray(contact_sheet.picture(contact_sheet.Panel("", "", values, "bars", labels=("a", "b", "c"))))
    red, blue = ((pixels == colour).all(-1) for colour in (contact_sheet.POSITIVE, contact_sheet.NEGATIVE))
    lengths = [red[22].sum(), red[66].sum(), blue[110].sum()]
    assert abs(lengths[0] - lengths[1] / 2) <= 1
    assert abs(lengths[2] - lengths[1] / 4) <= 1
    assert lengths[1] > 100
    assert not blue[:88].any()


def test_columns_are_as_high_as_their_numbers_and_the_scale_says_where_they_end(monkeypatch):
    written = {}
    write = ImageDraw.ImageDraw.text

    def text(self, xy, text, *args, **kwargs):
        written[text] = xy
        return write(self, xy, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    panel = contact_sheet.Panel("", "", np.float32([[2.5, 5, 0, 1.25]]), "bars", labels=("a", "b"))
    heights = (np.asarray(contact_sheet.picture(panel)) == contact_sheet.POSITIVE).all(-1).sum(0)
    begins = np.flatnonzero((heights[1:] > 0) & (heights[:-1] == 0)) + 1
    floor = written["0"][1]
    np.testing.assert_allclose(heights[begins], np.array([2.5, 5, 0, 1.25]) * floor / 5, rtol=0, atol=2)
    assert written["5"][1] == 0  # the scale ends where the highest column does, and stands left of all
    assert max(written["5"][0], written["0"][0]) < begins[0]


# -- captions


def test_captions_fit_and_the_font_has_their_letters(rows, monkeypatch):
    written = []
    write = ImageDraw.ImageDraw.text

    def text(self, xy, text, *args, **kwargs):
        font = args[1] if len(args) > 1 else kwargs["font"]
        left, top, right, bottom = self.textbbox(xy, text, font=font, anchor=kwargs.get("anchor"))
        width, height = self.im.size
        written.append(text)
        assert text.isascii(), f"{text!r} has letters that Pillow's font lacks"
        assert left >= 0, text
        assert top >= 0, text
        assert right <= width, f"{text!r} ends {right - width} pixels beyond its panel"
        assert bottom <= height, text
        return write(self, xy, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    image, places = contact_sheet.sheet("title", "subtitle", rows)
    assert image.width <= 1800
    for row in rows:
        assert row.title in written
        for panel in row.panels:
            assert panel.op in written
            assert any(panel.facts in line for line in written)
            shape = "x".join(map(str, panel.array.shape))
            assert panel.facts.startswith(f"{shape} {panel.array.dtype}, ")
            left, top, right, bottom = places[panel.title]
            assert 0 <= left < right <= image.width - contact_sheet.MARGIN
            assert 0 < top < bottom < image.height


def test_captions_leave_room_for_the_filter(panels):
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    with_kernel = [panel for panel in panels.values() if panel.kernel is not None]
    assert len(with_kernel) == 5
    for panel in with_kernel:
        for text, size in ((panel.title, 17), (panel.op, 12)):
            assert pen.textlength(text, contact_sheet.font(size)) <= panel.width - 36 - 4, text


def test_labels_that_are_too_long_are_cut():
    pen, face = ImageDraw.Draw(Image.new("RGB", (1, 1))), contact_sheet.font(14)
    long = "a class with a very long name, as some have"
    cut = contact_sheet.fitted(pen, long, face, 120)
    assert cut.endswith("...")
    assert long.startswith(cut[:-3])
    assert pen.textlength(cut, face) <= 120 < pen.textlength(long, face)
    assert contact_sheet.fitted(pen, "cat", face, 120) == "cat"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (-1020, "-1020"), (0.1234, "0.123"), (12.34, "12.3"), (-0.00012, "-1e-04"), (156.7, "157")]
)
def test_numbers_are_short(value, text):
    assert contact_sheet.number(np.float32(value)) == text


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_black_photograph_and_an_upright_one(mode, tmp_path):
    path = tmp_path / "photo.png"
    image = Image.new("L", (40, 90)) if mode == "RGB" else Image.linear_gradient("L").resize((40, 90))
    image.convert(mode).save(path)
    rows = forward_pass.steps(path)
    sheet, _ = contact_sheet.sheet("title", "subtitle", rows)
    assert sheet.width == contact_sheet.WIDTH
    if mode == "RGB":
        panel = next(panel for row in rows for panel in row.panels if panel.title == "Laplacian")
        assert (np.asarray(contact_sheet.picture(panel)) == contact_sheet.DIVERGING[127]).all()
