"""Blocks that several families are built of, with torchvision's state-dict names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import functional as F
from .. import nn

__all__ = ["ConvNorm", "SqueezeExcitation"]


class ConvNorm(nn.Sequential):
    """Convolution that keeps the size at stride 1, batch normalisation, and an activation: layers "0", "1" and "2".

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, groups : int
        The convolution's; it has no bias, as the norm has one.
    activation : callable, optional
        Makes the activation layer; None for none.
    eps : float
        The norm's.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: Callable[[], nn.Module] | None = nn.ReLU,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels, eps),
            *([activation()] if activation is not None else []),
        )


class SqueezeExcitation(nn.Module):
    """Multiply each channel by a gate that two dense layers compute from the means of all channels.

    The dense layers are 1×1 convolutions of the 1×1 map of means, as in torchvision.

    Parameters
    ----------
    channels : int
    squeezed : int
        Channels between the two layers.
    activation, gate : callable
        Functions after the first and the second layer.

    Notes
    -----
    Source: Hu, Shen, Sun, "Squeeze-and-excitation networks", arXiv:1709.01507.
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: Callable[[Any], Any] = F.relu,
        gate: Callable[[Any], Any] = F.sigmoid,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation, self.gate = activation, gate

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        scale = F.adaptive_avg_pool2d(x, 1)
        scale = self.activation(self.fc1(scale))
        return x * self.gate(self.fc2(scale))
