"""A small net of every family of the zoo, from end to end on the CPU and step by step on a GPU, or the emulator of one, in both precisions:
no step by reference, every step and the scores as they should be.

Each step is held to its op's reference on the inputs that it gets there, within the bound computed for that op. What the passes make of
the net is held to the net in float64, with the same net computed op by op in float32 as the yardstick: a worst case composed over so many
layers would allow anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import emulator
import numpy as np
import pytest
from close import assert_close
from drivers import driver
from emulated import EmulatorDriver
from truth import Planned

import gpucnn
from gpucnn import nn
from gpucnn.backends.cpu import CpuBackend
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.graph import Graph
from gpucnn.passes import PASSES, PASSES_CPU, PASSES_FLOAT16
from gpucnn.spec import Spec
from gpucnn.zoo.alexnet import AlexNet
from gpucnn.zoo.convnext import ConvNeXt
from gpucnn.zoo.densenet import DenseNet
from gpucnn.zoo.efficientnet import EfficientNet, Stage
from gpucnn.zoo.efficientnet_lite import EfficientNetLite
from gpucnn.zoo.googlenet import GoogLeNet
from gpucnn.zoo.inception import InceptionV3
from gpucnn.zoo.mnasnet import MNASNet
from gpucnn.zoo.mobilenet import MobileNetV2
from gpucnn.zoo.mobilenet_v3 import MobileNetV3
from gpucnn.zoo.regnet import RegNet
from gpucnn.zoo.resnet import BasicBlock, Bottleneck, ResNet
from gpucnn.zoo.shufflenet import ShuffleNetV2
from gpucnn.zoo.squeezenet import SqueezeNet

CLASSES = 24
MANY = 1000  # multiprocessors: the small tiles are chosen, which the emulator builds quickly
TIMES = 3  # as far from the truth as the net op by op: both are one draw of errors of the same size
STAGES = (Stage(3, 1, 1, 8, 1), Stage(5, 2, 4, 16, 2), Stage(3, 1, 1, 16, 1, fused=True), Stage(3, 2, 4, 24, 2, fused=True))


def light(kind: type[nn.Module], features: int) -> Callable[..., nn.Module]:
    """A net whose dense layers, with nearly all its weights, are one."""

    def build(num_classes: int) -> nn.Module:
        net = kind(num_classes=num_classes)
        net.classifier = nn.Linear(features, num_classes)
        return net

    return build


NETS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "alexnet": (light(AlexNet, 256 * 6 * 6), 63),
    "convnext": (partial(ConvNeXt, 8, (1, 1, 2, 1)), 33),
    "densenet": (partial(DenseNet, 8, 4, (2, 3, 2, 2)), 33),
    "efficientnet": (partial(EfficientNet, STAGES, 8, 32, 1e-3), 33),
    "efficientnet_lite": (partial(EfficientNetLite, 0.25, 0.5), 33),
    "googlenet": (GoogLeNet, 33),
    "inception": (InceptionV3, 75),
    "mnasnet": (partial(MNASNet, 0.25), 33),
    "mobilenet_v2": (partial(MobileNetV2, 0.25), 33),
    "mobilenet_v3": (partial(MobileNetV3, "small"), 33),
    "regnet_x": (partial(RegNet, (1, 2), (16, 40), 8, False), 33),
    "regnet_y": (partial(RegNet, (1, 2), (16, 40), 8, True), 33),
    "resnet": (partial(ResNet, BasicBlock, (1, 1, 1, 1)), 33),
    "resnext": (partial(ResNet, Bottleneck, (1, 1, 1, 1), groups=8, group_width=4), 33),
    "shufflenet": (partial(ShuffleNetV2, (8, 16, 32, 24)), 33),
    "squeezenet": (partial(SqueezeNet, "1.1"), 33),
}
"""Family to a net of few weights where it can be had, and the side of its images."""


@cache
def made(family: str) -> nn.Module:
    """With weights that keep values at one size through any depth, and norms that do something."""
    rng = np.random.default_rng(0)
    net = NETS[family][0](num_classes=CLASSES)
    state: dict[str, Any] = {}
    for name, shape in net.state_shapes().items():
        if len(shape) in (2, 4):
            state[name] = rng.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
        elif name.endswith(("running_var", "layer_scale")) or (name.endswith("weight") and len(shape) == 1):
            state[name] = rng.uniform(0.5, 1.5, shape)
        else:
            state[name] = 0.1 * rng.standard_normal(shape)
    return net.load_state_dict(state)


def images(family: str, n: int) -> np.ndarray:
    side = NETS[family][1]
    return np.random.default_rng(1).standard_normal((n, 3, side, side), np.float32)


def recorded(family: str, x: np.ndarray) -> Graph:
    graph = Graph()
    graph.outputs = {"y": nn.record(made(family), graph, graph.input("x", Spec(x.shape, x.dtype)))[0]}
    return graph


def exact(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What the net gives in float64, every op by its reference."""
    known: dict[Any, Any] = {graph.inputs["x"]: x.astype(np.float64)}
    for node in graph.nodes:
        arrays = (None if v is None else v.data.astype(np.float64) if v.is_constant else known[v] for v in node.inputs)
        known.update(zip(node.outputs, node.op.reference(np, *arrays)))
    return known[graph.outputs["y"]]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


def assert_every_step(family: str, backend: Any, passes: Any) -> None:
    """No step runs by reference, and each equals its own on the inputs that it gets in the net."""
    x = images(family, 2)
    planned = Planned(recorded(family, x), backend=backend, passes=passes)
    assert [step.node.op.name for step in planned.plan.slow_steps] == []
    program = planned.program
    with backend.session():
        program.arena[...] = 0xFF
        backend.write(program.inputs["x"], x)
        for step, call in program.calls:
            arrays = tuple(None if v is None else v.data if v.is_constant else backend.read(program._view(v)) for v in step.node.inputs)
            call()
            assert_close(step.node.op, tuple(backend.read(program._view(v)) for v in step.node.outputs), arrays)


@pytest.mark.parametrize("family", NETS)
def test_every_step_on_the_cpu(family):
    assert_every_step(family, CpuBackend(), PASSES_CPU)


@pytest.fixture(scope="module", params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def gpu(request):
    if request.param == "cuda":
        return CudaBackend(driver("cuda"))
    emulator.require()
    return CudaBackend(EmulatorDriver(80, multiprocessors=MANY))


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
@pytest.mark.parametrize("family", NETS)
def test_every_step_on_a_gpu(family, passes, gpu):
    assert_every_step(family, gpu, passes)


@pytest.mark.parametrize("family", NETS)
def test_compiled_scores_are_the_nets(family):
    x = images(family, 5)  # more than the throughput plan takes at once; fewer than four go by the other one
    true = exact(recorded(family, x[:2]), x[:2])
    net = made(family)
    by_op = net(x[:2])
    with gpucnn.compile(net, x.shape, device="cpu") as model:
        few, many = model(x[:2]), model(x)
    assert many.shape == (5, CLASSES)
    limit = TIMES * distance(by_op, true)
    assert limit < distance(true[0], true[1]) / 100, "the scores say nothing of the image"
    assert distance(few, true) <= limit
    assert distance(many[:2], true) <= limit

