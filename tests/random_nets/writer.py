"""``Writer``: an ONNX graph in any opset from 9 on, written down node by node, with the shapes that its values will have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[int, ...]


@dataclass(frozen=True)
class V:
    """A value: its name, its shape in each of the net's scenarios (batches and sizes of image that it will be fed), what its axes are."""

    name: str
    shapes: tuple[Shape, ...]
    letters: str = ""

    @property
    def ndim(self) -> int:
        return len(self.shapes[0])

    def size(self, axis: int) -> int | None:
        """The size of an axis if it is the same in all scenarios."""
        sizes = {s[axis] for s in self.shapes}
        return sizes.pop() if len(sizes) == 1 else None

    def least(self, axis: int) -> int:
        return min(s[axis] for s in self.shapes)

    def at(self, letter: str) -> int:
        return self.letters.index(letter)

    @property
    def channels(self) -> int:
        c = self.size(self.at("C"))
        assert c is not None
        return c


class Writer:
    """Nodes and constants of one graph; every choice between ways of writing the same is drawn.

    Attributes
    ----------
    rng : numpy.random.Generator
    opset : int
    """

    def __init__(self, rng: Any, opset: int) -> None:
        self.rng, self.opset = rng, opset
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._shared: dict[bytes, str] = {}
        self._count = 0

    # -- draws

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def of(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def int(self, low: int, high: int) -> int:
        """From low to high, both among them."""
        return int(self.rng.integers(low, high + 1))

    # -- nodes

    def name(self, hint: str) -> str:
        self._count += 1
        return f"{hint.lower()}_{self._count}"

    def raw(self, op_type: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """Append a node; returns the names of its outputs."""
        names = [self.name(op_type) for _ in range(outputs)]
        node = helper.make_node(op_type, list(inputs), names, name="" if self.chance(0.1) else f"/{names[0]}")
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items() if v is not None)
        self.nodes.append(node)
        return names

    def op(
        self, op_type: str, *inputs: V | str | None, shapes: Sequence[Shape] | None = None, letters: str | None = None, **attributes: Any
    ) -> V:
        """Append a node of one output, as large as the first input where nothing else is said."""
        first = inputs[0]
        names = [i.name if isinstance(i, V) else i or "" for i in inputs]
        while names and not names[-1]:
            names.pop()
        (made,) = self.raw(op_type, names, **attributes)
        if shapes is None:
            assert isinstance(first, V)
            shapes = first.shapes
        return V(made, tuple(map(tuple, shapes)), letters if letters is not None else first.letters if isinstance(first, V) else "")

    def constant(self, array: Any, plain: bool = False) -> str:
        """The name of a constant: an initializer, and where it need not be plain a Constant node, or one that is computed from others."""
        array = np.asarray(array)
        key = repr((array.dtype, array.shape)).encode() + array.tobytes()
        if key in self._shared and not plain and self.chance(0.5):
            return self._shared[key]
        way = 0.0 if plain else self.rng.random()
        if way < 0.6 or array.dtype == np.bool_:
            name = self.name("weight")
            self.initializers.append(self._tensor(array, name))
        elif way < 0.85:
            (name,) = self.raw("Constant", [], value=self._tensor(array))
        elif way < 0.9 and self.opset >= 12 and array.ndim < 2 and array.size:
            kind = ("value_float" if array.dtype == np.float32 else "value_int") + "s" * array.ndim
            (name,) = self.raw("Constant", [], **{kind: array.tolist()})
        elif way < 0.95 and array.size and (array == array.flat[0]).all() and array.ndim:
            size = self.constant(np.array(array.shape, np.int64), plain=True)
            (name,) = self.raw("ConstantOfShape", [size], value=numpy_helper.from_array(array.reshape(-1)[:1]))
        else:
            (name,) = self.raw("Identity", [self.constant(array, plain=True)])
        self._shared[key] = name
        return name

    def _tensor(self, array: Any, name: str = "") -> Any:
        """As bytes, or number by number."""
        if self.chance(0.7):
            return numpy_helper.from_array(array, name)
        return helper.make_tensor(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.reshape(-1).tolist())

    def number(self, value: float) -> str:
        """A scalar of some rank."""
        return self.constant(np.full(self.of((), (), (1,), (1, 1)), value, np.float32))

    def draw(self, *shape: int, scale: float = 1.0) -> Any:
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    # -- element by element

    def binary(self, kind: str, a: V | str, b: V | str) -> V:
        """Add, Sub, Mul, Div, Max … of values, or of a value and a constant that does not enlarge it."""
        values = [v for v in (a, b) if isinstance(v, V)]
        shapes = [np.broadcast_shapes(*(v.shapes[i] for v in values)) for i in range(len(values[0].shapes))]
        longest = max(values, key=lambda v: v.ndim)
        return self.op(kind, a, b, shapes=shapes, letters=longest.letters)

    # -- what changed between opsets

    def unsqueeze(self, x: V, at: int, letter: str = "1") -> V:
        shapes = [(*s[:at], 1, *s[at:]) for s in x.shapes]
        return self._axes("Unsqueeze", x, [at], 13, shapes, x.letters[:at] + letter + x.letters[at:])

    def squeeze(self, x: V, at: Sequence[int]) -> V:
        shapes = [tuple(n for i, n in enumerate(s) if i not in at) for s in x.shapes]
        return self._axes("Squeeze", x, at, 13, shapes, "".join(c for i, c in enumerate(x.letters) if i not in at))

    def reduce(self, kind: str, x: V, at: Sequence[int], keepdims: bool) -> V:
        """ReduceMean and its kin."""
        at = sorted(at)
        if keepdims:
            shapes = [tuple(1 if i in at else n for i, n in enumerate(s)) for s in x.shapes]
            letters = x.letters
        else:
            shapes = [tuple(n for i, n in enumerate(s) if i not in at) for s in x.shapes]
            letters = "".join(c for i, c in enumerate(x.letters) if i not in at)
        since = 13 if kind == "ReduceSum" else 18
        return self._axes(kind, x, at, since, shapes, letters, keepdims=int(keepdims))

    def _axes(self, op_type: str, x: V, at: Sequence[int], since: int, shapes: Any, letters: str, **attributes: Any) -> V:
        at = list(at)
        if self.opset >= 11 and self.chance(0.3):
            rank = x.ndim + (len(at) if op_type == "Unsqueeze" else 0)
            at = [a - rank for a in at]
        names = [x.name]
        if self.opset >= since:
            names.append(self.constant(np.array(at, np.int64)))
        else:
            attributes["axes"] = at
        (made,) = self.raw(op_type, names, **attributes)
        return V(made, tuple(shapes), letters)

    def clip(self, x: V, low: float | None, high: float | None) -> V:
        if self.opset < 11:
            return self.op("Clip", x, min=low, max=high)
        low_, high_ = (None if v is None else self.constant(np.float32(v)) for v in (low, high))
        return self.op("Clip", x, low_, high_)

    def pad(self, x: V, pads: Sequence[tuple[int, int]], mode: str = "constant", value: float = 0.0) -> V:
        """Negative numbers cut."""
        shapes = [tuple(n + a + b for n, (a, b) in zip(s, pads)) for s in x.shapes]
        flat = [p[0] for p in pads] + [p[1] for p in pads]
        if self.opset < 11:
            return self.op("Pad", x, shapes=shapes, pads=flat, mode=mode, value=value)
        if self.opset >= 18 and self.chance(0.3):
            kept = [i for i, p in enumerate(pads) if any(p)] or [0]
            flat = [pads[i][0] for i in kept] + [pads[i][1] for i in kept]
            extra = self.constant(np.array(kept, np.int64))
        else:
            extra = None
        fill = self.constant(np.float32(value)) if mode == "constant" and (value or self.chance(0.5)) else None
        return self.op("Pad", x, self.constant(np.array(flat, np.int64)), fill, extra, shapes=shapes, mode=mode)

    def slice(self, x: V, axis: int, start: int, stop: int, step: int = 1) -> V:
        """As of Python; a stop beyond the end is written as large as it gets."""
        shapes = [(*s[:axis], len(range(s[axis])[start:stop:step]), *s[axis + 1 :]) for s in x.shapes]
        far = stop >= max(s[axis] for s in x.shapes)
        end = self.of(2**31 - 1, 2**63 - 1, stop) if far else stop
        if self.opset < 10:
            assert step == 1
            return self.op("Slice", x, shapes=shapes, starts=[start], ends=[end], axes=[axis])
        inputs = [np.array([v], np.int64) for v in (start, end, axis)]
        names = [self.constant(a) for a in inputs]
        if step != 1 or self.chance(0.3):
            names.append(self.constant(np.array([step], np.int64)))
        return self.op("Slice", x, *names, shapes=shapes)

    def split(self, x: V, axis: int, sizes: Sequence[int]) -> list[V]:
        parts = [tuple((*s[:axis], k, *s[axis + 1 :]) for s in x.shapes) for k in sizes]
        names, attributes = [x.name], {"axis": axis}
        if len(set(sizes)) == 1 and self.chance(0.5):
            if self.opset >= 18:
                attributes["num_outputs"] = len(sizes)
        elif self.opset >= 13:
            names.append(self.constant(np.array(sizes, np.int64)))
        else:
            attributes["split"] = list(sizes)  # type: ignore[assignment]
        made = self.raw("Split", names, len(sizes), **attributes)
        return [V(n, s, x.letters) for n, s in zip(made, parts)]

    def concat(self, parts: Sequence[V], axis: int) -> V:
        shapes = [(*s[:axis], sum(p.shapes[i][axis] for p in parts), *s[axis + 1 :]) for i, s in enumerate(parts[0].shapes)]
        at = axis - parts[0].ndim if self.opset >= 11 and self.chance(0.3) else axis
        return self.op("Concat", *parts, shapes=shapes, axis=at)

    def transpose(self, x: V, letters: str) -> V:
        """To another order of its letters."""
        dims = [x.letters.index(c) for c in letters]
        return self.op("Transpose", x, shapes=[tuple(s[d] for d in dims) for s in x.shapes], letters=letters, perm=dims)

    def softmax(self, x: V, axis: int, log: bool = False) -> V:
        """Before opset 13 all axes from this one on are one."""
        return self.op("LogSoftmax" if log else "Softmax", x, axis=axis)

    # -- shapes

    def dim(self, x: V, axis: int) -> str:
        """The size of an axis as a list of one number, computed."""
        if self.opset >= 15 and self.chance(0.3):
            return self.raw("Shape", [x.name], start=axis, end=axis + 1)[0]
        (shape,) = self.raw("Shape", [x.name])
        if self.chance(0.3):
            if self.opset < 10:
                return self.raw("Slice", [shape], starts=[axis], ends=[axis + 1], axes=[0])[0]
            ends = [self.constant(np.array([v], np.int64), plain=True) for v in (axis, axis + 1, 0)]
            return self.raw("Slice", [shape, *ends])[0]
        if self.chance(0.3):
            return self.raw("Gather", [shape, self.constant(np.array([axis], np.int64), plain=True)], axis=0)[0]
        (size,) = self.raw("Gather", [shape, self.constant(np.array(axis, np.int64), plain=True)], axis=0)
        if self.chance(0.2):
            (size,) = self.raw("Cast", self.raw("Cast", [size], to=TensorProto.FLOAT), to=TensorProto.INT64)
        if self.opset >= 13:
            return self.raw("Unsqueeze", [size, self.constant(np.array([0], np.int64), plain=True)])[0]
        return self.raw("Unsqueeze", [size], axes=[0])[0]

    def product(self, x: V, at: Sequence[int]) -> str:
        name = self.dim(x, at[0])
        for axis in at[1:]:
            (name,) = self.raw("Mul", [name, self.dim(x, axis)])
        return name

    def shape_of(self, x: V, targets: Sequence[Shape], zeros: bool = True, wild: bool = True) -> str | None:
        """The name of a shape: literal, with 0 and −1, or computed from x's; None where none can be written."""
        entries: list[Any] = []
        free = 1 if wild else 0
        everything = [tuple(range(i, j)) for i in range(x.ndim) for j in range(i + 1, x.ndim + 1)]
        for axis in range(len(targets[0])):
            sizes = [t[axis] for t in targets]
            ways: list[Any] = []
            if len(set(sizes)) == 1:
                ways += [sizes[0]] * 4
            if zeros and axis < x.ndim and [s[axis] for s in x.shapes] == sizes and sizes[0]:
                ways += [0]
            if len(set(sizes)) > 1 or self.chance(0.1):
                ways += [run for run in everything if [prod(s[a] for a in run) for s in x.shapes] == sizes][:1]
            if free and (not ways or self.chance(0.25)):
                ways = [-1]
                free = 0
            if not ways:
                return None
            entries.append(self.of(*ways))
        if all(isinstance(e, int) for e in entries):
            return self.constant(np.array(entries, np.int64))
        parts = [self.product(x, e) if isinstance(e, tuple) else self.constant(np.array([e], np.int64)) for e in entries]
        return self.raw("Concat", parts, axis=0)[0]

    def reshape(self, x: V, targets: Sequence[Shape], letters: str) -> V | None:
        targets = list(map(tuple, targets))
        if letters and self.chance(0.2) and len(targets[0]) == 2 and all(t[0] == s[0] for t, s in zip(targets, x.shapes)):
            return self.op("Flatten", x, shapes=targets, letters=letters, axis=1)
        shape = self.shape_of(x, targets)
        return None if shape is None else self.op("Reshape", x, shape, shapes=targets, letters=letters)

    # -- the whole

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> onnx.ModelProto:
        ports = list(inputs)
        if self.chance(0.1):  # as exporters did while initializers had to be inputs too
            ports += [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in self.initializers]
        graph = helper.make_graph(self.nodes, "random", ports, list(outputs), self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8 if self.opset < 19 else 10
        return model
