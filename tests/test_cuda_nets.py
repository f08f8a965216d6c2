"""Whole nets through the CUDA backend on the emulator, float32: within the bound that rounding allows, from poisoned memory."""

from __future__ import annotations

import emulator
import numpy as np
import pytest
from emulated import EmulatorDriver
from truth import verify

from gpucnn import functional as F
from gpucnn import nn, zoo
from gpucnn.backends.cuda import CudaBackend
from gpucnn.graph import Graph
from gpucnn.ops import Linear
from gpucnn.spec import Spec

MANY = 1000  # multiprocessors: the small tiles are chosen, which the emulator builds quickly


@pytest.fixture(autouse=True, scope="module")
def _usable():
    emulator.require()


@pytest.fixture(scope="module")
def backend():
    return CudaBackend(EmulatorDriver(80, multiprocessors=MANY))


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


def residual():
    return nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.MaxPool2d(3, 2, 1), Residual(8, 16, 2), nn.AdaptiveAvgPool2d(1))


def mobilenet():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, "same"), Inverted(8, 1), Inverted(8, 2), nn.AvgPool2d(2))


NETS = {
    "lenet5": (lambda: zoo.create("lenet5"), (2, 1, 32, 32)),
    "residual": (residual, (2, 3, 33, 33)),
    "mobilenet": (mobilenet, (2, 3, 24, 24)),
}


@pytest.mark.parametrize("name", NETS)
def test_a_net_equals_its_true_values(name, backend):
    make, shape = NETS[name]
    net = make()
    rng = np.random.default_rng(0)
    state = dict(net.state_dict())
    for k, a in state.items():  # norms that do something
        if k.endswith("running_var"):
            state[k] = rng.uniform(0.5, 1.5, a.shape).astype(np.float32)
        elif k.endswith("running_mean"):
            state[k] = rng.standard_normal(a.shape).astype(np.float32) * 0.1
    net.load_state_dict(state)
    graph = Graph()
    graph.outputs = {"y": nn.record(net, graph, graph.input("x", Spec(shape, np.dtype(np.float32))))[0]}
    planned = verify(graph, backend=backend)
    by_reference = [step.node.op for step in planned.plan.slow_steps]
    assert all(isinstance(op, Linear) for op in by_reference), "only the dense layer has no kernel yet"
