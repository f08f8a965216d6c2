"""An ONNX file as plain Python: what is left once protobuf has been read and checked."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import ModelError
from ...limits import check_limit
from .external import read_external
from .tensors import ELEMENT_TYPES, Bits, declared_bytes, to_array, widened

__all__ = ["OnnxFile", "OnnxFunction", "OnnxGraph", "OnnxNode", "OnnxPort", "parse_model"]

_DEEPEST = 16  # subgraphs inside subgraphs; protobuf itself goes about twice as deep

Dims = tuple["int | str", ...]


@dataclass(frozen=True)
class OnnxPort:
    """An input or output: its name, ONNX's element type, and its sizes, of which one may be a name or ``"?"``; None without a rank.

    ``kind`` is ``"tensor"``, or what it is instead: ``"sequence"``, ``"map"`` and so on.
    """

    name: str
    element: int
    dims: Dims | None
    kind: str = "tensor"

    @property
    def dtype_name(self) -> str:
        """ONNX's name of the element type."""
        return ELEMENT_TYPES.get(self.element, f"type {self.element}")


@dataclass(frozen=True)
class OnnxNode:
    """One node; ``""`` among inputs and outputs stands for an absent one."""

    op_type: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    references: dict[str, str] = field(default_factory=dict)
    """Attributes that take the value of an attribute of the function around them."""
    overload: str = ""
    """Which of several functions of one name is called."""

    @property
    def subgraphs(self) -> tuple[OnnxGraph, ...]:
        """Its attributes that are graphs."""
        return tuple(a for a in self.attributes.values() if isinstance(a, OnnxGraph))

    def reads(self) -> set[str]:
        """Names of the values that it needs, itself or in its subgraphs."""
        names = {name for name in self.inputs if name}
        for graph in self.subgraphs:
            made = {*graph.initializers, *(p.name for p in graph.inputs), *(o for n in graph.nodes for o in n.outputs)}
            inside = {p.name for p in graph.outputs}.union(*(n.reads() for n in graph.nodes))
            names |= inside - made
        return names


@dataclass(frozen=True)
class OnnxGraph:
    """Nodes in an order in which they can run, with the constants that they read."""

    name: str
    inputs: tuple[OnnxPort, ...]
    outputs: tuple[OnnxPort, ...]
    initializers: dict[str, Bits]
    nodes: tuple[OnnxNode, ...]


@dataclass(frozen=True)
class OnnxFunction:
    """A function that a model brings along."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opsets: dict[str, int]
    nodes: tuple[OnnxNode, ...]


@dataclass(frozen=True)
class OnnxFile:
    """A whole model.

    Attributes
    ----------
    origin : str
        Names the model in errors: its file.
    opsets : dict of str to int
        Version of each domain; ONNX's own is ``""``.
    functions : dict of (domain, name, overload) to OnnxFunction
    metadata : dict of str to str
    producer : str
    """

    origin: str
    graph: OnnxGraph
    opsets: dict[str, int]
    functions: dict[tuple[str, str, str], OnnxFunction]
    metadata: dict[str, str]
    producer: str

    def called_by(self, node: OnnxNode) -> OnnxFunction | None:
        """The function of the file's own that a node stands for."""
        return self.functions.get((node.domain, node.op_type, node.overload))


def parse_model(model: Any, origin: str, folder: Path | None) -> OnnxFile:
    """What a ``ModelProto`` holds; ``folder`` is where its external data may lie."""
    say = partial(_said, origin)
    opsets = _opsets(model.opset_import, say)
    if not model.HasField("graph") or not model.graph.output:
        raise ModelError(f"{origin}: holds no graph with outputs, so it is no ONNX model of a net")
    if model.training_info:
        raise ModelError(f"{origin}: is a model in training; export it for inference")
    reader = _Reader(origin, folder)
    reader.count("functions", len(model.functions))
    reader.count("entries of metadata", len(model.metadata_props))
    functions = {}
    for f in model.functions:
        key = (_domain(say(f.domain)), say(f.name), say(f.overload))
        if key in functions:
            raise ModelError(f"{origin}: defines the function {f.name!r} twice")
        functions[key] = OnnxFunction(
            tuple(map(say, f.input)),
            tuple(map(say, f.output)),
            dict.fromkeys(map(say, f.attribute)) | {say(a.name): reader.attribute(a, key[1], 0) for a in f.attribute_proto},
            {**opsets, **_opsets(f.opset_import, say)},
            reader.ordered([reader.node(n, 0) for n in f.node], map(say, f.input)),
        )
    metadata = {say(p.key): say(p.value) for p in model.metadata_props}
    producer = f"{say(model.producer_name)} {say(model.producer_version)}".strip()
    return OnnxFile(origin, reader.graph(model.graph, 0), opsets, functions, metadata, producer)


def _domain(text: str) -> str:
    return "" if text == "ai.onnx" else text


def _said(origin: str, text: str | bytes) -> str:
    """A text of the file; protobuf hands out as bytes what is no UTF-8."""
    if isinstance(text, bytes):
        raise ModelError(f"{origin}: holds a name that is not UTF-8, {text[:40]!r}; it is damaged")
    return text


def _opsets(imports: Iterable[Any], say: Callable[[Any], str]) -> dict[str, int]:
    return {_domain(say(o.domain)): int(o.version) for o in imports}


class _Reader:
    """Turns protobuf messages of one file into the classes above."""

    def __init__(self, origin: str, folder: Path | None) -> None:
        self.origin, self.folder = origin, folder
        self.say = partial(_said, origin)
        self.nodes = self.held = 0

    def graph(self, g: Any, depth: int) -> OnnxGraph:
        if depth > _DEEPEST:
            raise ModelError(f"{self.origin}: subgraphs are nested more than {_DEEPEST} deep")
        # Of messages the library has made the objects already, which take less than what would be made of them.
        for what, several in (("nodes", g.node), ("initializers", g.initializer), ("inputs", g.input), ("outputs", g.output)):
            self.count(what, len(several))
        if g.sparse_initializer:
            raise ModelError(f"{self.origin}: holds sparse initializers, which are not read; store them dense")
        initializers: dict[str, Bits] = {}
        for t in g.initializer:
            name = self.say(t.name)
            if name in initializers:
                raise ModelError(f"{self.origin}: defines the initializer {name!r} twice")
            initializers[name] = widened(self.tensor(t, f"initializer {name!r}"))
        inputs = tuple(self.port(v) for v in g.input if self.say(v.name) not in initializers)
        self._unique([p.name for p in inputs], "input")
        outputs = tuple(self.port(v) for v in g.output)
        self._unique([p.name for p in outputs], "output")
        nodes = self.ordered([self.node(n, depth) for n in g.node], [*initializers, *(p.name for p in inputs)])
        return OnnxGraph(self.say(g.name), inputs, outputs, initializers, nodes)

    def count(self, what: str, number: int) -> None:
        """Refuse what is far more than a net has."""
        check_limit("nodes", number, f"{self.origin}: has {number} {what}" + (" or more" if what == "nodes" else ""))

    def _unique(self, names: Sequence[str], what: str) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise ModelError(f"{self.origin}: has two {what}s of the name {name!r}")
            seen.add(name)

    def ordered(self, nodes: list[OnnxNode], given: Iterable[str]) -> tuple[OnnxNode, ...]:
        """The nodes in the file's order, or where they cannot run in that, as ONNX demands but not all exporters do, in one near it."""
        known = set(given)
        makers: dict[str, int] = {}
        for i, node in enumerate(nodes):
            for name in filter(None, node.outputs):
                if name in makers:
                    raise ModelError(f"{self.origin}: two nodes make the value {name!r}")
                if name in known:
                    raise ModelError(f"{self.origin}: node {node.name!r} makes {name!r}, which is an input or initializer already")
                makers[name] = i
        needs = [{makers[name] for name in node.reads() if name in makers} for node in nodes]
        if all(max(before, default=-1) < i for i, before in enumerate(needs)):
            return tuple(nodes)
        readers: list[list[int]] = [[] for _ in nodes]
        for i, before in enumerate(needs):
            for j in before:
                readers[j].append(i)
        ready = [i for i, before in enumerate(needs) if not before]
        order: list[OnnxNode] = []
        while ready:
            i = heapq.heappop(ready)
            order.append(nodes[i])
            for j in readers[i]:
                needs[j].discard(i)
                if not needs[j]:
                    heapq.heappush(ready, j)
        if len(order) < len(nodes):
            stuck = next(node for node, before in zip(nodes, needs) if before)
            raise ModelError(f"{self.origin}: node {stuck.name!r} needs what is made of its outputs; nodes read one another in a circle")
        return tuple(order)

    def port(self, v: Any) -> OnnxPort:
        kind, name = v.type.WhichOneof("value"), self.say(v.name)
        if kind is None:  # of outputs, and of values in subgraphs, the type may be left to inference
            return OnnxPort(name, 0, None)
        if kind != "tensor_type":
            return OnnxPort(name, 0, None, kind.removesuffix("_type").replace("_", " "))
        t = v.type.tensor_type
        if not t.HasField("shape"):
            return OnnxPort(name, t.elem_type, None)
        return OnnxPort(name, t.elem_type, tuple(self._dim(d) for d in t.shape.dim))

    def _dim(self, d: Any) -> int | str:
        if d.HasField("dim_value") and d.dim_value >= 0:
            return int(d.dim_value)
        return self.say(d.dim_param) or "?"  # some exporters write -1 for any size

    def node(self, n: Any, depth: int) -> OnnxNode:
        self.nodes += 1
        self.count("nodes", self.nodes)
        say = self.say
        inputs, outputs, op_type = tuple(map(say, n.input)), tuple(map(say, n.output)), say(n.op_type)
        label = say(n.name) or next((o for o in outputs if o), op_type)
        self.count(f"inputs of node {label!r}", len(inputs))
        self.count(f"outputs of node {label!r}", len(outputs))
        self.count(f"attributes of node {label!r}", len(n.attribute))
        references: dict[str, str] = {}
        attributes: dict[str, Any] = {}
        for a in n.attribute:
            name = say(a.name)
            if name in attributes or name in references:
                raise ModelError(f"{self.origin}: node {label!r} has the attribute {name!r} twice")
            if a.ref_attr_name:
                references[name] = say(a.ref_attr_name)
            else:
                attributes[name] = self.attribute(a, label, depth)
        return OnnxNode(op_type, _domain(say(n.domain)), label, inputs, outputs, attributes, references, say(n.overload))

    def tensor(self, t: Any, what: str) -> Bits:
        what = f"{self.origin}: {what}"
        self.held += declared_bytes(t, what)
        check_limit("weight bytes", self.held, f"{what}: with those before it, tensors take {self.held} bytes")
        if t.HasField("segment"):
            raise ModelError(f"{what} is a segment of a tensor, which is not read")
        if t.data_location == t.EXTERNAL:
            return to_array(t, what, read_external(t, self.folder, what))
        if t.external_data:
            raise ModelError(f"{what} is stored here, yet names external data; it is damaged")
        return to_array(t, what)

    def attribute(self, a: Any, label: str, depth: int) -> Any:
        """A number, text, array, graph, or a tuple of these."""
        kind = a.AttributeType.Name(a.type) if a.type in a.AttributeType.values() else str(a.type)
        what = f"attribute {self.say(a.name)!r} of node {label!r}"
        match kind:
            case "INT":
                return int(a.i)
            case "FLOAT":
                return float(a.f)
            case "STRING":
                return self._text(a.s, what)
            case "INTS":
                return tuple(int(i) for i in a.ints)
            case "FLOATS":
                return tuple(float(f) for f in a.floats)
            case "STRINGS":
                return tuple(self._text(s, what) for s in a.strings)
            case "TENSOR":
                return self.tensor(a.t, what)
            case "GRAPH":
                return self.graph(a.g, depth + 1)
            case _:
                raise ModelError(f"{self.origin}: {what} is of kind {kind}, which is not read")

    def _text(self, raw: bytes, what: str) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:  # the decoder's own word
            raise ModelError(f"{self.origin}: {what} is not UTF-8") from None
