"""GoogLeNet, the first Inception network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import functional as F
from .. import nn
from ..functional import Padding2, Size2
from ..spec import Array

__all__ = ["ConvNormReLU", "GoogLeNet", "Inception", "without"]


class ConvNormReLU(nn.Module):
    """Convolution, batch normalisation, ReLU, under the names that both Inception networks have for them."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size2 = 1, stride: int = 1, padding: Padding2 = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, out_channels, p, q)."""
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Four branches side by side, whose results are concatenated: 1×1; 1×1 and 3×3, twice; pooling and 1×1.

    The paper has 5×5 in the third branch; torchvision's network, and its weights, have 3×3.

    Parameters
    ----------
    in_channels : int
    one, reduced3, three, reduced5, five, pooled : int
        Channels that the convolutions make, as in table 1 of the paper.
    """

    def __init__(
        self, in_channels: int, one: int, reduced3: int, three: int, reduced5: int, five: int, pooled: int
    ) -> None:
        super().__init__()
        self.branch1 = ConvNormReLU(in_channels, one)
        self.branch2 = nn.Sequential(ConvNormReLU(in_channels, reduced3), ConvNormReLU(reduced3, three, 3, padding=1))
        self.branch3 = nn.Sequential(ConvNormReLU(in_channels, reduced5), ConvNormReLU(reduced5, five, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), ConvNormReLU(in_channels, pooled))

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, one + three + five + pooled, h, w)."""
        return F.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """GoogLeNet with batch normalisation; state-dict names are torchvision's.

    ============== ========================================== ==================
    layer          what                                       result for 224×224
    ============== ========================================== ==================
    conv1          7×7 convolution, stride 2; pool            64×56×56
    conv2, conv3   1×1 and 3×3 convolution; pool              192×28×28
    inception3a-b  Inception blocks; pool                     480×14×14
    inception4a-e  Inception blocks; pool                     832×7×7
    inception5a-b  Inception blocks                           1024×7×7
    fc             mean of the map, dense                     num_classes
    ============== ========================================== ==================

    The two auxiliary classifiers of training, ``aux1`` and ``aux2``, have no part in the scores: they are not built, not
    counted, and left out when weights that hold them are loaded.

    Parameters
    ----------
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842. torchvision's published weights were
    trained on pixels of mean 0.5 and deviation 0.5, and its model converts its usual normalisation into that
    (``transform_input``); here the zoo's record for this network says 0.5, so photographs come out alike. For weights
    trained without that conversion pass the record they were trained with, as in ``preprocess=gpucnn.Preprocess()``.
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = ConvNormReLU(in_channels, 64, 7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = ConvNormReLU(64, 64)
        self.conv3 = ConvNormReLU(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 15."""
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4c(self.inception4b(self.inception4a(x)))
        x = self.maxpool4(self.inception4e(self.inception4d(x)))
        x = self.inception5b(self.inception5a(x))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(F.flatten(x, 1))

    def load_state_dict(self, state: Mapping[str, Array], *, assign: bool = False) -> nn.Module:
        """Take the values of ``state``, but for those of the auxiliary classifiers."""
        return super().load_state_dict(without(("aux1.", "aux2."), state), assign=assign)


def without(prefixes: tuple[str, ...], state: Mapping[str, Array]) -> Mapping[str, Array]:
    """A state dict less the entries whose names begin so.

    Examples
    --------
    >>> without(("aux1.", "aux2."), {"aux1.fc.bias": 1, "fc.bias": 2})
    {'fc.bias': 2}
    """
    if not isinstance(state, Mapping):
        return state  # for the loader to refuse
    return {name: a for name, a in state.items() if not name.startswith(prefixes)}
