"""Little networks in PyTorch, each with what exporters make something peculiar of; made into ONNX files by make_onnx_nets.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(c: int, k: int, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c, k, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(k))


class Head(nn.Module):
    """Mean over the map, flatten, ten scores."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.fc = nn.Linear(c, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class SqueezeExcite(nn.Module):
    def __init__(self, c: int, gate: nn.Module, by_mean: bool) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(c, c // 2, 1), nn.Conv2d(c // 2, c, 1)
        self.gate, self.by_mean = gate, by_mean

    def forward(self, x: Tensor) -> Tensor:
        s = x.mean((2, 3), keepdim=True) if self.by_mean else F.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.up(F.relu(self.down(s))))


class SE(nn.Module):
    """MobileNet V3's block and EfficientNet's."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(conv(3, 12, 3, 2), nn.Hardswish(), conv(12, 12, 3, 1, 12), nn.Hardswish())
        self.se1, self.point = SqueezeExcite(12, nn.Hardsigmoid(), False), conv(12, 12, 1)
        self.second = nn.Sequential(conv(12, 24, 1), nn.SiLU(), conv(24, 24, 5, 2, 24), nn.SiLU())
        self.se2, self.head = SqueezeExcite(24, nn.Sigmoid(), True), Head(24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.head(self.se2(self.second(x + self.point(self.se1(x)))))


class ByHand(nn.Module):
    """Activations written out, as older code does."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d, self.head = conv(3, 8, 3, 2), conv(8, 8), conv(8, 8), conv(8, 8), Head(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        x = x * F.relu6(x + 3) / 6
        x = self.b(x)
        x = x * torch.sigmoid(x)
        x = self.c(x)
        x = x * 0.5 * (1 + torch.erf(x / 2**0.5))
        x = self.d(x)
        x = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
        return self.head(x.clamp(-0.1, 2.0).clamp(max=1.5).clamp(min=0.0))


class Activations(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        kinds = (
            nn.LeakyReLU(0.1), nn.ELU(0.7), nn.SELU(), nn.CELU(0.5), nn.Softplus(), nn.Mish(), nn.Hardtanh(-0.5, 2), nn.PReLU(8),
            nn.PReLU(), nn.Softsign(), nn.Tanh(), nn.GELU(), nn.GELU("tanh"), nn.ReLU6(), nn.LogSigmoid(), nn.Hardshrink(0.2),
            nn.Softshrink(0.1), nn.Tanhshrink(), nn.Hardsigmoid(),
        )  # fmt: skip
        self.first, self.kinds = conv(3, 8, 3, 2), nn.ModuleList(kinds)
        self.scale, self.head = nn.Parameter(torch.ones(len(kinds), 8, 1, 1)), Head(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = sum(s * kind(x + 0.1 * i) for i, (s, kind) in enumerate(zip(self.scale, self.kinds)))
        return self.head(torch.cat([y, F.glu(torch.cat([x, y], 1), 1)], 1))


class Norms(nn.Module):
    """Group, instance and local response norms; GroupNorm of one group; a batch norm before the convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 12, 3, 2, 1), nn.Conv2d(12, 12, 3, 1, 1), nn.Conv2d(12, 12, 1)
        self.group, self.one, self.instance = nn.GroupNorm(4, 12), nn.GroupNorm(1, 12, 1e-6), nn.InstanceNorm2d(12, affine=True)
        self.plain, self.local, self.before, self.head = nn.InstanceNorm2d(12), nn.LocalResponseNorm(5, 0.5), nn.BatchNorm2d(12), Head(12)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.group(self.a(x)))
        x = x + F.relu(self.one(self.b(x)))
        x = x + self.instance(self.c(F.relu(self.before(x))))
        return self.head(F.relu(self.local(x)) * self.plain(x))


class ConvNeXt(nn.Module):
    """LayerNorm over channels of a map, by permuting and by hand; a dense block channels last; GELU, layer scale, global response norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.spread = nn.Conv2d(3, 12, 4, 4), nn.Conv2d(12, 12, 7, padding=3, groups=12)
        self.norm1, self.norm2, self.up, self.down = nn.LayerNorm(12, 1e-6), nn.LayerNorm(12, 1e-6), nn.Linear(12, 24), nn.Linear(24, 12)
        self.weight, self.bias, self.scale = (nn.Parameter(torch.ones(n)) for n in (12, 12, 12))
        self.gamma, self.beta = nn.Parameter(torch.zeros(1, 1, 1, 24)), nn.Parameter(torch.zeros(1, 1, 1, 24))
        self.fc = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = F.gelu(self.up(self.norm2(self.spread(x).permute(0, 2, 3, 1))))
        g = y.norm(p=2, dim=(1, 2), keepdim=True)
        y = torch.addcmul(self.beta, self.gamma, y * (g / (g.mean(-1, keepdim=True) + 1e-6))) + y
        x = x + (self.scale * self.down(y)).permute(0, 3, 1, 2)
        centred = x - x.mean(1, keepdim=True)
        x = centred / torch.sqrt(centred.pow(2).mean(1, keepdim=True) + 1e-6)
        x = self.weight[:, None, None] * x + self.bias[:, None, None]
        return self.fc(x.mean([-2, -1]))


class Shuffle(nn.Module):
    """ShuffleNet V2: halves, convolution of one, joined, channels of both interleaved by their shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Sequential(conv(3, 16, 3, 2), nn.ReLU()), Head(16)
        self.parts = nn.ModuleList(nn.Sequential(conv(8, 8, 1), nn.ReLU(), conv(8, 8, 3, 1, 8), conv(8, 8, 1), nn.ReLU()) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for part in self.parts:
            a, b = x.chunk(2, dim=1)
            x = torch.cat((a, part(b)), dim=1)
            n, c, h, w = x.size()
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.head(x)


class Split(nn.Module):
    """Uneven splits with a kernel each, one part after the other (Res2Net), a sum into the first channels (ReXNet), channels by number."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.widths = nn.Sequential(conv(3, 15, 3, 2), nn.ReLU()), (4, 5, 6)
        self.mixed = nn.ModuleList(nn.Conv2d(c, c, 3 + 2 * i, 1, 1 + i, groups=c) for i, c in enumerate(self.widths))
        self.after, self.part = nn.Sequential(conv(15, 20, 1), nn.ReLU()), nn.ModuleList(conv(5, 5) for _ in range(3))
        self.more, self.head = conv(20, 24, 1), Head(24)
        self.register_buffer("order", torch.randperm(24, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([f(part) for f, part in zip(self.mixed, torch.split(self.first(x), self.widths, 1))], 1)
        x = self.after(x)
        a, b, c, d = x.chunk(4, 1)
        b = F.relu(self.part[0](b))
        c = F.relu(self.part[1](b + c))
        d = F.relu(self.part[2](c + d))
        x = torch.cat([a, b, c, d], 1)
        y = self.more(x)
        y[:, 0:20] += x
        y = torch.index_select(y, 1, self.order)
        return self.head(y[:, :24:2].repeat(1, 2, 1, 1) + y[:, [3, 1, -1]].sum(1, keepdim=True))


class Pools(nn.Module):
    """Windows rounded up, borders counted or not, dilation; several means over the map."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.a, self.b, self.head = nn.Sequential(conv(3, 8), nn.ReLU()), conv(8, 8), conv(8, 8), nn.Linear(8 * 5 + 24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.first(x), 3, 2, ceil_mode=True)
        x = x + F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) - F.avg_pool2d(x, 3, 1, 1)
        x = F.relu(self.a(F.max_pool2d(x, (3, 2), (1, 2), (1, 1), dilation=(2, 1))))
        x = self.b(F.avg_pool2d(x, 2, ceil_mode=True))
        rows = F.adaptive_avg_pool2d(x, (1, 5)).flatten(1)
        x = F.lp_pool2d(F.pad(F.relu(x), (1, 0, 0, 1)), 2, 2)
        h, w = int(x.shape[2]), int(x.shape[3])
        whole = torch.cat([F.adaptive_max_pool2d(x, 1), x.mean((2, 3), keepdim=True), F.avg_pool2d(x, (h, w))], 1)
        return self.head(torch.cat([rows, whole.squeeze(-1).squeeze(-1)], 1))


class Sizes(nn.Module):
    """Resizing of every kind, by factor and to another map's size; segments, so the answer is a map."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.head = conv(3, 8, 3, 2), conv(8, 8, 3, 2), conv(8, 8, 3, 2), nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.a(x))
        b = F.relu(self.b(a))
        c = F.relu(self.c(b))
        b = b + F.interpolate(c, b.shape[-2:], mode="nearest")
        a = a + F.interpolate(b, scale_factor=2, mode="nearest") + F.interpolate(c, a.shape[2:], mode="bilinear", align_corners=True)
        a = a + F.interpolate(b, scale_factor=2.0, mode="bicubic", align_corners=False)
        return F.interpolate(self.head(a), (x.shape[-2], x.shape[-1]), mode="bilinear", align_corners=False)


class Flattened(nn.Module):
    """Every way to flatten: by view of the batch's size, by reshape, by flatten; a dense layer over maps; log-softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = conv(3, 2, 3, 4), nn.Linear(128, 24), nn.Linear(8, 5), nn.Linear(40, 10)
        self.norm = nn.BatchNorm1d(24)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        x = F.relu(self.norm(self.b(x.view(x.size(0), -1))))
        x = self.c(x.reshape(x.shape[0], 3, 8))
        x = torch.cat([x, x.new_ones(x.shape[0], 5, 5)], 1)
        return F.log_softmax(self.d(torch.flatten(x, 1)), dim=-1)


class Pixels(nn.Module):
    """Pixel shuffle and back; space to depth by views, as TResNet does; super-resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(12, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(2, 4, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        x = x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 3, 5, 1, 2, 4).contiguous().view(n, c * 16, h // 4, w // 4)
        x = F.relu(self.a(x[:, :12]) + F.pixel_unshuffle(x[:, 12:15], 2).mean(dim=(1, 2, 3), keepdim=True))
        return F.pixel_shuffle(self.c(F.pixel_shuffle(F.relu(self.b(x)), 2)), 2)


class Standardised(nn.Module):
    """Weights with mean 0 and variance 1, computed in the network: as timm's NFNets do, and by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1), Head(8)
        self.gain = nn.Parameter(torch.ones(8, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        w = self.a.weight
        scale = (self.gain * w[0].numel() ** -0.5).view(-1)
        w = F.batch_norm(w.reshape(1, 8, -1), None, None, weight=scale, training=True, momentum=0.0, eps=1e-6).reshape_as(w)
        x = F.gelu(F.conv2d(x, w, self.a.bias, 2, 1)) * 1.7015
        w = self.b.weight
        std, mean = torch.std_mean(w, dim=[1, 2, 3], keepdim=True, unbiased=False)
        x = F.silu(F.conv2d(x, (w - mean) / (std + 1e-5), self.b.bias, 1, 1))
        w = self.c.weight
        var = w.var(dim=(1, 2, 3), keepdim=True)
        w = (w - w.mean((1, 2, 3), keepdim=True)) * torch.rsqrt(torch.maximum(var * w[0].numel(), torch.tensor(1e-4, dtype=w.dtype)))
        return self.head(x + F.relu(F.conv2d(x, w * self.gain, self.c.bias, 1, 1)))


class Same(nn.Module):
    """TensorFlow's padding, computed from the size; traced too, as timm does it."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, k, size, 2, groups=g) for c, k, size, g in ((3, 8, 3, 1), (8, 8, 5, 8), (8, 12, 2, 1)))
        self.head = Head(12)

    def needed(self, n: int | Tensor, size: int) -> int | Tensor:
        if isinstance(n, Tensor):  # traced
            return torch.clamp(((n / 2).ceil() - 1) * 2 + size - n, min=0).to(torch.int64)
        return max(((n + 1) // 2 - 1) * 2 + size - n, 0)

    def pad(self, x: Tensor, size: int, value: float = 0.0) -> Tensor:
        rows, columns = (self.needed(n, size) for n in x.shape[-2:])
        return F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2], value=value)

    def forward(self, x: Tensor) -> Tensor:
        for f in self.convs:
            x = F.relu6(f(self.pad(x, f.kernel_size[0])))
        x = F.max_pool2d(self.pad(x, 3, float("-inf")), 3, 2)
        return self.head(x + F.avg_pool2d(self.pad(x, 3), 3, 2).mean((2, 3), keepdim=True))


class Floored(Same):
    """The same by the floor of a negative number. Dynamo writes it as a Div, which in ONNX rounds towards zero: another network."""

    def needed(self, n: int | Tensor, size: int) -> int | Tensor:
        return max((-(-n // 2) - 1) * 2 + size - n, 0)

    def pad(self, x: Tensor, size: int, value: float = 0.0) -> Tensor:
        return super().pad(x, size)


class UNet(nn.Module):
    """Transposed convolutions, their maps padded to the size of those that they join."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 4), conv(4, 6), conv(6, 8)
        self.up1, self.up2 = nn.ConvTranspose2d(8, 6, 2, 2), nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1, groups=2)
        self.d, self.e, self.out = conv(12, 6), conv(8, 4), nn.Conv2d(4, 1, 1)

    def joined(self, x: Tensor, skip: Tensor) -> Tensor:
        rows, columns = skip.size()[2] - x.size()[2], skip.size()[3] - x.size()[3]
        return torch.cat([skip, F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.a(x))
        b = F.relu(self.b(F.max_pool2d(a, 2)))
        c = F.relu(self.c(F.max_pool2d(b, 2)))
        b = F.relu(self.d(self.joined(self.up1(c), b)))
        return torch.sigmoid(self.out(F.relu(self.e(self.joined(self.up2(b), a)))))


class Attention(nn.Module):
    """Tokens of a map attend to one another: scaled dot products, by hand and by PyTorch's function; a learnt place added; einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.place = nn.Conv2d(3, 16, 4, 8), nn.Parameter(torch.randn(1, 16, 16) * 0.2)
        self.qkv1, self.out1, self.qkv2, self.norm = nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, 48, bias=False), nn.LayerNorm(16)
        self.token, self.fc = nn.Parameter(torch.randn(1, 1, 16) * 0.2), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2) + self.place
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        n, t, c = x.shape
        q, k, v = self.qkv1(self.norm(x)).reshape(n, t, 3, 4, c // 4).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.out1(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c))
        q, k, v = self.qkv2(self.norm(x)).chunk(3, dim=-1)
        a = (torch.einsum("nic,njc->nij", q, k) * c**-0.5).softmax(dim=-1)
        return self.fc((x + a @ v)[:, 0])


class Borders(nn.Module):
    """Reflected, repeated and constant borders; a fixed blur."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = conv(3, 8), conv(8, 8), Head(8)
        row = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("blur", (row[:, None] * row / 16)[None, None].repeat(8, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(F.pad(F.relu(self.a(x)), (1, 1, 1, 1), mode="reflect"), self.blur, stride=2, groups=8)
        x = F.relu(self.b(F.pad(x, (2, 0, 1, 3), mode="replicate")))
        return self.head(x + F.pad(x[:, :, 1:, :-2], (1, 1, 0, 1), value=0.25))


class Detector(nn.Module):
    """Boxes on grids of two strides, decoded as YOLO's are; three answers, one of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = conv(3, 8, 3, 4), conv(8, 8, 3, 2), nn.ModuleList(nn.Conv2d(8, 7, 1) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a = F.silu(self.a(x))
        b = F.silu(self.b(a))
        found = []
        for f, x, stride in zip(self.out, (a, b), (4, 8)):
            y = f(x)
            n, c, h, w = y.shape
            rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            grid = torch.stack((columns, rows), 2).view(1, h * w, 2).to(y.dtype)
            y = y.view(n, c, h * w).permute(0, 2, 1)
            centre, size = y[..., :2].sigmoid() * 2 - 0.5 + grid, y[..., 2:4].exp()
            found.append(torch.cat([centre * stride, size * stride, y[..., 4:].sigmoid()], -1))
        y = torch.cat(found, 1)
        scores, classes = y[..., 4:].max(-1)
        best, at = scores.topk(5, dim=1)
        return torch.gather(y[..., :4], 1, at.unsqueeze(-1).expand(-1, -1, 4)), best, classes.gather(1, at)


class TwoInputs(nn.Module):
    """An image and a vector in, scores and features out."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 8, 3, 2), nn.Linear(5, 8), nn.Linear(8, 10)

    def forward(self, image: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.a(image)) * torch.tanh(self.b(vector))[:, :, None, None]
        features = torch.amax(x, dim=(2, 3)) + torch.where(vector[:, :1] > 0, vector[:, 1:2], -vector[:, 2:3])
        return F.softmax(self.c(features), 1), F.normalize(features, dim=1)


class Camera(nn.Module):
    """Bytes, channels last, in; brought to order and range in the network; probabilities out."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = conv(3, 8, 3, 2), Head(8)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = (x.permute(0, 3, 1, 2).to(self.mean.dtype) / 255 - self.mean) / self.std
        return F.softmax(self.head(F.relu(self.a(x))), dim=1)


class Signal(nn.Module):
    """One dimension: dilated convolutions, pooling, transposed convolution; attention over channels by a convolution across them (ECA)."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.n = nn.Conv1d(2, 8, 5, 2, 2), nn.Conv1d(8, 8, 3, padding=2, dilation=2, groups=2), nn.BatchNorm1d(8)
        self.eca, self.up, self.fc = nn.Conv1d(1, 1, 3, padding=1, bias=False), nn.ConvTranspose1d(8, 4, 4, 2, 1), nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool1d(F.relu(self.a(x)), 2)
        x = F.relu(self.n(self.b(x)))
        x = x * torch.sigmoid(self.eca(x.mean(2).view(x.shape[0], 1, -1)).transpose(1, 2))
        return self.fc(F.adaptive_avg_pool1d(F.relu(self.up(F.avg_pool1d(x, 2))), 1).squeeze(-1))


class Volume(nn.Module):
    """Three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.n = nn.Conv3d(1, 6, 3, 1, 1, bias=False), nn.BatchNorm3d(6)
        self.b, self.fc = nn.Conv3d(6, 8, (1, 3, 3), (1, 2, 2)), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool3d(F.relu(self.n(self.a(x))), 2)
        return self.fc(F.adaptive_avg_pool3d(F.relu(self.b(x)), 1).flatten(1))


class Branch(nn.Module):
    """Scripted, not traced, so that what is asked of the shape stays a question."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        if x.size(2) > 12:
            x = F.max_pool2d(x, 2)
        else:
            x = x + 1
        return self.head(F.relu(self.b(x)).mean((2, 3)))
