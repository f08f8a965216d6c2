"""``Graph``: a net written down as values and the ops between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import GpucnnError, ShapeError
from .ops import Binary, MatMul, Op, Order, Unary, number_as, subscript
from .spec import Array, Spec, check_addressable, spec_of

__all__ = ["Graph", "NeedsValues", "Node", "Placement", "Value"]


class Value:
    """An array that does not exist yet, or a constant: one edge of a graph.

    Arithmetic on values is recorded: ``x + y`` appends an addition to the graph of x, and ``x[:, 1:]`` a slice.

    Attributes
    ----------
    name : str
        The path of the layer that made it; unique among what the graph computes, or among its constants.
    spec : Spec
    data : numpy.ndarray or None
        The array, for a constant.
    producer : Node or None
        None for inputs and constants.
    order : {"logical", "channels_last"}
        Order in memory; set by the layout pass.
    """

    __array_ufunc__ = None  # so that `ndarray + Value` asks Value

    def __init__(self, graph: Graph, name: str, spec: Spec, producer: Node | None = None, data: Any = None) -> None:
        self.graph = graph
        self.name = name
        self.spec = spec
        self.producer = producer
        self.data = data
        self.order: Order = "logical"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in logical order."""
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type."""
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.spec.ndim

    @property
    def is_constant(self) -> bool:
        """Whether the value is known when the graph is planned."""
        return self.data is not None

    def __add__(self, other: Any) -> Value:
        return self._binary("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self._binary("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self._binary("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self._binary("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self._binary("mul", self, other)

    def __rmul__(self, other: Any) -> Value:
        return self._binary("mul", other, self)

    def __truediv__(self, other: Any) -> Value:
        return self._binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._binary("div", other, self)

    def __matmul__(self, other: Any) -> Value:
        return self._matmul(self, other)

    def __rmatmul__(self, other: Any) -> Value:
        return self._matmul(other, self)
    def __pow__(self, other: Any) -> Value:
        return self._binary("pow", self, other)

    def __rpow__(self, other: Any) -> Value:
        return self._binary("pow", other, self)

    def __neg__(self) -> Value:
        return self.graph.append(Unary("neg"), (self,))[0]

    def __abs__(self) -> Value:
        return self.graph.append(Unary("abs"), (self,))[0]

    def __getattr__(self, name: str) -> Any:
        # Reached only for what a value does not have: say how it is spelt here.
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"a symbolic value has no {name!r}: in a recorded forward use gpucnn.functional, as in F.{name}(x, …), or arithmetic + − × ÷ **"
        )

    def __getitem__(self, key: Any) -> Value:
        value = self
        for op in subscript(self.spec, key):
            value = self.graph.append(op, (value,))[0]
        return value

    def __iter__(self) -> Iterator[Value]:
        return (self[i] for i in range(self.shape[0] if self.shape else 0))

    def _matmul(self, x: Any, y: Any) -> Value:
        x, y = (v if isinstance(v, Value) else np.asarray(v, self.dtype) for v in (x, y))
        return self.graph.append(MatMul(), (x, y))[0]

    def _binary(self, kind: str, x: Any, y: Any) -> Value:
        x, y = (
            v if isinstance(v, Value) else number_as(kind, v, self.dtype) if isinstance(v, (int, float)) else np.asarray(v, self.dtype)
            for v in (x, y)
        )
        return self.graph.append(Binary(kind), (x, y))[0]

    def __bool__(self) -> bool:
        raise ShapeError(
            f"value {self.name!r} ({self.spec}) is symbolic: a net is recorded once, so its forward cannot branch on what flows through it"
        )

    def __repr__(self) -> str:
        kind = "constant" if self.is_constant else "value"
        return f"<{kind} {self.name} {self.spec}{' channels_last' if self.order == 'channels_last' else ''}>"


@dataclass(eq=False)
class Node:
    """One op applied to values; an absent optional input is None. ``scope`` is the path of the layer that recorded it."""

    op: Op
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    name: str
    scope: str = ""

    @property
    def specs(self) -> tuple[Spec | None, ...]:
        """Specs of the inputs."""
        return tuple(None if v is None else v.spec for v in self.inputs)

    def __repr__(self) -> str:
        return f"<node {self.name}: {self.op}>"


@dataclass(frozen=True)
class Placement:
    """Where a value lies: inside the buffer of ``root``, from element ``offset`` on, with ``strides`` in elements (logical order)."""

    root: Value
    offset: int
    strides: tuple[int, ...]


class NeedsValues(Exception):  # noqa: N818  # a request to whoever records, not an error
    """A shape depends on what inputs hold: record again, with constants in their place.

    Attributes
    ----------
    names : frozenset of str
        Names of the inputs.
    """

    def __init__(self, names: frozenset[str], what: str) -> None:
        super().__init__(f"{what} depends on the values of {', '.join(sorted(names))}")
        self.names = names


class Graph:
    """Values, and the nodes between them in an order in which they can run.

    Attributes
    ----------
    inputs : dict of str to Value
    outputs : dict of str to Value
        By public name; a pass may put another value under the same name.
    nodes : list of Node
        Topologically ordered.
    layers : dict of str to Value
        What each layer returned, by the layer's path; only as recorded, passes do not keep it.
    placements : dict of Value to Placement
        Set by the alias pass, for every value that is not a constant.
    notes : dict of str to int
        What the passes did, for people.
    paths : dict of int to str
        While a net is recorded: the path of each of its modules, by id.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, Value] = {}
        self.outputs: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.layers: dict[str, Value] = {}
        self.placements: dict[Value, Placement] = {}
        self.notes: dict[str, int] = {}
        self.paths: dict[int, str] = {}
        self._names: set[str] = set()
        self._searched: dict[str, int] = {}
        self._searched_constants: dict[str, int] = {}
        self._constant_names: set[str] = set()  # apart: packed weights are kept by them, and no node may change them
        self._constants: dict[int, Value] = {}
        self._scopes: list[str] = [""]

    # -- recording

    def input(self, name: str, spec: Spec, order: Order = "logical") -> Value:
        """Add an input."""
        check_addressable(name, spec)
        value = Value(self, self._unique(name), spec)
        value.order = order
        self.inputs[name] = value
        return value

    def constant(self, array: Array, name: str | None = None) -> Value:
        """Return the value of a constant array; the same array gives the same value. The array must not change afterwards."""
        known = self._constants.get(id(array))
        if known is not None:
            return known
        if name is None:  # a name that says what is in it, because packed weights are kept by name
            digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=8).hexdigest()
            name = f"const.{'x'.join(map(str, array.shape))}.{array.dtype}.{digest}"
        value = Value(self, self._unique(name, self._constant_names), spec_of(array), data=array)
        self._constants[id(array)] = value
        return value

    def hold_in(self, value: Value, array: Array) -> None:
        """Let a constant lie in another array of the same content, which other graphs hold too."""
        self._constants.pop(id(value.data), None)
        value.data = array
        self._constants[id(array)] = value

    def append(self, op: Op, inputs: Sequence[Any], name: str | None = None) -> tuple[Value, ...]:
        """Record ``op`` applied to values, arrays (they become constants) and Nones; returns its outputs."""
        values = tuple(v if v is None or isinstance(v, Value) else self.constant(v) for v in inputs)
        for v in values:
            if v is not None and v.graph is not self:
                raise GpucnnError(f"{op.name}: value {v.name!r} belongs to another recording; pass it in as an input instead")
        specs = op.infer(*(None if v is None else v.spec for v in values))
        for spec in specs:
            check_addressable(name or self._scoped(op), spec)
        label = self._unique(name or self._scoped(op))
        node = Node(op, values, (), label, self._scopes[-1])
        node.outputs = tuple(
            Value(self, label if i == 0 else self._unique(f"{label}.{i}"), spec, node) for i, spec in enumerate(specs)
        )
        self.nodes.append(node)
        for v in node.outputs:
            self.layers[v.name] = v
        return node.outputs

    @contextmanager
    def scope(self, path: str) -> Iterator[None]:
        """While open, nodes are named after the layer at ``path`` and their op."""
        self._scopes.append(path)
        try:
            yield
        finally:
            self._scopes.pop()

    def label(self, path: str, value: Value) -> None:
        """Let the layer's path name what it returned; a layer that is called again gets path_1, path_2 and so on.

        A value that the layer computed itself takes the name over; one that a layer inside it made keeps its own as well.
        """
        inner = value.name
        if self.layers.get(inner) is not value or value.producer is None:
            return  # an input or a constant, handed through
        name = self._unique(path)
        self.layers[name] = value
        if value.producer.scope == path and value.producer.outputs[0] is value:
            del self.layers[inner]
            self._names.discard(inner)
            self._searched.clear()
            value.name = value.producer.name = name

    def _scoped(self, op: Op) -> str:
        return f"{self._scopes[-1]}.{op.name}".lstrip(".")

    def _unique(self, name: str, taken: set[str] | None = None) -> str:
        taken = self._names if taken is None else taken
        # Where the search for the name last ended: a net may give one name to all its nodes.
        searched = self._searched if taken is self._names else self._searched_constants
        k = searched.get(name, 0)
        candidate = f"{name}_{k}" if k else name
        while candidate in taken:
            k += 1
            candidate = f"{name}_{k}"
        if k:
            searched[name] = k
        taken.add(candidate)
        return candidate

    # -- reading

    def users(self) -> dict[Value, list[Node]]:
        """Nodes that read each value, in running order; a node that reads a value twice stands there twice."""
        table: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for v in node.inputs:
                if v is not None:
                    table.setdefault(v, []).append(node)
        return table

    def is_output(self, value: Value) -> bool:
        """Whether the value is asked for from outside."""
        return any(v is value for v in self.outputs.values())

    def sources(self, value: Value) -> frozenset[str]:
        """Names of the inputs that a value depends on."""
        names = {v: name for name, v in self.inputs.items()}
        found, seen, rest = set(), {value}, [value]
        while rest:
            v = rest.pop()
            if v in names:
                found.add(names[v])
            fresh = [i for i in (v.producer.inputs if v.producer else ()) if i is not None and i not in seen]
            seen.update(fresh)
            rest += fresh
        return frozenset(found)

    # -- rewriting

    def replace(self, old: Value, new: Value) -> None:
        """Let every reader of ``old``, inside and outside, read ``new``."""
        for node in self.nodes:
            if old in node.inputs:
                node.inputs = tuple(new if v is old else v for v in node.inputs)
        for name, v in self.outputs.items():
            if v is old:
                self.outputs[name] = new

    def insert(
        self, op: Op, inputs: Sequence[Value | None], name: str, before: Node | None = None, instead: Value | None = None
    ) -> tuple[Value, ...]:
        """Put a node before another one, or at the end; returns its outputs. It takes over the name of the value ``instead``."""
        if instead is not None:
            self._names.discard(instead.name)
        outputs = self.append(op, inputs, name)
        if before is not None:
            node = self.nodes.pop()
            self.nodes.insert(self.nodes.index(before), node)
        return outputs

    def prune(self) -> None:
        """Drop the nodes that nothing needs."""
        needed = set(self.outputs.values())
        kept = []
        for node in reversed(self.nodes):
            if any(v in needed for v in node.outputs):
                kept.append(node)
                needed.update(v for v in node.inputs if v is not None)
        self.nodes = kept[::-1]

    def note(self, what: str, count: int = 1) -> None:
        """Count something that a pass did."""
        self.notes[what] = self.notes.get(what, 0) + count

    def check(self) -> None:
        """Raise unless every node's inputs exist before it and its outputs have the shapes that its op infers."""
        known = {*self.inputs.values()}
        for node in self.nodes:
            for v in node.inputs:
                if v is not None and not v.is_constant and v not in known:
                    raise GpucnnError(f"graph: node {node.name!r} reads {v.name!r} before it exists")
            inferred = node.op.infer(*node.specs)
            if tuple((s.shape, s.dtype) for s in inferred) != tuple((v.shape, v.dtype) for v in node.outputs):
                raise GpucnnError(f"graph: node {node.name!r} infers {inferred}, its outputs are {node.outputs}")
            known.update(node.outputs)
        for name, v in self.outputs.items():
            if not v.is_constant and v not in known:
                raise GpucnnError(f"graph: output {name!r} is made by no node")

    def __str__(self) -> str:
        def show(values: Mapping[str, Value]) -> str:
            return ", ".join(f"{k}: {v.spec}" for k, v in values.items())

        lines = [f"inputs  {show(self.inputs)}"]
        for node in self.nodes:
            args = ", ".join("-" if v is None else v.name for v in node.inputs)
            lines.append(f"  {', '.join(f'{v.name}: {v.spec}' for v in node.outputs)} = {node.op}({args})")
        lines.append(f"outputs {show(self.outputs)}")
        return "\n".join(lines)
