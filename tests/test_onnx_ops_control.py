"""ONNX's constants, sizes and conditions: what is known when a net is recorded, what has to be fed for it, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import graph, model, run

from gpucnn.errors import LimitError, ModelError, ShapeError, UnsupportedError
from gpucnn.onnx_backend import prepare
from gpucnn.settings import settings

X = np.random.default_rng(6).standard_normal((2, 3, 4)).astype(np.float32)


# -- constants


@pytest.mark.parametrize(
    ("attributes", "dtype", "want"),
    [({"value": numpy_helper.from_array(np.uint8([[1], [2]]))}, "uint8", [[1], [2]]), ({"value_float": 1.5}, "float32", 1.5),
     ({"value_floats": [1.5, 2.0]}, "float32", [1.5, 2]), ({"value_int": -3}, "int64", -3), ({"value_ints": [1, 2]}, "int64", [1, 2]),
     ({"value": numpy_helper.from_array(np.float16([0.5]))}, "float32", [0.5])],
)  # fmt: skip
def test_a_constant_by_each_of_its_attributes(attributes, dtype, want):
    y = run("Constant", **attributes)
    assert (y.dtype, y.tolist()) == (dtype, want)


def test_a_constant_has_one_value_and_no_text():
    for attributes, found in (({}, 0), ({"value_int": 1, "value_float": 1.0}, 2)):
        with pytest.raises(ModelError, match=rf"\(Constant\): must have exactly one of the attributes value, .*, got {found}"):
            run("Constant", **attributes)
    for attributes in ({"value_string": "cat"}, {"value_strings": ["cat", "dog"]}):
        with pytest.raises(UnsupportedError, match=r"\(Constant\): holds text; gpucnn computes with numbers and bool"):
            run("Constant", **attributes)


def test_a_filled_array_has_sizes_that_may_be_fed():
    made = prepare(model([("ConstantOfShape", "s", "y", {"value": numpy_helper.from_array(np.int32([7]))})], {"s": ("int64", (2,))}))
    for shape in ((2, 3), (0, 4), (2, 3), (3, 1)):
        y = made.run([np.int64(shape)])[0]
        assert (y.dtype, y.shape) == (np.int32, shape)
        assert (y == 7).all()
    assert run("ConstantOfShape", np.int64([2]), constant=[0]).tolist() == [0.0, 0.0]
    assert run("ConstantOfShape", np.zeros(0, np.int64), constant=[0]).shape == ()
    half = run("ConstantOfShape", np.int64([1]), constant=[0], value=numpy_helper.from_array(np.float16([0.5])))
    assert (half.dtype, half.tolist()) == (np.float32, [0.5])


def test_filled_arrays_that_cannot_be_are_refused():
    with pytest.raises(ShapeError, match=r"sizes must be at least 0, got \(2, -1\)"):
        run("ConstantOfShape", np.int64([2, -1]), constant=[0])
    with pytest.raises(ModelError, match="attribute 'value' must hold one number, got 2"):
        run("ConstantOfShape", np.int64([2]), constant=[0], value=numpy_helper.from_array(np.int32([7, 8])))
    with pytest.raises(ShapeError, match="input must be a list of whole numbers, got 1 float32"):
        run("ConstantOfShape", np.float32([2]), constant=[0])


@pytest.mark.parametrize(
    ("op", "inputs"), [("ConstantOfShape", (np.int64([2**40, 2**20]),)), ("Range", (np.int64(0), np.int64(2**60), np.int64(1)))]
)
def test_constants_beyond_the_limit_are_not_made(op, inputs):
    with pytest.raises(LimitError, match=rf"\({op}\): a constant of \d+ bytes would be made, the limit is {settings().max_weight_bytes}"):
        run(op, *inputs, constant=range(len(inputs)))


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", "int16"])
@pytest.mark.parametrize(("first", "end", "step"), [(0, 5, 1), (1, 6, 2), (5, 0, -2), (0, 0, 1), (3, 1, 1), (-2, 3, 3)])
def test_a_range(dtype, first, end, step):
    ends = np.array([first, end, step], dtype)
    y = run("Range", *ends, constant=range(3))
    assert (y.dtype, y.tolist()) == (dtype, list(range(first, end, step)))


def test_a_range_of_fractions_and_what_is_none():
    assert run("Range", *np.float32([0, 1, 0.25]), constant=range(3)).tolist() == [0, 0.25, 0.5, 0.75]
    big = np.int64([2**60, 2**60 + 5, 2])
    assert run("Range", *big, constant=range(3)).tolist() == [2**60, 2**60 + 2, 2**60 + 4]
    with pytest.raises(ShapeError, match="delta must not be 0"):
        run("Range", *np.int64([0, 1, 0]), constant=range(3))
    with pytest.raises(ShapeError, match="start, limit and delta must be finite, got 0.0, inf and 1.0"):
        run("Range", *np.float32([0, np.inf, 1]), constant=range(3))
    with pytest.raises(ShapeError, match="limit must be one number, got 2 int64"):
        run("Range", np.int64(0), np.int64([1, 2]), np.int64(1), constant=range(3))


def test_a_range_may_be_fed():
    made = prepare(model([("Range", "a b c", "y")], dict.fromkeys("abc", ("int64", ()))))
    for ends in ((0, 3, 1), (2, 9, 3), (0, 3, 1)):
        assert made.run([np.int64(v) for v in ends])[0].tolist() == list(range(*ends))


def test_ones_on_a_diagonal():
    for k in (0, 1, -2):
        y = run("EyeLike", np.zeros((3, 4), np.int32), k=k)
        assert y.dtype == np.int32
        assert np.array_equal(y, np.eye(3, 4, k))
    assert run("EyeLike", np.zeros((2, 2), np.int32), dtype=TensorProto.FLOAT16).dtype == np.float32
    with pytest.raises(ShapeError, match="the input must be a matrix, got 2×3×4 float32"):
        run("EyeLike", X)


# -- what is known of a value


def test_a_shape_and_a_part_of_it():
    assert run("Shape", X, opset=13).tolist() == [2, 3, 4]
    for start, end in ((0, 2), (-1, 9), (-9, -1), (1, 1), (2, 1)):
        assert run("Shape", X, start=start, end=end).tolist() == [2, 3, 4][start:end]
    assert run("Size", X).tolist() == 24
    assert run("Size", np.float32(1)).tolist() == 1


def test_sizes_are_those_of_what_is_fed():
    nodes = [("Shape", "x", "s"), ("Size", "x", "n"), ("Add", "s n", "y")]
    made = prepare(model(nodes, {"x": ("float32", ("n", 3, "w"))}))
    for shape in ((2, 3, 4), (1, 3, 9), (5, 3, 1)):
        assert made.run([np.zeros(shape, np.float32)])[0].tolist() == [s + np.prod(shape) for s in shape]


def test_places_of_what_is_not_zero_depend_on_what_is_fed():
    made = prepare(model([("NonZero", "x", "y")], {"x": ("float32", (2, 3))}))
    for x in ([[0, 1, 0], [2, 0, np.nan]], [[0, 0, 0], [0, 0, 0]], [[0, 1, 0], [2, 0, 3]], [[1, 1, 1], [1, 1, 1]]):
        y = made.run([np.float32(x)])[0]
        assert y.dtype == np.int64
        assert np.array_equal(y, np.nonzero(np.float32(x)))
    assert run("NonZero", np.int32(3)).shape == (0, 1)  # ONNX: of a scalar no axis, unlike NumPy's of old
    assert run("NonZero", np.bool_(False)).shape == (0, 0)


# -- conditions


def branches(then, other, names="y", constants=()):
    """Attributes of If: two subgraphs, that name their outputs alike."""
    outputs = names.split()
    return {
        "then_branch": graph(then, outputs=outputs, constants=dict(constants)),
        "else_branch": graph(other, outputs=outputs, constants=dict(constants)),
    }


def test_a_constant_condition_chooses_and_branches_see_what_is_around_them():
    for condition, want in ((True, X + 3), (False, X * 3)):
        inner = branches([("Add", "x k", "z")], [("Mul", "x k", "z")], "z")
        made = model([("If", "c", "y", inner)], {"x": ("float32", X.shape)}, constants={"c": np.bool_(condition), "k": np.float32(3)})
        assert np.array_equal(prepare(made).run([X])[0], want)


def test_a_branch_has_constants_of_its_own_that_hide_those_around_it():
    inner = branches([("Add", "x k", "z")], [("Mul", "x k", "z")], "z", {"k": np.float32(5)})
    nodes = [("If", "c", "a", inner), ("Sub", "a k", "y")]
    made = model(nodes, {"x": ("float32", X.shape)}, constants={"c": np.bool_([True]), "k": np.float32(3)})
    assert np.array_equal(prepare(made).run([X])[0], (X + 5) - 3)


def test_conditions_inside_conditions_and_several_outputs():
    deep = branches([("Neg", "x", "p"), ("Abs", "x", "q")], [("Abs", "x", "p"), ("Neg", "x", "q")], "p q")
    outer = branches([("If", "d", "r s", deep)], [("Identity", "x", "r"), ("Identity", "x", "s")], "r s")
    for c, d, want in ((1, 1, (-X, abs(X))), (1, 0, (abs(X), -X)), (0, 0, (X, X))):
        constants = {"c": np.bool_(c), "d": np.bool_(d)}
        made = prepare(model([("If", "c", "y z", outer)], {"x": ("float32", X.shape)}, ["y", "z"], constants)).run([X])
        assert all(np.array_equal(a, b) for a, b in zip(made, want))


def test_a_condition_on_shapes_is_decided_for_each_of_them():
    inner = branches([("ReduceSum", "x one", "z")], [("Identity", "x", "z")], "z", {"one": np.int64([1])})
    nodes = [("Shape", "x", "s", {"start": 1, "end": 2}), ("Greater", "s k", "c"), ("If", "c", "y", inner)]
    made = prepare(model(nodes, {"x": ("float32", (2, "w"))}, constants={"k": np.int64([3])}))
    for w in (3, 4, 3):
        x = np.ones((2, w), np.float32)
        assert made.run([x])[0].tolist() == ([[4], [4]] if w > 3 else x.tolist())


def test_a_flag_may_be_fed():
    inner = branches([("Neg", "x", "z")], [("Abs", "x", "z")], "z")
    made = prepare(model([("If", "c", "y", inner)], {"c": ("bool", ()), "x": ("float32", X.shape)}))
    for flag in (True, False, True):
        assert np.array_equal(made.run([np.bool_(flag), X])[0], -X if flag else abs(X))
    nodes = [("Greater", "n k", "c"), ("If", "c", "y", inner)]
    made = prepare(model(nodes, {"n": ("int64", (1,)), "x": ("float32", X.shape)}, constants={"k": np.int64([3])}))
    for n in (3, 4):
        assert np.array_equal(made.run([np.int64([n]), X])[0], -X if n > 3 else abs(X))


def test_a_condition_on_what_is_computed_is_refused():
    inner = branches([("Neg", "x", "z")], [("Abs", "x", "z")], "z")
    nodes = [("ReduceMax", "x", "m", {"keepdims": 0}), ("Greater", "m k", "c"), ("If", "c", "y", inner)]
    with pytest.raises(UnsupportedError, match=r"\(If\): its condition depends on what input 'x' \(2×3×4 float32\) holds; .* by Where"):
        prepare(model(nodes, {"x": ("float32", X.shape)}, constants={"k": np.float32(0)}))
    with pytest.raises(ShapeError, match="the condition must be one bool, got 2 bool"):
        prepare(model([("If", "c", "y", inner)], {"x": ("float32", X.shape)}, constants={"c": np.bool_([1, 0])}))


def test_a_branch_that_is_not_taken_may_hold_anything_and_one_that_is_may_not():
    inner = branches([("Neg", "x", "z")], [("NoSuchOp", "x", "z")], "z")
    ports = {"x": ("float32", X.shape)}
    assert np.array_equal(prepare(model([("If", "c", "y", inner)], ports, constants={"c": np.bool_(True)})).run([X])[0], -X)
    with pytest.raises(UnsupportedError, match=r"1 operator\(s\) cannot be run, at 1 node\(s\):\n  NoSuchOp"):
        prepare(model([("If", "c", "y", inner)], ports, constants={"c": np.bool_(False)}))


# -- what is not there


@pytest.mark.parametrize("op", ["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Loop"])
def test_operators_without_a_fixed_result_are_reported(op):
    inputs = "" if op in ("RandomNormal", "RandomUniform") else "x"
    with pytest.raises(UnsupportedError, match=rf"{op} \(1×; domain ai.onnx, opset 17\): r"):
        prepare(model([(op, inputs, "r"), ("Add", "x r", "y")], {"x": ("float32", X.shape)}))


def test_attributes_are_checked():
    with pytest.raises(UnsupportedError, match=r"\(Shape\): attribute 'first' is not known here; known are start, end"):
        run("Shape", X, first=1)
    with pytest.raises(ModelError, match=r"\(ArgMax\): attribute 'axis' must be of type int, got float"):
        run("ArgMax", X, axis=1.0)
    with pytest.raises(ModelError, match=r"\(TopK\): lacks the attribute 'k'"):
        run("TopK", X, opset=9, outputs="v i")
    made = helper.make_model(
        helper.make_graph([helper.make_node("Add", ["x"], ["y"])], "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
                          [helper.make_empty_tensor_value_info("y")]),
        opset_imports=[helper.make_opsetid("", 17)],
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"\(Add\): takes 2 inputs, got 1"):
        prepare(made)
