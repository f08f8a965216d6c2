"""ONNX graphs that do not fit, that loop, explode or go on for ever: an error of ours, soon."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hostile import W, assert_ours, ints, net, refused
from onnx import helper, numpy_helper
from onnx_graphs import graph

from gpucnn.errors import GpucnnError, LimitError, ModelError, ShapeError
from gpucnn.onnx_backend import prepare

# ---- graphs -----------------------------------------------------------------------------------------------------------


def test_circles():
    refused(net([("Add", "x b", "a"), ("Relu", "a", "b"), ("Identity", "b", "y")]), ModelError, "in a circle")
    refused(net([("Add", "x a", "a"), ("Identity", "a", "y")]), ModelError, "in a circle")
    inside = graph([("Add", "x b", "t")], outputs=("t",))
    refused(
        net([("If", "c", "b", {"then_branch": inside, "else_branch": inside}), ("Relu", "b", "y")], {"c": np.array(True)}),
        ModelError,
        "in a circle",
    )


GRAPHS = {
    "a missing input": ([("Add", "x nothing", "y")], "reads 'nothing', which nothing before it makes"),
    "a missing output": ([("Relu", "x", "z")], "returns 'y', which no input, initializer or node makes"),
    "two nodes make one value": ([("Relu", "x", "y"), ("Neg", "x", "y")], "two nodes make the value 'y'"),
    "one node makes one value twice": ([("Split", "x", "y y", {"axis": 1})], "two nodes make the value 'y'"),
    "a node makes the input": ([("Relu", "x", "x"), ("Neg", "x", "y")], "makes 'x', which is an input or initializer already"),
    "no inputs": ([("Relu", "", "y")], "takes 1 input"),
    "too many inputs": ([("Relu", "x x", "y")], "takes 1 input"),
    "too few inputs": ([("Conv", "x", "y")], "takes 2 to 3 inputs, got 1"),
    "an absent input": ([("Add", "none x", "y")], "lacks an input"),
    "too many outputs": ([("Relu", "x", "y z")], "output 'z' is asked for, only 1 can be given"),
    "an unknown attribute": ([("Relu", "x", "y", {"alpha": 1.0})], "attribute 'alpha' is not known here"),
    "an attribute of another type": ([("LeakyRelu", "x", "y", {"alpha": [1.0]})], "must be of type float"),
    "text for a number": ([("Softmax", "x", "y", {"axis": "last"})], "must be of type int"),
    "no operator": ([("", "x", "y")], "cannot be run"),
    "an unknown operator": ([("Nonsense", "x", "y")], "Nonsense"),
    "an unknown domain": ([("Relu", "x", "y", {"domain": "com.example"})], "com.example"),
}


@pytest.mark.parametrize(("nodes", "said"), GRAPHS.values(), ids=GRAPHS)
def test_nodes_that_do_not_fit(nodes, said):
    made = net(nodes)
    refused(made, GpucnnError, said)


def test_names_that_stand_twice():
    made = net([("Conv", "x w", "y")], {"w": W})
    made.graph.initializer.append(made.graph.initializer[0])
    refused(made, ModelError, "defines the initializer 'w' twice")
    made = net([("Relu", "x", "y")])
    made.graph.input.append(made.graph.input[0])
    refused(made, ModelError, "two inputs of the name 'x'", run=False)
    made = net([("LeakyRelu", "x", "y", {"alpha": 0.1})])
    made.graph.node[0].attribute.append(made.graph.node[0].attribute[0])
    refused(made, ModelError, "has the attribute 'alpha' twice")


@pytest.mark.parametrize("version", [0, -1, 1000, (1 << 63) - 1, -(1 << 63)])
def test_opsets_that_there_are_not(version):
    made = net([("Relu", "x", "y")])
    made.opset_import[0].version = version
    refused(made, GpucnnError)


def test_no_opset_and_an_absurd_version_of_the_format():
    made = net([("Relu", "x", "y")])
    del made.opset_import[:]
    refused(made, ModelError, "does not say which opset")
    made = net([("Relu", "x", "y")])
    made.ir_version = (1 << 63) - 1
    prepare(made)  # it changes nothing that is read here


CONV = {
    "group 0": {"group": 0},
    "a negative group": {"group": -1},
    "a group that does not divide": {"group": 2},
    "a huge group": {"group": 1 << 62},
    "stride 0": {"strides": [0, 0]},
    "a negative stride": {"strides": [-1, 1]},
    "stride 2^62": {"strides": [1 << 62, 1]},
    "dilation 0": {"dilations": [0, 1]},
    "dilation 2^31": {"dilations": [1 << 31, 1 << 31]},
    "dilation 2^62": {"dilations": [1 << 62, 1]},
    "a negative dilation": {"dilations": [-1, 1]},
    "negative padding": {"pads": [-1, 0, 0, 0]},
    "padding for another rank": {"pads": [1, 1]},
    "odd padding": {"pads": [1, 1, 1]},
    "another kernel": {"kernel_shape": [5, 5]},
    "no kernel": {"kernel_shape": [0, 0]},
    "a kernel of another rank": {"kernel_shape": [3]},
    "no such automatic padding": {"auto_pad": "SAME"},
    "fractions": {"strides": [1.5, 1.5]},
    "text": {"group": "1"},
}


@pytest.mark.parametrize("attributes", CONV.values(), ids=CONV)
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_convolutions_that_make_no_sense(op, attributes):
    made = net([], {"w": W if op == "Conv" else np.ones((3, 4, 3, 3), np.float32)})
    made.graph.node.append(helper.make_node(op, ["x", "w"], ["y"], **attributes))
    if op == "ConvTranspose" and attributes in ({"kernel_shape": [5, 5]}, {"group": 2}):
        pytest.skip("said of Conv alone")
    refused(made, GpucnnError)


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (1, 3, 8), (1, 3, 8, 8, 8)])
def test_convolutions_of_another_rank(shape):
    refused(net([("Conv", "x w", "y")], {"w": W}, inputs={"x": ("float32", shape)}), ShapeError, "Conv")


@pytest.mark.parametrize("step", [1 << 31, 1 << 62, (1 << 63) - 1, -(1 << 62), -(1 << 63)])
@pytest.mark.parametrize("behind", ["Relu", "MaxPool", "Identity"])
def test_slices_with_steps_that_are_never_taken(step, behind):
    """One line is left, whatever the step: the right answer."""
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    more = {"kernel_shape": [1, 1]} if behind == "MaxPool" else {}
    for front in ("Relu", "Identity"):
        ends = {"a": ints(2), "b": ints((1 << 63) - 1 if step > 0 else -(1 << 63)), "c": ints(2), "s": ints(step)}
        made = net([(front, "x", "r"), ("Slice", "r a b c s", "q"), (behind, "q", "y", more)], ends)
        np.testing.assert_array_equal(prepare(made).run({"x": x})[0], x[:, :, 2:3])


POOLS = {
    "a kernel of 2^62": {"kernel_shape": [1 << 62, 1]},
    "a kernel of 0": {"kernel_shape": [0, 2]},
    "a negative kernel": {"kernel_shape": [-2, 2]},
    "padding larger than the kernel": {"kernel_shape": [2, 2], "pads": [9, 9, 9, 9]},
    "stride 0": {"kernel_shape": [2, 2], "strides": [0, 1]},
    "padding of 2^40": {"kernel_shape": [2, 2], "pads": [1 << 40] * 4},
    "no kernel": {},
    "a kernel for another rank": {"kernel_shape": [2]},
    "a kernel larger than the map": {"kernel_shape": [9, 9]},
    "a kernel and padding of 2^30": {"kernel_shape": [1 << 30] * 2, "pads": [1 << 29] * 4},
}


@pytest.mark.parametrize("attributes", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
def test_pools_that_make_no_sense(op, attributes, set_limits):
    """An error, or where the numbers have a meaning the answer, and that soon."""
    set_limits(max_elements=1 << 22)
    began = time.monotonic()
    try:
        prepare(net([(op, "x", "y", attributes)])).run({"x": np.ones((1, 3, 8, 8), np.float32)})
    except GpucnnError as error:
        assert_ours(error)
    else:
        assert "padding larger" in str(attributes) or attributes.get("pads") in ([9] * 4, [1 << 29] * 4)
    assert time.monotonic() - began < 10


# ---- many, and deep ---------------------------------------------------------------------------------------------------


def test_a_million_nodes_are_refused_before_they_are_made(tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"]).SerializeToString()
    entry = b"\x0a" + bytes([len(node)]) + node
    nodes = entry * 1_000_000
    made = net([("Relu", "x", "y")])
    head = made.SerializeToString()
    del made.graph.node[:]
    rest = made.graph.SerializeToString()
    del head

    def length(n):
        out = b""
        while n >= 128:
            out, n = out + bytes([n % 128 | 128]), n // 128
        return out + bytes([n])

    made.ClearField("graph")
    body = nodes + rest
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString() + b"\x3a" + length(len(body)) + body)
    refused(tmp_path / "net.onnx", LimitError, "has 1000000 nodes or more, the limit is 20000; set GPUCNN_MAX_NODES to raise it")


@pytest.mark.parametrize("what", ["initializers", "inputs", "outputs", "functions", "entries of metadata"])
def test_many_of_everything(what, set_limits):
    set_limits(max_nodes=50)
    made = net([("Relu", "x", "y")])
    for i in range(51):
        match what:
            case "initializers":
                made.graph.initializer.append(numpy_helper.from_array(np.float32(0), f"w{i}"))
            case "inputs":
                made.graph.input.append(helper.make_tensor_value_info(f"i{i}", 1, [1]))
            case "outputs":
                made.graph.output.append(helper.make_empty_tensor_value_info(f"o{i}"))
            case "functions":
                made.functions.append(helper.make_function("local", f"F{i}", ["a"], ["b"], [], [helper.make_opsetid("", 17)]))
            case _:
                made.metadata_props.add(key=str(i), value="x")
    refused(made, LimitError, f"{what}", "the limit is 50", run=False)


def test_many_inputs_outputs_and_attributes_of_one_node(set_limits):
    set_limits(max_nodes=50)
    refused(net([("Sum", " ".join(["x"] * 51), "y")]), LimitError, "inputs of node")
    refused(net([("Split", "x", " ".join(f"y{i}" for i in range(51)))], outputs=("y0",)), LimitError, "outputs of node")
    refused(net([("Relu", "x", "y", {f"a{i}": 1 for i in range(51)})]), LimitError, "attributes of node")


def test_nodes_in_subgraphs_and_functions_count_with_the_others(set_limits):
    set_limits(max_nodes=50)
    inside = graph([("Relu", "x", "t0"), *[("Relu", f"t{i}", f"t{i + 1}") for i in range(29)]], outputs=("t29",))
    refused(net([("If", "c", "y", {"then_branch": inside, "else_branch": inside})], {"c": np.array(True)}), LimitError, "nodes or more")


def functions(count, calls):
    """F0 calls F1 so often, that F2, and so on."""
    made = net([("F0", "x", "y", {"domain": "local"})])
    made.opset_import.append(helper.make_opsetid("local", 1))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    for i in range(count):
        names = [f"v{j}" for j in range(calls + 1)]
        op, domain = (f"F{i + 1}", "local") if i + 1 < count else ("Relu", "")
        body = [helper.make_node(op, [a], [b], domain=domain) for a, b in pairwise(names)]
        made.functions.append(helper.make_function("local", f"F{i}", ["v0"], [names[-1]], body, opsets))
    return made


def test_functions_that_explode():
    refused(functions(30, 2), LimitError, "with the functions that it calls, the net has 20001 nodes or more")


@pytest.mark.parametrize("count", [40, 3000])
def test_functions_that_call_one_another_deep_down(count):
    refused(functions(count, 1), ModelError, "functions call one another more than 32 deep")


def test_functions_that_call_themselves():
    made = functions(2, 1)
    made.functions[1].node[0].op_type, made.functions[1].node[0].domain = "F0", "local"
    refused(made, ModelError, "functions call one another more than 32 deep")


@pytest.mark.parametrize("depth", [17, 25])
def test_subgraphs_deep_down(depth):
    inside = graph([("Relu", "x", "t")], outputs=("t",))
    for i in range(depth):
        inside = graph(
            [("If", "c", f"u{i}", {"then_branch": inside, "else_branch": graph([("Neg", "x", "e")], outputs=("e",))})], outputs=(f"u{i}",)
        )
    refused(
        net([("If", "c", "y", {"then_branch": inside, "else_branch": inside})], {"c": np.array(True)}),
        ModelError,
        "nested more than 16 deep",
    )


def test_subgraphs_deeper_than_protobuf_goes(tmp_path):
    """A file of a few kB, in which a graph is the attribute of a node of a graph, a thousand times."""

    def field(number, content):
        size, out = len(content), bytes([number << 3 | 2])
        while size >= 128:
            out, size = out + bytes([size % 128 | 128]), size // 128
        return out + bytes([size]) + content

    inside = b""
    for _ in range(1000):
        inside = field(1, field(4, b"If") + field(5, field(1, b"then_branch") + field(6, inside) + b"\xa0\x01\x05"))
    made = net([("Relu", "x", "y")])
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString() + field(7, inside))
    refused(tmp_path / "net.onnx", ModelError, "no ONNX model, or is damaged")


@pytest.mark.parametrize("names", ["the same", "others"])
def test_as_many_nodes_as_allowed_are_loaded_in_time(names):
    count = 19_990
    made = net([])
    for i in range(count):
        name = "a" if names == "the same" else f"node {i}"
        made.graph.node.append(
            helper.make_node("Relu" if i % 2 else "Neg", [f"v{i - 1}" if i else "x"], ["y" if i == count - 1 else f"v{i}"], name=name)
        )
    began = time.monotonic()
    prepare(made)
    assert time.monotonic() - began < 60  # 3 s; a search that starts anew for each name would take minutes
