"""ONNX's Resize and Upsample where the suite of onnx has no case: opsets until 10, factors that are no fractions of two, refusals."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from onnx_models import assert_equal, assert_near, draw, one_node, op_names, recorded

from gpucnn.errors import ModelError, ShapeError
from gpucnn.onnx_backend import GpucnnBackend

NONE = np.zeros(0, np.float32)


def f32(*values):
    return np.array(values, np.float32)


def i64(*values):
    return np.array(values, np.int64)


def asked(inputs, opset, op_type="Resize", **attributes):
    return one_node(op_type, inputs, opset, constants=[k for k, v in inputs.items() if k != "x" and v is not None], **attributes)


def taken(x, *places):
    """Elements of the last axes at whole places."""
    return x[(..., *np.ix_(*places))]


def between(x, *places):
    """Straight lines between the elements of the last axes, and level beyond the ends."""
    y = x.astype(np.float64)
    for axis, at in enumerate(places, -len(places)):
        y = np.apply_along_axis(lambda row, at=at: np.interp(at, np.arange(len(row)), row), axis, y)
    return y


# -- until opset 10, as ONNX Runtime has it


def corner(n, scale):
    """Exactly the places i/scale of an axis."""
    return [i / Fraction(scale) for i in range(math.floor(n * Fraction(scale)))]


def old(x, scales):
    """Nearest: the element before a place, or behind it where the axis gets shorter."""
    places = [[math.ceil(p) if Fraction(s) < 1 else math.floor(p) for p in corner(n, s)] for n, s in zip(x.shape, scales)]
    return x[np.ix_(*places)]


@pytest.mark.parametrize("scales", [("1", "1", "2", "3"), ("1", "1", "1.5", "2.6"), ("1", "1", "0.6", "0.3"), ("1", "1", "0.7", "1.25")])
def test_nearest_of_opset_10(scales):
    x = draw(1, 2, 10, 10)
    given = f32(*map(float, scales))
    assert_equal(asked({"x": x, "scales": given}, 10), {"x": x}, old(x, scales))


@pytest.mark.parametrize("scales", [("1", "1", "2", "3"), ("1", "1", "1.5", "2.6"), ("1", "1", "0.6", "0.3"), ("1", "1", "0.7", "1.25")])
def test_linear_of_opset_10(scales):
    x = draw(1, 2, 10, 10)
    given = f32(*map(float, scales))
    places = [list(map(float, corner(n, s))) for n, s in zip(x.shape[2:], scales[2:])]
    assert_near(asked({"x": x, "scales": given}, 10, mode="linear"), {"x": x}, between(x, *places))


def test_upsample_of_every_opset():
    x = draw(1, 2, 3, 4)
    twice, halves = np.repeat(np.repeat(x, 2, 2), 3, 3), [[0, 0.5, 1, 1.5, 2, 2.5], np.arange(12) / 3]
    assert_equal(asked({"x": x}, 1, "Upsample", height_scale=2.0, width_scale=3.0), {"x": x}, twice)
    assert_equal(asked({"x": x}, 7, "Upsample", scales=(1.0, 1.0, 2.0, 3.0)), {"x": x}, twice)
    assert_equal(asked({"x": x, "scales": f32(1, 1, 2, 3)}, 9, "Upsample"), {"x": x}, twice)
    linear = between(x, *halves)
    assert_near(asked({"x": x}, 1, "Upsample", height_scale=2.0, width_scale=3.0, mode="bilinear"), {"x": x}, linear)
    assert_near(asked({"x": x}, 7, "Upsample", scales=(1.0, 1.0, 2.0, 3.0), mode="linear"), {"x": x}, linear)
    assert_near(asked({"x": x, "scales": f32(1, 1, 2, 3)}, 9, "Upsample", mode="linear"), {"x": x}, linear)


def test_factors_that_leave_the_sizes_leave_all():
    x = draw(1, 2, 4, 3)
    for inputs, opset in (({"scales": f32(1, 1, 1.2, 1.3)}, 10), ({"roi": None, "scales": f32(1, 1, 1.2, 1.3)}, 13)):
        assert op_names(asked({"x": x, **inputs}, opset), {"x": x}) == []
    sizes = {"roi": None, "scales": None, "sizes": i64(1, 2, 4, 3)}
    assert op_names(asked({"x": x, **sizes}, 13, mode="cubic"), {"x": x}) == []


# -- from opset 11


@pytest.mark.parametrize(("n", "scale", "out"), [(10, 0.7, 7), (10, 0.3, 3), (9, 1 / 3, 3), (100, 0.29, 29), (7, 1.3, 9)])
def test_sizes_by_factors_are_cut_off_in_float32(n, scale, out):
    """0.7 in float32 is less than 7/10, so that 10 of them would make 6."""
    x = draw(1, n)
    (node,) = recorded(asked({"x": x, "roi": NONE, "scales": f32(1, scale)}, 11), {"x": x}).nodes
    assert node.outputs[0].shape == (1, out)


@pytest.mark.parametrize("scale", ["0.3", "1/3", "0.6", "0.7", "1.6", "2.3"])
@pytest.mark.parametrize("nearest", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn"])
def test_factors_are_the_fractions_that_were_meant(scale, nearest, coordinates):
    """In exact fractions: places that are whole, or half, there decide."""
    n, factor, half = 9, Fraction(scale), Fraction(1, 2)
    rounded = {
        "floor": math.floor, "ceil": math.ceil, "round_prefer_floor": lambda p: math.ceil(p - half),
        "round_prefer_ceil": lambda p: math.floor(p + half),
    }[nearest]  # fmt: skip
    place = {
        "asymmetric": lambda i: i / factor, "half_pixel": lambda i: (i + half) / factor - half,
        "pytorch_half_pixel": lambda i: (i + half) / factor - half, "tf_half_pixel_for_nn": lambda i: (i + half) / factor,
    }[coordinates]  # fmt: skip
    x = draw(2, n)
    places = [min(max(rounded(place(i)), 0), n - 1) for i in range(math.floor(n * factor))]
    inputs = {"x": x, "roi": NONE, "scales": f32(1, float(factor))}
    assert_equal(asked(inputs, 11, nearest_mode=nearest, coordinate_transformation_mode=coordinates), inputs, taken(x, places))


def test_corners_align_on_the_exact_length():
    """As in the test data of onnx, which alone among its cases has a factor that makes no whole size."""
    x = draw(1, 1, 4, 6)
    inputs = {"x": x, "roi": None, "scales": f32(1, 1, 0.75, 0.6)}
    places = np.arange(3.0) * 3 / 2, np.arange(3.0) * 5 / (6 * 0.6 - 1)
    assert_near(asked(inputs, 13, mode="linear", coordinate_transformation_mode="align_corners"), {"x": x}, between(x, *places))
    sizes = {"x": x, "roi": None, "scales": None, "sizes": i64(1, 1, 3, 3)}
    places = np.arange(3.0) * 3 / 2, np.arange(3.0) * 5 / 2
    assert_near(asked(sizes, 13, mode="linear", coordinate_transformation_mode="align_corners"), {"x": x}, between(x, *places))


def test_axes_and_the_ratio_of_sizes():
    x = draw(1, 2, 6, 12)
    inputs = {"x": x, "roi": None, "scales": None, "sizes": i64(4, 3)}
    model = asked(inputs, 18, axes=(-1, 2), keep_aspect_ratio_policy="not_larger", mode="linear")
    places = (np.arange(2) + 0.5) * 3 - 0.5, (np.arange(4) + 0.5) * 3 - 0.5
    assert_near(model, {"x": x}, between(x, *places))
    model = asked(inputs, 18, axes=(-1, 2), keep_aspect_ratio_policy="not_smaller", mode="linear")
    places = (np.arange(3) + 0.5) * 2 - 0.5, (np.arange(6) + 0.5) * 2 - 0.5
    assert_near(model, {"x": x}, between(x, *places))


def test_crop_and_resize_shows_a_part():
    """By factors the sizes are those of the whole, whatever the text says: so do ONNX's shape inference and ONNX Runtime."""
    x = draw(1, 1, 5, 6)
    roi = f32(0, 0, 0.25, 0.5, 1, 1, 0.75, 1.5)
    places = 1 + np.arange(5) * 2 / 4, 2.5 + np.arange(3) * 5 / 2
    expected = between(x, *places)
    expected[..., places[1] > 5] = 9
    for given in ({"scales": f32(1, 1, 1, 0.5)}, {"scales": None, "sizes": i64(1, 1, 5, 3)}):
        inputs = {"x": x, "roi": roi, **given}
        model = asked(inputs, 13, mode="linear", coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=9.0)
        assert_near(model, {"x": x}, expected)


def test_sizes_at_run_time():
    x = draw(1, 2, 3, 4)
    for name, first in (("sizes", i64(1, 2, 6, 8)), ("scales", f32(1, 1, 2, 2))):
        inputs = {"x": x, "roi": None, **({"scales": first} if name == "scales" else {"scales": None, "sizes": first})}
        rep = GpucnnBackend.prepare(one_node("Resize", inputs, 13))
        for times in (2, 3, 2, 1):
            given = f32(1, 1, times, times) if name == "scales" else i64(1, 2, 3 * times, 4 * times)
            np.testing.assert_array_equal(rep.run([x, given])[0], x.repeat(times, 2).repeat(times, 3))


def test_an_empty_batch_stays_empty():
    x = draw(0, 2, 3, 4)
    inputs = {"x": x, "roi": None, "scales": None, "sizes": i64(0, 2, 6, 8)}
    for policy in ("stretch", "not_larger"):
        kw = {"axes": (0, 1, 2, 3), "keep_aspect_ratio_policy": policy}
        assert_equal(asked(inputs, 18, **kw), {"x": x}, np.zeros((0, 2, 6, 8), np.float32))


@pytest.mark.parametrize(
    ("opset", "inputs", "attributes", "error", "says"),
    [
        (13, {}, {}, ModelError, "takes either scales or sizes, got scales none and sizes none"),
        (13, {"roi": None, "scales": f32(1, 2), "sizes": i64(3, 8)}, {}, ModelError, "got scales (1.0, 2.0) and sizes (3, 8)"),
        (13, {"roi": None, "scales": f32(2)}, {}, ShapeError, "scales must hold 2 numbers, got (2.0,) (x 3×4 float32)"),
        (18, {"roi": None, "scales": None, "sizes": i64(3, 8)}, {"axes": (1,)}, ShapeError, "sizes must hold 1 numbers, got (3, 8)"),
        (13, {"roi": None, "scales": f32(1, 0)}, {}, ShapeError, "scales must be above 0 and finite, got (1.0, 0.0)"),
        (13, {"roi": None, "scales": i64(1, 2)}, {}, ShapeError, "scales must be a list of floating-point numbers, got 2 int64"),
        (13, {"roi": f32(0, 1), "scales": f32(1, 2)}, {"coordinate_transformation_mode": "tf_crop_and_resize"}, ShapeError,
         "roi must hold 4 numbers for 2 axes, got 2"),
        (13, {"roi": None, "scales": f32(1, 2)}, {"mode": "area"}, ShapeError, "mode must be one of nearest, linear, cubic, got 'area'"),
        (13, {"roi": None, "scales": f32(1, 2)}, {"coordinate_transformation_mode": "half"}, ShapeError, "got 'half'"),
        (18, {"roi": None, "scales": None, "sizes": i64(3, 8)}, {"keep_aspect_ratio_policy": "fit"}, ShapeError, "got 'fit'"),
        (18, {"roi": None, "scales": None, "sizes": i64(3, 8)}, {"axes": (1, -1)}, ShapeError, "axes must name each axis once"),
        (10, {"scales": f32(1, 2)}, {"mode": "cubic"}, ModelError, "mode must be one of nearest, linear, bilinear, got 'cubic'"),
        (10, {"scales": f32(2)}, {}, ShapeError, "scales must hold one number an axis, got (2.0,)"),
    ],
)  # fmt: skip
def test_refusals(opset, inputs, attributes, error, says):
    inputs = {"x": draw(3, 4), **inputs}
    with pytest.raises(error, match=re.escape(says)):
        recorded(asked(inputs, opset, **attributes), inputs)


def test_weights_are_not_for_whole_numbers():
    inputs = {"x": np.ones((3, 4), np.uint8), "roi": None, "scales": f32(2, 2)}
    assert_equal(asked(inputs, 13), inputs, np.ones((6, 8), np.uint8))
    with pytest.raises(ShapeError, match=r"x must be floating point, got uint8"):
        recorded(asked(inputs, 13, mode="linear"), inputs)
