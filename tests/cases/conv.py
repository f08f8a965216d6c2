"""Convolution, and the activations that cases of several ops share."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import RELU6, Activation, Conv, Epilogue, Op
from gpucnn.spec import Spec

from .base import Case, Draw, each, pads_of

RELU, SIGMOID, TANH = (Activation(kind) for kind in ("relu", "sigmoid", "tanh"))

HARD = Activation("clip", -0.5, 0.25)

SILU = Activation("silu")

CURVES = {
    "leaky_relu": Activation("leaky_relu", 0.125),
    "leaky_relu steep": Activation("leaky_relu", 2.5),
    "leaky_relu falling": Activation("leaky_relu", -0.5),
    "leaky_relu flat": Activation("leaky_relu", 0.0),
    "elu": Activation("elu", 1.5),
    "selu": Activation("selu", 1.6732632423543772, 1.0507009873554805),
    "celu": Activation("celu", 0.75),
    "mish": Activation("mish"),
    "hardsigmoid": Activation("hardsigmoid", 1 / 6, 0.5),
    "hardsigmoid falling": Activation("hardsigmoid", -0.2, 20.0),
    "hardswish": Activation("hardswish"),
    "erf": Activation("erf"),
    "gelu": Activation("gelu"),
    "gelu_tanh": Activation("gelu_tanh"),
    "softplus": Activation("softplus", 1.0, float("inf")),
    "softplus scaled": Activation("softplus", -2.0, 1.0),
    "softsign": Activation("softsign"),
    "logsigmoid": Activation("logsigmoid"),
    "shrink": Activation("shrink", 0.5, 0.25),
    "tanhshrink": Activation("tanhshrink"),
    "threshold": Activation("threshold", 0.5, -2.0),
    "threshold to 0": Activation("threshold", 0.5),
}
"""Every other kind, with parameters that show; beside SILU, which stands for them where one has to do."""

ALL = {"bias": True, "residual": True, "pre": RELU6, "post": SIGMOID}


def conv(
    id: str,
    x: tuple[int, ...],
    w: tuple[int, ...],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    bias: bool = False,
    residual: bool = False,
    pre: Activation | None = None,
    post: Activation | None = None,
    dtype: str = "float32",
    fill: str = "normal",
) -> Case:
    axes = len(x) - 2
    op = Conv(each(stride, axes), pads_of(padding, axes), each(dilation, axes), groups, Epilogue(pre, post))
    draws = [Draw(x, dtype, fill), Draw(w, dtype), Draw((w[0],), dtype) if bias else None]
    if residual:
        out = op.infer(*(Spec(s, np.dtype(dtype)) for s in (x, w)))[0].shape
        draws.append(Draw(out, dtype))
    return Case(id, op, tuple(draws), (0, 3) if residual else (0,))


_CONV = (
    conv("one pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv("4x4 under 3x3", (1, 1, 4, 4), (1, 1, 3, 3)),
    conv("odd sizes", (1, 3, 7, 5), (5, 3, 3, 3), padding=1, bias=True),
    conv("batch 0", (0, 3, 7, 5), (5, 3, 3, 3), padding=1, bias=True),
    conv("batch 7", (7, 3, 9, 8), (5, 3, 3, 3), stride=2, padding=1, bias=True),
    conv("images grouped into one product", (6, 16, 3, 3), (8, 16, 3, 3), padding=1, **ALL),
    conv("1000 channels in", (1, 1000, 3, 3), (3, 1000, 3, 3), bias=True),
    conv("1000 channels out", (1, 3, 5, 5), (1000, 3, 3, 3), bias=True),
    conv("no channels out", (2, 3, 5, 5), (0, 3, 3, 3)),
    conv("several blocks", (1, 4, 75, 71), (24, 4, 3, 3), padding=1, **ALL),
    conv("several blocks, silu, gelu", (1, 4, 75, 71), (24, 4, 3, 3), padding=1, bias=True, residual=True, pre=SILU, post=CURVES["gelu"]),
    conv("1x1, hardswish", (2, 5, 7, 5), (11, 5, 1, 1), bias=True, pre=CURVES["hardswish"]),
    conv("depthwise, silu", (2, 6, 7, 5), (6, 1, 3, 3), groups=6, bias=True, pre=SILU),
    conv("several blocks strided", (2, 3, 131, 67), (24, 3, 3, 5), stride=(2, 1), padding=1, bias=True, pre=RELU),
    conv("dilation", (1, 3, 11, 9), (4, 3, 3, 3), dilation=(2, 3), padding=(2, 3)),
    conv("stride and dilation", (3, 3, 11, 12), (4, 3, 3, 2), stride=(2, 3), dilation=2),
    conv("asymmetric padding", (1, 3, 6, 7), (5, 3, 3, 3), padding=((0, 1), (2, 0))),
    conv("same", (1, 3, 7, 6), (5, 3, 3, 3), padding="same", stride=2),
    conv("same, even kernel", (1, 3, 6, 5), (5, 3, 4, 2), padding="same"),
    conv("same_lower", (1, 3, 8, 7), (5, 3, 3, 2), padding="same_lower", stride=2, dilation=2),
    conv("valid", (1, 3, 8, 7), (5, 3, 3, 2), padding="valid"),
    conv("1x7", (1, 3, 5, 9), (4, 3, 1, 7), padding=(0, 3)),
    conv("7x1", (1, 3, 9, 5), (4, 3, 7, 1), padding=(3, 0)),
    conv("kernel larger than the image", (1, 2, 2, 3), (3, 2, 5, 5), padding=2),
    conv("windows in the padding alone", (1, 2, 3, 3), (3, 2, 2, 2), padding=4, stride=3, bias=True),
    conv("stride above kernel", (2, 3, 11, 10), (4, 3, 2, 2), stride=(4, 3)),
    conv("groups", (2, 6, 7, 7), (4, 3, 3, 3), groups=2, padding=1, **ALL),
    conv("groups of unlike size", (1, 6, 5, 4), (9, 2, 2, 2), groups=3, bias=True, post=RELU),
    conv("groups 1x1", (1, 6, 5, 5), (4, 3, 1, 1), groups=2),
    conv("1x1", (1, 5, 7, 9), (3, 5, 1, 1), bias=True),
    conv("1x1 batch 7", (7, 5, 9, 9), (3, 5, 1, 1), bias=True, pre=RELU),
    conv("1x1 stride 2", (2, 5, 7, 10), (3, 5, 1, 1), stride=2),
    conv("1x1 stride above image", (1, 5, 3, 2), (3, 5, 1, 1), stride=4),
    conv("1x1 padded", (1, 5, 3, 2), (3, 5, 1, 1), padding=1, bias=True),
    conv("1x1 1000 channels", (7, 1000, 3, 3), (5, 1000, 1, 1), bias=True),
    conv("1x1 several blocks", (1, 8, 75, 71), (24, 8, 1, 1), **ALL),
    conv("1x1 all epilogue", (4, 8, 3, 5), (6, 8, 1, 1), **ALL),
    conv("depthwise", (1, 5, 9, 7), (5, 1, 3, 3), groups=5, padding=1, bias=True),
    conv("depthwise batch 7", (7, 3, 5, 5), (3, 1, 3, 3), groups=3, padding=1, pre=RELU6),
    conv("depthwise stride 2", (2, 5, 9, 8), (5, 1, 3, 3), groups=5, padding=((0, 1), (0, 1)), stride=2, bias=True, pre=RELU6),
    conv("depthwise dilation", (1, 3, 9, 9), (3, 1, 3, 3), groups=3, dilation=2, padding=2),
    conv("depthwise times 3", (2, 3, 6, 5), (9, 1, 3, 3), groups=3, padding=1, **ALL),
    conv("depthwise times 2 strided", (2, 3, 9, 8), (6, 1, 2, 5), groups=3, stride=(3, 2), dilation=(2, 1), padding=2),
    conv("depthwise 5x5 larger than image", (1, 4, 3, 2), (4, 1, 5, 5), groups=4, padding=2),
    conv("depthwise 1x1", (2, 5, 4, 3), (5, 1, 1, 1), groups=5, bias=True),
    conv("depthwise several blocks", (1, 24, 75, 71), (24, 1, 3, 3), groups=24, padding=1, **ALL),
    conv("bias and relu", (1, 3, 5, 5), (4, 3, 3, 3), bias=True, pre=RELU),
    conv("residual", (2, 3, 5, 5), (4, 3, 3, 3), residual=True),
    conv("residual, then relu", (2, 3, 5, 5), (4, 3, 3, 3), padding=1, residual=True, bias=True, post=RELU),
    conv("clip, then tanh", (2, 3, 5, 5), (4, 3, 1, 1), pre=HARD, post=TANH),
    conv("NaN and Inf", (2, 3, 9, 9), (4, 3, 3, 3), padding=1, fill="special", pre=RELU),
    conv("1x1 NaN and Inf", (2, 3, 9, 9), (4, 3, 1, 1), fill="special", bias=True),
    conv("depthwise NaN and Inf", (2, 3, 9, 9), (3, 1, 3, 3), groups=3, padding=1, fill="special", post=RELU6),
    conv("float64", (2, 3, 5, 5), (4, 3, 3, 3), padding=1, dtype="float64", **ALL),
    conv("float16", (2, 3, 5, 5), (4, 3, 3, 3), padding=1, dtype="float16", **ALL),
    Case("float16, bias float32", Conv(), (Draw((2, 8, 5, 5), "float16"), Draw((6, 8, 3, 3), "float16"), Draw((6,)))),
    conv("Inf beside the window", (1, 3, 9, 40), (4, 3, 3, 3), fill="infinite"),
    conv("NaN beside the window", (2, 2, 40, 9), (4, 2, 5, 1), stride=(1, 2), fill="special", bias=True),
    conv("7x7 of an image", (1, 3, 33, 37), (16, 3, 7, 7), stride=2, padding=3, bias=True, pre=RELU),
    conv("11x11 of an image", (1, 3, 67, 51), (40, 3, 11, 11), stride=4, padding=2, bias=True, pre=RELU),
    conv("21x21 of an image", (1, 3, 25, 23), (4, 3, 21, 21), stride=2, padding=10, bias=True),
    conv("4 channels of an image", (2, 4, 21, 40), (16, 4, 3, 3), padding=1, **ALL),
    conv("1-d", (3, 4, 11), (6, 2, 3), groups=2, stride=2, padding=1, bias=True, pre=RELU),
    conv("1-d of few channels", (2, 3, 37), (5, 3, 5), padding="same", stride=2, **ALL),
    conv("1-d 1x1", (7, 5, 9), (3, 5, 1), **ALL),
    conv("1-d depthwise", (2, 6, 13), (6, 1, 3), groups=6, padding=((2, 0),), dilation=2, **ALL),
    conv("1-d 1000 channels", (1, 1000, 4), (6, 1000, 3), padding=1, bias=True),
    conv("1-d batch 0", (0, 4, 11), (6, 4, 3), bias=True),
    conv("3-d", (2, 3, 5, 4, 6), (4, 3, 2, 3, 3), padding=((0, 1), (1, 1), (2, 0)), dilation=(1, 1, 2), **ALL),
    conv("3-d batch 7", (7, 2, 3, 3, 2), (4, 2, 3, 3, 3), padding=1, bias=True, pre=RELU),
    conv("3-d batch 0", (0, 2, 3, 3, 2), (4, 2, 3, 3, 3), padding=1),
    conv("3-d 1x1x1", (2, 5, 2, 3, 3), (4, 5, 1, 1, 1), bias=True),
    conv("3-d strided groups", (2, 6, 7, 5, 6), (4, 3, 3, 2, 3), groups=2, stride=(2, 1, 3), padding="same", **ALL),
    conv("3-d depthwise", (1, 5, 4, 5, 4), (5, 1, 3, 3, 3), groups=5, padding=1, dilation=(2, 1, 1), bias=True),
    conv("3-d planes in the padding alone", (1, 2, 2, 3, 3), (3, 2, 2, 2, 2), padding=(3, 0, 1), bias=True),
    conv("3-d several blocks", (1, 4, 3, 75, 41), (24, 4, 2, 3, 3), padding=1, **ALL),
    conv("3-d NaN and Inf", (1, 2, 4, 7, 6), (3, 2, 2, 3, 3), padding=1, fill="special", pre=RELU),
)

CASES: dict[type[Op], tuple[Case, ...]] = {Conv: _CONV}
