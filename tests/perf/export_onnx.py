"""Export the comparison's networks from torch: NAME.onnx and NAME.safetensors with the same weights, into one folder.

    python tests/perf/export_onnx.py FOLDER [--models resnet50,vgg16]

Needs torch 2.13 (CPU), onnx and safetensors. Networks and weights are those of torch_nets.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
import torch
from safetensors.torch import save_file
from torch import nn
from torch_nets import MODELS, SEED, SameConv2d, images, initialise, state_of

OPSET = 17


def fold_pads(file: Path, net: nn.Module) -> None:
    """Make the Pad in front of a Conv, which is how torch says uneven padding, the Conv's own padding.

    ONNX Runtime does not do it, and would reorder the image around every Pad: an unfair comparison.
    """
    model = onnx.load(str(file))
    nodes = model.graph.node
    padders = {node.output[0]: node for node in nodes if node.op_type == "Pad"}
    padded = [node for node in nodes if node.op_type == "Conv" and node.input[0] in padders]
    convs = [module for module in net.modules() if isinstance(module, SameConv2d)]  # in the order in which they run
    for node, conv in zip(padded, convs, strict=True):
        pad = padders[node.input[0]]
        (own,) = (a for a in node.attribute if a.name == "pads")
        left, right, top, bottom = conv.pads
        own.ints[:] = [top, left, bottom, right]
        node.input[0] = pad.input[0]
        nodes.remove(pad)
    if padded:
        onnx.save(model, str(file))


def export(name: str, folder: Path) -> None:
    net = MODELS[name]()
    initialise(net)
    x = images(2, SEED + 1)
    y = net(x)
    save_file(state_of(net), folder / f"{name}.safetensors")
    file = folder / f"{name}.onnx"
    torch.onnx.export(
        net,
        (x,),
        str(file),
        opset_version=OPSET,
        dynamo=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "n"}, "output": {0: "n"}},
    )
    fold_pads(file, net)
    onnx.checker.check_model(str(file))
    count = sum(p.numel() for p in net.parameters())
    mean, std, spread = float(y.mean()), float(y.std()), float((y[0] - y[1]).abs().mean())
    print(f"{file}: {count:,} parameters; output mean {mean:+.3f}, std {std:.3f}, two images differ by {spread:.3f}", flush=True)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description="Export networks from torch as NAME.onnx and NAME.safetensors.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default=",".join(MODELS), help="comma-separated; all by default")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.models.split(","):
        export(name, args.folder)


if __name__ == "__main__":
    main()
