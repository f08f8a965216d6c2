"""ONNX's arithmetic, logic, reductions and types beyond the project's own suite: old opsets, sizes that are fed, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import model, run

from gpucnn.errors import ModelError, ShapeError, UnsupportedError
from gpucnn.formats.onnx import read_onnx
from gpucnn.graph import Graph
from gpucnn.onnx_backend import prepare
from gpucnn.spec import Spec

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)


def recorded(made, **shapes):
    """The ops that a model of float32 inputs is recorded as."""
    graph = Graph()
    net = read_onnx(made)
    net.record(graph, *(graph.input(name, Spec(shape, np.dtype(np.float32))) for name, shape in shapes.items()))
    return [node.op.name for node in graph.nodes]


# -- two inputs, before opset 7

OLD = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power, "Greater": np.greater, "Less": np.less,
}  # fmt: skip


@pytest.mark.parametrize("op", OLD)
@pytest.mark.parametrize(
    ("shape", "axis", "reached"),
    [((5,), None, (5,)), ((4, 5), None, (4, 5)), ((3,), 1, (3, 1, 1)), ((3, 4), 1, (3, 4, 1)), ((2,), 0, (2, 1, 1, 1)),
     ((3, 4), -3, (3, 4, 1)), ((), None, ()), ((1, 1), None, ()), ((1,), 1, ()), ((3, 1, 5), None, (3, 1, 5))],
)  # fmt: skip
def test_before_opset_7_the_second_input_lies_where_axis_says(op, shape, axis, reached):
    x, b = np.abs(X) + 1, RNG.random(shape).astype(np.float32) + 1
    attributes = {"broadcast": 1} if axis is None else {"broadcast": 1, "axis": axis}
    y = run(op, x, b, opset=6, **attributes)
    want = OLD[op](x, b.reshape(reached))
    assert y.dtype == want.dtype
    np.testing.assert_allclose(y, want, rtol=4 * np.finfo(np.float32).eps)


@pytest.mark.parametrize(("op", "call"), [("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor), ("Equal", np.equal)])
def test_logic_broadcasts_as_it_did_before_opset_7(op, call):
    a, b = RNG.random((2, 3, 4)) < 0.5, RNG.random(3) < 0.5
    assert np.array_equal(run(op, a, b, opset=1, broadcast=1, axis=1), call(a, b[:, None]))


def test_before_opset_7_shapes_must_be_equal_unless_told():
    with pytest.raises(ShapeError, match=r"\(Add\): the shapes must be equal where broadcast is 0, got 2×3×4×5 and 5; set broadcast to 1"):
        run("Add", X, X[0, 0, 0], opset=6)
    assert np.array_equal(run("Add", X, X, opset=6), X + X)


@pytest.mark.parametrize(
    ("shape", "axis", "where"),
    [((3,), None, "the last axes"), ((3,), 2, "axis 2 on"), ((4, 5, 1), 2, "axis 2 on"), ((1, 2, 3, 4, 5), None, "the last axes")],
)
def test_before_opset_7_a_second_input_that_does_not_fit_is_refused(shape, axis, where):
    attributes = {"broadcast": 1} if axis is None else {"broadcast": 1, "axis": axis}
    with pytest.raises(ShapeError, match=f"the second input must fit the first from {where}, got 2×3×4×5 and {'×'.join(map(str, shape))}"):
        run("Mul", X, np.ones(shape, np.float32), opset=6, **attributes)


def test_attributes_about_memory_of_opset_1_are_passed_over():
    assert np.array_equal(run("Abs", X, opset=1, consumed_inputs=[0]), np.abs(X))
    assert np.array_equal(run("Add", X, X, opset=1, consumed_inputs=[0, 0]), X + X)
    assert np.array_equal(run("Sum", X, X, opset=1, consumed_inputs=[0, 0]), X + X)


def test_newer_operators_do_not_take_the_attributes_of_older_ones():
    with pytest.raises(UnsupportedError, match=r"\(Add\): attribute 'broadcast' is not known here; known are none"):
        run("Add", X, X, opset=7, broadcast=1)


# -- arithmetic


@pytest.mark.parametrize("opset", [7, 13, 14])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8"])
def test_a_quotient_of_integers_is_cut_off(opset, dtype):
    x, y = np.array([7, 250 if dtype == "uint8" else -7, 6], dtype), np.array([2, 2, 3], dtype)
    want = [3, 125 if dtype == "uint8" else -3, 2]
    assert run("Div", x, y, opset=opset).tolist() == want


def test_mod_has_the_sign_of_the_divisor_or_of_the_dividend():
    x, y = np.int32([5, -5, 5, -5]), np.int32([3, 3, -3, -3])
    assert run("Mod", x, y).tolist() == [2, 1, -1, -2]
    assert run("Mod", x, y, fmod=1).tolist() == [2, -2, 2, -2]
    assert run("Mod", x.astype(np.float32) / 2, y.astype(np.float32), fmod=1).tolist() == [2.5, -2.5, 2.5, -2.5]


@pytest.mark.parametrize("opset", [12, 13, 15])
@pytest.mark.parametrize("base", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("exponent", ["float32", "float64", "int32", "int64"])
def test_a_power_is_of_the_type_of_its_base(opset, base, exponent):
    y = run("Pow", np.array([2, -3, 5], base), np.array([3, 2, 0], exponent), opset=opset)
    assert y.dtype == base
    assert y.tolist() == [8, 9, 1]


def test_a_square_is_a_product():
    power = model([("Pow", "x e", "y")], {"x": ("float32", (3,))}, constants={"e": np.float32(2)})
    assert recorded(power, x=(3,)) == ["square"]
    assert prepare(power).run([np.float32([-3, 0.1, np.inf])])[0].tolist() == [9.0, np.float32(0.1) * np.float32(0.1), np.inf]
    one = model([("Pow", "x e", "y")], {"x": ("float32", (3,))}, constants={"e": np.int64([1])})
    assert recorded(one, x=(3,)) == []
    wider = model([("Pow", "x e", "y")], {"x": ("float32", (3,))}, constants={"e": np.full((1, 1), 2, np.float32)})
    assert prepare(wider).run([np.float32([1, 2, 3])])[0].tolist() == [[1, 4, 9]]


@pytest.mark.parametrize(("op", "want"), [("Sum", [9, 3]), ("Mean", [3, 1]), ("Max", [5, 3]), ("Min", [1, -1])])
def test_any_number_of_inputs(op, want):
    xs = np.float32([[5, 3], [3, -1], [1, 1]])
    for opset in (6, 8, 13):
        assert run(op, *xs, opset=opset).tolist() == want
        assert run(op, xs, opset=opset).tolist() == xs.tolist()
    assert run(op, xs[0], xs[1][:, None], xs[2]).shape == (2, 2)


def test_one_of_many_inputs_must_not_be_absent():
    node = helper.make_node("Sum", ["x", "", "x"], ["y"])
    port, end = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]), helper.make_empty_tensor_value_info("y")
    made = helper.make_model(helper.make_graph([node], "net", [port], [end]), opset_imports=[helper.make_opsetid("", 17)])
    with pytest.raises(ModelError, match="lacks input 2 of 3"):
        prepare(made)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint32", "int32", "int64"])
def test_shifts_move_bits_and_keep_the_sign(dtype):
    bits = 8 * np.dtype(dtype).itemsize
    info = np.iinfo(dtype)
    x = np.array([info.max, info.min, 1, 6, info.max // 3], dtype)
    for by in [0, 1, bits - 2, bits - 1, bits, bits + 1] + [-1] * (info.min < 0):
        y = np.full(5, by, dtype)
        full = not 0 <= by < bits
        right = [-1 if v < 0 else 0 for v in x.tolist()] if full else [v >> by for v in x.tolist()]
        left = [0] * 5 if full else [(v << by) & ((1 << bits) - 1) for v in x.tolist()]
        assert run("BitShift", x, y, opset=28, direction="RIGHT").tolist() == right
        assert (run("BitShift", x, y, opset=28, direction="LEFT").astype(object) & ((1 << bits) - 1)).tolist() == left
    y = x[::-1]
    for op, want in (("And", x & y), ("Or", x | y), ("Xor", x ^ y)):
        assert np.array_equal(run("Bitwise" + op, x, y, opset=18), want)
    assert np.array_equal(run("BitwiseNot", x, opset=18), ~x)


def test_shifts_name_what_is_wrong():
    with pytest.raises(ModelError, match="direction must be LEFT or RIGHT, got 'UP'"):
        run("BitShift", np.uint8([1]), np.uint8([1]), direction="UP")
    with pytest.raises(ShapeError, match=r"\(BitShift\): bitwise_left_shift: .* got float32"):
        run("BitShift", np.float32([1]), np.float32([1]), direction="LEFT")


def test_infinities_of_either_sign_are_told_apart():
    x = np.float32([1, np.nan, np.inf, -np.inf])
    for negative, positive in ((1, 1), (0, 1), (1, 0), (0, 0)):
        want = [False, False, bool(positive), bool(negative)]
        assert run("IsInf", x, detect_negative=negative, detect_positive=positive).tolist() == want
    assert run("IsNaN", x, opset=9).tolist() == [False, True, False, False]


# -- reductions

REDUCE = {
    "Sum": np.sum, "Mean": np.mean, "Max": np.max, "Min": np.min, "Prod": np.prod, "L1": lambda x, **k: np.abs(x).sum(**k),
    "L2": lambda x, **k: np.sqrt((x * x).sum(**k)), "LogSum": lambda x, **k: np.log(x.sum(**k)),
    "LogSumExp": lambda x, **k: np.log(np.exp(x).sum(**k)), "SumSquare": lambda x, **k: (x * x).sum(**k),
}  # fmt: skip
"""What each operator is, in float64."""


@pytest.mark.parametrize("op", REDUCE)
@pytest.mark.parametrize("opset", [1, 11, 13, 17, 18, 20])
@pytest.mark.parametrize("axes", [None, (1,), (-1, 0), (3, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_axes_are_an_attribute_and_later_an_input(op, opset, axes, keepdims):
    x = np.abs(X) / 2 + np.float32(0.5)
    if opset >= 18 or (op == "Sum" and opset >= 13):
        given = () if axes is None else (np.int64(axes),)
        y = run("Reduce" + op, x, *given, opset=opset, constant=range(1, 1 + len(given)), keepdims=keepdims)
    else:
        y = run("Reduce" + op, x, opset=opset, keepdims=keepdims, **({} if axes is None else {"axes": axes}))
    want = REDUCE[op](x.astype(np.float64), axis=axes, keepdims=bool(keepdims))
    assert y.dtype == np.float32
    assert y.shape == want.shape
    np.testing.assert_allclose(y, want, rtol=x.size * np.finfo(np.float32).eps, atol=x.size * np.finfo(np.float32).eps)


@pytest.mark.parametrize("op", REDUCE)
@pytest.mark.parametrize("axes", [(), (np.int64([]),)])
def test_without_axes_a_reduction_may_leave_every_element(op, axes):
    x = np.float32([[0.5, 2], [3, 4]])
    y = run("Reduce" + op, x, *axes, opset=18, constant=range(1, 1 + len(axes)), noop_with_empty_axes=1)
    want = REDUCE[op](x[None].astype(np.float64), axis=0)
    np.testing.assert_allclose(y, want, rtol=4 * np.finfo(np.float32).eps)
    assert run("Reduce" + op, x, *axes, opset=18, constant=range(1, 1 + len(axes)), keepdims=0).shape == ()


def test_what_a_reduction_of_nothing_gives():
    none = np.zeros((2, 0), np.float32)
    want = {"Sum": 0, "Prod": 1, "L1": 0, "L2": 0, "SumSquare": 0, "LogSum": -np.inf, "LogSumExp": -np.inf, "Max": -np.inf, "Min": np.inf}
    for op, value in want.items():
        assert run("Reduce" + op, none, np.int64([1]), opset=20, constant=[1], keepdims=0).tolist() == [value] * 2


def test_reductions_of_integers_and_bool():
    x = np.int32([[1, 2, 4], [-3, 5, 6]])
    assert run("ReduceSum", x, np.int64([1]), constant=[1], keepdims=0).tolist() == [7, 8]
    assert run("ReduceMean", x, axes=[1], keepdims=0).tolist() == [2, 2]
    assert run("ReduceProd", x, axes=[1], keepdims=0).tolist() == [8, -90]
    assert run("ReduceLogSum", np.abs(x), axes=[1], keepdims=0).tolist() == [1, 2]  # log 7 and log 14, cut off
    assert run("ReduceLogSum", np.abs(x), opset=18, noop_with_empty_axes=1).tolist() == [[0, 0, 1], [1, 1, 1]]
    assert run("ReduceMax", x > 0, np.int64([1]), opset=20, constant=[1], keepdims=0).tolist() == [True, True]
    assert run("ReduceMin", x > 0, np.int64([1]), opset=20, constant=[1], keepdims=0).tolist() == [True, False]


@pytest.mark.parametrize(("op", "pool"), [("Mean", "global_avg_pool"), ("Max", "global_max_pool")])
def test_a_reduction_of_the_whole_map_is_a_global_pool(op, pool):
    for axes, keepdims, want in (((2, 3), 1, [pool]), ((-1, -2), 1, [pool]), ((2, 3), 0, [pool, "flatten"])):
        made = model([("Reduce" + op, "x", "y", {"axes": axes, "keepdims": keepdims})], {"x": ("float32", X.shape)})
        assert recorded(made, x=X.shape) == want
        y = prepare(made).run([X])[0]
        whole = REDUCE[op](X.astype(np.float64), axis=(2, 3), keepdims=bool(keepdims))
        np.testing.assert_allclose(y, whole, atol=20 * np.finfo(np.float32).eps)
    for axes in ((1, 2), (3,), (1, 2, 3)):
        made = model([("Reduce" + op, "x", "y", {"axes": axes})], {"x": ("float32", X.shape)})
        assert recorded(made, x=X.shape) == ["mean" if op == "Mean" else "amax"]


# -- places


def test_of_equal_elements_the_first_or_the_last_is_named():
    x = np.float32([[1, 3, 3], [2, 0, 0]])
    assert run("ArgMax", x, opset=11, axis=1).tolist() == [[1], [0]]
    assert run("ArgMax", x, axis=-1, keepdims=0, select_last_index=1).tolist() == [2, 0]
    assert run("ArgMin", x, axis=1, keepdims=0, select_last_index=1).tolist() == [0, 2]
    assert run("ArgMin", x).tolist() == [[0, 1, 1]]


def test_the_largest_in_every_version():
    x = np.float32([[1, 4, 2], [9, 7, 8]])
    for values, places in (
        run("TopK", x, opset=9, outputs="v i", k=2),
        run("TopK", x, np.int64([2]), opset=10, outputs="v i", constant=[1]),
        run("TopK", x, np.int64([2]), opset=11, outputs="v i", constant=[1], sorted=0),
    ):
        assert values.tolist() == [[4, 2], [9, 8]]
        assert places.tolist() == [[1, 2], [0, 2]]
    values, places = run("TopK", x, np.int64([1]), opset=11, outputs="v i", constant=[1], axis=0, largest=0)
    assert (values.tolist(), places.tolist()) == ([[1, 4, 2]], [[0, 0, 0]])


def test_how_many_may_be_fed_and_another_number_is_planned_anew():
    made = prepare(model([("TopK", "x k", "y i")], {"x": ("float32", (2, 4)), "k": ("int64", (1,))}, ["y", "i"]))
    x = np.float32([[1, 4, 2, 3], [9, 7, 8, 6]])
    for k in (2, 1, 4, 2):
        values, places = made.run([x, np.int64([k])])
        assert values.tolist() == (-np.sort(-x, axis=1))[:, :k].tolist()
        assert places.tolist() == np.argsort(-x, axis=1)[:, :k].tolist()
    with pytest.raises(ShapeError, match=r"node 'y' \(TopK\): topk: k must be at most the size of dim -1, which is 4, got 5"):
        made.run([x, np.int64([5])])


def test_the_axis_of_a_running_sum_may_be_fed():
    made = prepare(model([("CumSum", "x d", "y", {"exclusive": 1})], {"x": ("float32", (2, 3)), "d": ("int32", ())}))
    x = np.float32([[1, 2, 3], [4, 5, 6]])
    assert made.run([x, np.int32(1)])[0].tolist() == [[0, 1, 3], [0, 4, 9]]
    assert made.run([x, np.int32(0)])[0].tolist() == [[0, 0, 0], [1, 2, 3]]
    with pytest.raises(ShapeError, match="axis must be one number, got \\(0, 1\\)"):
        run("CumSum", x, np.int64([0, 1]), constant=[1])


def test_depth_and_diagonal_may_be_fed():
    made = prepare(model([("OneHot", "x d v", "y")], {"x": ("int64", (3,)), "d": ("int64", ())}, constants={"v": np.float32([0, 1])}))
    for depth in (3, 2):
        want = [[float(v % depth == i and -depth <= v < depth) for i in range(depth)] for v in (0, -1, 2)]
        assert made.run([np.int64([0, -1, 2]), np.int64(depth)])[0].tolist() == want
    made = prepare(model([("Trilu", "x k", "y", {"upper": 0})], {"x": ("float32", (3, 3)), "k": ("int64", ())}))
    for k in (0, 1, -1):
        assert np.array_equal(made.run([X[0, 0, :3, :3], np.int64(k)])[0], np.tril(X[0, 0, :3, :3], k))


# -- types


def test_a_type_is_named_in_opset_1_and_numbered_later():
    x = np.float32([1.5, -2.5, 0])
    for opset, to in ((1, "INT32"), (6, TensorProto.INT32), (19, TensorProto.INT32)):
        y = run("Cast", x, opset=opset, to=to)
        assert (y.dtype, y.tolist()) == (np.int32, [1, -2, 0])
    assert run("Cast", x, opset=1, to="DOUBLE").dtype == np.float64
    with pytest.raises(ModelError, match="attribute 'to' must name a type such as FLOAT, got 'REAL'"):
        run("Cast", x, opset=1, to="REAL")
    assert run("CastLike", x, np.int64([0])).dtype == np.int64
    assert run("Cast", x, to=TensorProto.BOOL).tolist() == [True, True, False]


@pytest.mark.parametrize("to", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_nothing_is_computed_in_16_bits(to):
    x = np.float32([1 + 2**-20, 1e6])
    there = [("Cast", "x", "h", {"to": to}), ("Mul", "h two", "m"), ("Cast", "m", "y", {"to": TensorProto.FLOAT})]
    made = model([*there[:1], ("Cast", "h", "y", {"to": TensorProto.FLOAT})], {"x": ("float32", (2,))})
    assert recorded(made, x=(2,)) == []
    two = helper.make_tensor("two", to, [1], [2.0])
    made = model(there, {"x": ("float32", (2,))})
    made.graph.initializer.append(two)
    assert np.array_equal(prepare(made).run([x])[0], 2 * x)


def test_what_leaves_a_net_in_16_bits_does_so():
    made = model([("Cast", "x", "y", {"to": TensorProto.FLOAT16})], {"x": ("float32", (2,))})
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT16, [2]))
    y = prepare(made).run([np.float32([1.5, 1e6])])[0]
    assert (y.dtype, y.tolist()) == (np.float16, [1.5, np.inf])


def test_types_that_numpy_lacks_are_not_converted_to():
    x = np.float32([1.5])
    for to, name in ((TensorProto.INT4, "int4"), (TensorProto.UINT4, "uint4"), (TensorProto.FLOAT8E4M3FN, "float8e4m3fn")):
        with pytest.raises(UnsupportedError, match=f"'to' is {name}, a type of few bits that is only read; convert to int8"):
            run("Cast", x, opset=21, to=to)
    made = model([("CastLike", "x t", "y")], {"x": ("float32", (1,))}, opset=21)
    made.graph.initializer.append(helper.make_tensor("t", TensorProto.INT4, [1], [3]))
    with pytest.raises(UnsupportedError, match="the type to convert to is int4"):
        prepare(made)
    with pytest.raises(ModelError, match="'to' is of type string; gpucnn computes with real numbers and bool"):
        run("Cast", x, to=TensorProto.STRING)
