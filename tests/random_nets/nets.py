"""Whole nets, in the manner of real exports: blocks of famous CNNs, wired at random, with the clutter that exporters leave."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from .blocks import BLOCKS, dense
from .formulas import activation, affine
from .moving import channels_first, like
from .windows import global_pool
from .writer import V, Writer

__all__ = ["Net", "random_net"]

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}
LARGEST = 6000
"""Elements of an image's map, beyond which it is pooled."""


@dataclass(frozen=True)
class Net:
    """A model, and what it is fed: arrays by name, for each batch and size of image.

    Attributes
    ----------
    batch : int or None
        The one that the file fixes.
    """

    model: onnx.ModelProto
    feeds: tuple[dict[str, Any], ...]
    batch: int | None


def _mixture(w: Writer) -> Any:
    """How likely each block is in one net: in most some are missing, and some are everywhere, so that they meet more often."""
    share = np.array([p * w.of(0, 1, 1, 3, 10) for p, _ in BLOCKS], float)
    return share / share.sum() if share.sum() else np.full(len(BLOCKS), 1 / len(BLOCKS))


def _scenarios(w: Writer, rank: int) -> tuple[int | None, bool, list[tuple[int, ...]]]:
    """The batch that the file fixes, whether sizes are open, and (batch, *sizes) to come."""
    most = {1: 24, 2: 13, 3: 6}[rank]

    def size() -> tuple[int, ...]:
        return tuple(w.int(4, most) for _ in range(rank))

    if w.chance(0.25):
        batch = w.of(1, 1, 1, 2, 3)
        return batch, False, [(batch, *size())]
    if w.chance(0.3):
        return None, True, [(n, *size()) for n in (1, 3, 5)]
    one = size()
    return None, False, [(n, *one) for n in (1, 3, 5)]


def _image(w: Writer, scenarios: list[tuple[int, ...]], letters: str) -> V:
    c = w.of(1, 2, 3, 3, 4, 5, 8)
    return V("image", tuple((n, c, *size) for n, *size in scenarios), letters)


@dataclass(frozen=True)
class _Port:
    """An input: what it is, its type, and what is fed for it where that is not drawn."""

    value: V
    element: int = TensorProto.FLOAT
    arrays: tuple[Any, ...] = ()


def _declared(port: _Port, batch: int | None, is_open: bool) -> Any:
    v, dims = port.value, list[Any]()
    for i, n in enumerate(v.shapes[0]):
        if port.arrays:
            dims.append(n)
        elif i == 0:
            dims.append("batch" if batch is None else batch)
        else:
            dims.append(f"{v.name}_{v.letters[i]}" if is_open and v.letters[i] not in "NC" else n)
    return helper.make_tensor_value_info(v.name, port.element, dims)


def _head(w: Writer, x: V) -> V:
    """Scores from a map."""
    x = channels_first(w, x) if w.chance(0.7) else x
    if x.letters[0] != "N":
        x = channels_first(w, x)
    per_image = [prod(s[1:]) for s in x.shapes]
    k = w.of(2, 3, 4, 6, 8)
    if w.chance(0.05) and all(m % k == 0 for m in per_image):  # rows that are no longer one an image
        rows = w.op("Reshape", x, w.constant(np.array([-1, k], np.int64)), shapes=[(s[0] * m // k, k) for s, m in zip(x.shapes, per_image)])
        return dense(w, V(rows.name, rows.shapes, "NC"), w.int(1, 5))
    fixed = all(x.size(i) for i in range(1, x.ndim))
    if fixed and w.chance(0.3):
        width = prod(x.shapes[0][1:])
        y = w.reshape(x, [(s[0], width) for s in x.shapes], "NC")
    elif w.chance(0.6):
        y = global_pool(w, x, False)
    else:
        y = global_pool(w, x, True)
        y = w.squeeze(y, [i for i, c in enumerate(y.letters) if c not in "NC"]) if w.chance(0.5) else w.reshape(
            channels_first(w, y), [(s[0], x.channels) for s in x.shapes], "NC"
        )  # fmt: skip
    if y is None:
        return x
    for _ in range(w.int(1, 2)):
        y = dense(w, y, w.int(1, 10))
        if w.chance(0.4):
            y = activation(w, y) if w.chance(0.7) else affine(w, y)
    return w.softmax(y, 1, log=w.chance(0.2)) if w.chance(0.3) else y


def random_net(seed: int, most: int = 40) -> Net:
    """A net of at most about so many nodes.

    Every choice is drawn from the seed: so is which opset it is in, and what the weights and the images are.
    """
    rng = np.random.default_rng(seed)
    w = Writer(rng, int(rng.integers(9, 22)))
    rank = w.of(2, 2, 2, 2, 2, 2, 2, 2, 1, 3)
    batch, is_open, scenarios = _scenarios(w, rank)
    first = _image(w, scenarios, "NC" + SPATIAL[rank])
    x, ports, element = first, list[_Port](), TensorProto.FLOAT
    if w.chance(0.15):  # as it lies in a file: channels last
        letters = "N" + first.letters[2:] + "C"
        first = V(first.name, tuple((s[0], *s[2:], s[1]) for s in first.shapes), letters)
        x = first
    if w.chance(0.1):
        element = TensorProto.UINT8
        x = w.op("Cast", first, to=TensorProto.FLOAT)
        x = w.binary("Div", x, w.number(255.0)) if w.chance(0.7) else w.binary("Mul", x, w.number(1 / 64))
        x = affine(w, x)
    ports.append(_Port(first, element))
    values = [x]
    if w.chance(0.2):
        vector = V("vector", tuple((s[0], x.channels) for s in scenarios), "NC")
        ports.append(_Port(vector))
        values.append(_spread(w, vector, channels_first(w, x)))
    if rank == 2 and w.chance(0.04):
        values.append(_resized(w, values[-1], ports, scenarios))
    target, mixture = w.int(3, most), _mixture(w)
    for _ in range(3 * most):
        if len(w.nodes) >= target:
            break
        x = values[-1] if w.chance(0.8) else w.of(*values[-4:])
        if prod(x.shapes[0][1:]) > LARGEST:
            x = global_pool(w, x, True)
        block = BLOCKS[int(w.rng.choice(len(BLOCKS), p=mixture))][1]
        made = block(w, x)
        if made is not None and made is not x and min(min(s) for s in made.shapes) > 0:
            values.append(made)
            if w.chance(0.15) and len(values) > 2:
                other = w.of(*values[:-1])
                joined = _joined(w, made, other)
                values += [] if joined is None else [joined]
    outputs = [_head(w, values[-1]) if w.chance(0.6) else values[-1]]
    for v in values:
        if w.chance(0.04) and v is not values[0]:
            outputs.append(v)
    outputs = list({v.name: v for v in outputs if v.name not in {p.value.name for p in ports}}.values())
    if not outputs:
        outputs = [w.op("Identity", x)]
    inputs = [_declared(port, batch, is_open) for port in ports]
    made_ports = [helper.make_tensor_value_info(v.name, TensorProto.FLOAT, [None] * v.ndim) for v in outputs]
    feeds = tuple({port.value.name: _drawn(rng, port, i) for port in ports} for i in range(len(scenarios)))
    return Net(w.model(inputs, made_ports), feeds, batch)


def _drawn(rng: Any, port: _Port, i: int) -> Any:
    if port.arrays:
        return port.arrays[i]
    shape = port.value.shapes[i]
    if port.element == TensorProto.UINT8:
        return rng.integers(0, 256, shape, np.uint8)
    return rng.standard_normal(shape).astype(np.float32)


def _spread(w: Writer, vector: V, x: V) -> V:
    """A second input, put on every place of a map."""
    y = vector
    for i in range(2, x.ndim):
        y = w.unsqueeze(y, i, x.letters[i])
    return w.binary(w.of("Add", "Mul"), x, y)


def _resized(w: Writer, x: V, ports: list[_Port], scenarios: list[tuple[int, ...]]) -> V:
    """A map brought to the size that an input says."""
    x = channels_first(w, x)
    to = [(w.int(2, 9), w.int(2, 9)) for _ in scenarios]
    ports.append(_Port(V("sizes", ((2,),) * len(to)), TensorProto.INT64, tuple(np.array(t, np.int64) for t in to)))
    shape = w.raw("Concat", [w.dim(x, 0), w.dim(x, 1), "sizes"], axis=0)[0]
    shapes = [(*s[:2], *t) for s, t in zip(x.shapes, to)]
    if w.opset < 11:
        return w.op("Expand", w.reduce("ReduceMean", x, [2, 3], True), shape, shapes=shapes)
    empty = None if w.opset >= 13 else w.constant(np.zeros(0, np.float32))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return w.op("Resize", x, empty, empty, shape, shapes=shapes, **how)


def _joined(w: Writer, a: V, b: V) -> V | None:
    """Two maps in one, where their sizes allow it."""
    if sorted(a.letters) != sorted(b.letters):
        return None
    b = like(w, b, a)
    if a.shapes == b.shapes and w.chance(0.6):
        return w.binary(w.of("Add", "Add", "Mul", "Sub", "Max"), a, b)
    axis = a.at("C")
    same = all(s[:axis] + s[axis + 1 :] == t[:axis] + t[axis + 1 :] for s, t in zip(a.shapes, b.shapes))
    if same:
        return w.concat([a, b], axis)
    try:
        shapes = tuple(np.broadcast_shapes(s, t) for s, t in zip(a.shapes, b.shapes))
    except ValueError:
        return None
    return w.binary(w.of("Add", "Mul"), a, b) if shapes == a.shapes else None
