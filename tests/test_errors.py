"""Wrong use says which op, what was expected, what came, and all shapes."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gpucnn
from gpucnn import functional as F
from gpucnn import nn, zoo
from gpucnn.errors import DeviceError, GpucnnError, ImageError, LimitError, ModelError, ShapeError, UnsupportedError
from gpucnn.graph import Graph
from gpucnn.ops import Activation, AvgPool, Binary, Concat, Conv, Flatten, MaxPool, MinPool, Pad, Reshape, Transpose
from gpucnn.spec import Spec

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def z(*shape: int, dtype: object = np.float32):
    return np.zeros(shape, dtype)


X = z(2, 6, 5, 7)

WRONG = {
    "conv2d channels": (
        lambda: F.conv2d(X, z(8, 3, 3, 3)),
        "conv2d: weight takes 3 input channels, x has 6",
        "x 2×6×5×7",
        "weight 8×3×3×3",
    ),
    "conv2d channels in groups": (lambda: F.conv2d(X, z(8, 2, 3, 3), groups=2), "weight takes 2 × 2 groups = 4 input channels, x has 6"),
    "conv2d groups": (
        lambda: F.conv2d(X, z(8, 3, 3, 3), groups=4),
        "conv2d: groups 4 must divide both channel counts, x has 6, the output 8",
        "x 2×6×5×7",
    ),
    "conv2d groups of the output": (lambda: F.conv2d(X, z(8, 2, 3, 3), groups=3), "groups 3 must divide", "the output 8"),
    "conv2d no groups": (lambda: F.conv2d(X, z(8, 6, 3, 3), groups=0), "conv2d: groups must be at least 1, got 0"),
    "conv2d kernel": (
        lambda: F.conv2d(X, z(8, 6, 9, 3), padding=1),
        "conv2d: the kernel reaches over 9 pixels, the padded input has 7",
        "input 5×7",
        "kernel 9×3",
    ),
    "conv2d dilation": (lambda: F.conv2d(X, z(8, 6, 3, 3), dilation=4), "reaches over 9 pixels", "dilation 4×4"),
    "conv2d empty kernel": (lambda: F.conv2d(X, z(8, 6, 0, 3)), "conv2d: the kernel is empty", "weight 8×6×0×3"),
    "conv2d dtype": (
        lambda: F.conv2d(X, z(8, 6, 3, 3, dtype=F64)),
        "conv2d: weight is float64 where x is float32",
        "x 2×6×5×7 float32",
        "weight 8×6×3×3 float64",
    ),
    "conv2d integers": (
        lambda: F.conv2d(X.astype(int), z(8, 6, 3, 3)),
        "conv2d: x must be floating point, got int64",
        ".astype('float32')",
    ),
    "conv2d rank": (lambda: F.conv2d(X[0], z(8, 6, 3, 3)), "conv2d: x and weight must have 4 axes", "got 3 and 4", "x 6×5×7"),
    "conv2d bias": (
        lambda: F.conv2d(X, z(8, 6, 3, 3), z(6)),
        "conv2d: bias must have shape 8, one value an output channel",
        "bias 6 float32",
    ),
    "conv2d residual": (
        lambda: Conv().infer(Spec(X.shape, F32), Spec((8, 6, 3, 3), F32), None, Spec(X.shape, F32)),
        "conv2d: residual must have the output's shape (2, 8, 3, 5)",
        "residual 2×6×5×7",
    ),
    "conv2d stride": (lambda: F.conv2d(X, z(8, 6, 3, 3), stride=0), "conv2d: stride must be at least 1, got (0, 0)"),
    "conv2d stride of three": (
        lambda: F.conv2d(X, z(8, 6, 3, 3), stride=(1, 2, 3)),
        "conv2d: stride must be an int or (height, width), got (1, 2, 3)",
    ),
    "conv2d fraction": (lambda: F.conv2d(X, z(8, 6, 3, 3), stride=1.5), "conv2d: stride must be an int or (height, width), got 1.5"),
    "conv2d padding": (lambda: F.conv2d(X, z(8, 6, 3, 3), padding=-1), "conv2d: padding must not be negative", "crop"),
    "conv2d padding by name": (
        lambda: F.conv2d(X, z(8, 6, 3, 3), padding="full"),
        "padding must be pixels, 'same', 'same_lower' or 'valid', got 'full'",
    ),
    "conv axes": (
        lambda: Conv((1, 1), ((0, 0),), (1, 1)).infer(Spec(X.shape, F32), Spec((8, 6, 3, 3), F32)),
        "padding is given for 1 spatial axes, x has 2",
    ),
    "linear features": (
        lambda: F.linear(z(3, 5), z(4, 6)),
        "linear: weight takes 6 features, the last axis of x has 5",
        "x 3×5",
        "weight 4×6",
    ),
    "linear rank": (lambda: F.linear(z(3, 5), z(5)), "linear: weight must have 2 axes (out, in), got 1"),
    "linear scalar": (lambda: F.linear(z(), z(4, 5)), "linear: x needs at least 1 axes"),
    "linear bias": (lambda: F.linear(z(3, 5), z(4, 5), z(5)), "linear: bias must have shape 4, one value an output feature", "bias 5"),
    "linear dtype": (lambda: F.linear(z(3, 5), z(4, 5), z(4, dtype=F64)), "linear: bias is float64 where x is float32"),
    "max_pool2d rank": (lambda: F.max_pool2d(z(3, 5), 2), "max_pool2d: x must have 4 axes", "got 2", "x 3×5"),
    "max_pool2d kernel": (lambda: F.max_pool2d(X, 6), "max_pool2d: the kernel reaches over 6 pixels, the padded input has 5"),
    "max_pool2d stride": (lambda: F.max_pool2d(X, 2, 0), "max_pool2d: stride must be at least 1, got (0, 0)"),
    "max_pool2d no kernel": (lambda: F.max_pool2d(X, 0), "max_pool2d: kernel_size must be at least 1, got (0, 0)"),
    "max_pool2d type": (lambda: F.max_pool2d(X > 0, 2), "max_pool2d: x must be a number, got bool"),
    "max_pool2d padding": (lambda: F.max_pool2d(X, 2, padding=-1), "max_pool2d: padding must not be negative"),
    "max_pool axes": (lambda: MaxPool((2, 2), (2,)), "max_pool2d: stride (2,) must have one value a spatial axis, kernel_size has 2"),
    "min_pool2d rank": (lambda: F.min_pool2d(z(3, 5), 2), "min_pool2d: x must have 4 axes", "got 2", "x 3×5"),
    "min_pool2d kernel": (lambda: F.min_pool2d(X, 6), "min_pool2d: the kernel reaches over 6 pixels, the padded input has 5"),
    "min_pool2d stride": (lambda: F.min_pool2d(X, 2, (1, 2, 3)), "min_pool2d: stride must be an int or (height, width), got (1, 2, 3)"),
    "min_pool2d dilation": (lambda: F.min_pool2d(X, 2, dilation=0), "min_pool2d: dilation must be at least 1, got (0, 0)"),
    "min_pool2d type": (lambda: F.min_pool2d(X > 0, 2), "min_pool2d: x must be a number, got bool"),
    "min_pool2d padding": (lambda: F.min_pool2d(X, 2, padding=-1), "min_pool2d: padding must not be negative"),
    "min_pool axes": (lambda: MinPool((2, 2), (2,)), "min_pool2d: stride (2,) must have one value a spatial axis, kernel_size has 2"),
    "avg_pool2d type": (lambda: F.avg_pool2d(X.astype(int), 2), "avg_pool2d: x must be floating point, got int64"),
    "avg_pool2d divisor": (lambda: F.avg_pool2d(X, 2, divisor_override=0), "avg_pool2d: divisor_override must not be 0"),
    "avg_pool axes": (lambda: AvgPool((2,), (2,)).infer(Spec(X.shape, F32)), "avg_pool1d: x must have 3 axes", "got 4"),
    "adaptive size": (lambda: F.adaptive_avg_pool2d(X, 0), "adaptive_avg_pool2d:", "at least 1, got (0, 0)"),
    "adaptive empty": (lambda: F.adaptive_avg_pool2d(z(1, 2, 0, 3), 2), "adaptive_avg_pool2d: the map is empty", "x 1×2×0×3"),
    "global empty": (lambda: F.global_avg_pool2d(z(1, 2, 0, 3)), "global_avg_pool: the map is empty"),
    "global rank": (lambda: F.global_avg_pool2d(z(1, 2)), "global_avg_pool2d: x must have 4 axes (n, c, …), got 2"),
    "batch_norm": (
        lambda: F.batch_norm(X, z(5), z(6)),
        "batch_norm: running_mean must have shape 6, one value a channel of x",
        "running_mean 5",
        "running_var 6",
    ),
    "batch_norm dtype": (lambda: F.batch_norm(X, z(6), z(6, dtype=F64)), "batch_norm: running_var is float64 where x is float32"),
    "batch_norm rank": (lambda: F.batch_norm(z(6), z(6), z(6)), "batch_norm: x needs at least 2 axes, got shape 6"),
    "softmax dim": (lambda: F.softmax(z(2, 3), 2), "softmax: dim must lie in [-2, 1] for a value of rank 2, got 2"),
    "softmax type": (lambda: F.softmax(z(2, 3, dtype=int), 1), "softmax: x must be floating point, got int64"),
    "topk k": (lambda: F.topk(z(2, 3), 4), "topk: k must be at most the size of dim -1, which is 3, got 4", "x 2×3"),
    "topk k along another dim": (lambda: F.topk(z(2, 3), 3, 0), "topk: k must be at most the size of dim 0, which is 2, got 3"),
    "topk negative": (lambda: F.topk(z(2, 3), -1), "topk: k must be at least 0, got -1"),
    "topk fraction": (lambda: F.topk(z(2, 3), 1.5), "topk: k must be a whole number, got 1.5"),
    "topk dim": (lambda: F.topk(z(2, 3), 1, 2), "topk: dim must lie in [-2, 1] for a value of rank 2, got 2"),
    "topk scalar": (lambda: F.topk(z(), 1), "topk: a scalar has no axis to rank along"),
    "topk type": (lambda: F.topk(z(2, 3, dtype=bool), 1), "topk: x must be a number, got bool"),
    "sigmoid type": (lambda: F.sigmoid(z(2, dtype=int)), "sigmoid: x must be floating point, got int64"),
    "activation": (lambda: Activation("swoosh"), "activation: kind must be one of relu, clip, sigmoid, tanh", "got 'swoosh'"),
    "hardtanh": (lambda: F.hardtanh(X, 1, -1), "clip: the lower bound 1.0", "upper bound -1.0"),
    "binary": (lambda: Binary("plus"), "binary: kind must be one of add, sub, mul, div, floor_divide, ", "got 'plus'"),
    "add shapes": (lambda: F.add(z(2, 3), z(2, 4)), "add: the shapes do not broadcast", "x 2×3 float32", "y 2×4 float32"),
    "add dtype": (lambda: F.add(z(2), z(2, dtype=F64)), "add: x and y must have one dtype", "y 2 float64"),
    "div integers": (lambda: F.div(z(2, dtype=int), z(2, dtype=int)), "div: x and y must be floating point, got int64"),
    "reshape": (lambda: F.reshape(z(2, 3), (4, 2)), "reshape: shape 4×2 has 8 elements, x has 6", "x 2×3"),
    "reshape -1": (lambda: F.reshape(z(2, 3), (4, -1)), "reshape: cannot infer the -1 of (4, -1): 6 elements do not divide by 4"),
    "reshape two": (lambda: Reshape((-1, -1)), "reshape:", "at most one may be -1, got (-1, -1)"),
    "flatten dim": (lambda: F.flatten(z(2, 3), 2), "flatten: dim must lie in [-2, 1]", "got 2"),
    "flatten order": (lambda: Flatten(2, 1).infer(Spec((1, 2, 3), F32)), "flatten: start_dim 2 lies behind end_dim 1", "x 1×2×3"),
    "permute": (lambda: Transpose((0, 0, 1)), "permute: dims must name each axis once, got (0, 0, 1)"),
    "permute rank": (lambda: F.permute(z(2, 3), (0, 2, 1)), "permute: dims (0, 2, 1) names 3 axes, x has 2", "x 2×3"),
    "permute out of range": (lambda: F.permute(z(2, 3), (0, 5)), "permute:", "got (0, 5)"),
    "cat": (
        lambda: F.cat([z(2, 3), z(2, 4)]),
        "cat: all sizes but that of dim 0 must agree, tensors[1] differs",
        "tensors[0] 2×3",
        "tensors[1] 2×4",
    ),
    "cat rank": (lambda: F.cat([z(2, 3), z(2)]), "cat:", "tensors[1] 2 float32"),
    "cat dtype": (lambda: F.cat([z(2), z(2, dtype=F64)]), "cat: tensors[1] is float64 where tensors[0] is float32"),
    "cat dim": (lambda: F.cat([z(2, 3)], 2), "cat: dim must lie in [-2, 1]", "got 2"),
    "cat nothing": (lambda: F.cat([]), "cat: needs at least one tensor, got none"),
    "cat nothing, as an op": (lambda: Concat(0).infer(), "cat: needs at least one tensor, got none"),
    "pad amounts": (
        lambda: F.pad(z(2, 3), (1, 2, 3)),
        "pad: pad must hold a pair (before, after) for each of at most 2 axes, got (1, 2, 3)",
    ),
    "pad mode": (lambda: F.pad(z(2, 3), (1, 1), "mirror"), "pad: mode must be one of constant, reflect, replicate, circular, got 'mirror'"),
    "pad negative": (lambda: Pad(((0, -1),)), "pad: amounts must not be negative, got ((0, -1),)", "crop"),
    "pad cropping all": (lambda: F.pad(z(2, 3), (-2, -2)), "pad: (-2, -2) crops more than there is", "x 2×3"),
    "pad reflect": (lambda: F.pad(z(2, 3), (3, 0), "reflect"), "pad: mode 'reflect' can add at most 2 to axis 1, got (3, 0)", "x 2×3"),
    "pad of nothing": (lambda: F.pad(z(2, 0), (1, 0), "replicate"), "pad: mode 'replicate' can add at most 0 to axis 1"),
    "pad axes": (lambda: Pad(((0, 0),)).infer(Spec((2, 3), F32)), "pad: amounts are given for 1 axes, x has 2"),
    "lookup type": (lambda: F.lookup(X, z(256, 6)), "lookup: x must be uint8, got float32"),
    "lookup table": (lambda: F.lookup(z(1, 3, 2, 2, dtype=np.uint8), z(256, 4)), "lookup: table must have shape 256×3", "table 256×4"),
    "lookup rank": (lambda: F.lookup(z(3, dtype=np.uint8), z(256, 3)), "lookup: x needs at least 2 axes"),
    "dropout": (lambda: F.dropout(X, 2), "dropout: p must lie in [0, 1], got 2"),
}


@pytest.mark.parametrize(("call", "parts"), [pytest.param(v[0], v[1:], id=k) for k, v in WRONG.items()])
def test_message_says_what_is_wrong(call, parts):
    with pytest.raises(ShapeError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


def test_shape_errors_are_value_errors():
    assert issubclass(ShapeError, ValueError)
    assert issubclass(DeviceError, RuntimeError)
    for kind in (ShapeError, UnsupportedError, ModelError, ImageError, LimitError, DeviceError):
        assert issubclass(kind, GpucnnError)


# -- layers and nets


def test_layer_groups():
    with pytest.raises(GpucnnError, match=r"Conv2d: groups 3 must divide in_channels 4 and out_channels 6"):
        nn.Conv2d(4, 6, 3, groups=3)


def test_unknown_arguments_are_not_taken():
    with pytest.raises(TypeError):
        nn.ReLU(negative_slope=0.1)
    with pytest.raises(TypeError):  # PyTorch's `training` would land in eps
        F.batch_norm(X, X[0, :, 0, 0], X[0, :, 0, 0], None, None, False)


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 9, 2))


def test_load_state_dict_says_everything_at_once():
    net = small()
    state = net.state_dict()
    before = {k: v.copy() for k, v in state.items()}
    del state["0.bias"], state["1.running_var"]
    state["3.weight"] = z(2, 35)
    state["head.weight"] = z(5)
    state["1.bias"] = np.array(["a", "b", "c", "d"])
    with pytest.raises(ModelError) as caught:
        net.load_state_dict(state)
    for part in (
        "2 missing: 0.bias 4, 1.running_var 4",
        "1 unexpected: head.weight 5",
        "3.weight expected 2×36, got 2×35",
        "1 not numbers: 1.bias",
    ):
        assert part in str(caught.value)
    for name, a in net.state_dict().items():
        np.testing.assert_array_equal(a, before[name], err_msg="nothing is taken where something does not fit")


def test_load_state_dict_ignores_counters_and_widens():
    net = small()
    state = {k: v.astype(np.float16) for k, v in net.state_dict().items()}
    state["1.num_batches_tracked"] = np.int64(7)
    assert net.load_state_dict(state) is net
    assert all(a.dtype == np.float32 for a in net.state_dict().values())


def test_long_lists_are_cut():
    with pytest.raises(ModelError, match=r"missing: .*and \d+ more"):
        zoo.create("resnet18").load_state_dict({})


def test_there_is_no_training():
    with pytest.raises(GpucnnError, match="inference only"):
        small().train()
    net = small()
    assert net.train(False) is net
    assert net.eval() is net


def test_forward_must_be_written():
    with pytest.raises(GpucnnError, match="forward is not written"):
        nn.Module()(X)


def test_super_init_must_be_called():
    class Net(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(1, 1, 1)

    with pytest.raises(GpucnnError, match=r"Net: call super\(\).__init__\(\) before assigning 'conv'"):
        Net()


def test_attributes_that_are_not_there():
    with pytest.raises(AttributeError, match="'Sequential' has no attribute 'conv'"):
        _ = small().conv


def test_sequential_takes_modules():
    with pytest.raises(ModelError, match="Sequential: layer 1 must be a Module, got function"):
        nn.Sequential(nn.ReLU(), F.relu)


def test_module_list_has_no_forward():
    with pytest.raises(GpucnnError, match="ModuleList: has no forward"):
        nn.ModuleList(nn.ReLU())(X)


def test_values_have_no_truth():
    value = Graph().input("x", Spec((2, 3), F32))
    with pytest.raises(ShapeError, match=r"value 'x' \(2×3 float32\) is symbolic"):
        bool(value)


def test_forward_must_not_branch_on_values():
    class Net(nn.Module):
        def forward(self, x):
            return x if x else -x

    with pytest.raises(GpucnnError, match="symbolic"):
        gpucnn.compile(Net(), (1, 3))


def test_forward_must_return_values():
    class Net(nn.Module):
        def forward(self, x):
            return np.zeros(3)

    with pytest.raises(ModelError, match="Net: forward must return symbolic values made from its input, got ndarray"):
        gpucnn.compile(Net(), (1, 3))


# -- models


def test_a_net_that_does_not_fit_says_where_and_why():
    with pytest.raises(ShapeError, match=r"conv2d: weight takes 3 input channels, x has 1 .*x 1×1×5×5"):
        gpucnn.compile(small(), (1, 1, 5, 5))


def test_compile_takes_nets():
    with pytest.raises(ModelError, match=r"compile: net must be a gpucnn.nn.Module, got str"):
        gpucnn.compile("resnet18", (1, 3, 224, 224))


@pytest.mark.parametrize("shape", [(1.5, 3), (-1, 3), (), ("n", 3)])
def test_compile_takes_shapes(shape):
    with pytest.raises(ShapeError, match="compile: input_shape must be"):
        gpucnn.compile(nn.ReLU(), shape)


@pytest.fixture(scope="module")
def model():
    with gpucnn.compile(small(), (1, 3, 5, 5)) as made:
        yield made


@pytest.mark.parametrize(
    ("x", "parts"),
    [
        (z(3, 5, 5), ("input 'input' must have 4 axes (n×3×5×5 float32)", "got shape 3×5×5 float32")),
        (z(1, 4, 5, 5), ("must have 3 channels on axis 1", "got shape 1×4×5×5")),
        (z(1, 3, 5, 5, dtype=np.uint8), ("must be float32", "got 1×3×5×5 uint8")),
        (z(1, 3, 5, 5, dtype=bool), ("must be float32", "got 1×3×5×5 bool")),
        (z(1, 3, 2, 2), ("conv2d: the kernel reaches over 3 pixels, the padded input has 2",)),
        (z(1, 3, 9, 9), ("linear: weight takes 36 features, the last axis of x has 196",)),
    ],
)
def test_inputs_that_do_not_fit(model, x, parts):
    with pytest.raises(ShapeError) as caught:
        model(x)
    for part in parts:
        assert part in str(caught.value)


def test_number_of_inputs(model):
    with pytest.raises(ShapeError, match=r"takes 1 input\(s\) \['input'\], got 2"):
        model(X, X)
    with pytest.raises(ShapeError, match=r"inputs are \['input'\], got \['image'\]"):
        model.run({"image": X})


def test_unknown_layers(model):
    with pytest.raises(ModelError, match=r"there is no layer or output 'outputs'; did you mean output"):
        model.run({"input": z(1, 3, 5, 5)}, ["outputs"])


def test_unequal_batches():
    class Sum(nn.Module):
        def forward(self, x, y):
            return x + y

    with gpucnn.compile(Sum(), [(1, 3), (1, 3)]) as made, pytest.raises(ShapeError, match="one batch size"):
        made(z(2, 3), z(3, 3))


def test_a_closed_model():
    made = gpucnn.compile(nn.ReLU(), (1, 3))
    made.close()
    made.close()
    with pytest.raises(GpucnnError, match="the model is closed"):
        made(z(1, 3))


def test_devices_and_precisions():
    with pytest.raises(DeviceError, match="tpu"):
        gpucnn.compile(nn.ReLU(), (1, 3), device="tpu")
    with pytest.raises(UnsupportedError, match="float16"):
        gpucnn.compile(nn.ReLU(), (1, 3), device="cpu", precision="float16")
    with pytest.raises(UnsupportedError, match=r"precision must be .*got 'int3'"):
        gpucnn.compile(nn.ReLU(), (1, 3), device="cpu", precision="int3")


@pytest.mark.parametrize(
    ("name", "near"), [("resnet5", "resnet50"), ("mobilenetv2", "mobilenet_v2"), ("efficientnet-lite0", "efficientnet_lite0")]
)
def test_unknown_models_have_near_matches(name, near):
    for ask in (zoo.create, gpucnn.load):
        with pytest.raises(ModelError) as caught:
            ask(name)
        assert name in str(caught.value)
        assert near in str(caught.value)


def test_nothing_like_it():
    with pytest.raises(ModelError, match=r"unknown model 'qqqqqqqqqqqq'"):
        gpucnn.load("qqqqqqqqqqqq")


@pytest.mark.parametrize("path", ["missing/weights.npz", "missing.safetensors", "./missing"])
def test_missing_files(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="missing"):
        gpucnn.load(path)
    with pytest.raises(ModelError, match=re.escape("missing")):
        gpucnn.load("resnet18", weights=path)


def test_a_net_without_trained_weights_is_refused():
    with pytest.raises(ModelError, match=r"resnet18: no trained weights .*weights="):
        gpucnn.load("resnet18")
