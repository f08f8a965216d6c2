"""Transposed convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import signal

from gpucnn.ops import ConvTranspose, Op

from .base import Oracle, auto_pad, onnx
from .conv import _finish


def conv_transpose(op: ConvTranspose, *arrays: Any) -> tuple[Any, ...]:
    """By ONNX's evaluator, a group at a time: of several (1.23) it makes arrays that do not fit together."""
    x, w, b = (*arrays, None)[:3]
    fields = {"strides": op.stride, "dilations": op.dilation, "output_padding": op.output_padding, **auto_pad(op.padding)}
    if op.output_shape is not None:
        fields["output_shape"] = op.output_shape
    parts = []
    for images, kernels in zip(np.split(x, op.groups, 1), np.split(w, op.groups, 0)):
        parts.append(onnx("ConvTranspose", images, kernels, **fields)[0])
    y = np.concatenate(parts, 1)
    return (_finish(op, y if b is None else y + b.astype(np.float64).reshape(-1, *(1,) * len(op.stride)), arrays),)


def cut_of(op: ConvTranspose, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """What is cut off in front, and the sizes that are left, in the words of ONNX's ConvTranspose."""
    begins, out = [], []
    for i, (n, k) in enumerate(zip(sizes, kernel)):
        whole = op.stride[i] * (n - 1) + op.output_padding[i] + ((k - 1) * op.dilation[i] + 1)
        if not isinstance(op.padding, str):
            begins.append(op.padding[i][0])
            out.append(whole - sum(op.padding[i]))
        elif op.padding == "valid":
            begins.append(0)
            out.append(whole)
        else:
            size = op.stride[i] * n if op.output_shape is None else op.output_shape[i]
            total = max(whole - size, 0)
            begins.append(total // 2 if op.padding == "same" else total - total // 2)
            out.append(size)
    return begins, out


def conv_transpose_by_scipy(op: ConvTranspose, *arrays: Any) -> tuple[Any, ...]:
    """Zeros between the pixels and between the elements of the kernel, then a full convolution of every pair of channels."""
    x, w, b = (*arrays, None)[:3]
    begins, out = cut_of(op, x.shape[2:], w.shape[2:])

    def spread(a: Any, steps: tuple[int, ...]) -> Any:
        wide = np.zeros([(n - 1) * s + 1 for n, s in zip(a.shape, steps)])
        wide[tuple(slice(None, None, s) for s in steps)] = a
        return wide

    c, per = len(w) // op.groups, w.shape[1]
    y = np.zeros((len(x), per * op.groups, *out))
    for i, k in np.ndindex(*y.shape[:2]):
        group = k // per
        for j in range(group * c, (group + 1) * c):
            whole = signal.convolve(spread(x[i, j], op.stride), spread(w[j, k % per], op.dilation), "full", "direct")
            whole = whole[tuple(slice(begin, begin + size) for begin, size in zip(begins, out))]
            y[(i, k, *(slice(n) for n in whole.shape))] += whole
    return (_finish(op, y if b is None else y + b.astype(np.float64).reshape(-1, *(1,) * len(out)), arrays),)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {ConvTranspose: (conv_transpose, conv_transpose_by_scipy)}

_EMPTY = "the evaluator cannot reshape an empty product"
_WIDER = "asked for more than the kernels reach, it shifts the result by negative padding; ONNX Runtime adds zeros at the end, as we do"

UNLIKE_ONNX: dict[tuple[str, str], str] = {
    ("ConvTranspose", "batch 0"): _EMPTY,
    ("ConvTranspose", "no channels out"): _EMPTY,
    ("ConvTranspose", "stride and dilation"): "the evaluator counts one more place of the kernel where output_padding is a stride or more",
    ("ConvTranspose", "same, kernel below stride"): _WIDER,
    ("ConvTranspose", "output_shape beyond the kernels"): _WIDER,
}
