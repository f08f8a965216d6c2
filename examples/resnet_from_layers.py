"""Build a small residual network from layers, run it as it is, then planned, and look inside.

Run it from anywhere: python examples/resnet_from_layers.py
"""

import numpy as np

import gpucnn
from gpucnn import functional as F
from gpucnn import nn


class Block(nn.Module):
    """Two 3×3 convolutions with a shortcut around them (He et al. 2015, arXiv:1512.03385)."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """Three stages for 32×32 images, ten classes."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.Sequential(Block(16, 16), Block(16, 32, stride=2), Block(32, 64, stride=2))
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x):
        x = self.stages(self.stem(x))
        return self.fc(F.flatten(F.adaptive_avg_pool2d(x, 1), 1))


def main() -> None:
    net = SmallResNet()
    x = np.random.default_rng(0).standard_normal((8, 3, 32, 32), np.float32)
    print(f"{net.num_parameters():,} parameters, random ones: load_state_dict takes trained ones")

    eager = net(x)  # layer by layer
    with gpucnn.compile(net, (1, 3, 32, 32)) as model:  # recorded once, planned, then run
        planned = model(x)
        print(f"scores {planned.shape}; layer by layer and planned differ by at most {np.abs(eager - planned).max():.1e}")

        inside = model.run({"input": x}, outputs=["stages.1", "output"])
        print(f"the map behind the second stage has shape {inside['stages.1'].shape}")
        print(model.describe())


if __name__ == "__main__":
    main()
