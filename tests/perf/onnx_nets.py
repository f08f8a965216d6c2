"""Architectures of torchvision's and timm's with random weights, exported to ONNX by both of PyTorch's exporters.

The convolutional networks of this list were taken because their exports differ: how they pad, split, join, pool, normalise and reshape.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch_nets import SEED, images
from zoo import torchvision

CALIBRATION_IMAGES = 4
ABOVE = 100  # how far variances are above the norm's epsilon: a wrong epsilon shows, the right one drowns nothing


class Net(NamedTuple):
    """Where a network comes from, the side of its image, what its export shows, whether its height and width stay free."""

    source: str
    side: int
    shows: str
    any_size: bool = False
    attends: bool = False  # by a function that opset 11 cannot say


NETS = {
    "resnet50": Net("torchvision", 224, "bottlenecks"),
    "mobilenet_v2": Net("torchvision", 224, "ReLU6"),
    "mobilenet_v3_large": Net("torchvision", 224, "Hardswish, squeeze-and-excitation by Hardsigmoid"),
    "efficientnet_b0": Net("torchvision", 224, "SiLU, squeeze-and-excitation"),
    "densenet121": Net("torchvision", 224, "concatenation of all before, norm before convolution"),
    "shufflenet_v2_x1_0": Net("torchvision", 224, "channel shuffle, halves"),
    "squeezenet1_1": Net("torchvision", 224, "max pools that round up, a convolution as head"),
    "googlenet": Net("torchvision", 224, "branches, channels taken one by one to change their range"),
    "regnet_y_400mf": Net("torchvision", 224, "grouped convolutions"),
    "convnext_tiny": Net("torchvision", 224, "LayerNorm between transpositions, GELU, layer scale"),
    "mnasnet0_5": Net("torchvision", 224, "mean over the map"),
    "lraspp_mobilenet_v3_large": Net("torchvision", 224, "segmentation: bilinear to the input's size", any_size=True),
    "tf_efficientnet_lite0": Net("timm", 224, "padding computed from the size", any_size=True),
    "tf_mixnet_s": Net("timm", 224, "channels split over kernel sizes, padding computed from the size", any_size=True),
    "ghostnet_100": Net("timm", 224, "concatenation, then a slice of it"),
    "repvgg_a0": Net("timm", 224, "sum of three branches"),
    "mobileone_s0": Net("timm", 224, "sums of many branches"),
    "fastvit_t8": Net("timm", 256, "token mixing by convolutions, GELU, layer scale"),
    "skresnet18": Net("timm", 224, "softmax over stacked branches"),
    "resnest14d": Net("timm", 224, "softmax over radix, mean pools"),
    "hrnet_w18_small": Net("timm", 224, "nearest upsampling among four resolutions"),
    "rexnet_100": Net("timm", 224, "a sum into the first channels only"),
    "dla34": Net("timm", 224, "trees of concatenations"),
    "res2net50_26w_4s": Net("timm", 224, "convolutions one after the other over four parts"),
    "convnextv2_atto": Net("timm", 224, "global response norm"),
    "eca_nfnet_l0": Net("timm", 224, "standardised weights, 1-dimensional convolution over channels"),
    "resnetv2_50d_gn": Net("timm", 224, "GroupNorm before convolution"),
    "cspdarknet53": Net("timm", 256, "halves, LeakyReLU"),
    "ese_vovnet19b_dw": Net("timm", 224, "concatenation of five, pools that round up"),
    "xception41": Net("timm", 299, "separable convolutions"),
    "selecsls42b": Net("timm", 224, "concatenations over blocks"),
    "gernet_s": Net("timm", 256, "plain and bottleneck blocks"),
    "hardcorenas_a": Net("timm", 224, "Hardswish, mixed squeeze-and-excitation"),
    "mobilenetv4_conv_small": Net("timm", 224, "universal inverted bottlenecks"),
    "cs3darknet_focus_s": Net("timm", 256, "cross-stage parts"),
    "resnetblur18": Net("timm", 224, "reflected borders, blurring"),
    "starnet_s1": Net("timm", 224, "product of two branches"),
    "inception_next_atto": Net("timm", 224, "split into four, convolutions of bands"),
    "poolformer_s12": Net("timm", 224, "mean pool less its input, GroupNorm of one group"),
    "tresnet_m": Net("timm", 224, "space to depth, blurring"),
    "gcresnet33ts": Net("timm", 256, "attention over the map by matrix products"),
    "inception_v3": Net("torchvision", 299, "mean pools with their border, 1×7 and 7×1"),
    "dpn68": Net("timm", 224, "two paths, sliced and joined"),
    "edgenext_xx_small": Net("timm", 256, "attention over channels, positions by sine and cosine"),
    "coatnet_nano_rw_224": Net("timm", 224, "attention with relative positions", attends=True),
    "mobilevit_xxs": Net("timm", 256, "unfolding into patches, attention", attends=True),
    "efficientvit_b0": Net("timm", 224, "linear attention"),
}


class Exporter(NamedTuple):
    """One of PyTorch's two exporters and the version of the operators."""

    dynamo: bool
    opset: int


EXPORTERS = {"script11": Exporter(False, 11), "script17": Exporter(False, 17), "dynamo18": Exporter(True, 18)}
"""The older exporter traces TorchScript; the newer one, dynamo's, is PyTorch's default today."""


def exporters_for(name: str) -> list[str]:
    return [e for e, exporter in EXPORTERS.items() if exporter.opset >= 14 or not NETS[name].attends]


class Output(nn.Module):
    """A segmenting network without the dict around its answer."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)["out"]
        return out


@cache
def timm() -> Any:
    """timm, which imports torchvision."""
    torchvision()
    import timm

    return timm


def build(name: str) -> nn.Module:
    """The network with calm random weights, for inference."""
    net = NETS[name]
    torch.manual_seed(SEED)
    if net.source == "timm":
        made = timm().create_model(name)
    elif name.startswith("lraspp"):
        made = Output(torchvision().segmentation.__dict__[name](weights_backbone=None))
    elif name == "googlenet":
        made = torchvision().googlenet(init_weights=False, aux_logits=False, transform_input=True)
    elif name == "inception_v3":  # its second classifier is part of training only
        made = torchvision().inception_v3(init_weights=False)
    else:
        made = getattr(torchvision(), name)()
    made.eval()
    fill(made, images(CALIBRATION_IMAGES, SEED, net.side))
    return made


@torch.no_grad()
def fill(net: nn.Module, *x: Tensor) -> None:
    """Random weights: Kaiming's, small before a batch norm, which gets the statistics of ``x``; what starts as a constant gets spread."""
    torch.manual_seed(SEED)
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    soft = math.sqrt(ABOVE * max((norm.eps for norm in norms), default=0.0))
    for module in net.modules():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if norms and isinstance(module, nn.Conv2d) and module.bias is None:
                module.weight.mul_(soft)
        own = dict(module.named_parameters(recurse=False))
        normalises = "weight" in own and own["weight"].ndim == 1
        for name, p in own.items():
            if name == "bias":
                p.uniform_(*((-0.3, 0.3) if normalises else (-0.1, 0.1)))
            elif normalises:
                p.uniform_(0.5, 1.0)
            elif p.numel() and float(p.min()) == float(p.max()):  # scales of layers, gains, temperatures
                p.uniform_(0.5, 1.0) if float(p.max()) == 1 else p.uniform_(0.05, 0.15)
    for name, module in net.named_modules():  # what a block adds is small beside what it is given, as training leaves it
        if name.endswith("bn3") and isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.1, 0.2)
    for norm in norms:
        norm.momentum = 1.0  # the running statistics become those of the pass
        norm.train()
    if norms:
        net(*x)
    net.eval()


def export(net: nn.Module, x: Tensor, exporter: Exporter, file: Path, any_size: bool = False, **more: Any) -> None:
    """Write the file; the batch stays free, the height and width where ``any_size``."""
    names = {0: "n", 2: "h", 3: "w"} if any_size else {0: "n"}
    common: dict[str, Any] = {"input_names": ["input"], "output_names": ["output"], "opset_version": exporter.opset, **more}
    with quiet(), torch.no_grad():
        if exporter.dynamo:
            shapes = (dict.fromkeys(names, torch.export.Dim.DYNAMIC),)
            torch.onnx.export(net, (x,), str(file), dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False, **common)
        else:
            torch.onnx.export(net, (x,), str(file), dynamo=False, dynamic_axes={"input": names, "output": {0: "n"}}, **common)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of tracing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
