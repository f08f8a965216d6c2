"""ONNX tensors that lie about their size, and nets that ask for petabytes in a few bytes: an error of ours before memory is taken."""

from __future__ import annotations

import numpy as np
import pytest
from hostile import W, assert_ours, ints, net, refused
from onnx import TensorProto, helper, numpy_helper

from gpucnn.errors import GpucnnError, LimitError, ModelError, ShapeError, UnsupportedError
from gpucnn.onnx_backend import prepare

# ---- tensors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [(1 << 40, 1 << 40), (1 << 62, 4), ((1 << 63) - 1,), (1 << 32, 1 << 32, 1 << 32)])
def test_sizes_whose_product_overflows(dims):
    made = net([("Conv", "x w", "y")], {"w": W})
    made.graph.initializer[0].dims[:] = dims
    refused(made, LimitError, "declares", "GPUCNN_MAX_WEIGHT_BYTES")


@pytest.mark.parametrize("dims", [(1 << 62, 0, 4), (-1, 3), (-(1 << 63),), (1,) * 40])
def test_shapes_that_no_array_has(dims):
    made = net([("Conv", "x w", "y")], {"w": W})
    made.graph.initializer[0].dims[:] = dims
    refused(made, ModelError, "initializer 'w' has the shape")


@pytest.mark.parametrize("change", [-4, -1, 1, 4, 1 << 20])
def test_more_or_fewer_bytes_than_declared(change):
    made = net([("Conv", "x w", "y")], {"w": W})
    raw = made.graph.initializer[0].raw_data
    made.graph.initializer[0].raw_data = raw[:change] if change < 0 else raw + bytes(change)
    refused(made, ModelError, "needs 432 bytes for 108 elements of float32", f"the file has {432 + change}")


def test_many_tensors_that_together_exceed_the_limit(set_limits):
    set_limits(max_weight_bytes=1000)
    refused(
        net([("Add", "x a", "y")], {"a": np.zeros(100, np.float32), "b": np.zeros(100, np.float32), "c": np.zeros(100, np.float32)}),
        LimitError,
        "initializer 'c': with those before it, tensors take 1200 bytes, the limit is 1000",
    )


def test_sparse_initializers_are_refused_before_they_are_looked_at():
    made = net([("Relu", "x", "y")])
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    values.data_location = TensorProto.EXTERNAL
    values.external_data.add(key="location", value="/etc/passwd")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(ints(0), "i"), [1 << 40]))
    refused(made, ModelError, "sparse initializers")


# ---- constants that are made ------------------------------------------------------------------------------------------

HUGE = 1 << 40
MADE = {
    "ConstantOfShape": (
        [("ConstantOfShape", "s", "c"), ("Size", "c", "n"), ("Cast", "n", "f", {"to": 1}), ("Add", "x f", "y")],
        {"s": ints(HUGE, 4)},
    ),
    "ConstantOfShape of 40 axes": ([("ConstantOfShape", "s", "c"), ("Add", "x c", "y")], {"s": np.ones(40, np.int64)}),
    "ConstantOfShape of nothing": ([("ConstantOfShape", "s", "c"), ("Add", "x c", "y")], {"s": ints(1 << 62, 0, 1 << 62)}),
    "Expand": ([("Expand", "one s", "c"), ("Add", "x c", "y")], {"s": ints(HUGE), "one": np.float32([1])}),
    "Tile": ([("Tile", "one s", "c"), ("Add", "x c", "y")], {"s": ints(HUGE), "one": np.float32([1])}),
    "Tile of the input": ([("Tile", "x s", "y")], {"s": ints(1, 1, HUGE, HUGE)}),
    "Range": (
        [("Range", "a b c", "d"), ("Cast", "d", "e", {"to": 1}), ("ReduceSum", "e", "f"), ("Add", "x f", "y")],
        {"a": np.int64(0), "b": np.int64(HUGE), "c": np.int64(1)},
    ),
    "Pad": ([("Pad", "one p", "c"), ("Add", "x c", "y")], {"p": ints(HUGE, HUGE), "one": np.float32([1])}),
    "Pad of the input": ([("Pad", "x p", "y")], {"p": ints(0, 0, HUGE, HUGE, 0, 0, 0, 0)}),
    "Pad around and around": ([("Pad", "x p", "y", {"mode": "reflect"})], {"p": ints(0, 0, HUGE, 0, 0, 0, 0, 0)}),
    "Resize": ([("Resize", "x none none s", "y")], {"s": ints(1, 3, HUGE, HUGE)}),
    "OneHot": (
        [("OneHot", "i d v", "c"), ("ReduceSum", "c", "f"), ("Add", "x f", "y")],
        {"i": ints(1, 2), "d": np.int64(HUGE), "v": np.float32([0, 1])},
    ),
    "EyeLike": ([("ConstantOfShape", "s", "c"), ("EyeLike", "c", "d"), ("Add", "x d", "y")], {"s": ints(1 << 20, 1 << 20)}),
    "Conv padding": ([("Conv", "x w", "y", {"pads": [HUGE] * 4})], {"w": W}),
    "Conv padding below 2^31": ([("Conv", "x w", "y", {"pads": [1 << 30] * 4})], {"w": W}),
    "ConvTranspose stride": ([("ConvTranspose", "x w", "y", {"strides": [1 << 20, 1 << 20]})], {"w": np.ones((3, 1, 2, 2), np.float32)}),
    "Reshape": ([("Reshape", "x s", "y")], {"s": ints(HUGE, -1)}),
    "Split": ([("Split", "x s", "y", {"axis": 1})], {"s": ints(HUGE)}),
    "DepthToSpace": ([("DepthToSpace", "x", "y", {"blocksize": 1 << 31})], {}),
    "Upsample": ([("Upsample", "x", "y", {"scales": [1.0, 1.0, 1e9, 1e9]})], {}),
    "CenterCropPad": ([("CenterCropPad", "x s", "y")], {"s": ints(1, 3, HUGE, HUGE)}),
    "a constant convolution": (
        [("ConstantOfShape", "s", "a"), ("ConstantOfShape", "k", "b"), ("Conv", "a b", "c"), ("Add", "x c", "y")],
        {"s": ints(1, 1, 3000, 3000), "k": ints(1, 1, 2000, 2000)},
    ),
    "a constant pool": (
        [("ConstantOfShape", "s", "a"), ("MaxPool", "a", "c", {"kernel_shape": [4000, 4000]}), ("Add", "x c", "y")],
        {"s": ints(1, 1, 4000, 4000)},
    ),
    "a constant product": (
        [("ConstantOfShape", "s", "a"), ("MatMul", "a a", "b"), ("ReduceSum", "b", "c"), ("Add", "x c", "y")],
        {"s": ints(8000, 8000)},
    ),
}
OPSETS = {"Upsample": 7, "CenterCropPad": 18}


@pytest.mark.parametrize(("nodes", "constants"), MADE.values(), ids=MADE)
def test_what_a_few_bytes_ask_for(nodes, constants, request):
    """Petabytes, or hours."""
    made = net(nodes, constants, opset=OPSETS.get(request.node.callspec.id, 17))
    refused(made, GpucnnError)


def test_doubling_again_and_again(set_limits):
    set_limits(max_weight_bytes=1 << 26)
    nodes = [("Concat", f"v{i} v{i}", f"v{i + 1}", {"axis": 0}) for i in range(60)]
    refused(net([*nodes, ("ReduceSum", "v60", "s"), ("Add", "x s", "y")], {"v0": np.float32([1])}), LimitError, "would be made")
    nodes = [("Concat", f"v{i} v{i}", f"v{i + 1}", {"axis": 2}) for i in range(60)]
    refused(net([("Relu", "x", "v0"), *nodes, ("Identity", "v60", "y")]), GpucnnError)
    nodes = [("Concat", f"v{i} v{i}", f"v{i + 1}", {"axis": 2}) for i in range(30)]
    refused(net([("Relu", "x", "v0"), *nodes, ("Identity", "v30", "y")]), LimitError, "GPUCNN_MAX_ELEMENTS")


def test_many_constants_that_together_exceed_the_limit(set_limits):
    set_limits(max_weight_bytes=10 << 20)
    nodes = [("ConstantOfShape", "s", f"c{i}") for i in range(30)] + [(("Add", "x c0", "a"))]
    nodes += [("Add", f"{'a' if i == 1 else f'a{i - 1}'} c{i}", f"a{i}") for i in range(1, 30)]
    refused(net([*nodes, ("Identity", "a29", "y")], {"s": ints(1 << 18)}), LimitError, "constants of", "together would be made")


LISTS = {
    "Dropout": ([("Dropout", "x r t", "y")], {"r": np.float32([0.5, 0.5]), "t": np.array(True)}, 13, "ratio must be one number, got 2"),
    "Tile": ([("Tile", "x r a", "y")], {"r": np.float32([2, 2]), "a": np.float32(1)}, 5, "tiles must be one number, got 2"),
    "Tile by a half": ([("Tile", "x r a", "y")], {"r": np.float32(1.5), "a": np.float32(1)}, 5, "tiles must be a whole number, got 1.5"),
    "Tile by infinity": ([("Tile", "x r a", "y")], {"r": np.float32("inf"), "a": np.float32(1)}, 5, "tiles must be a whole number"),
    "Tile along NaN": ([("Tile", "x r a", "y")], {"r": np.float32(1), "a": np.float32("nan")}, 5, "axis must be a whole number, got nan"),
    "Clip": ([("Clip", "x r", "y")], {"r": np.float32([0, 1])}, 13, "min must be one float32 number"),
    "Range": ([("Range", "r r r", "z"), ("Add", "x z", "y")], {"r": np.float32([0, 1])}, 13, "start must be one number"),
    "OneHot": ([("OneHot", "i d v", "y")], {"i": ints(1), "d": ints(2, 3), "v": np.float32([0, 1])}, 13, "depth"),
    "TopK": ([("TopK", "x d", "y z")], {"d": ints(2, 3)}, 13, "K"),
    "CumSum": ([("CumSum", "x d", "y")], {"d": ints(2, 3)}, 13, "axis"),
}


@pytest.mark.parametrize(("nodes", "constants", "opset", "says"), LISTS.values(), ids=LISTS)
def test_a_list_where_one_number_belongs(nodes, constants, opset, says):
    refused(net(nodes, constants, opset=opset), ShapeError, says)


def test_windows_that_are_walked_place_by_place():
    """Millions of places on a map of one pixel: refused at once, in words; the windows of real networks are far below."""
    made = net([("ConvTranspose", "x w", "y")], {"w": np.zeros((3, 1, 65535, 3), np.float32)}, inputs={"x": ("float32", (1, 3, 2, 2))})
    refused(made, UnsupportedError, "a window of 65535×3 has 196605 places, which are walked one by one; at most 65536")
    more = {"kernel_shape": [2001, 2001], "pads": [1000] * 4}
    made = net([("MaxPool", "x", "y i", more)], inputs={"x": ("float32", (1, 3, 8, 8))}, outputs=("y", "i"))
    refused(made, UnsupportedError, "a window of 2001×2001 has 4004001 places")
    made = net([("ConvTranspose", "x w", "y")], {"w": np.zeros((3, 1, 256, 256), np.float32)}, inputs={"x": ("float32", (1, 3, 2, 2))})
    prepare(made)


def test_an_input_of_absurd_size():
    refused(
        net([("Relu", "x", "y")], inputs={"x": ("float32", (1, 3, 1 << 62, 1 << 62))}),
        ShapeError,
        "more than memory has addresses",
        run=False,
    )
    for dims in ((1, 3, 1 << 48, 8), (1, 1 << 40, 8, 8)):
        made = net([("MaxPool", "x", "y i", {"kernel_shape": [2, 2]})], inputs={"x": ("float32", dims)}, outputs=("y", "i"))
        refused(made, LimitError, run=False)
    for op, more in (("MaxPool", {"kernel_shape": [2, 2], "storage_order": 1}), ("Shape", {}), ("Size", {}), ("Flatten", {})):
        made = net([(op, "x", "y i" if op == "MaxPool" else "y", more)], inputs={"x": ("float32", (1, 3, 1 << 30, 1 << 30))})
        try:
            prepare(made)
        except GpucnnError as error:
            assert_ours(error)
