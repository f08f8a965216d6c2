"""Arithmetic, comparison and mathematics: values by hand, ends of the number range, what is refused, and how it is written on values."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from truth import record, verify

from gpucnn import functional as F
from gpucnn.errors import ShapeError
from gpucnn.ops import BINARY, UNARY, Binary, Cast, Unary, Where
from gpucnn.spec import Spec

f32, i32 = np.float32, np.int32
NAN, INF = math.nan, math.inf


# -- by hand

QUOTIENTS = {
    "floor_divide": ([3, -4, -4, 3], [3.0, -4.0, -4.0, 3.0]),
    "remainder": ([1, 1, -1, -1], [0.5, 1.5, -1.5, -0.5]),
    "fmod": ([1, -1, 1, -1], [0.5, -0.5, 0.5, -0.5]),
}
"""Of ±7 by ±2, and of ±6.5 by ±2: 7 = 3·2 + 1, −7 = −4·2 + 1."""


@pytest.mark.parametrize("kind", QUOTIENTS)
def test_signs_of_what_is_left(kind):
    whole, real = QUOTIENTS[kind]
    function = getattr(F, kind)
    assert function(i32([7, -7, 7, -7]), i32([2, 2, -2, -2])).tolist() == whole
    assert function(f32([6.5, -6.5, 6.5, -6.5]), f32([2, 2, -2, -2])).tolist() == real


def test_quotients_rounded_to_whole_numbers():
    x, y = i32([7, -7, 7, -7, 6, -6, 7]), i32([2, 2, -2, -2, 3, 3, 0])
    assert F.div(x, y, rounding_mode="floor").tolist() == [3, -4, -4, 3, 2, -2, 0]
    assert F.div(x, y, rounding_mode="trunc").tolist() == [3, -3, -3, 3, 2, -2, 0]
    a, b = f32([7, -7, 7, -7, 1, -1]), f32([2, 2, -2, -2, 0, 0])
    assert F.div(a, b, rounding_mode="floor").tolist() == [3, -4, -4, 3, INF, -INF]
    assert F.div(a, b, rounding_mode="trunc").tolist() == [3, -3, -3, 3, INF, -INF]
    assert F.div(a[:2], b[:2]).tolist() == [3.5, -3.5]


def test_nan_goes_through_the_larger_and_the_smaller_one():
    x, y = f32([1, NAN, 2, NAN]), f32([2, 2, NAN, NAN])
    np.testing.assert_array_equal(F.maximum(x, y), f32([2, NAN, NAN, NAN]))
    np.testing.assert_array_equal(F.minimum(x, y), f32([1, NAN, NAN, NAN]))


def test_powers():
    assert F.pow(f32([2, 2, -2, 0]), f32([3, -1, 3, 0])).tolist() == [8, 0.5, -8, 1]
    assert np.isnan(F.pow(f32([-2]), 0.5)).all()
    base, exponent = i32([2, 2, 1, -1, -1, 0, 3]), i32([5, -1, -7, -3, -4, -1, 0])
    assert F.pow(base, exponent).tolist() == [32, 0, 1, -1, 1, 0, 1]
    assert F.pow(np.uint8([2, 3]), 4).tolist() == [16, 81]


def test_comparisons_with_nan():
    x, y = f32([1, NAN, 2]), f32([1, NAN, 3])
    table = {"eq": "TFF", "ne": "FTT", "lt": "FFT", "le": "TFT", "gt": "FFF", "ge": "TFF"}
    for kind, expected in table.items():
        y_kind = getattr(F, kind)(x, y)
        assert y_kind.dtype == np.bool_
        assert "".join("FT"[int(v)] for v in y_kind) == expected, kind


def test_logic():
    x, y = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert F.logical_and(x, y).tolist() == [True, False, False, False]
    assert F.logical_or(x, y).tolist() == [True, True, True, False]
    assert F.logical_xor(x, y).tolist() == [False, True, True, False]
    assert F.logical_not(f32([0, -0.0, 2, NAN])).tolist() == [True, True, False, False]


def test_choice():
    condition = np.array([[True], [False]])
    assert F.where(condition, f32([1, 2]), 9).tolist() == [[1, 2], [9, 9]]
    assert F.where(condition, 9, i32([1, 2])).dtype == np.int32


def test_rounding():
    x = f32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.6])
    assert F.round(x).tolist() == [-2, -2, 0, 0, 2, 2, 3]
    assert F.floor(x).tolist() == [-3, -2, -1, 0, 1, 2, 2]
    assert F.ceil(x).tolist() == [-2, -1, 0, 1, 2, 3, 3]
    assert F.trunc(x).tolist() == [-2, -1, 0, 0, 1, 2, 2]
    assert np.signbit(F.round(x))[2]
    np.testing.assert_array_equal(F.sign(f32([-3, -0.0, 2, NAN])), f32([-1, 0, 1, NAN]))


def test_what_is_not_finite():
    x = f32([1, INF, -INF, NAN])
    assert F.isnan(x).tolist() == [False, False, False, True]
    assert F.isinf(x).tolist() == [False, True, True, False]
    assert F.isfinite(x).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("kind", "x", "y"),
    [
        ("sin", math.pi / 6, 0.5), ("cos", math.pi / 3, 0.5), ("tan", math.pi / 4, 1), ("asin", 0.5, math.pi / 6),
        ("acos", 0.5, math.pi / 3), ("atan", 1, math.pi / 4), ("sinh", math.log(2), 0.75), ("cosh", math.log(2), 1.25),
        ("asinh", 0.75, math.log(2)), ("acosh", 1.25, math.log(2)), ("atanh", 0.6, math.log(2)), ("exp", 1, math.e),
        ("exp2", 0.5, math.sqrt(2)), ("log", math.e, 1), ("log2", 8, 3), ("log10", 1000, 3), ("expm1", 1e-9, 1e-9),
        ("log1p", 1e-9, 1e-9), ("sqrt", 2, math.sqrt(2)), ("rsqrt", 4, 0.5), ("reciprocal", -4, -0.25), ("square", -3, 9),
        ("abs", -3, 3), ("neg", -3, 3),
    ],
)  # fmt: skip
def test_functions(kind, x, y):
    assert getattr(F, kind)(np.float64([x])).item() == pytest.approx(y, rel=1e-12)


def test_angles_of_all_quadrants():
    y, x = np.float64([1, 1, -1, -1, 0.0, -0.0]), np.float64([1, -1, -1, 1, -1, -1])
    np.testing.assert_allclose(F.atan2(y, x) / math.pi * 4, [1, 3, -3, -1, 4, -4], rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_nothing_warns():
    every = f32([NAN, INF, -INF, 0, -0.0, -1, 1e38])
    for kind in set(UNARY) - {"bitwise_not"}:
        Unary(kind).infer(Spec(every.shape, every.dtype))
        getattr(F, kind)(every)
    for kind in {kind for kind in BINARY if not kind.startswith("bitwise")} - {"trunc_divide"}:
        getattr(F, kind)(every, every[::-1].copy())
    F.floor_divide(i32([1, -1]), 0)
    F.cast(every, "int32")


# -- bits


@pytest.mark.parametrize(
    ("shift", "x", "by", "expected"),
    [
        (F.bitwise_right_shift, [-8, 4, -1], [32, 33, 100], [-1, 0, -1]),
        (F.bitwise_right_shift, [-8, 4, -1], [-1, -32, -64], [-1, 0, -1]),
        (F.bitwise_right_shift, [-8, -1, -(2**31)], [1, 1, 1], [-4, -1, -(2**30)]),
        (F.bitwise_left_shift, [-8, 4, -1], [32, 33, 100], [0, 0, 0]),
        (F.bitwise_left_shift, [-8, 4, -1], [-1, -32, -64], [0, 0, 0]),
        (F.bitwise_left_shift, [2**30, 1, -(2**30)], [1, 31, 1], [-(2**31)] * 3),
    ],
)
def test_shifts_by_more_than_there_is(shift, x, by, expected):
    """The examples of ONNX's BitShift."""
    assert shift(i32(x), i32(by)).tolist() == expected


def test_bits_of_what_is_unsigned_and_of_bool():
    assert F.bitwise_right_shift(np.uint8([255, 255]), np.uint8([7, 8])).tolist() == [1, 0]
    assert F.bitwise_not(np.uint8([0, 255, 1])).tolist() == [255, 0, 254]
    assert F.bitwise_not(np.array([True, False])).tolist() == [False, True]
    assert F.bitwise_xor(np.array([True, False]), np.array([True, True])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: F.bitwise_and(f32([1]), f32([1])), "bitwise_and: x and y must be whole numbers or bool, got float32"),
        (lambda: F.bitwise_left_shift(np.array([True]), np.array([True])), "bitwise_left_shift: x and y must be whole numbers, got bool"),
        (lambda: F.bitwise_not(f32([1])), "bitwise_not: x must hold whole numbers or bool, got float32"),
        (lambda: F.bitwise_or(i32([1]), 0.5), "bitwise_or: 0.5 is no int32 number"),
        (lambda: F.bitwise_or(i32([1]), np.array([1])), "bitwise_or: x and y must have one dtype"),
    ],
)
def test_bits_are_of_whole_numbers(call, said):
    with pytest.raises(ShapeError) as error:
        call()
    assert said in str(error.value)


# -- bounds and types


def test_bounds():
    x = f32([-3, 0.5, 8, NAN])
    np.testing.assert_array_equal(F.clamp(x, 0, 6), f32([0, 0.5, 6, NAN]))
    np.testing.assert_array_equal(F.clamp(x, min=0), f32([0, 0.5, 8, NAN]))
    np.testing.assert_array_equal(F.clamp(x, max=0.25), f32([-3, 0.25, 0.25, NAN]))
    np.testing.assert_array_equal(F.clamp(x, 5, 1), f32([1, 1, 1, NAN]))
    assert F.clamp(f32([[1, 5]]), f32([[2], [4]]), f32([3, 9])).tolist() == [[2, 5], [3, 5]]
    for dtype in (np.uint8, np.int32, np.int64):
        limits = np.iinfo(dtype)
        ends = np.asarray([limits.min, 5, limits.max], dtype)
        assert F.clamp(ends, min=3).tolist() == [3, 5, limits.max]
        assert F.clamp(ends, max=7).tolist() == [limits.min, 5, 7]
        assert F.clamp(ends, max=7).dtype == dtype


def test_a_number_takes_the_type_of_the_other_side():
    assert F.add(i32([1]), 2).dtype == np.int32
    assert F.mul(np.float16([2]), 0.5).dtype == np.float16
    assert F.add(3, np.uint8([4])).tolist() == [7]
    assert F.add(i32([1]), 2.0).tolist() == [3]
    assert F.add(np.float16([1]), 1e6).tolist() == [INF]
    assert F.eq(np.array([True, False]), True).tolist() == [True, False]


def test_conversion():
    assert F.cast(f32([1.9, -1.9, 0.4]), "int32").tolist() == [1, -1, 0]
    assert F.cast(f32([0, -0.0, 0.1, NAN]), bool).tolist() == [False, False, True, True]
    assert F.cast(i32([255, 256, -1]), np.uint8).tolist() == [255, 0, 255]
    assert F.cast(np.array([True, False]), f32).tolist() == [1, 0]
    assert F.cast(f32([65519, 65520, -1e9]), np.float16).tolist() == [65504, INF, -INF]
    assert F.cast(np.int64([2**24 + 1]), "float32").tolist() == [2**24]


# -- written on values


def test_operators_are_recorded():
    def forward(x):
        return (x**2 + abs(-x)) / (1 + 2**x) - (x - 1) ** 2

    graph = record(forward, (2, 3))
    kinds = [node.op.name for node in graph.nodes]
    assert kinds == ["pow", "neg", "abs", "add", "pow", "add", "div", "sub", "pow", "sub"]


def test_functions_in_a_plan():
    made = verify(record(lambda x: F.maximum(F.sqrt(F.square(x) + 1), F.minimum(F.exp(x), F.cosh(x))) + F.sin(x) * F.atan(x), (2, 4, 5, 7)))
    assert all(step.impl.name == "ufunc" for step in made.plan.steps)


def test_an_elementary_function_runs_in_place():
    made = verify(record(lambda x: F.sin(F.relu(x)), (2, 4, 5, 7)))
    assert made.plan.graph.notes["in place"] == 1


def test_values_are_compared_by_function_not_by_operator():
    graph = record(lambda x: x + 1, (2,))
    x, y = graph.inputs["x0"], graph.outputs["0"]
    assert x == x
    assert x != y
    assert len({x, y}) == 2


# -- what is refused


def z(*shape: int, dtype: object = np.float32):
    return np.zeros(shape, dtype)


WHOLE, BOOL = z(2, dtype=i32), z(2, dtype=bool)

WRONG = {
    "types": (lambda: F.maximum(z(2), WHOLE), "maximum: x and y must have one dtype; convert one of them (x 2 float32, y 2 int32)"),
    "shapes": (lambda: F.lt(z(2), z(3)), "lt: the shapes do not broadcast"),
    "div of integers": (lambda: F.div(WHOLE, 2), "div: x and y must be floating point, got int32; use floor_divide, or convert them"),
    "rounding": (lambda: F.div(z(2), z(2), rounding_mode="up"), "div: rounding_mode must be None, 'floor' or 'trunc', got 'up'"),
    "atan2 of integers": (lambda: F.atan2(i32([1]), 2), "atan2: x and y must be floating point, got int32"),
    "sum of bools": (lambda: F.add(BOOL, BOOL), "add: x and y must be numbers, got bool; convert them"),
    "a half for integers": (lambda: F.add(i32([1]), 0.5), "add: 0.5 is no int32 number, which the other side holds; convert that"),
    "a negative for bytes": (lambda: F.maximum(np.uint8([1]), -1), "maximum: -1 is no uint8 number"),
    "infinity for integers": (lambda: F.minimum(INF, i32([1])), "minimum: inf is no int32 number"),
    "NaN for integers": (lambda: F.minimum(i32([1]), NAN), "minimum: nan is no int32 number"),
    "on a value": (lambda: record(lambda x: F.cast(x, "int32") + 0.5, (2,)), "add: 0.5 is no int32 number"),
    "sqrt of integers": (lambda: F.sqrt(i32([1])), "sqrt: x must be floating point, got int32"),
    "minus a truth": (lambda: F.neg(BOOL), "neg: x must hold numbers, got bool; convert it"),
    "condition": (lambda: F.where(z(2), z(2), z(2)), "where: condition must be bool, got float32; compare it with something"),
    "choice of types": (lambda: F.where(BOOL, z(2), WHOLE), "where: x and y must have one dtype"),
    "choice of shapes": (lambda: F.where(BOOL, z(3), z(1)), "where: the shapes do not broadcast"),
    "no bound": (lambda: F.clamp(z(2)), "clamp: give min, max or both"),
    "bound of a half": (lambda: F.clamp(i32([1]), 0.5), "clamp: 0.5 is no int32 number"),
    "bounds of bools": (lambda: F.clamp(BOOL, 0), "clamp: x must hold numbers, got bool"),
    "kind": (lambda: Unary("sqrt2"), "unary: kind must be one of neg, abs, sign, "),
    "type": (lambda: F.cast(z(2), "complex64"), "cast: dtype must be one of bool, uint8, "),
    "no type": (lambda: F.cast(z(2), "half12"), "cast: dtype must be bool, an integer type or a floating-point type, got 'half12'"),
    "from complex": (lambda: F.cast(z(2, dtype=complex), "int8"), "cast: takes arrays of numbers or bool, got complex"),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_message_says_what_is_wrong(call, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        call()


def test_rows_that_stay_apart():
    batch, row, other = (Spec(s, np.dtype(f32)) for s in ((4, 3), (3,), (1, 3)))
    truth_row = Spec((3,), np.dtype(bool))
    assert Binary("pow").keeps_batch((True, False), batch, row)
    assert Binary("lt").keeps_batch((False, True), other, batch)
    assert not Binary("lt").keeps_batch((False, True), batch, batch)
    assert Where().keeps_batch((False, True, True), truth_row, batch, batch)
    assert not Where().keeps_batch((True, True, True), truth_row, batch, batch)
    assert Unary("exp").keeps_batch((True,), batch)
    assert Cast("bool").keeps_batch((True,), batch)
