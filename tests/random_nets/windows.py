"""Convolutions and pools: every attribute, and what is put in front of them."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .writer import V, Writer

__all__ = ["conv", "conv_transpose", "global_pool", "padded", "pool"]


def _windows(w: Writer, x: V, most: int, pool: bool) -> dict[str, Any]:
    """Kernel, strides, dilations and padding that leave something of x in all scenarios, with the sizes of the result."""
    rank = x.ndim - 2
    square = w.chance(0.7)
    kernel = [w.of(1, 2, 3, 3, 3, 5, most)] * rank if square else [w.of(1, 2, 3, 3, 4) for _ in range(rank)]
    strides = [w.of(1, 1, 2)] * rank if square else [w.of(1, 1, 2, 3) for _ in range(rank)]
    dilations = [w.of(1, 1, 1, 2)] * rank if not pool or w.opset >= 10 else [1] * rank
    least = [x.least(2 + i) for i in range(rank)]
    kernel = [min(k, n) for k, n in zip(kernel, least)]
    dilations = [d if d * (k - 1) < n else 1 for d, k, n in zip(dilations, kernel, least)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel)]
    strides = [min(s, n) for s, n in zip(strides, least)]
    auto = w.of("NOTSET", "NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if auto.startswith("SAME"):  # ONNX Runtime takes no dilation here, and no stride that leaves something out
        dilations, reach = [1] * rank, list(kernel)
        strides = [min(s, k) for s, k in zip(strides, kernel)]
    attributes: dict[str, Any] = {}
    if auto != "NOTSET" or w.chance(0.1):
        attributes["auto_pad"] = auto
    if auto == "NOTSET":
        most_of = [k - 1 if pool else r for k, r in zip(kernel, reach)]  # no window of a pool may lie in the padding alone
        if w.chance(0.6):
            before = [min(r // 2, m) for r, m in zip(reach, most_of)]
            after = list(before)
        else:
            before, after = ([w.int(0, m) if w.chance(0.5) else 0 for m in most_of] for _ in range(2))
        if any(before + after) or w.chance(0.3):
            attributes["pads"] = [*before, *after]
    else:
        before = after = [0] * rank
    if strides != [1] * rank or w.chance(0.5):
        attributes["strides"] = strides
    if dilations != [1] * rank or (w.chance(0.2) and not (pool and w.opset < 10)):
        attributes["dilations"] = dilations
    ceil = pool and w.opset >= 10 and auto == "NOTSET" and w.chance(0.25)

    def out(n: int, i: int) -> int:
        if auto.startswith("SAME"):
            return -(-n // strides[i])
        room = n + before[i] + after[i] - reach[i]
        return (-(-room // strides[i]) if ceil else room // strides[i]) + 1

    def starts_inside(n: int, i: int) -> bool:  # whether the last window does: about others ONNX changed its mind
        return (out(n, i) - 1) * strides[i] < n + before[i]

    ceil = ceil and all(starts_inside(n, i) for s in x.shapes for i, n in enumerate(s[2:]))
    if ceil:
        attributes["ceil_mode"] = 1

    sizes = [[out(n, i) for i, n in enumerate(s[2:])] for s in x.shapes]
    return {"kernel": kernel, "attributes": attributes, "sizes": sizes}


def conv(w: Writer, x: V, channels: int | None = None, *, depthwise: bool = False, pointwise: bool = False) -> V:
    """Of N C …; grouped at times, with or without a bias."""
    c = x.channels
    at = _windows(w, x, 7, pool=False)
    kernel, attributes, sizes = at["kernel"], at["attributes"], at["sizes"]
    if pointwise:
        kernel, attributes, sizes = [1] * (x.ndim - 2), {}, [s[2:] for s in x.shapes]
    k = channels or w.of(1, 2, 3, 4, 6, 8, 8, 12, 16)
    groups = 1
    if depthwise or (not pointwise and w.chance(0.2)):
        groups = c
        k = c * (w.of(1, 1, 2) if channels is None else max(1, channels // c))
    elif w.chance(0.2):
        groups = w.of(*(g for g in range(1, c + 1) if c % g == 0 and k % g == 0))
    if groups > 1 or w.chance(0.3):
        attributes["group"] = groups
    if not pointwise or w.chance(0.8):
        attributes["kernel_shape"] = kernel
    scale = 1.5 / np.sqrt(c // groups * np.prod(kernel))
    weight = w.constant(w.draw(k, c // groups, *kernel, scale=scale))
    bias = w.constant(w.draw(k, scale=0.5)) if w.chance(0.6) else None
    shapes = [(s[0], k, *size) for s, size in zip(x.shapes, sizes)]
    return w.op("Conv", x, weight, bias, shapes=shapes, **attributes)


def conv_transpose(w: Writer, x: V) -> V:
    c, rank = x.channels, x.ndim - 2
    k, stride = w.of(2, 3, 4), w.of(1, 2, 2)
    pad = w.int(0, min(k - 1, 1))
    extra = w.int(0, stride - 1) if w.chance(0.3) else 0
    groups = w.of(1, 1, c)
    out = w.of(1, 2, 4)
    weight = w.constant(w.draw(c, out, *[k] * rank, scale=1.5 / np.sqrt(c // groups * k**rank)))
    bias = w.constant(w.draw(out * groups)) if w.chance(0.5) else None
    shapes = [(s[0], out * groups, *(stride * (n - 1) + k - 2 * pad + extra for n in s[2:])) for s in x.shapes]
    if any(n < 1 for s in shapes for n in s):
        return x
    return w.op(
        "ConvTranspose", x, weight, bias, shapes=shapes, strides=[stride] * rank, pads=[pad] * (2 * rank), kernel_shape=[k] * rank,
        output_padding=[extra] * rank if extra else None, group=groups,
    )  # fmt: skip


def pool(w: Writer, x: V) -> V:
    """The largest or the mean of windows."""
    at = _windows(w, x, 2, pool=True)
    attributes = at["attributes"]
    kind = w.of("MaxPool", "MaxPool", "AveragePool")
    if kind == "AveragePool":
        if w.opset < 19 and any(d != 1 for d in attributes.pop("dilations", [])):
            return x
        if w.chance(0.5):
            attributes["count_include_pad"] = w.int(0, 1)
    elif w.chance(0.1):
        shapes = [(*s[:2], *size) for s, size in zip(x.shapes, at["sizes"])]
        name = w.raw(kind, [x.name], 2, kernel_shape=at["kernel"], **attributes)[0]  # nobody reads the places
        return V(name, tuple(shapes), x.letters)
    shapes = [(*s[:2], *size) for s, size in zip(x.shapes, at["sizes"])]
    return w.op(kind, x, shapes=shapes, kernel_shape=at["kernel"], **attributes)


def global_pool(w: Writer, x: V, keepdims: bool) -> V:
    """Over all that follows the channels: by an operator, by a reduction, by a window."""
    at = [i for i, c in enumerate(x.letters) if c not in "NC"]
    if x.letters.startswith("NC") and keepdims:
        ones = [(*s[:2], *(1,) * len(at)) for s in x.shapes]
        sizes = [x.size(i) for i in at]
        if all(sizes) and w.chance(0.2):
            return w.op(w.of("AveragePool", "MaxPool"), x, shapes=ones, kernel_shape=sizes)
        if w.chance(0.6):
            return w.op(w.of("GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool"), x, shapes=ones)
    kind = w.of("ReduceMean", "ReduceMean", "ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin")
    if len(at) > 1 and w.chance(0.2):
        y = w.reduce(kind, x, [at[0]], True)
        y = w.reduce(kind, y, at[1:], True)
        return y if keepdims else w.squeeze(y, at)
    return w.reduce(kind, x, at, keepdims)


def padded(w: Writer, x: V) -> V:
    """A border: of a number, of what lies inside, or cut off."""
    mode = w.of("constant", "constant", "constant", "reflect", "edge")
    value = float(w.of(0.0, 0.0, 0.0, -inf, 1.0, -1.0)) if mode == "constant" else 0.0
    pads = [(0, 0)] * x.ndim
    for i, c in enumerate(x.letters):
        most = min(3, x.least(i) - 1)
        if c not in "NC":
            pads[i] = (w.int(0, most), w.int(0, most)) if w.chance(0.8) else (0, 0)
        elif c == "C" and mode == "constant" and value != -inf and w.chance(0.1):
            pads[i] = (w.int(0, 2), w.int(0, 2))
    if mode == "constant" and w.chance(0.1) and min(x.least(i) for i, c in enumerate(x.letters) if c not in "NC") > 3:
        pads = [(-w.int(0, 1), w.int(-1, 1)) if c not in "NC" else p for c, p in zip(x.letters, pads)]
    if not any(map(any, pads)):
        return x
    y = w.pad(x, pads, mode, value)
    if value != -inf:
        return y
    if x.letters.startswith("NC") and w.chance(0.8):  # what −∞ is meant for; elsewhere it makes NaN
        kernel = [max(p) + 1 for p in pads[2:]]
        stride = w.of(1, 2)
        shapes = [(*s[:2], *((n - k) // stride + 1 for n, k in zip(s[2:], kernel))) for s in y.shapes]
        return w.op("MaxPool", y, shapes=shapes, kernel_shape=kernel, strides=[stride] * len(kernel))
    return w.clip(y, -3.0, None)
