"""Blocks of famous CNNs: each makes one value from another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .exported import exported
from .formulas import activation, affine, hard_sigmoid, norm, sigmoid, softmax_by_hand
from .moving import channels_first, channels_last, moved, relaid, tokens
from .windows import conv, conv_transpose, global_pool, padded, pool
from .writer import V, Writer

__all__ = ["BLOCKS", "dense"]

Block = Callable[[Writer, V], "V | None"]


def _conv(w: Writer, x: V) -> V:
    return conv(w, channels_first(w, x))


def _conv_norm_activation(w: Writer, x: V) -> V:
    y = conv(w, channels_first(w, x))
    if w.chance(0.2):
        y = affine(w, y)
    y = norm(w, y) if w.chance(0.6) else y
    return activation(w, y) if w.chance(0.7) else y


def _residual(w: Writer, x: V) -> V | None:
    x = channels_first(w, x)
    y = x
    for _ in range(w.int(1, 2)):
        c = x.channels
        kernel = [w.of(1, 3, 3)] * (x.ndim - 2)
        weight = w.constant(w.draw(c, c, *kernel, scale=1.2 / np.sqrt(c * np.prod(kernel))))
        y = w.op("Conv", y, weight, pads=[k // 2 for k in kernel] * 2, kernel_shape=kernel)
        if w.chance(0.5):
            y = norm(w, y)
        if w.chance(0.4):
            y = activation(w, y)
    if w.chance(0.2):
        y = affine(w, y)
    total = w.binary("Add", x, y) if w.chance(0.5) else w.binary("Add", y, x)
    return activation(w, total) if w.chance(0.5) else total


def _inverted(w: Writer, x: V) -> V:
    x = channels_first(w, x)
    y = conv(w, x, min(24, 2 * x.channels), pointwise=True)
    y = activation(w, norm(w, y) if w.chance(0.5) else y)
    y = conv(w, y, depthwise=True)
    if w.chance(0.5):
        y = _squeeze_excite(w, y)
    y = conv(w, y, x.channels, pointwise=True)
    y = norm(w, y) if w.chance(0.5) else y
    return w.binary("Add", x, y) if y.shapes == x.shapes else y


def _squeeze_excite(w: Writer, x: V) -> V:
    x = channels_first(w, x)
    c, k = x.channels, w.int(1, 4)
    if w.chance(0.6):
        y = global_pool(w, x, True)
        y = conv(w, y, k, pointwise=True)
        y = conv(w, w.op("Relu", y), c, pointwise=True)
        gate = w.of(sigmoid, hard_sigmoid)(w, y)
    else:
        y = dense(w, w.op("Relu", dense(w, global_pool(w, x, False), k)), c)
        gate = w.of(sigmoid, hard_sigmoid)(w, y)
        made = w.reshape(gate, [(*s[:2], *(1,) * (x.ndim - 2)) for s in x.shapes], x.letters) if w.chance(0.5) else None
        if made is None:
            made = gate
            for i in range(2, x.ndim):
                made = w.unsqueeze(made, i, x.letters[i])
        gate = made
    if w.chance(0.15):
        gate = w.op("Expand", gate, w.raw("Shape", [x.name])[0], shapes=x.shapes)
    return w.binary("Mul", x, gate) if w.chance(0.5) else w.binary("Mul", gate, x)


def dense(w: Writer, x: V, k: int) -> V:
    """Along the last axis: MatMul and an addition, or Gemm where x is a matrix."""
    c = x.size(x.ndim - 1)
    assert c is not None
    shapes = [(*s[:-1], k) for s in x.shapes]
    scale = 1.2 / np.sqrt(c)
    if x.ndim == 2 and w.chance(0.6):
        turned = w.chance(0.7)
        weight = w.constant(w.draw(*((k, c) if turned else (c, k)), scale=scale))
        bias = w.constant(w.draw(*w.of((k,), (1, k), (1,), ()))) if w.chance(0.8) or w.opset < 11 else None
        by = {"alpha": float(w.of(1.0, 1.0, 0.5)), "beta": float(w.of(1.0, 1.0, 0.5, 0.0))}
        return w.op("Gemm", x, weight, bias, shapes=shapes, transB=int(turned), **by)
    if w.opset >= 12 and w.chance(0.1):
        rows = "abcd"[: x.ndim - 1]
        weight = w.constant(w.draw(k, c, scale=scale))
        return w.op("Einsum", x, weight, shapes=shapes, equation=f"{rows}x,yx->{rows}y")
    y = w.op("MatMul", x, w.constant(w.draw(c, k, scale=scale)), shapes=shapes)
    if w.chance(0.8):
        bias = w.constant(w.draw(k))
        y = w.binary("Add", y, bias) if w.chance(0.5) else w.binary("Add", bias, y)
    return y


def _convnext(w: Writer, x: V) -> V:
    """Depthwise, then a norm and dense layers with channels last."""
    x = channels_first(w, x)
    y = channels_last(w, conv(w, x, depthwise=True))
    if y.channels > 1:
        y = norm(w, y)
    y = dense(w, activation(w, dense(w, y, 2 * y.channels)), x.channels)
    if w.chance(0.5):
        y = w.binary("Mul", y, w.constant(w.draw(x.channels)))
    y = channels_first(w, y)
    return w.binary("Add", x, y) if y.shapes == x.shapes else y


def _branches(w: Writer, x: V) -> V | None:
    """Several ways from one value, put together by channels or added."""
    x = channels_first(w, x)
    made = []
    for _ in range(w.int(2, 3)):
        y = w.of(_pointwise, _pointwise, lambda w, x: x, _same_pool, activation, affine)(w, x)
        made.append(activation(w, y) if w.chance(0.5) else y)
    if len({y.shapes for y in made}) == 1 and w.chance(0.5):
        return w.op(w.of("Sum", "Max", "Mean", "Min"), *made)
    return w.concat(made, 1)


def _pointwise(w: Writer, x: V) -> V:
    return conv(w, x, w.of(1, 3, 4, x.channels), pointwise=True)


def _same_pool(w: Writer, x: V) -> V:
    rank = x.ndim - 2
    kind = w.of("MaxPool", "AveragePool")
    more = {"count_include_pad": w.int(0, 1)} if kind == "AveragePool" else {}
    return w.op(kind, x, kernel_shape=[3] * rank, pads=[1] * (2 * rank), strides=[1] * rank, **more)


def _ghost(w: Writer, x: V) -> V:
    x = channels_first(w, x)
    k = w.of(2, 4, 5)
    y = activation(w, conv(w, x, k, pointwise=True))
    kernel = [3] * (x.ndim - 2)
    z = w.op("Conv", y, w.constant(w.draw(k, 1, *kernel, scale=0.4)), pads=[1] * (2 * len(kernel)), group=k)
    both = w.concat([y, activation(w, z)], 1)
    return w.slice(both, 1, 0, w.int(k, 2 * k))


def _attention(w: Writer, x: V) -> V | None:
    """Of a few vectors: softmax(q kᵀ) v, and back to the map."""
    x = channels_first(w, x)
    row = tokens(w, x)
    if row is None or max(s[1] for s in row.shapes) > 40:
        return None
    c = x.channels
    q, k, v = (dense(w, row, c) for _ in range(3))
    turned = w.transpose(k, "NCL")
    square = [(s[0], s[1], s[1]) for s in row.shapes]
    scores = w.op("MatMul", times_root(w, q, c), turned, shapes=square, letters="NLM")
    weights = softmax_by_hand(w, scores, 2) if w.chance(0.3) else w.softmax(scores, 2)
    y = w.transpose(w.op("MatMul", weights, v, shapes=row.shapes, letters="NLC"), "NCL")
    back = w.shape_of(x, x.shapes, zeros=False)
    if back is None:
        return None
    return w.binary("Add", x, w.op("Reshape", y, back, shapes=x.shapes, letters=x.letters))


def times_root(w: Writer, x: V, c: int) -> V:
    return w.binary("Div", x, w.number(float(np.sqrt(c)))) if w.chance(0.5) else w.binary("Mul", x, w.number(float(1 / np.sqrt(c))))


def _batch_folded(w: Writer, x: V) -> V | None:
    """Every channel an image of its own, through one convolution, and back."""
    x = channels_first(w, x)
    c = x.channels
    y = w.reshape(x, [(s[0] * c, 1, *s[2:]) for s in x.shapes], x.letters)
    if y is None:
        return None
    kernel = [3] * (x.ndim - 2)
    y = w.op("Conv", y, w.constant(w.draw(1, 1, *kernel, scale=0.4)), pads=[1] * (2 * len(kernel)))
    back = w.shape_of(x, x.shapes, zeros=False)
    return None if back is None else w.op("Reshape", y, back, shapes=x.shapes, letters=x.letters)


def _centred(w: Writer, x: V) -> V:
    """Against its own mean or maximum along some axis."""
    axis = w.of(x.at("C"), x.ndim - 1)
    if x.letters[axis] == "N":
        axis = x.at("C")
    y = w.reduce(w.of("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"), x, [axis], True)
    return w.binary(w.of("Sub", "Add", "Max"), x, y)


def _padded_window(w: Writer, x: V) -> V:
    """A border, with or without something per channel before or behind it, and the convolution or pool that it is for."""
    x = channels_first(w, x)
    x = w.of(lambda: x, lambda: w.op("Relu", x), lambda: affine(w, x), lambda: w.clip(x, float(w.of(-1.0, 0.0, 0.5)), None))()
    rank = x.ndim - 2
    least = min(x.least(i) for i in range(2, x.ndim))
    value = float(w.of(0.0, 0.0, 0.0, -np.inf, -1.0, 1.0, -1e9))
    pads = [(w.int(-1 if least > 4 else 0, 2), w.int(0, 2)) for _ in range(rank)] if w.chance(0.6) else [(w.int(0, 2),) * 2] * rank
    y = w.pad(x, [(0, 0), (0, 0), *pads], value=value)
    kernel = [min(w.of(2, 3), min(y.least(2 + i) for i in range(rank)))] * rank
    if value <= -1e9 or w.chance(0.4):
        stride, inner = w.of(1, 2), w.of(0, 0, 1) if kernel[0] > 1 else 0
        shapes = [(*s[:2], *((n + 2 * inner - kernel[0]) // stride + 1 for n in s[2:])) for s in y.shapes]
        kind = "MaxPool" if value <= -1e9 else w.of("MaxPool", "AveragePool")
        more = {"count_include_pad": w.int(0, 1)} if kind == "AveragePool" else {}
        z = w.op(kind, y, shapes=shapes, kernel_shape=kernel, strides=[stride] * rank, pads=[inner] * (2 * rank), **more)
        return w.clip(z, -5.0, None) if value <= -1e9 else z
    if w.chance(0.2):
        y = affine(w, y)
    return conv(w, y, depthwise=w.chance(0.3))


def _dense_block(w: Writer, x: V) -> V:
    """Every layer reads all that came before it."""
    x = channels_first(w, x)
    parts = [x]
    for _ in range(w.int(2, 3)):
        y = w.concat(parts, 1) if len(parts) > 1 else parts[0]
        if w.chance(0.6):
            y = norm(w, y) if w.chance(0.5) else affine(w, y)
            y = activation(w, y)
        y = conv(w, y, w.of(1, 2, 4), pointwise=True)
        parts = [*parts, y] if w.chance(0.7) else [w.concat(parts, 1) if len(parts) > 1 else parts[0], y]
    return w.concat(parts if w.chance(0.8) else parts[::-1], 1)


def _split_ways(w: Writer, x: V) -> V:
    """Channels in two halves that go different ways, as in ShuffleNet, Res2Net and CSP nets."""
    x = channels_first(w, x)
    c = x.channels
    if c < 2:
        return x
    k = c // 2 if w.chance(0.7) else w.int(1, c - 1)
    a, b = w.split(x, 1, [k, c - k]) if w.chance(0.5) else (w.slice(x, 1, 0, k), w.slice(x, 1, k, c))
    for _ in range(w.int(1, 2)):
        b = w.of(lambda w, b: conv(w, b, b.channels, pointwise=True), activation, norm, affine)(w, b)
    if w.chance(0.3) and a.shapes == b.shapes:
        b = w.binary("Add", a, b)
    if w.chance(0.3):
        a = w.of(activation, affine)(w, a)
    return w.concat([a, b] if w.chance(0.7) else [b, a], 1)


def _mixed_products(w: Writer, x: V) -> V | None:
    """Two values of a net in one matrix product: channels against channels."""
    x = channels_first(w, x)
    row = tokens(w, x)
    if row is None or max(s[1] for s in row.shapes) > 60:
        return None
    gram = [(s[0], s[2], s[2]) for s in row.shapes]
    g = w.op("MatMul", w.transpose(row, "NCL"), row, shapes=gram, letters="NCD")
    g = w.binary("Mul", g, w.number(1 / 50))
    y = w.op("MatMul", row, w.op("Tanh", g), shapes=row.shapes, letters="NLC")
    back = w.shape_of(x, x.shapes, zeros=False)
    return None if back is None else w.op("Reshape", w.transpose(y, "NCL"), back, shapes=x.shapes, letters=x.letters)


def _softmax(w: Writer, x: V) -> V:
    axis = w.of(x.at("C"), x.ndim - 1)
    if x.letters[axis] == "N":
        axis = x.at("C")
    y = softmax_by_hand(w, x, axis) if w.chance(0.4) else w.softmax(x, axis, log=w.chance(0.2))
    return w.binary("Mul", x, y) if w.chance(0.3) else y


def _dense_last(w: Writer, x: V) -> V:
    return dense(w, channels_last(w, x), w.of(1, 3, 4, x.channels))


BLOCKS: tuple[tuple[int, Block], ...] = (
    (6, _conv), (8, _conv_norm_activation), (5, _residual), (3, _inverted), (3, _squeeze_excite), (2, _convnext), (3, _branches),
    (1, _ghost), (1, _attention), (1, _batch_folded), (1, _centred), (1, _softmax), (2, _dense_last), (8, activation), (8, affine),
    (3, norm), (3, lambda w, x: norm(w, channels_first(w, x))), (4, lambda w, x: pool(w, channels_first(w, x))), (4, padded),
    (4, _padded_window), (2, _dense_block), (2, _split_ways), (1, _mixed_products), (4, exported), (8, moved), (5, relaid),
    (1, lambda w, x: conv_transpose(w, channels_first(w, x))),
)  # fmt: skip
"""How often each comes, and what it is. A block that does not fit gives None, or what it was given."""
