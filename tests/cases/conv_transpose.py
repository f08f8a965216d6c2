"""Transposed convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import RELU6, Activation, ConvTranspose, Epilogue, Op
from gpucnn.spec import Spec

from .base import Case, Draw, each, pads_of
from .conv import ALL, HARD, RELU


def conv_transpose(
    id: str,
    x: tuple[int, ...],
    w: tuple[int, ...],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    extra: Any = 0,
    output_shape: tuple[int, ...] | None = None,
    bias: bool = False,
    residual: bool = False,
    pre: Activation | None = None,
    post: Activation | None = None,
    dtype: str = "float32",
    fill: str = "normal",
) -> Case:
    axes = len(x) - 2
    op = ConvTranspose(
        each(stride, axes), pads_of(padding, axes), each(dilation, axes), groups, each(extra, axes), output_shape, Epilogue(pre, post)
    )
    draws = [Draw(x, dtype, fill), Draw(w, dtype), Draw((w[1] * groups,), dtype) if bias else None]
    if residual:
        out = op.infer(*(Spec(s, np.dtype(dtype)) for s in (x, w)))[0].shape
        draws.append(Draw(out, dtype))
    return Case(id, op, tuple(draws), (0, 3) if residual else (0,))


_CONV_TRANSPOSE = (
    conv_transpose("one pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv_transpose("2x2 under 3x3", (1, 1, 2, 2), (1, 1, 3, 3)),
    conv_transpose("odd sizes", (1, 3, 7, 5), (3, 5, 3, 3), padding=1, bias=True),
    conv_transpose("batch 0", (0, 3, 7, 5), (3, 5, 3, 3), stride=2, padding=1, bias=True),
    conv_transpose("batch 7", (7, 3, 4, 5), (3, 6, 4, 4), stride=2, padding=1, bias=True, pre=RELU),
    conv_transpose("stride 1", (2, 16, 5, 4), (16, 8, 3, 3), padding=1, **ALL),
    conv_transpose("2x2 stride 2", (2, 8, 5, 6), (8, 4, 2, 2), stride=2, **ALL),
    conv_transpose("3x3 stride 2", (2, 8, 5, 6), (8, 8, 3, 3), stride=2, padding=1, extra=1, bias=True, post=RELU6),
    conv_transpose("1x1", (2, 5, 4, 3), (5, 6, 1, 1), bias=True),
    conv_transpose("1x1 stride 3", (2, 5, 4, 3), (5, 6, 1, 1), stride=3, extra=(2, 1), **ALL),
    conv_transpose("stride above kernel", (1, 3, 4, 3), (3, 4, 2, 2), stride=(4, 3), extra=(1, 0), bias=True, pre=HARD),
    conv_transpose("unlike strides", (1, 3, 4, 5), (3, 4, 3, 5), stride=(3, 2), padding=((1, 0), (0, 2)), bias=True),
    conv_transpose("dilation", (2, 3, 4, 5), (3, 4, 3, 2), dilation=(2, 3), padding=1),
    conv_transpose("stride and dilation", (1, 3, 4, 5), (3, 4, 3, 3), stride=(2, 4), dilation=(3, 2), padding=(2, 1), extra=(2, 3), **ALL),
    conv_transpose("stride and dilation alike", (1, 3, 4, 5), (3, 4, 2, 3), stride=2, dilation=2, extra=1, bias=True),
    conv_transpose("same", (1, 3, 5, 4), (3, 4, 4, 3), stride=2, padding="same"),
    conv_transpose("same_lower", (1, 3, 5, 4), (3, 4, 4, 3), stride=(2, 3), padding="same_lower", bias=True),
    conv_transpose("same, kernel below stride", (1, 3, 5, 4), (3, 4, 1, 2), stride=3, padding="same", bias=True),
    conv_transpose("valid", (1, 3, 5, 4), (3, 4, 2, 3), stride=2, padding="valid"),
    conv_transpose("output_shape", (1, 3, 5, 4), (3, 4, 4, 3), stride=2, padding="same", output_shape=(9, 7), bias=True),
    conv_transpose("output_shape, odd pixel first", (1, 3, 5, 4), (3, 4, 4, 3), stride=2, padding="same_lower", output_shape=(9, 8)),
    conv_transpose("output_shape beyond the kernels", (1, 2, 3, 4), (2, 3, 2, 2), stride=2, padding="same", output_shape=(8, 9), bias=True),
    conv_transpose("nothing but padding on one side", (1, 2, 3, 4), (2, 3, 3, 3), stride=2, padding=((5, 0), (0, 6)), bias=True),
    conv_transpose("kernel larger than the image", (1, 2, 2, 3), (2, 3, 7, 7), stride=2, padding=2, bias=True),
    conv_transpose("groups", (2, 6, 4, 4), (6, 4, 3, 3), groups=2, stride=2, padding=1, **ALL),
    conv_transpose("groups of unlike size", (1, 6, 5, 4), (6, 3, 2, 2), groups=3, bias=True, post=RELU),
    conv_transpose("depthwise", (2, 5, 4, 5), (5, 1, 4, 4), groups=5, stride=2, padding=1, **ALL),
    conv_transpose("depthwise stride 1", (1, 4, 5, 5), (4, 1, 3, 3), groups=4, padding=1, bias=True, pre=RELU),
    conv_transpose("depthwise times 3", (2, 3, 4, 3), (3, 3, 3, 2), groups=3, stride=(2, 1), bias=True),
    conv_transpose("1000 channels in", (1, 1000, 2, 2), (1000, 3, 2, 2), stride=2, bias=True),
    conv_transpose("1000 channels out", (1, 3, 2, 2), (3, 1000, 2, 2), stride=2, bias=True),
    conv_transpose("no channels out", (2, 3, 5, 5), (3, 0, 3, 3)),
    conv_transpose("several blocks", (1, 4, 38, 36), (4, 24, 3, 3), stride=2, padding=1, **ALL),
    conv_transpose("several blocks, depthwise", (1, 16, 38, 36), (16, 1, 4, 4), groups=16, stride=2, padding=1, bias=True),
    conv_transpose("NaN and Inf", (2, 3, 5, 5), (3, 4, 3, 3), stride=2, padding=1, fill="special", bias=True),
    conv_transpose("Inf beside the window", (1, 3, 9, 20), (3, 4, 2, 2), stride=3, fill="infinite"),
    conv_transpose("depthwise NaN and Inf", (2, 3, 5, 5), (3, 1, 2, 2), groups=3, stride=3, fill="special"),
    conv_transpose("float64", (2, 3, 5, 5), (3, 4, 3, 3), stride=2, padding=1, dtype="float64", **ALL),
    conv_transpose("float16", (2, 3, 5, 5), (3, 4, 3, 3), stride=2, padding=1, dtype="float16", **ALL),
    Case(
        "float16, bias float32", ConvTranspose((2, 2)),
        (Draw((2, 8, 3, 3), "float16"), Draw((8, 6, 3, 3), "float16"), Draw((6,))),
    ),
    conv_transpose("1-d", (3, 4, 7), (4, 3, 4), groups=2, stride=2, padding=1, bias=True, pre=RELU),
    conv_transpose("1-d dilated", (2, 3, 5), (3, 4, 3), stride=3, dilation=2, padding=((0, 2),), extra=2, **ALL),
    conv_transpose("1-d depthwise", (2, 5, 6), (5, 1, 3), groups=5, stride=2, **ALL),
    conv_transpose("3-d", (2, 3, 2, 3, 4), (3, 4, 2, 3, 3), stride=(1, 2, 3), padding=((0, 1), (1, 1), (2, 0)), extra=(0, 1, 0), **ALL),
    conv_transpose("3-d batch 7", (7, 2, 2, 2, 2), (2, 3, 2, 2, 2), stride=2, bias=True),
    conv_transpose("3-d depthwise", (1, 3, 2, 3, 2), (3, 1, 3, 2, 3), groups=3, stride=(2, 1, 2), dilation=(1, 2, 1), padding=1),
)  # fmt: skip

CASES: dict[type[Op], tuple[Case, ...]] = {ConvTranspose: _CONV_TRANSPOSE}
