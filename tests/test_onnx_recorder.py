"""What an ONNX file may be like: its own functions, nodes out of order, names; and everything that cannot be done, in one report."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, helper
from onnx_graphs import graph, model

from gpucnn.errors import ModelError, ShapeError, UnsupportedError
from gpucnn.formats.onnx import read_onnx
from gpucnn.onnx_backend import prepare

X = np.random.default_rng(3).standard_normal((2, 3)).astype(np.float32)
PORT = {"x": ("float32", X.shape)}


def with_functions(made, *functions):
    made.functions.extend(functions)
    made.opset_import.append(helper.make_opsetid("own", 1))
    return made


def function(name, inputs, outputs, nodes, attributes=(), opset=17, **defaults):
    made = [helper.make_attribute(k, v) for k, v in defaults.items()]
    return helper.make_function("own", name, inputs, outputs, nodes, [helper.make_opsetid("", opset)], list(attributes), made)


def referring(op, inputs, outputs, name, outer, kind=AttributeProto.FLOAT, **options):
    """A node whose attribute ``name`` is the attribute ``outer`` of the function around it."""
    node = helper.make_node(op, inputs, outputs, **options)
    node.attribute.append(AttributeProto(name=name, ref_attr_name=outer, type=kind))
    return node


def leaky(x, alpha):
    return np.where(x < 0, x * np.float32(alpha), x)


def call(*inputs, **attributes):
    return ("F", " ".join(inputs), "y", {"domain": "own", **attributes})


# -- functions


@pytest.mark.parametrize(("given", "default", "alpha"), [({"slope": 0.5}, {}, 0.5), ({}, {}, 0.01), ({}, {"slope": 0.75}, 0.75)])
def test_an_attribute_comes_from_the_call_or_the_function_or_the_operator(given, default, alpha):
    inner = referring("LeakyRelu", ["a"], ["b"], "alpha", "slope")
    made = with_functions(model([call("x", **given)], PORT), function("F", ["a"], ["b"], [inner], () if default else ["slope"], **default))
    assert np.array_equal(prepare(made).run([X])[0], leaky(X, alpha))


def test_attributes_go_through_calls_and_into_branches():
    then = graph([], outputs=["t"])
    then.node.append(referring("LeakyRelu", ["a"], ["t"], "alpha", "slope"))
    choice = helper.make_node("If", ["c"], ["b"], then_branch=then, else_branch=graph([("Relu", "a", "e")], outputs=["e"]))
    inner = function("G", ["a", "c"], ["b"], [choice], ["slope"])
    outer = function("F", ["p", "q"], ["r"], [referring("G", ["p", "q"], ["r"], "slope", "s", domain="own")], ["s"])
    made = with_functions(model([call("x", "c", s=0.25)], PORT, constants={"c": np.bool_(True)}), inner, outer)
    assert np.array_equal(prepare(made).run([X])[0], leaky(X, 0.25))


def test_a_function_has_opsets_of_its_own_in_branches_too():
    old = graph([("ReduceSum", "a", "t", {"axes": [1], "keepdims": 1})], outputs=["t"])  # axes became an input in 13
    choice = helper.make_node("If", ["c"], ["b"], then_branch=old, else_branch=graph([("Relu", "a", "e")], outputs=["e"]))
    made = model([call("x", "c"), ("ReduceSum", "x one", "z")], PORT, ["y", "z"], {"c": np.bool_(True), "one": np.int64([1])})
    both = prepare(with_functions(made, function("F", ["a", "c"], ["b"], [choice], opset=11))).run([X])
    assert np.array_equal(both[0], both[1])


@pytest.mark.parametrize("inputs", ["x w", "x w "])
def test_an_input_that_a_call_leaves_out_is_absent_inside(inputs):
    w = np.ones((4, 3, 1, 1), np.float32)
    node = helper.make_node("F", inputs.split(" "), ["y"], domain="own")
    made = model([], {"x": ("float32", (1, 3, 2, 2))}, constants={"w": w})
    made.graph.node.append(node)
    body = [helper.make_node("Conv", ["a", "b", "c"], ["d"])]
    x = np.ones((1, 3, 2, 2), np.float32)
    assert (prepare(with_functions(made, function("F", ["a", "b", "c"], ["d"], body))).run([x])[0] == 3).all()
    made.graph.node[0].input.extend(["w"] * 3)
    with pytest.raises(ModelError, match=r"node 'y' \(F\): takes 3 inputs, got"):
        prepare(made)


def test_functions_of_one_name_are_told_apart():
    functions = [function("F", ["a"], ["b"], [helper.make_node(op, ["a"], ["b"])]) for op in ("Neg", "Abs")]
    made = model([], PORT)
    made.graph.node.append(helper.make_node("F", ["x"], ["z"], domain="own"))
    made.graph.node.append(helper.make_node("F", ["z"], ["y"], domain="own"))
    for what, overload in zip((functions, made.graph.node), (("negative", "absolute"), ("absolute", "negative"))):
        for one, name in zip(what, overload):
            one.overload = name
    assert np.array_equal(prepare(with_functions(made, *functions)).run([X])[0], -abs(X))


# -- order and names


def test_nodes_may_be_out_of_order():
    """ONNX forbids it, ONNX Runtime runs it."""
    inner = {"then_branch": graph([("Add", "t k", "p")], outputs=["p"]), "else_branch": graph([("Abs", "x", "q")], outputs=["q"])}
    nodes = [("If", "c", "u", inner), ("Relu", "u", "y"), ("Neg", "x", "t")]
    made = model(nodes, PORT, constants={"c": np.bool_(True), "k": np.float32(1)})
    assert np.array_equal(prepare(made).run([X])[0], np.maximum(1 - X, 0))


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([("Add", "x y", "t"), ("Neg", "t", "y")], "node 't' needs what is made of its outputs; nodes read one another in a circle"),
        ([("Add", "x gone", "y")], "node 'y' reads 'gone', which nothing before it makes"),
        ([("Relu", "x", "z")], "'net' returns 'y', which no input, initializer or node makes"),
        ([("Relu", "x", "y"), ("Neg", "x", "y")], "two nodes make the value 'y'"),
        ([("Neg", "x", "x"), ("Relu", "x", "y")], "node 'x' makes 'x', which is an input or initializer already"),
        ([("Neg", "x", "k"), ("Relu", "k", "y")], "node 'k' makes 'k', which is an input or initializer already"),
    ],
)
def test_values_that_are_made_never_or_twice_are_refused(nodes, said):
    with pytest.raises(ModelError, match=f"net: {said}"):
        prepare(model(nodes, PORT, constants={"k": np.float32(1)}))


# -- what cannot be done


def report(made):
    with pytest.raises(UnsupportedError) as caught:
        prepare(made)
    return str(caught.value).splitlines()


def test_one_report_has_everything():
    inner = {"then_branch": graph([("Bernoulli", "x", "p")], outputs=["p"]), "else_branch": graph([("Foo", "x", "q")], outputs=["q"])}
    nodes = [("If", "c", "y", inner), ("Scan", "x", "a"), ("Scan", "x", "b"), ("G", "x", "d", {"domain": "own"})]
    nodes += [("ZipMap", "x", "z", {"domain": "ai.onnx.ml"})]
    made = model(nodes, PORT, ["y", "z"], {"c": np.bool_(True)})
    made.graph.output[1].type.sequence_type.elem_type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    lines = report(with_functions(made, function("G", ["a"], ["b"], [helper.make_node("Hidden", ["a"], ["b"])], opset=16)))
    assert lines[0] == "net: 5 operator(s) cannot be run, at 6 node(s):"
    assert [line for line in lines[1:] if not line.startswith("    ")] == [
        "  Bernoulli (1×; domain ai.onnx, opset 17): p",
        "  Foo (1×; domain ai.onnx, opset 17): q",
        "  Hidden (1×; domain ai.onnx, opset 16): b",
        "  Scan (2×; domain ai.onnx, opset 17): a, b",
        "  ZipMap (1×; domain ai.onnx.ml, opset 3): z",
        "  output 'z' is a sequence, not a tensor: cut it off the graph (onnx.utils.extract_model)",
    ]
    assert "from skl2onnx with zipmap=False" in "".join(lines)


@pytest.mark.parametrize(
    ("op_type", "domain", "said"),
    [
        ("QLinearConv", "", "(QuantFormat.QDQ)"),
        ("ConvInteger", "", "(QuantFormat.QDQ)"),
        ("QLinearAdd", "com.microsoft", "(QuantFormat.QDQ)"),
        ("QGemm", "com.microsoft", "(QuantFormat.QDQ)"),
        ("FusedConv", "com.microsoft", "save the model before ONNX Runtime optimises it"),
        ("Conv", "com.microsoft.nchwc", "save the model before ONNX Runtime optimises it"),
        ("Conv", "own", "or as a function of ONNX's operators"),
        ("Loop", "", "is a loop"),
        ("GridSample", "", "cut it off the graph"),
        ("GroupNormalization", "", "does not exist there: export with opset 18"),
    ],
)
def test_what_to_do_instead_is_said(op_type, domain, said):
    made = model([(op_type, "x", "y", {"domain": domain})], PORT)
    made.opset_import.append(helper.make_opsetid(domain or "else", 1))
    name, advice = report(made)[1:3]
    assert name == f"  {op_type} (1×; domain {domain or 'ai.onnx'}, opset {1 if domain else 17}): y"
    assert said in advice


def test_of_branches_and_functions_only_what_runs_counts():
    bad = graph([("Foo", "x", "q"), ("Bar", "q", "r")], outputs=["r"])
    inner = {"then_branch": graph([("Neg", "x", "p")], outputs=["p"]), "else_branch": bad}
    unused = function("G", ["a"], ["b"], [helper.make_node("Hidden", ["a"], ["b"])])
    for taken in (True, False):
        made = with_functions(model([("If", "c", "y", inner)], PORT, constants={"c": np.bool_(taken)}), unused)
        if taken:
            assert np.array_equal(prepare(made).run([X])[0], -X)
        else:
            assert report(made)[0] == "net: 2 operator(s) cannot be run, at 2 node(s):"


@pytest.mark.parametrize(
    ("opset", "error", "said"), [(None, ModelError, "does not say which opset"), (99, UnsupportedError, "uses ONNX opset 99")]
)
def test_an_opset_that_is_missing_or_unknown_comes_before_its_operators(opset, error, said):
    made = model([("Foo", "x", "y")], PORT)
    del made.opset_import[:]
    made.opset_import.extend([] if opset is None else [helper.make_opsetid("", opset)])
    with pytest.raises(error, match=said):
        read_onnx(made)


def test_an_error_inside_names_the_node_there_and_the_file_once():
    inner = {"then_branch": graph([("Conv", "x x", "p")], outputs=["p"]), "else_branch": graph([("Abs", "x", "q")], outputs=["q"])}
    made = model([("If", "c", "y", inner)], PORT, constants={"c": np.bool_(True)})
    with pytest.raises(ShapeError, match=r"^net, node 'p' \(Conv\): x must have batch, channels and .*, got 2×3 float32$"):
        prepare(made)
    made = with_functions(model([call("x")], PORT), function("F", ["a"], ["b"], [helper.make_node("Conv", ["a", "a"], ["b"], name="in")]))
    with pytest.raises(ShapeError, match=r"^net, node 'y/in' \(Conv\): x must have"):
        prepare(made)
