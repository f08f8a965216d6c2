"""Layers, and models made of them: names, values, ownership, threads, and what no caller should notice of the batch."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from truth import assert_true, record, truth

import gpucnn
from gpucnn import functional as F
from gpucnn import nn, zoo
from gpucnn.engine import LATENCY_BELOW, SUB_BATCH
from gpucnn.errors import ModelError, ShapeError

RNG = np.random.default_rng(3)
BATCHES = (0, 1, 3, SUB_BATCH, 7, 2 * SUB_BATCH + 1)


def images(n: int, c: int = 3, h: int = 12, w: int = 10):
    return RNG.standard_normal((n, c, h, w)).astype(np.float32)


def settle(net: nn.Module) -> nn.Module:
    """Give batch norms statistics that do something."""
    state = net.state_dict()
    for name, a in state.items():
        if name.endswith(("running_mean", "running_var")) or a.ndim == 1:
            state[name] = RNG.uniform(0.5, 1.5, a.shape).astype(np.float32)
    return net.load_state_dict(state)


class Block(nn.Module):
    """A residual block."""

    def __init__(self, c, k):
        super().__init__()
        self.conv = nn.Conv2d(c, k, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(k)
        self.relu = nn.ReLU()
        self.down = nn.Sequential(nn.Conv2d(c, k, 1), nn.BatchNorm2d(k))

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)) + self.down(x))


class Net(nn.Module):
    """Convolutions, a residual, a concatenation, a gate and a head for any size of image."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6())
        self.block = Block(8, 6)
        self.depthwise = nn.Conv2d(6, 6, 3, padding="same", groups=6)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        y = self.block(self.stem(x))
        y = F.cat([y, F.sigmoid(self.depthwise(y)) * y], 1)
        return self.head(F.flatten(F.global_avg_pool2d(y), 1))


class Apply(nn.Module):
    """A function as a net."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


@pytest.fixture(scope="module")
def net():
    return settle(Net())


@pytest.fixture(scope="module")
def model(net):
    with gpucnn.compile(net, (1, 3, 12, 10)) as made:
        yield made


def expected(net, *arrays):
    """True values and bounds of all layers and outputs."""
    graph = record(lambda *values: nn.record(net, values[0].graph, *values), *(a.shape for a in arrays))
    return truth(graph, {f"x{i}": a for i, a in enumerate(arrays)})


def same_bits(a, b):
    np.testing.assert_array_equal(np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32))


# -- modules


def test_assignment_registers():
    net = Net()
    assert [name for name, _ in net.named_modules()] == [
        "", "stem", "stem.0", "stem.1", "block", "block.conv", "block.bn", "block.relu", "block.down", "block.down.0", "block.down.1",
        "depthwise", "head",
    ]  # fmt: skip
    assert [type(m).__name__ for m in net.children()] == ["Sequential", "Block", "Conv2d", "Linear"]
    assert net.stem[0].weight.shape == (8, 3, 3, 3)
    assert net.block.conv.bias is None


def test_state_dict_has_pytorchs_names_and_order():
    bn = ["weight", "bias", "running_mean", "running_var"]
    assert list(Net().state_dict()) == [
        "stem.0.weight", "stem.0.bias", "block.conv.weight", *(f"block.bn.{n}" for n in bn), "block.down.0.weight", "block.down.0.bias",
        *(f"block.down.1.{n}" for n in bn), "depthwise.weight", "depthwise.bias", "head.weight", "head.bias",
    ]  # fmt: skip


def test_parameters_and_buffers():
    bn = nn.BatchNorm2d(3)
    assert [name for name, _ in bn.named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in bn.named_buffers()] == ["running_mean", "running_var"]
    assert bn.num_parameters() == 6
    assert nn.Conv2d(4, 6, (3, 5), groups=2).num_parameters() == 6 * 2 * 15 + 6
    assert nn.Linear(4, 6, bias=False).state_shapes() == {"weight": (6, 4)}


def test_assigning_again_replaces():
    net = Net()
    net.head = nn.Identity()
    assert "head.weight" not in net.state_dict()
    net.head = None
    assert "head" not in dict(net.named_modules())
    assert net.head is None
    net.head = nn.Linear(12, 2)
    assert list(net.state_dict())[-2:] == ["head.weight", "head.bias"]


def test_parameters_are_made_when_they_are_read():
    layer = nn.Conv2d(10_000, 10_000, 100)  # 4 TB
    assert layer.num_parameters() == 10_000 * 10_000 * 100 * 100 + 10_000
    assert layer.bias.shape == (10_000,)


def test_a_parameter_stays_what_it_was_when_first_read():
    layer = nn.Linear(3, 4)
    assert layer.weight is layer.weight
    assert np.abs(layer.weight).max() <= 1 / np.sqrt(3)
    assert len(np.unique(layer.weight)) == 12


def test_sequential():
    layers = [nn.Conv2d(3, 4, 1), nn.ReLU()]
    net = nn.Sequential(*layers)
    assert len(net) == 2
    assert list(net) == layers
    assert net[0] is layers[0]
    assert net[-1] is layers[1]
    named = nn.Sequential(OrderedDict([("conv", layers[0]), ("act", layers[1])]))
    assert list(named.state_dict()) == ["conv.weight", "conv.bias"]
    x = images(2)
    np.testing.assert_array_equal(named(x), net(x))
    np.testing.assert_array_equal(nn.Sequential()(x), x)


def test_module_list():
    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    net = Tower()
    assert list(net.state_dict()) == ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
    x = images(5)[:, 0, 0, :4]
    with gpucnn.compile(net, (1, 4)) as made:
        assert_true(made(x), expected(net, x)["0"])
        assert made.layers == ("layers.0", "layers.1")


def test_state_goes_round():
    one, other = settle(Net()), Net()
    assert other.load_state_dict(one.state_dict()) is other
    x = images(2)
    np.testing.assert_array_equal(one(x), other(x))


def test_repr_shows_the_layers():
    text = repr(Net())
    assert "(stem): Sequential(" in text
    assert "kernel_size=(3, 3)" in text


LAYERS = (
    nn.Conv2d(3, 4, 3, 2, ((0, 1), (2, 0)), 1), nn.Conv2d(3, 6, (1, 3), padding="same", groups=3, bias=False), nn.BatchNorm2d(3, eps=1e-3),
    nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.5, 0.25), nn.Sigmoid(), nn.Tanh(), nn.Softmax(1), nn.Softmax(-1), nn.MaxPool2d(3, 2, 1),
    nn.MaxPool2d(2, dilation=2, ceil_mode=True, padding=1), nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.AvgPool2d(2, ceil_mode=True),
    nn.AvgPool2d(2, divisor_override=3), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((5, 3)), nn.AdaptiveAvgPool2d((6, 5)), nn.Flatten(),
    nn.ChannelShuffle(3), nn.Unflatten(2, (4, -1)), nn.PixelUnshuffle(2), nn.Sequential(nn.PixelUnshuffle(2), nn.PixelShuffle(2)),
    nn.ZeroPad2d(2), nn.ConstantPad2d((1, 0, -2, 3), 0.5), nn.ReflectionPad2d((1, 2, 3, 4)), nn.ReplicationPad2d(1), nn.CircularPad2d(3),
    nn.Dropout2d(0.2),
    nn.Upsample(scale_factor=1.5), nn.Upsample((7, 9), mode="bilinear"), nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True),
    nn.UpsamplingNearest2d(20), nn.UpsamplingBilinear2d(scale_factor=2),
    nn.Flatten(2), nn.Linear(10, 4), nn.Dropout(0.3), nn.Identity(), nn.MinPool2d(3, 2, 1), nn.MinPool2d(2, 1, 1, 2, True),
    nn.LeakyReLU(0.2, True), nn.PReLU(), nn.PReLU(3, 0.1), nn.ELU(0.5), nn.SELU(), nn.CELU(2.0), nn.SiLU(True), nn.Mish(), nn.Hardswish(),
    nn.Hardsigmoid(), nn.GELU(), nn.GELU("tanh"), nn.Softplus(2, 1.5), nn.Softsign(), nn.LogSigmoid(), nn.GLU(-1), nn.GLU(2),
    nn.LogSoftmax(1), nn.Softmin(-1), nn.Threshold(0.3, -1), nn.Softshrink(), nn.Hardshrink(0.7), nn.Tanhshrink(),
    nn.LayerNorm(10), nn.LayerNorm((12, 10), 1e-6, bias=False), nn.LayerNorm([3, 12, 10], elementwise_affine=False), nn.RMSNorm(10),
    nn.RMSNorm(10, 1e-5, False), nn.GroupNorm(3, 3), nn.GroupNorm(1, 3, affine=False), nn.InstanceNorm2d(3),
    nn.InstanceNorm2d(3, affine=True), nn.InstanceNorm2d(3, track_running_stats=True), nn.LocalResponseNorm(2, 2.0),
    nn.LocalResponseNorm(5, beta=0.5, k=2.0),
    nn.LPPool2d(2, 3, 2), nn.LPPool2d(3.0, (2, 3), padding=1, dilation=2), nn.AdaptiveMaxPool2d(1), nn.AdaptiveMaxPool2d((6, 5)),
    nn.AdaptiveMaxPool2d((5, None)), nn.AdaptiveAvgPool2d((None, 3)), nn.GlobalAvgPool2d(), nn.GlobalMaxPool2d(), nn.GlobalMinPool2d(),
    nn.GlobalLPPool2d(3.0), nn.FractionalMaxPool2d(2, output_ratio=0.7), nn.FractionalMaxPool2d((3, 2), (5, 8), seed=3),
    nn.FractionalMaxPool2d(2, 6, samples=np.float32([[[0.1, 0.9], [0.5, 0.0], [0.3, 0.7]]])),
)  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_layer_equals_its_functional_and_its_model(layer):
    x = images(5)
    exact = expected(layer, x)["0"]
    assert_true(layer(x), exact)
    with gpucnn.compile(layer, (1, 3, 12, 10)) as made:
        assert_true(made(x), exact)
        assert_true(made(x[:1]), tuple(a[:1] for a in exact))


@pytest.mark.parametrize("name", ["Zero", "Constant", "Reflection", "Replication", "Circular"])
@pytest.mark.parametrize("axes", [1, 3])
def test_pads_of_lines_and_volumes(name, axes):
    """As NumPy pads, the last axis first; and a net does as the layer."""
    sides, sizes = ((2, 1),) if axes == 1 else ((0, 1), (1, 2), (2, 0)), (5,) if axes == 1 else (3, 4, 5)
    x = np.random.default_rng(0).standard_normal((5, 2, *sizes), np.float32)
    layer = getattr(nn, f"{name}Pad{axes}d")(tuple(n for pair in reversed(sides) for n in pair), *(3.5,) * (name == "Constant"))
    mode = {"Reflection": "reflect", "Replication": "edge", "Circular": "wrap"}.get(name, "constant")
    values = {"constant_values": 3.5} if name == "Constant" else {}
    right = np.pad(x, ((0, 0), (0, 0), *sides), mode, **values)
    np.testing.assert_array_equal(layer(x), right)
    with gpucnn.compile(layer, (1, 2, *sizes)) as made:
        np.testing.assert_array_equal(made(x), right)
        np.testing.assert_array_equal(made(x[:1]), right[:1])


def test_pooling_with_indices():
    net, x = nn.MaxPool2d(2, return_indices=True), images(5)
    y, where = net(x)
    with gpucnn.compile(net, (1, 3, 12, 10)) as made:
        again, there = made(x)
    np.testing.assert_array_equal(y, again)
    np.testing.assert_array_equal(where, there)
    np.testing.assert_array_equal(np.take_along_axis(x.reshape(5, 3, -1), where.reshape(5, 3, -1), 2).reshape(y.shape), y)


def test_pools_with_indices_and_the_way_back():
    class Back(nn.Module):
        def __init__(self, pool):
            super().__init__()
            self.pool, self.back = pool, nn.MaxUnpool2d((2, 3))

        def forward(self, x):
            y, where = self.pool(x)
            return y, where, self.back(y, where, (12, 10))

    x = images(5)
    sampled = nn.FractionalMaxPool2d((2, 3), (6, 3), None, True)
    for pool in (nn.MaxPool2d((2, 3), return_indices=True), nn.AdaptiveMaxPool2d((6, 3), True), sampled):
        net = Back(pool)
        y, where, back = net(x)
        with gpucnn.compile(net, (1, 3, 12, 10)) as made:
            for eager, planned in zip((y, where, back), made(x)):
                np.testing.assert_array_equal(eager, planned)
        there = np.take_along_axis(x.reshape(5, 3, -1), where.reshape(5, 3, -1), 2)
        np.testing.assert_array_equal(there.reshape(y.shape), y)
        kept = np.zeros((5, 3, 120), bool)
        np.put_along_axis(kept, where.reshape(5, 3, -1), True, 2)
        np.testing.assert_array_equal(back, np.where(kept.reshape(x.shape), x, 0))


def test_indices_that_lead_out_are_refused_in_a_model_too():
    class Back(nn.Module):
        def forward(self, x):
            return F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(11, 9))

    x = images(5)
    x[2, 1] = 0
    x[2, 1, 11, 9] = 1
    with gpucnn.compile(Back(), (1, 3, 12, 10)) as made:
        for net in (Back(), made):
            with pytest.raises(ShapeError, match=r"max_unpool2d: indices lie in \d+ to 119, the plane of 11×9 has 99 places"):
                net(x)


def test_layers_of_one_and_of_three_dimensions():
    rng = np.random.default_rng(0)
    for axes, x in ((1, rng.standard_normal((2, 3, 8))), (3, rng.standard_normal((2, 3, 4, 6, 5)))):
        layers = [
            getattr(nn, f"MaxPool{axes}d")(2), getattr(nn, f"MinPool{axes}d")(2, 1, 1), getattr(nn, f"AvgPool{axes}d")(3, 2, 1),
            getattr(nn, f"LPPool{axes}d")(3, 2), getattr(nn, f"AdaptiveAvgPool{axes}d")(3), getattr(nn, f"AdaptiveMaxPool{axes}d")(3),
            *(getattr(nn, f"Global{kind}Pool{axes}d")() for kind in ("Avg", "Max", "Min", "LP")),
        ]  # fmt: skip
        if axes == 3:
            layers.append(nn.FractionalMaxPool3d(2, output_ratio=0.5))
        for layer in layers:
            y = layer(x)
            with gpucnn.compile(layer, (1, *x.shape[1:])) as made:
                assert_true(made(x.astype(np.float32)), expected(layer, x.astype(np.float32))["0"])
            assert y.shape[:2] == (2, 3)
            assert y.ndim == axes + 2
        y, where = getattr(nn, f"MaxPool{axes}d")(2, return_indices=True)(x)
        back = getattr(nn, f"MaxUnpool{axes}d")(2)(y, where, x.shape)
        assert back.shape == x.shape
        np.testing.assert_array_equal(np.sort(back[back != 0]), np.sort(y, axis=None))


def test_ranking_in_a_model():
    class Best(nn.Module):
        def forward(self, x):
            return F.topk(x, 3, 1, largest=False)

    x = images(5)
    values, places = Best()(x)
    with gpucnn.compile(Best(), (1, 3, 12, 10)) as made:
        again, there = made(x)
    np.testing.assert_array_equal(values, again)
    np.testing.assert_array_equal(places, there)
    np.testing.assert_array_equal(np.take_along_axis(x, places, 1), np.sort(x, 1))


# -- values


@pytest.mark.parametrize("n", BATCHES)
def test_a_model_equals_its_net(model, net, n):
    x = images(n)
    y = model(x)
    assert y.shape == (n, 5)
    if n:
        exact = expected(net, x)["0"]
        assert_true(y, exact)
        assert_true(net(x), exact)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 17), (12, 11)])
def test_images_of_other_sizes(model, net, size):
    for n in (1, 5):
        x = images(n, 3, *size)
        assert_true(model(x), expected(net, x)["0"])


def test_layers_have_their_paths(model):
    for name in ("stem", "stem.0", "stem.1", "block", "block.conv", "block.bn", "block.relu", "block.down.1", "depthwise", "head"):
        assert name in model.layers


@pytest.mark.parametrize("n", [1, 5])
def test_every_layer_can_be_asked_for(model, net, n):
    x = images(n)
    exact = expected(net, x)
    values = model.run({"input": x}, model.layers)
    assert set(values) == set(model.layers)
    for name, y in values.items():
        assert_true(y, exact[name], f"{name}: ")
        (alone,) = model.run({"input": x}, [name]).values()
        assert_true(alone, exact[name], f"{name} alone: ")


def test_layers_and_outputs_together(model):
    x = images(2)
    y = model.run({"input": x}, ["head", "output", "block.conv"])
    assert list(y) == ["head", "output", "block.conv"]
    np.testing.assert_array_equal(y["head"], y["output"])
    assert y["block.conv"].min() < 0  # before the activation that is fused into it
    assert list(model.run({"input": x})) == ["output"]


def test_a_layer_of_several_ops_is_what_it_returns():
    swish = Apply(lambda x: x * F.sigmoid(x))
    net = nn.Sequential(OrderedDict(first=nn.ReLU(), swish=swish, last=nn.Tanh()))
    x = images(2)
    with gpucnn.compile(net, (1, 3, 12, 10)) as made:
        y = made.run({"input": x}, ["first", "swish", "last"])
    assert_true(y["swish"], expected(swish, np.maximum(x, 0))["0"])
    np.testing.assert_array_equal(y["last"], np.tanh(y["swish"]))


def test_a_layer_used_twice_has_two_values():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return self.linear(F.relu(self.linear(x)))

    net, x = Twice(), images(1)[0, 0, :, :4]
    with gpucnn.compile(net, (1, 4)) as made:
        y = made.run({"input": x}, ["linear", "linear_1", "output"])
    same_bits(y["linear_1"], y["output"])
    assert_true(y["linear"], expected(net.linear, x)["0"])


# -- several inputs and outputs


def test_several_inputs_and_outputs():
    net = Apply(lambda x, y: (x + y, F.relu(x), y))
    with gpucnn.compile(net, [(1, 3, 4, 4), (1, 3, 4, 4)]) as made:
        assert [p.name for p in made.inputs] == ["input_0", "input_1"]
        assert [p.shape for p in made.outputs] == [("n", 3, 4, 4)] * 3
        for n in BATCHES:
            a, b = images(n, 3, 4, 4), images(n, 3, 4, 4)
            total, positive, other = made(a, b)
            same_bits(total, a + b)
            same_bits(positive, np.maximum(a, 0))
            same_bits(other, b)
            assert not np.shares_memory(other, b)
            y = made.run({"input_1": b, "input_0": a}, ["output_2"])
            same_bits(y["output_2"], b)


def test_an_output_may_be_the_input_or_stand_there_twice():
    with gpucnn.compile(Apply(lambda x: (F.dropout(x), x, F.relu(x), F.relu(x))), (1, 3)) as made:
        x = images(5)[:, :, 0, 0]
        a, b, c, d = made(x)
        same_bits(a, x)
        same_bits(b, x)
        same_bits(c, d)
        a[:] = 0
        assert not np.shares_memory(a, b)
        assert b.any()


# -- ownership and threads


def test_results_belong_to_the_caller(model):
    for n in (1, 5):
        first = model(images(n))
        kept = first.copy()
        second = model(images(n))
        same_bits(first, kept)
        assert not np.shares_memory(first, second)
        assert first.flags.writeable
        assert first.flags.c_contiguous
        first[:] = 0
        assert not np.array_equal(second, first)


def test_inputs_are_left_as_they_are(model):
    for n in (1, 5):
        x = images(n)
        kept = x.copy()
        x.flags.writeable = False
        model(x)
        same_bits(x, kept)


def test_a_model_keeps_the_weights_that_it_was_made_with():
    net, x = settle(Net()), images(5)
    with gpucnn.compile(net, (1, 3, 12, 10)) as made:
        before = expected(net, x)
        made(x[:1])
        net.load_state_dict({name: 2 * a for name, a in net.state_dict().items()})
        assert_true(made(x[:1]), tuple(a[:1] for a in before["0"]))
        assert_true(made(x), before["0"])
        for name in ("block.conv", "block.bn", "head"):
            assert_true(made.run({"input": x}, [name])[name], before[name])


def test_eight_threads_on_one_model(model):
    batches = [images(n) for n in (1, 5, 2, 9, 4, 1, 7, 3)] * 4
    alone = [model(x) for x in batches]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(model, batches))
    for a, b in zip(alone, together):
        same_bits(a, b)


def test_eight_threads_on_a_model_that_nobody_has_run(net):
    batches = [images(n, 3, 9, 9 + n % 3) for n in (1, 5, 2, 9, 4, 1, 7, 3)]
    with gpucnn.compile(net, (1, 3, 12, 10)) as fresh, ThreadPoolExecutor(8) as pool:
        together = list(pool.map(fresh, batches))
        for x, y in zip(batches, together):
            same_bits(fresh(x), y)


def test_two_models_at_once(net, model):
    with gpucnn.compile(net, (1, 3, 12, 10)) as other, ThreadPoolExecutor(4) as pool:
        x = images(5)
        right = model(x), model(x[:1])
        results = list(pool.map(lambda i: ((model, other)[i % 2](x), (other, model)[i % 2](x[:1])), range(12)))
    for many, one in results:
        same_bits(many, right[0])
        same_bits(one, right[1])


# -- the batch


@pytest.mark.parametrize("throughput", [True, False])
def test_bits_do_not_depend_on_neighbours_or_place(model, throughput):
    """Within a plan: alone, anywhere in a batch, and whatever lies beside it."""

    def run(x):
        if throughput:
            return model._run({"input": x}, None, throughput=True)["output"]
        return np.concatenate([model(x[i : i + LATENCY_BELOW - 1]) for i in range(0, len(x), LATENCY_BELOW - 1)])

    x = images(11)
    together = run(x)
    for i in range(11):
        same_bits(run(x[i : i + 1])[0], together[i])
    same_bits(run(x[::-1]), together[::-1])
    same_bits(run(x[3:10]), together[3:10])
    special = x.copy()
    special[::2] = np.nan
    same_bits(run(special)[1::2], together[1::2])


def test_four_or_more_images_take_the_throughput_plan(model):
    x = images(9)
    same_bits(model(x), model._run({"input": x}, None, throughput=True)["output"])
    same_bits(model(x)[:4], model(x[:4]))
    same_bits(model(x[:3])[2], model(x[2:3])[0])


def test_the_scorers_bits_do_not_depend_on_the_batch():
    state = {name: RNG.standard_normal(s).astype(np.float32) * 0.1 for name, s in zoo.create("lenet5").state_shapes().items()}
    with gpucnn.load("lenet5", weights=state) as lenet:
        scorer = lenet.scorer()
        h, w = lenet.preprocess.size
        x = RNG.integers(0, 256, (64, h, w, 1), np.uint8)
        scores = scorer(x)
        assert scores.shape == (64, 10)
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=16 * np.finfo(np.float32).eps)
        for n in (1, 3, 7):
            same_bits(scorer(x[:n]), scores[:n])
            same_bits(scorer(x[64 - n :]), scores[64 - n :])
        assert scorer(x[:0]).shape == (0, 10)


MIXING = {
    "softmax over the batch": lambda x: F.softmax(x, 0),
    "flatten everything": lambda x: F.flatten(x, 0),
    "one row": lambda x: F.reshape(x, (1, -1)),
    "rows of four": lambda x: F.reshape(x, (-1, 4)),
    "batch behind": lambda x: F.permute(x, (1, 0)),
    "twice as many": lambda x: F.cat([x, F.relu(x)], 0),
    "kept, and mixed": lambda x: (F.relu(x), F.softmax(x, 0)),
    "squeezed": lambda x: F.squeeze(F.unsqueeze(x, 2)),
    "squeezed at the batch": lambda x: F.squeeze(x, 0),
    "mean": F.mean,
    "all of a column": lambda x: F.all(x, 0),
    "product of a column, kept": lambda x: F.prod(x, 0, keepdim=True),
    "constant beside": lambda x: (F.relu(x), F.softmax(x * 0, 0)),
}


@pytest.mark.parametrize("function", MIXING.values(), ids=MIXING)
@pytest.mark.parametrize("declared", [1, 4])
def test_nets_that_mix_the_batch_run_it_whole(function, declared):
    with gpucnn.compile(Apply(function), (declared, 4)) as made:
        for n in (0, 1, 3, 4, 5, 9):
            x = images(n)[:, 0, :4, 0]
            y, right = made(x), function(x)
            for a, b in zip(*((v,) if not isinstance(v, tuple) else v for v in (y, right))):
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=16 * np.finfo(np.float32).eps)


def test_a_net_for_one_batch_size_alone():
    """Its author wrote four into it: four works, and nothing else comes back wrong."""
    function = lambda x: F.reshape(x, (4, -1)) + np.ones((4, 1), np.float32)  # noqa: E731
    with gpucnn.compile(Apply(function), (4, 3, 4)) as made:
        x = images(8)[:, :, :4, 0]
        same_bits(made(x[:4]), function(x[:4]))
        for n in (1, 2, 6):
            np.testing.assert_array_equal(made(x[:n]), function(x[:n]))


def test_a_mixing_net_in_front_of_weights_for_one_size():
    net = nn.Sequential(nn.Flatten(0), nn.Linear(24, 3))
    x = images(4)[:, :, :2, 0]
    with gpucnn.compile(net, (4, 3, 2)) as made:
        assert_true(made(x), expected(net, x)["0"])
        assert made.outputs[0].shape == (3,)
        with pytest.raises(gpucnn.errors.ShapeError, match="linear: weight takes 24 features"):
            made(x[:3])


# -- arrays as they come


def _lying(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def _read_only(x):
    x.flags.writeable = False
    return x


FORMS = {
    "Fortran order": np.asfortranarray,
    "channels last": _lying,
    "negative strides": lambda x: x[::-1, ::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1, ::-1],
    "every second": lambda x: np.repeat(np.repeat(x, 2, axis=3), 2, axis=0)[::2, :, :, ::2],
    "read only": _read_only,
    "float64": lambda x: x.astype(np.float64),
    "big endian": lambda x: x.astype(">f4"),
    "a list": lambda x: x.tolist(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("n", [1, 5])
def test_any_array_of_these_values_will_do(model, net, form, n):
    x = images(n)
    right = model(x)
    same_bits(model(form(x.copy())), right)


def test_half_precision_arrays_are_widened(model):
    x = images(5).astype(np.float16)
    y = model(x)
    assert y.dtype == np.float32
    same_bits(y, model(x.astype(np.float32)))


@pytest.mark.parametrize("n", [1, 5])
def test_nan_and_infinity_go_through_without_a_word(model, net, n):
    x = images(n)
    x[0, 0, 0, 0] = np.nan
    large = images(n)
    large[0] = np.inf
    huge = images(n).astype(np.float64) * 1e300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(model(x)[0]).all()
        assert not np.isnan(model(x)[1:]).any()
        assert not np.isfinite(model(large)[0]).any()
        model(huge)
        assert np.isnan(net(x)[0]).all()
        net(large)


def test_functionals_take_lists_and_leave_arrays_alone():
    x = images(2)
    kept = x.copy()
    y = F.relu(x)
    assert not np.shares_memory(x, y)
    same_bits(x, kept)
    assert not np.shares_memory(F.flatten(x, 1), x)
    assert not np.shares_memory(F.dropout(x), x)
    assert F.relu([[-1.0, 2.0]]).tolist() == [[0.0, 2.0]]


def test_arithmetic_with_arrays_and_numbers():
    bias = images(1)[0, :, :1, :1]
    net = Apply(lambda x: 2 * (1 - x) / 4 + bias - x * 0.5 + (bias + x) + 1 / (F.sigmoid(x) + 1))
    x = images(5)
    with gpucnn.compile(net, (1, 3, 12, 10)) as made:
        np.testing.assert_allclose(made(x), net(x), rtol=0, atol=64 * np.finfo(np.float32).eps)


def test_describe_names_every_step(model):
    text = model.describe()
    assert "head" in text
    assert "conv_depthwise" in text
    assert "reference" not in text
    assert repr(model) == "<gpucnn.Model Net on cpu in float32>"


def test_labels_must_fit():
    state = {name: np.zeros(s, np.float32) for name, s in zoo.create("lenet5").state_shapes().items()}
    with pytest.raises(ModelError, match="2 labels were given"):
        gpucnn.load("lenet5", weights=state, labels=["one", "two"])


def test_one_weight_behind_maps_of_unlike_shape():
    """Flatten is folded into the weight's columns, another way for each map: what is kept for one must not serve the other."""

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.narrow, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 2, 1), nn.Linear(24, 3)

        def forward(self, x):
            few = F.max_pool2d(self.wide(x), (1, 3))
            return self.head(F.flatten(few, 1)), self.head(F.flatten(self.narrow(x), 1))

    net, x = Shared(), images(5, 3, 2, 6)
    exact = expected(net, x)
    with gpucnn.compile(net, (1, 3, 2, 6)) as made:
        for name in ("head_1", "head"):
            assert_true(made.run({"input": x}, [name])[name], exact[name], f"{name}: ")
        for i, y in enumerate(made(x)):
            assert_true(y, exact[str(i)])


def test_more_sizes_than_a_model_keeps(model, net):
    sizes = [(h, w) for h in (3, 4, 5, 6) for w in (3, 5, 7)]
    for h, w in [*sizes, *sizes[::-1]]:
        x = images(1, 3, h, w)
        assert_true(model(x), expected(net, x)["0"])


def test_describe_calls_no_weight_of_a_norm_a_residual():
    with gpucnn.compile(nn.BatchNorm2d(3), (1, 3, 4, 4)) as made:
        assert "residual" not in made.describe()
