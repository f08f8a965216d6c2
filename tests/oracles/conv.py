"""Convolution and dense layers."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from scipy import signal

from gpucnn.ops import Activation, Conv, Linear, Op
from gpucnn.spec import spec_of

from .activation import curve
from .base import Oracle, auto_pad, onnx


def _activate(act: Activation | None, y: Any) -> Any:
    return y if act is None else curve(act, y)


def _finish(op: Any, y: Any, arrays: tuple[Any, ...]) -> Any:
    residual = arrays[3] if len(arrays) > 3 else None
    y = _activate(op.epilogue.pre, y)
    return _activate(op.epilogue.post, y if residual is None else y + residual.astype(np.float64))


def conv(op: Conv, *arrays: Any) -> tuple[Any, ...]:
    x, w, b = (*arrays, None)[:3]
    fields = {"strides": op.stride, "dilations": op.dilation, "group": op.groups, "kernel_shape": w.shape[2:]}
    (y,) = onnx("Conv", x, w, b, **fields, **auto_pad(op.padding))
    return (_finish(op, y, arrays),)


def conv_by_scipy(op: Conv, *arrays: Any) -> tuple[Any, ...]:
    """Correlate every channel with every kernel, spread by the dilation, at every pixel, then keep what the stride meets."""
    x, w, b = (*arrays, None)[:3]
    pads = op.pads(*map(spec_of, (x, w)))
    x, w = np.pad(x.astype(np.float64), ((0, 0), (0, 0), *pads)), w.astype(np.float64)
    spread = np.zeros((*w.shape[:2], *((k - 1) * d + 1 for k, d in zip(w.shape[2:], op.dilation))))
    spread[(..., *(slice(None, None, d) for d in op.dilation))] = w
    per, groups = w.shape[1], op.groups
    y = [
        [
            sum(signal.correlate(image[k * groups // len(w) * per + c], spread[k, c], "valid", "direct") for c in range(per))
            for k in range(len(w))
        ]
        for image in x
    ]
    total = np.asarray(y)[(..., *(slice(None, None, s) for s in op.stride))]
    return (_finish(op, total if b is None else total + b.reshape(-1, *(1,) * len(pads)), arrays),)


def linear(op: Linear, *arrays: Any) -> tuple[Any, ...]:
    x, w, b = (*arrays, None)[:3]
    (y,) = onnx("Gemm", x.reshape(prod(x.shape[:-1]), x.shape[-1]), w, b, transB=1)
    return (_finish(op, y.reshape(*x.shape[:-1], len(w)), arrays),)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Conv: (conv, conv_by_scipy),
    Linear: (linear,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
