"""Write tests/data/torch/: small checkpoints by PyTorch itself, of every kind that ``gpucnn.formats`` reads or refuses.

Run by hand, with PyTorch installed: ``python tests/data/make_torch_checkpoints.py``. The numbers follow from `value`, so that a test
can tell what must come out.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import torch

FOLDER = Path(__file__).parent / "torch"
SHAPES = {"conv.weight": (2, 1, 3, 3), "conv.bias": (2,), "bn.running_mean": (2,), "fc.weight": (3, 8), "fc.bias": (3,)}
VERSION = 3


def value(shape: tuple[int, ...], first: int) -> torch.Tensor:
    """Eighths from −1 to 1, which every floating type has: (i + first) mod 17 less 8, over 8."""
    count = 1
    for size in shape:
        count *= size
    return (((torch.arange(count) + first) % 17 - 8) / 8).reshape(shape)


def state(first: int = 0) -> dict[str, torch.Tensor]:
    """The state dict; one of another ``first`` has other numbers."""
    tensors = {name: value(shape, first + i) for i, (name, shape) in enumerate(SHAPES.items())}
    return {**tensors, "bn.num_batches_tracked": torch.tensor(7)}


class Net(torch.nn.Module):
    """A net with such a state."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3)
        self.bn = torch.nn.BatchNorm2d(2, affine=False)
        self.fc = torch.nn.Linear(8, 3)
        self.load_state_dict({**state(), "bn.running_var": torch.ones(2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.bn(self.conv(x)).flatten(1))


def prefixed(prefix: str, first: int = 0) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state(first).items()}


def views() -> dict[str, torch.Tensor]:
    """Windows of one storage: whole, turned, a part, every second, one element over and over."""
    whole = value((4, 6), 0)
    return {
        "whole": whole, "turned": whole.T, "part": whole[1:3, 2:5], "second": whole[:, ::2], "spread": whole[0, 0].expand(2, 3),
        "empty": whole[:, :0], "scalar": whole[2, 3], "channels_last": value((2, 3, 4, 5), 1).to(memory_format=torch.channels_last),
    }  # fmt: skip


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    net, averaged = Net(), torch.optim.swa_utils.AveragedModel(Net())
    averaged.module.load_state_dict({**state(5), "bn.running_var": torch.ones(2)})
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 1, 4, 4)).sum().backward()
    optimizer.step()
    net.load_state_dict({**state(), "bn.running_var": torch.ones(2)})
    training = {"optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.75, "args": argparse.Namespace(lr=0.1, data="photographs")}
    saved = {
        "zip.pth": state(),
        "half.pth": {name: t.half() for name, t in state().items()},
        "bfloat16.pth": {name: t.bfloat16() for name, t in state().items()},
        "double.pth": {name: t.double() for name, t in state().items()},
        "unsigned.pth": {f"a{bits}": torch.arange(5).to(getattr(torch, f"uint{bits}")) for bits in (16, 32, 64)},
        "views.pth": views(),
        "parameters.pth": dict(net.named_parameters()),
        "under_model.pth": {"model": net.state_dict(), **training},
        "averaged.pth": {"model": net.state_dict(), "model_ema": averaged.state_dict(), **training},
        "lightning.ckpt": {"state_dict": prefixed("model."), "hyper_parameters": {"lr": 0.1}, "pytorch-lightning_version": "2.5.0"},
        "data_parallel.pth": prefixed("module."),
        "compiled.pth": {"state_dict": prefixed("module._orig_mod.")},
        "whole_model.pth": net,
        "quantised.pth": {"a": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)},
        "sparse.pth": {"a": torch.eye(3).to_sparse()},
        "complex.pth": {"a": torch.ones(3, dtype=torch.complex64)},
        "float8.pth": {"a": torch.ones(3).to(torch.float8_e4m3fn)},
    }
    for name, content in saved.items():
        torch.save(content, FOLDER / name)
    legacy = {"legacy.pth": saved["zip.pth"], "legacy_half.pth": saved["half.pth"], "legacy_nested.pth": saved["averaged.pth"]}
    for name, content in legacy.items():
        torch.save(content, FOLDER / name, _use_new_zipfile_serialization=False)
    torch.jit.trace(net.eval(), torch.ones(1, 1, 4, 4)).save(FOLDER / "script.pt")
    torch.export.save(torch.export.export(net.eval(), (torch.ones(1, 1, 4, 4),)), FOLDER / "exported.pt2")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
