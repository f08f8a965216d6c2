"""What moves elements and does not compute: transpositions, parts, shuffles, resampling, shapes that are computed."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from .writer import V, Writer

__all__ = ["channels_first", "channels_last", "like", "moved", "relaid", "tokens"]

Moved = V | None


def channels_first(w: Writer, x: V) -> V:
    """N C …, with a transposition where it is otherwise."""
    letters = "NC" + "".join(sorted(c for c in x.letters if c not in "NC"))
    return x if x.letters == letters else w.transpose(x, letters)


def channels_last(w: Writer, x: V) -> V:
    letters = "N" + "".join(sorted(c for c in x.letters if c not in "NC")) + "C"
    return x if x.letters == letters else w.transpose(x, letters)


def like(w: Writer, x: V, other: V) -> V:
    """With its axes in the order of another value's."""
    return x if x.letters == other.letters else w.transpose(x, other.letters)


def relaid(w: Writer, x: V) -> V:
    """With its axes in any order; the batch mostly stays the first."""
    if w.chance(0.5):
        return channels_last(w, x) if x.letters[1] == "C" else channels_first(w, x)
    rest = list(x.letters if w.chance(0.1) else x.letters[1:]) if x.letters[0] == "N" else list(x.letters)
    order = [rest[i] for i in w.rng.permutation(len(rest))]
    return w.transpose(x, "".join(order if len(rest) == x.ndim else [x.letters[0], *order]))


def tokens(w: Writer, x: V) -> V | None:
    """N C H W as a row of vectors, N L C."""
    flat = w.reshape(x, [(*s[:2], prod(s[2:])) for s in x.shapes], "NCL")
    return None if flat is None else w.transpose(flat, "NLC")


def moved(w: Writer, x: V) -> V:
    """One of all moves that fit; some need N C H W, which x then is brought to."""
    ways: list[Any] = [flipped, parts, folded, expanded, cut, gathered, doubled, dropped, masked, tiled, resampled]
    if x.ndim == 4:
        ways += [shuffled, shuffled, depth_to_space, space_to_depth]
    made = w.of(*ways)(w, x)
    return x if made is None else made


def shuffled(w: Writer, x: V) -> Moved:
    x = channels_first(w, x)
    c = x.channels
    groups = w.of(*(g for g in range(1, c + 1) if c % g == 0))
    flat = w.chance(0.3)
    inner = [(s[0], groups, c // groups, *((prod(s[2:]),) if flat else s[2:])) for s in x.shapes]
    y = w.reshape(x, inner, "NGC" + ("L" if flat else x.letters[2:]))
    if y is None:
        return None
    y = w.transpose(y, "NCG" + y.letters[3:])
    back = w.shape_of(x, x.shapes, zeros=False)
    if back is None:
        return None
    return w.op("Reshape", y, back, shapes=x.shapes, letters=x.letters)


def depth_to_space(w: Writer, x: V) -> Moved:
    x = channels_first(w, x)
    c = x.channels
    blocks = [b for b in (1, 2, 3) if c % (b * b) == 0]
    b = w.of(*blocks)
    shapes = [(n, c // (b * b), h * b, v * b) for n, c, h, v in x.shapes]
    rows_first = w.chance(0.5)
    if w.chance(0.5) and (w.opset >= 11 or not rows_first):
        mode = {"mode": "CRD" if rows_first else "DCR"} if w.opset >= 11 else {}
        return w.op("DepthToSpace", x, shapes=shapes, blocksize=b, **mode)
    split = [(n, c // (b * b), b, b, h, v) if rows_first else (n, b, b, c // (b * b), h, v) for n, c, h, v in x.shapes]
    y = w.reshape(x, split, "NCbdHW" if rows_first else "NbdCHW")
    if y is None:
        return None
    y = w.transpose(y, "NCHbWd")
    return w.reshape(y, shapes, "NCHW")


def space_to_depth(w: Writer, x: V) -> Moved:
    x = channels_first(w, x)
    b = 2
    if any(h % b or v % b for _, _, h, v in x.shapes):
        return None
    shapes = [(n, c * b * b, h // b, v // b) for n, c, h, v in x.shapes]
    if w.chance(0.3):
        return w.op("SpaceToDepth", x, shapes=shapes, blocksize=b)
    if w.opset >= 10 and w.chance(0.5):  # as YOLO's first layer
        cuts = [w.slice(w.slice(x, 2, i, 2**31 - 1, b), 3, j, 2**31 - 1, b) for j in range(b) for i in range(b)]
        return w.concat([cuts[i] for i in w.rng.permutation(4)], 1)
    y = w.reshape(x, [(n, c, h // b, b, v // b, b) for n, c, h, v in x.shapes], "NCHbWd")
    if y is None:
        return None
    return w.reshape(w.transpose(y, w.of("NbdCHW", "NCbdHW", "NdbCHW")), shapes, "NCHW")


def flipped(w: Writer, x: V) -> Moved:
    if w.opset < 10:
        return None
    axis = w.int(1, x.ndim - 1) if x.letters[0] == "N" else x.at("C")
    lowest = w.of(-(2**31), -(2**63) + 1)
    names = [w.constant(np.array([v], np.int64)) for v in (-1, lowest, axis, -1)]
    return w.op("Slice", x, *names)


def cut(w: Writer, x: V) -> Moved:
    """A part along one axis, of channels or places; every other one at times."""
    axis = w.int(1, x.ndim - 1) if x.letters[0] == "N" else x.at("C")
    least = x.least(axis)
    if least < 3:
        return None
    step = w.of(1, 1, 2) if w.opset >= 10 else 1
    if w.chance(0.3):
        return w.slice(x, axis, w.int(0, 1), -1, step)
    return w.slice(x, axis, w.int(0, 1), w.of(2**31 - 1, least, least - 1), step)


def parts(w: Writer, x: V) -> Moved:
    """Split along an axis, changed apart or put together in another order."""
    axis = w.of(x.at("C"), x.at("C"), x.ndim - 1)
    n = x.size(axis)
    if n is None or n < 2 or x.letters[axis] == "N":
        return None
    k = w.int(1, n - 1)
    sizes = [k, n - k] if w.chance(0.6) or n % 2 else [n // 2, n // 2]
    if n > 3 and w.chance(0.3):
        sizes = [1, n - 3, 2]
    if w.chance(0.5):
        cuts, at = [], 0
        for s in sizes:
            cuts.append(w.slice(x, axis, at, at + s))
            at += s
    else:
        cuts = w.split(x, axis, sizes)
    if w.chance(0.4):
        i = w.int(0, len(cuts) - 1)
        cuts[i] = w.op(w.of("Relu", "Sigmoid", "Neg", "Identity"), cuts[i])
    if w.chance(0.3) and len(set(sizes)) == 1:
        return w.binary(w.of("Mul", "Add", "Max"), cuts[0], w.op("Sigmoid", cuts[1]))
    if w.chance(0.3):
        cuts = [cuts[i] for i in w.rng.permutation(len(cuts))]
    return w.concat(cuts, axis)


def folded(w: Writer, x: V) -> Moved:
    """To fewer axes and back, with something per element or along the folded axis between."""
    if x.letters[0] != "N":
        return None
    i = w.int(1, x.ndim - 2)
    j = w.int(i + 1, x.ndim - 1)
    flat = w.reshape(x, [(*s[:i], prod(s[i : j + 1]), *s[j + 1 :]) for s in x.shapes], "")
    if flat is None:
        return None
    y = w.of(
        lambda: w.op("Relu", flat),
        lambda: w.op("Tanh", flat),
        lambda: w.softmax(flat, flat.ndim - 1),
        lambda: w.binary("Sub", flat, w.reduce("ReduceMean", flat, [i], True)),
        lambda: flat,
    )()
    back = w.shape_of(x, x.shapes, zeros=False)
    return None if back is None else w.op("Reshape", y, back, shapes=x.shapes, letters=x.letters)


def expanded(w: Writer, x: V) -> Moved:
    """Something of x's size that is made by its shape, added or multiplied by."""
    size = w.shape_of(x, x.shapes, zeros=False, wild=False) if w.chance(0.5) else w.raw("Shape", [x.name])[0]
    if size is None:
        return None
    if w.chance(0.5):
        value = np.array([w.of(0.0, 1.0, 0.5)], np.float32)
        (filled,) = w.raw("ConstantOfShape", [size], value=numpy_helper.from_array(value))
        y = V(filled, x.shapes, x.letters)
    else:
        c = x.channels
        row = w.draw(*(c if letter == "C" else 1 for letter in x.letters))
        y = w.op("Expand", w.constant(row), size, shapes=x.shapes, letters=x.letters)
    if w.chance(0.3) and x.letters[0] == "N":
        return w.concat([x, y] if w.chance(0.5) else [y, x], x.at("C"))
    return w.binary(w.of("Add", "Mul"), x, y)


def gathered(w: Writer, x: V) -> Moved:
    """Channels in another order, or some of them."""
    c, axis = x.channels, x.at("C")
    places = w.rng.permutation(c) if w.chance(0.5) else w.rng.integers(-c if w.opset >= 11 else 0, c, w.int(1, c + 1))
    shapes = [(*s[:axis], len(places), *s[axis + 1 :]) for s in x.shapes]
    return w.op("Gather", x, w.constant(np.asarray(places, np.int64)), shapes=shapes, axis=axis)


def doubled(w: Writer, x: V) -> Moved:
    """To float64 and back, or to what it is already."""
    if w.chance(0.5):
        return w.op("Cast", x, to=TensorProto.FLOAT)
    return w.op("Cast", w.op("Cast", x, to=TensorProto.DOUBLE), to=TensorProto.FLOAT)


def dropped(w: Writer, x: V) -> Moved:
    """Dropout, which leaves all in its place."""
    if w.opset < 12:
        return w.op("Dropout", x, ratio=0.5)
    if w.chance(0.5):
        return w.op("Dropout", x)
    return w.op("Dropout", x, w.constant(np.float32(0.3)), w.constant(np.array(False)) if w.chance(0.5) else None)


def masked(w: Writer, x: V) -> Moved:
    """Some channels by another number."""
    c, axis = x.channels, x.at("C")
    mask = w.constant((w.rng.random(c) < 0.5).reshape(c, *(1,) * (x.ndim - 1 - axis)))
    other = w.number(float(w.of(0.0, -1.0)))
    pair = (x, other) if w.chance(0.5) else (other, x)
    return w.op("Where", mask, *pair, shapes=x.shapes, letters=x.letters)


def tiled(w: Writer, x: V) -> Moved:
    axis = w.of(x.at("C"), x.ndim - 1)
    if x.letters[axis] == "N" or prod(x.shapes[0][1:]) > 1500:
        return None
    repeats = [2 if i == axis else 1 for i in range(x.ndim)]
    return w.op("Tile", x, w.constant(np.array(repeats, np.int64)), shapes=[tuple(n * r for n, r in zip(s, repeats)) for s in x.shapes])


def resampled(w: Writer, x: V) -> Moved:
    x = channels_first(w, x)
    rank = x.ndim - 2
    if prod(x.shapes[0][1:]) > 1500:
        return None
    scale = 2
    shapes = [(*s[:2], *(n * scale for n in s[2:])) for s in x.shapes]
    scales = np.array([1, 1, *[scale] * rank], np.float32)
    linear = w.chance(0.5) and rank <= 2
    mode = "linear" if linear else "nearest"
    if w.opset == 9:
        return w.op("Upsample", x, w.constant(scales), shapes=shapes, mode=mode)
    if w.opset == 10:
        return w.op("Resize", x, w.constant(scales), shapes=shapes, mode=mode)
    how = {"coordinate_transformation_mode": w.of("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")} if linear else {
        "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"
    }  # fmt: skip
    if w.chance(0.5):
        region = None if w.opset >= 13 else w.constant(np.zeros(0, np.float32))
        return w.op("Resize", x, region, w.constant(scales), shapes=shapes, mode=mode, **how)
    fixed = all(x.size(i) for i in range(2, x.ndim))
    if not fixed:
        return None
    if w.chance(0.5):
        to = [w.int(1, 9) for _ in range(rank)]
        shapes = [(*s[:2], *to) for s in x.shapes]
    head = w.dim(x, 0), w.dim(x, 1)
    sizes = w.raw("Concat", [*head, w.constant(np.array(shapes[0][2:], np.int64))], axis=0)[0]
    empty = w.constant(np.zeros(0, np.float32))
    first = [None, None] if w.opset >= 13 else [empty, empty]
    return w.op("Resize", x, *first, sizes, shapes=shapes, mode=mode, **how)
