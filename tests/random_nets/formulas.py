"""Activations and norms: by their own operators, where the opset has them, and written out in orders that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import Any

import numpy as np

from .writer import V, Writer

__all__ = ["activation", "affine", "norm", "softmax_by_hand"]

Part = V | float


def _pair(w: Writer, parts: list[Part]) -> tuple[Part, Part, list[Part]]:
    order = w.rng.permutation(len(parts))
    a, b, *rest = (parts[i] for i in order)
    return a, b, rest


def times(w: Writer, *factors: Part) -> V:
    """Their product, in any order and association."""
    parts = list(factors)
    while len(parts) > 1:
        a, b, rest = _pair(w, parts)
        if isinstance(a, float) and isinstance(b, float):
            made: Part = a * b
        elif isinstance(b, float):
            made = w.binary("Div", a, w.number(1 / b)) if w.chance(0.3) else w.binary("Mul", a, w.number(b))
        elif isinstance(a, float):
            made = w.binary("Mul", w.number(a), b)
        else:
            made = w.binary("Mul", a, b)
        parts = [*rest, made]
    assert isinstance(parts[0], V)
    return parts[0]


def plus(w: Writer, *terms: Part) -> V:
    """Their sum, in any order and association."""
    parts = list(terms)
    while len(parts) > 1:
        a, b, rest = _pair(w, parts)
        if isinstance(a, float) and isinstance(b, float):
            made: Part = a + b
        elif isinstance(b, float):
            made = w.binary("Sub", a, w.number(-b)) if w.chance(0.3) else w.binary("Add", a, w.number(b))
        elif isinstance(a, float):
            made = w.binary("Add", w.number(a), b)
        else:
            made = w.binary("Add", a, b)
        parts = [*rest, made]
    assert isinstance(parts[0], V)
    return parts[0]


def square(w: Writer, x: V) -> V:
    return w.of(lambda: w.binary("Mul", x, x), lambda: w.binary("Pow", x, w.number(2.0)))()


def cube(w: Writer, x: V) -> V:
    return w.of(lambda: times(w, x, x, x), lambda: w.binary("Pow", x, w.number(3.0)))()


def clip(w: Writer, x: V, low: float, high: float) -> V:
    def limits() -> tuple[str, str]:
        return w.number(low), w.number(high)

    return w.of(
        lambda: w.clip(x, low, high),
        lambda: w.binary("Min", w.binary("Max", x, limits()[0]), limits()[1]),
        lambda: w.binary("Max", limits()[0], w.binary("Min", limits()[1], x)),
        lambda: w.clip(w.clip(x, low, None), None, high),
        lambda: w.clip(w.op("Relu", x), None, high) if low == 0 else w.clip(x, low, high),
    )()


def relu6(w: Writer, x: V) -> V:
    return clip(w, x, 0.0, 6.0)


def gated(w: Writer, x: V, function: V) -> V:
    return w.of(
        lambda: times(w, 0.5, x, plus(w, 1.0, function)),
        lambda: times(w, x, plus(w, 0.5, times(w, 0.5, function))),
        lambda: times(w, 0.5, plus(w, x, times(w, x, function))),
    )()


def gelu(w: Writer, x: V) -> V:
    if w.opset >= 20 and w.chance(0.5):
        return w.op("Gelu", x, approximate=w.of("none", "tanh"))
    if w.chance(0.7):
        return gated(w, x, w.op("Erf", times(w, x, sqrt(0.5))))
    k, c = sqrt(2 / pi), 0.044715
    line = w.of(
        lambda: times(w, k, plus(w, x, times(w, c, cube(w, x)))),
        lambda: times(w, k, x, plus(w, 1.0, times(w, c, square(w, x)))),
    )()
    return gated(w, x, w.op("Tanh", line))


def hard_sigmoid(w: Writer, x: V) -> V:
    return w.of(
        lambda: w.op("HardSigmoid", x, alpha=w.of(1 / 6, 0.2), beta=0.5),
        lambda: times(w, relu6(w, plus(w, x, 3.0)), 1 / 6),
        lambda: clip(w, plus(w, times(w, x, 1 / 6), 0.5), 0.0, 1.0),
    )()


def hard_swish(w: Writer, x: V) -> V:
    if w.opset >= 14 and w.chance(0.3):
        return w.op("HardSwish", x)
    return w.of(lambda: times(w, x, relu6(w, plus(w, x, 3.0)), 1 / 6), lambda: times(w, x, hard_sigmoid(w, x)))()


def sigmoid(w: Writer, x: V) -> V:
    if w.chance(0.7):
        return w.op("Sigmoid", x)
    bottom = plus(w, 1.0, w.op("Exp", w.op("Neg", x)))
    return w.op("Reciprocal", bottom) if w.chance(0.5) else w.binary("Div", w.number(1.0), bottom)


def silu(w: Writer, x: V) -> V:
    return times(w, x, sigmoid(w, times(w, x, 1.702) if w.chance(0.2) else x))


def softplus(w: Writer, x: V) -> V:
    return w.op("Softplus", x) if w.chance(0.7) else w.op("Log", plus(w, 1.0, w.op("Exp", x)))


def mish(w: Writer, x: V) -> V:
    if w.opset >= 18 and w.chance(0.3):
        return w.op("Mish", x)
    return times(w, x, w.op("Tanh", softplus(w, x)))


def leaky(w: Writer, x: V) -> V:
    slope = float(w.of(0.01, 0.1, 0.2, 1.5, -0.5))
    return w.of(
        lambda: w.op("LeakyRelu", x, alpha=slope),
        lambda: w.binary("Max", x, times(w, x, slope)),
        lambda: w.op("Where", w.op("Greater", x, w.number(0.0)).name, x, times(w, x, slope), shapes=x.shapes, letters=x.letters),
        lambda: plus(w, w.op("Relu", x), times(w, -slope, w.op("Relu", w.op("Neg", x)))),
    )()


def prelu(w: Writer, x: V) -> V:
    c = x.channels
    after = x.ndim - 1 - x.at("C")
    shape = w.of((1,), (c, *(1,) * after), (1,) * x.ndim)
    return w.op("PRelu", x, w.constant(np.abs(w.draw(*shape, scale=0.3)) if w.chance(0.5) else w.draw(*shape, scale=0.3)))


def bounded(w: Writer, x: V) -> V:
    """Something that is computed from a clipped, squashed or positive value, and stays small."""
    return w.of(
        lambda: w.op("Sqrt", plus(w, w.op("Abs", x), 0.1)),
        lambda: w.op("Exp", w.op("Tanh", x)),
        lambda: w.op("Log", plus(w, square(w, x), 1.0)),
        lambda: w.binary("Div", x, plus(w, w.op("Abs", x), 1.0)),
        lambda: w.op("Abs", x),
        lambda: w.op("Neg", x),
        lambda: w.op("Sin", x),
        lambda: w.op("Atan", x),
        lambda: square(w, clip(w, x, -2.0, 2.0)),
        lambda: w.op("Reciprocal", plus(w, square(w, x), 1.0)),
    )()


_PLAIN: tuple[Callable[[Writer, V], V], ...] = (
    lambda w, x: w.op("Relu", x),
    lambda w, x: w.op("Relu", x),
    relu6,
    lambda w, x: clip(w, x, float(w.of(-1.0, 0.0, -0.5, 0.1)), float(w.of(1.0, 2.0, 0.7))),
    lambda w, x: w.clip(x, float(w.of(-1.0, 0.0, 0.2)), None),
    lambda w, x: w.clip(x, None, float(w.of(1.0, 0.0, 0.2))),
    gelu, hard_sigmoid, hard_swish, sigmoid, silu, softplus, mish, leaky, prelu, bounded,
    lambda w, x: w.op("Tanh", x),
    lambda w, x: w.op("Elu", x, alpha=float(w.of(1.0, 0.5))),
    lambda w, x: w.op("Selu", x),
    lambda w, x: w.op("Softsign", x),
    lambda w, x: w.op("Shrink", x, lambd=0.5, bias=0.5),
    lambda w, x: w.op("Celu", x, alpha=float(w.of(1.0, 0.5))) if w.opset >= 12 else w.op("Elu", x),
)  # fmt: skip


def activation(w: Writer, x: V) -> V:
    """Any one."""
    return w.of(*_PLAIN)(w, x)


def affine(w: Writer, x: V) -> V:
    """A constant added, subtracted, multiplied or divided by: per channel, per column, everywhere the same, or a whole map."""
    vary = w.of("C", "C", "C", "C", "", x.letters[-1], "all")
    shape = [n if (c == vary or vary == "all") and c != "N" and (n := x.size(i)) else 1 for i, c in enumerate(x.letters)]
    while shape and shape[0] == 1 and w.chance(0.7):
        shape = shape[1:]
    numbers = w.draw(*shape)
    kind = w.of("Add", "Add", "Sub", "Mul", "Mul", "Div")
    if kind in ("Mul", "Div"):
        numbers = np.sign(numbers + 1e-6) * (np.abs(numbers) + 0.3)
        if w.chance(0.4):
            numbers = np.abs(numbers)
        if kind == "Mul" and w.chance(0.1):
            numbers = np.where(w.rng.random(numbers.shape) < 0.3, 0, numbers)
    c = w.constant(np.asarray(numbers, np.float32).reshape(shape))
    if kind == "Div" or w.chance(0.6):
        return w.binary(kind, x, c)
    return w.binary(kind, c, x)


def softmax_by_hand(w: Writer, x: V, axis: int) -> V:
    """exp over the sum of exp, with or without the maximum taken off."""
    less = w.binary("Sub", x, w.reduce("ReduceMax", x, [axis], True)) if w.chance(0.8) else w.op("Tanh", x)
    e = w.op("Exp", less)
    return w.binary("Div", e, w.reduce("ReduceSum", e, [axis], True))


# -- norms


def _kept(w: Writer, kind: str, x: V, at: Sequence[int]) -> V:
    """A reduction that keeps its axes, at once, one after the other, or by putting them back."""
    at = sorted(at)
    if len(at) > 1 and kind != "ReduceSumSquare" and w.chance(0.1):
        for axis in w.rng.permutation(at):
            x = w.reduce(kind, x, [int(axis)], True)
        return x
    if w.chance(0.8):
        return w.reduce(kind, x, at, True)
    letters = x.letters
    y = w.reduce(kind, x, at, False)
    for axis in at:
        y = w.unsqueeze(y, axis, letters[axis])
    return y


def standardised(w: Writer, x: V, at: Sequence[int], eps: float) -> V:
    """``(x − mean)/sqrt(var + eps)`` along axes."""
    d = w.binary("Sub", x, _kept(w, "ReduceMean", x, at))
    again = d if w.chance(0.7) else w.binary("Sub", x, _kept(w, "ReduceMean", x, at))
    var = _kept(w, "ReduceMean", square(w, again), at)
    root = w.binary("Add", var, w.number(eps)) if w.chance(0.7) else w.binary("Add", w.number(eps), var)
    root = w.op("Sqrt", root) if w.chance(0.7) else w.binary("Pow", root, w.number(0.5))
    if w.chance(0.4):
        return w.binary("Div", d, root)
    return times(w, d, w.op("Reciprocal", root) if w.chance(0.5) else w.binary("Div", w.number(1.0), root))


def scaled(w: Writer, x: V, at: int) -> V:
    """With a weight and a bias along an axis, or one of them, or none."""
    c = x.size(at)
    assert c is not None
    for kind in ("Mul", "Add"):
        if w.chance(0.8):
            shape = (c, *(1,) * (x.ndim - 1 - at))
            if w.chance(0.3):
                shape = (1,) * (x.ndim - len(shape)) + shape
            x = w.binary(kind, x, w.constant(w.draw(*shape) + np.float32(kind == "Mul")))
    return x


def layer_norm(w: Writer, x: V, at: int) -> V:
    eps = float(w.of(1e-5, 1e-6, 1e-3))
    c = x.size(at)
    if w.opset >= 17 and at == x.ndim - 1 and w.chance(0.4):
        return w.op("LayerNormalization", x, w.constant(w.draw(c)), w.constant(w.draw(c)) if w.chance(0.7) else None, axis=-1, epsilon=eps)
    return scaled(w, standardised(w, x, [at], eps), at)


def rms_norm(w: Writer, x: V, at: int) -> V:
    root = w.op("Sqrt", plus(w, _kept(w, "ReduceMean", square(w, x), [at]), 1e-6))
    return scaled(w, w.binary("Div", x, root), at)


def group_norm(w: Writer, x: V) -> V:
    """Of N C …: by reshaping to groups, and an instance norm or its formula there."""
    c = x.channels
    groups = w.of(*(g for g in range(1, c + 1) if c % g == 0))
    if w.opset >= 21 and w.chance(0.3):
        return w.op("GroupNormalization", x, w.constant(w.draw(c)), w.constant(w.draw(c)), num_groups=groups, epsilon=1e-5)
    sizes = [(s[0], groups, int(np.prod(s[1:])) // groups) for s in x.shapes]
    grouped = w.reshape(x, sizes, "NGL")
    if grouped is None:
        return instance_norm(w, x)
    if w.chance(0.6):
        ones = [w.constant(np.full(groups, v, np.float32)) for v in (1, 0)]
        y = w.op("InstanceNormalization", grouped, *ones, epsilon=1e-5)
    else:
        y = standardised(w, grouped, [2], 1e-5)
    back = w.shape_of(x, x.shapes, zeros=False)
    if back is None:
        return instance_norm(w, x)
    return scaled(w, w.op("Reshape", y, back, shapes=x.shapes, letters=x.letters), 1)


def instance_norm(w: Writer, x: V) -> V:
    c = x.channels
    if w.chance(0.5):
        return w.op("InstanceNormalization", x, w.constant(w.draw(c)), w.constant(w.draw(c)), epsilon=1e-5)
    if w.chance(0.2):
        return w.op("MeanVarianceNormalization", x, axes=list(range(2, x.ndim)))
    return scaled(w, standardised(w, x, range(2, x.ndim), 1e-5), 1)


def batch_norm(w: Writer, x: V) -> V:
    c = x.channels
    gain = w.draw(c) if w.chance(0.7) else np.where(w.rng.random(c) < 0.3, 0, w.draw(c)).astype(np.float32)
    var = np.exp(w.draw(c)).astype(np.float32)
    names = [w.constant(a) for a in (gain, w.draw(c), w.draw(c, scale=0.5), var)]
    return w.op("BatchNormalization", x, *names, epsilon=float(w.of(1e-5, 1e-3)), momentum=0.9)


def l2_norm(w: Writer, x: V, at: int) -> V:
    if w.chance(0.3):
        return w.op("LpNormalization", x, axis=at, p=w.of(1, 2))
    return w.binary("Div", x, w.clip(_kept(w, "ReduceL2", x, [at]), 1e-6, None))


def norm(w: Writer, x: V) -> V:
    """Any norm; of N C … in this order those that need it."""
    along = w.of(x.at("C"), x.ndim - 1)
    if x.size(along) in (None, 1):
        along = x.at("C")
    ways: list[Any] = [lambda: l2_norm(w, x, along)]
    if x.channels > 1:  # of one number the mean takes off all there is
        ways += [lambda: layer_norm(w, x, along), lambda: rms_norm(w, x, along)]
    if x.letters.startswith("NC") and x.ndim > 2:
        ways += [lambda: batch_norm(w, x)] * 4
        if min(int(np.prod(s[2:])) for s in x.shapes) > 1:
            ways += [lambda: instance_norm(w, x), lambda: group_norm(w, x)]
    if x.letters == "NCHW":
        ways += [lambda: w.op("LRN", x, size=w.of(3, 5), alpha=float(w.of(1e-4, 0.5)), beta=0.75, bias=float(w.of(1.0, 2.0)))]
    return w.of(*ways)()
