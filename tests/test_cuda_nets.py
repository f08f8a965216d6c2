"""Whole nets through the CUDA backend on the emulator, and on a GPU where there is one, in both precisions; no step runs by reference.

float32 is held to the bound that rounding allows, and to the CPU: it may lie no further from the true values than a few times as far as
the CPU does. float16 is held to a twin: the same plan's graph, every op by its NumPy reference, which rounds where the plan stores
16 bits. Both make other roundings of the same size, so they may differ by a few times the twin's own distance from the true values.
In both, every step is held to its op's reference, on the inputs that it gets there, within the bound computed for that op.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import emulator
import numpy as np
import pytest
from close import assert_close
from drivers import driver
from emulated import EmulatorDriver
from truth import Planned, assert_true, draw_feeds, truth

from gpucnn import data, nn, zoo
from gpucnn import functional as F
from gpucnn.backends.cpu import CpuBackend
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.graph import Graph
from gpucnn.images import decode
from gpucnn.ops import Conv
from gpucnn.passes import PASSES, PASSES_FLOAT16
from gpucnn.preprocess import Preprocess, normalisation_table
from gpucnn.spec import Spec

MANY = 1000  # multiprocessors: the small tiles are chosen, which the emulator builds quickly
TIMES = 3  # as far from the truth as the CPU or the twin; what they are compared with is itself one draw of the same errors
LEAST_ON_TENSOR_CORES = 8  # input channels


@pytest.fixture(scope="module", params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def backend(request):
    if request.param == "cuda":
        yield CudaBackend(driver("cuda"))
    else:
        emulator.require()
        yield CudaBackend(EmulatorDriver(80, multiprocessors=MANY))


class Residual(nn.Module):
    """A block with a shortcut, as in ResNet."""

    def __init__(self, c: int, k: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, k, 3, stride, 1, bias=False), nn.BatchNorm2d(k)
        self.conv2, self.bn2 = nn.Conv2d(k, k, 3, 1, 1, bias=False), nn.BatchNorm2d(k)
        self.down = nn.Conv2d(c, k, 1, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.down(x))


class Inverted(nn.Module):
    """Expand, depthwise, project, as in MobileNetV2."""

    def __init__(self, c: int, stride: int) -> None:
        super().__init__()
        self.expand, self.bn1 = nn.Conv2d(c, 4 * c, 1, bias=False), nn.BatchNorm2d(4 * c)
        self.depthwise, self.bn2 = nn.Conv2d(4 * c, 4 * c, 3, stride, 1, groups=4 * c, bias=False), nn.BatchNorm2d(4 * c)
        self.project, self.bn3 = nn.Conv2d(4 * c, c, 1, bias=False), nn.BatchNorm2d(c)
        self.shortcut = stride == 1

    def forward(self, x):
        y = F.relu6(self.bn1(self.expand(x)))
        y = self.bn3(self.project(F.relu6(self.bn2(self.depthwise(y)))))
        return y + x if self.shortcut else y


class Mixed(nn.Module):
    """Along the last axis, as in ConvNeXt."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(c, c, 7, padding=3, groups=c), nn.LayerNorm(c, 1e-6)
        self.expand, self.project = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def forward(self, x):
        y = self.norm(F.permute(self.depthwise(x), (0, 2, 3, 1)))
        return F.permute(self.project(F.relu(self.expand(y))), (0, 3, 1, 2)) * np.full((x.shape[1], 1, 1), 0.5, np.float32) + x


def norms():
    """One of each, on channels that allow 16 bytes an access and on some that do not."""
    head = nn.Sequential(nn.Conv2d(3, 8, 4, 4), Mixed(8), nn.GroupNorm(2, 8), nn.ReLU())
    middle = nn.Sequential(nn.Conv2d(8, 6, 1), nn.InstanceNorm2d(6, affine=True))
    tail = nn.Sequential(nn.LocalResponseNorm(3, 1.0), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.LayerNorm(5))
    return nn.Sequential(head, middle, tail)


def residual():
    """With channels that allow 16 bytes an access, and some that allow less."""
    head = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.MaxPool2d(3, 2, 1), Residual(8, 16, 2), nn.BatchNorm2d(16), nn.ReLU())
    return nn.Sequential(head, nn.Conv2d(16, 10, 3), nn.Conv2d(10, 12, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5))


def mobilenet():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, "same"), Inverted(8, 1), Inverted(8, 2), nn.AvgPool2d(2))


def drawn(net: nn.Module) -> nn.Module:
    """With norms that do something."""
    rng = np.random.default_rng(0)
    state = dict(net.state_dict())
    for k, a in state.items():
        if k.endswith("running_var"):
            state[k] = rng.uniform(0.5, 1.5, a.shape).astype(np.float32)
        elif k.endswith("running_mean"):
            state[k] = rng.standard_normal(a.shape).astype(np.float32) * 0.1
    net.load_state_dict(state)
    return net


def whole(net: nn.Module, shape: tuple[int, ...]) -> Graph:
    graph = Graph()
    graph.outputs = {"y": nn.record(net, graph, graph.input("x", Spec(shape, np.dtype(np.float32))))[0]}
    return graph


@lru_cache(maxsize=1)
def trained() -> nn.Module:
    return zoo.create("efficientnet_lite0", weights=data.folder("efficientnet_lite0") / "model.safetensors")


RECORD = Preprocess((64, 64), 64, "bicubic", (0.498,) * 3, (0.502,) * 3)


def photograph() -> Graph:
    """The packaged EfficientNet-Lite0 from bytes to probabilities, at 64×64."""
    graph = Graph()
    x = graph.input("x", Spec((1, 3, 64, 64), np.dtype(np.uint8)), "channels_last")
    logits = nn.record(trained(), graph, F.lookup(x, normalisation_table(RECORD)))[0]
    graph.outputs = {"y": F.softmax(logits, 1), "logits": logits}
    return graph


MADE = {"lenet5": drawn(zoo.create("lenet5")), "residual": drawn(residual()), "mobilenet": drawn(mobilenet()), "norms": norms()}

NETS = {
    "lenet5": lambda: whole(MADE["lenet5"], (2, 1, 32, 32)),
    "residual": lambda: whole(MADE["residual"], (2, 3, 33, 33)),
    "mobilenet": lambda: whole(MADE["mobilenet"], (2, 3, 24, 24)),
    "norms": lambda: whole(MADE["norms"], (2, 3, 24, 24)),
    "efficientnet_lite0": photograph,
}
"""Graphs, recorded anew at every call of one net."""


def fed(graph: Graph) -> dict[str, Any]:
    if graph.inputs["x"].dtype == np.uint8:
        return {"x": decode(data.folder("photos") / "chelsea.jpg", RECORD).transpose(2, 0, 1)[None]}
    return draw_feeds(graph)


def true_values(graph: Graph, feeds: dict[str, Any]) -> dict[str, Any]:
    """Every output in float64."""
    return evaluate(graph, {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in feeds.items()}, np.float64)


def evaluate(graph: Graph, feeds: dict[str, Any], dtype: Any = None) -> dict[str, Any]:
    """The graph's ops one after the other by their references; constants as they are, or in ``dtype``."""
    known: dict[Any, Any] = {v: feeds[name] for name, v in graph.inputs.items()}

    def array(v: Any) -> Any:
        if v is None or not v.is_constant:
            return None if v is None else known[v]
        return v.data if dtype is None or v.dtype.kind != "f" else v.data.astype(dtype)

    for node in graph.nodes:
        known.update(zip(node.outputs, node.op.reference(np, *map(array, node.inputs))))
    return {name: known[v] for name, v in graph.outputs.items()}


def distance(a: Any, b: Any) -> float:
    return float(np.abs(a.astype(np.float64) - b).max())


@pytest.mark.parametrize("name", NETS)
def test_float32(name, backend):
    graph = NETS[name]()
    feeds = fed(graph)
    exact = true_values(graph, feeds)
    bounds = truth(graph, feeds) if name != "efficientnet_lite0" else {}  # a worst case composed over 50 layers allows anything
    on_cpu = Planned(NETS[name](), backend=CpuBackend()).run(feeds)
    planned = Planned(graph, backend=backend, passes=PASSES)
    assert planned.plan.slow_steps == ()
    first, second = planned.run(feeds), planned.run(feeds)
    for key, y in first.items():
        if key in bounds:
            assert_true(y, bounds[key])
        rounding = float(np.finfo(np.float32).eps * np.abs(exact[key]).max())  # the CPU may be nearer than that by luck
        assert distance(y, exact[key]) <= TIMES * max(distance(on_cpu[key], exact[key]), rounding), key
        np.testing.assert_array_equal(y.view(np.uint32), second[key].view(np.uint32))


@pytest.mark.parametrize("name", NETS)
def test_float16(name, backend):
    graph = NETS[name]()
    feeds = fed(graph)
    exact = true_values(graph, feeds)
    planned = Planned(graph, backend=backend, passes=PASSES_FLOAT16)
    assert planned.plan.slow_steps == ()
    twin = evaluate(planned.plan.graph, feeds)
    first, second = planned.run(feeds), planned.run(feeds)
    for key, y in first.items():
        assert y.dtype == np.float32
        assert distance(y, twin[key]) <= TIMES * distance(twin[key], exact[key]), key
        np.testing.assert_array_equal(y.view(np.uint32), second[key].view(np.uint32))
    assert any(v.dtype == np.float16 for v in planned.plan.graph.placements)
    for step in planned.plan.steps:
        if isinstance(step.node.op, Conv) and step.node.op.groups == 1 and step.node.specs[0].shape[1] >= LEAST_ON_TENSOR_CORES:
            assert step.impl.name == "conv_igemm_mma"


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
@pytest.mark.parametrize("name", NETS)
def test_every_step_equals_its_reference(name, passes, backend):
    """On the very inputs that it gets in the net: so the bound is that of one op, however deep the net is."""
    graph = NETS[name]()
    feeds = fed(graph)
    program = Planned(graph, backend=backend, passes=passes).program
    with backend.session():
        program.arena[...] = 0xFF
        for key, array in feeds.items():
            backend.write(program.inputs[key], array)
        for step, call in program.calls:
            arrays = tuple(
                None if v is None else v.data if v.is_constant else backend.read(program._view(v)) for v in step.node.inputs
            )
            call()
            assert_close(step.node.op, tuple(backend.read(program._view(v)) for v in step.node.outputs), arrays)


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
@pytest.mark.parametrize("name", ["residual", "norms"])
def test_an_image_alone_and_among_seven(name, backend, passes):
    def planned(n: int) -> Planned:
        return Planned(whole(MADE[name], (n, 3, 33, 33)), backend=backend, passes=passes)

    together = planned(7)
    feeds = draw_feeds(together.plan.graph)
    y, alone = together.run(feeds)["y"], planned(1)
    for i in range(7):
        np.testing.assert_array_equal(alone.run({"x": feeds["x"][i : i + 1]})["y"][0].view(np.uint32), y[i].view(np.uint32))
