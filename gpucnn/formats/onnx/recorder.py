"""``Recorder``: an ONNX graph, for inputs of known shapes, becomes nodes of a ``Graph``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import GpucnnError, LimitError, ModelError, ShapeError, UnsupportedError
from ...graph import Graph, NeedsValues, Value
from ...host_memory import check_host_memory
from ...limits import check_limit
from ...ops import Cast, Op
from ...spec import Array, Spec
from .document import OnnxFile, OnnxFunction, OnnxGraph, OnnxNode
from .registry import NewestOpset, find, first_opset
from .tensors import ELEMENT_TYPES

__all__ = ["Floats", "Ints", "Recorder", "Strings", "Subgraph", "Tensor", "check_operators"]

Ints = tuple[int, ...]
Floats = tuple[float, ...]
Strings = tuple[str, ...]
Tensor = np.ndarray[Any, Any]
Subgraph = OnnxGraph

_MOST_AXES = 32  # NumPy 1's
_DEEPEST_CALL = 32  # functions that call functions
_OF_INTEGERS = ("ConvInteger", "MatMulInteger", "QGemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")


class Recorder:
    """What an operator's function sees as ``g``: where it is, and how it appends.

    Attributes
    ----------
    graph : Graph
    wanted : tuple of bool
        Which outputs of the node somebody reads.
    """

    def __init__(self, file: OnnxFile, graph: Graph, folded: dict[str, Array]) -> None:
        self.file, self.graph = file, graph
        self._opsets: Mapping[str, int] = file.opsets
        self.wanted: tuple[bool, ...] = ()
        self._label = ""
        self._folded = folded
        self._calls = self._nodes = self._made = self._work = 0
        self._failed: GpucnnError | None = None
        self._scope: dict[str, Value | None] = {}

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators, in the function that is recorded."""
        return self._opsets.get("", 0)

    # -- for operators

    def append(self, op: Op, *inputs: Value | Array | None) -> Value:
        """Record an op with one output; of constants alone it is computed now."""
        return self.append_all(op, *inputs)[0]

    def append_all(self, op: Op, *inputs: Value | Array | None) -> tuple[Value, ...]:
        """Record an op with all its outputs; of constants alone it is computed now, by the reference."""
        values = [v if v is None or isinstance(v, Value) else self.constant(v) for v in inputs]
        if not values or not all(v is None or v.is_constant for v in values):
            return self.graph.append(op, values, self._label)
        specs = [None if v is None else v.spec for v in values]
        for spec in op.infer(*specs):
            self.allow(spec.shape, spec.dtype)
        self._work += _work(op, specs)
        check_limit("operations", self._work, f"constants that take {self._work} operations would be computed")
        with np.errstate(all="ignore"):
            arrays = op.reference(np, *(None if v is None else v.data for v in values))
        return tuple(self.constant(np.asarray(a, order="C")) for a in arrays)

    def constant(self, array: Array) -> Value:
        """A constant that the operator computed."""
        return self.graph.constant(array)

    def host(self, x: Value, what: str) -> Tensor:
        """The array of an input that decides shapes or attributes, and must be known now.

        Raises
        ------
        NeedsValues
            It depends on what the caller feeds; the model then records anew with these inputs as constants.
        """
        if x.is_constant:
            return np.asarray(x.data)
        raise NeedsValues(self.graph.sources(x), f"{what} of node {self._label!r}")

    def ints(self, x: Value, what: str) -> Ints:
        """The numbers of a shape-like input."""
        array = self.host(x, what)
        if array.dtype.kind not in "iu" or array.ndim > 1:
            raise ShapeError(f"{what} must be a list of whole numbers, got {x.spec}")
        return tuple(int(v) for v in array.reshape(-1))

    def number(self, x: Value, what: str) -> Any:
        """The one number of an input, of whatever axes: an int, a float or a bool of Python's."""
        array = self.host(x, what)
        if array.size != 1:
            raise ShapeError(f"{what} must be one number, got {x.spec}")
        return array.item()

    def allow(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Raise unless a constant of this size may be made, beside those that were."""
        if len(shape) > _MOST_AXES:
            raise ShapeError(f"a constant of {len(shape)} axes would be made, expected at most {_MOST_AXES}")
        nbytes = math.prod(int(s) for s in shape) * dtype.itemsize
        check_limit("weight bytes", nbytes, f"a constant of {nbytes} bytes would be made")
        elements = math.prod(int(s) or 1 for s in shape)  # of none too: there are strides
        check_limit("elements", elements, f"a constant of {elements} elements would be made")
        self._made += nbytes
        check_limit("weight bytes", self._made, f"constants of {self._made} bytes together would be made")
        check_host_memory(nbytes, "a constant", "free some memory")

    def branch(self, graph: OnnxGraph) -> tuple[Value, ...]:
        """Record a subgraph in place; it sees the values around it."""
        if graph.inputs:
            raise UnsupportedError(f"the subgraph {graph.name!r} takes inputs")
        try:
            _check_nodes(self.file, graph.nodes, self._opsets)
        except UnsupportedError as error:
            raise self._fail(error) from None
        scope = dict(self._scope)
        kept = self._scope, self._label
        made = self._record_graph(graph, scope)
        self._scope, self._label = kept
        return made

    # -- the walk

    def record(self, inputs: Sequence[Value]) -> tuple[Value, ...]:
        """Record the file's graph on its inputs, one value each; returns its outputs.

        Raises
        ------
        ShapeError, ModelError, UnsupportedError, LimitError
            With the file and the node named.
        NeedsValues
            A shape depends on the values of inputs.
        """
        graph = self.file.graph
        scope: dict[str, Value | None] = {}
        for port, value in zip(graph.inputs, inputs):
            scope[port.name] = self.append(Cast("float32"), value) if value.dtype == np.float16 else value
        made = self._record_graph(graph, scope, top=True)
        for name, v in self._scope.items():
            if v is not None and not v.is_constant:
                self.graph.layers[name] = v
        return tuple(self._as_declared(v, port.element) for v, port in zip(made, graph.outputs))

    def _as_declared(self, value: Value, element: int) -> Value:
        """float16 nets compute in float32 on a CPU; what leaves them is what the file says."""
        if ELEMENT_TYPES.get(element) == "float16" and value.dtype == np.float32:
            return self.append(Cast("float16"), value)
        return value

    def fold(self) -> None:
        """Compute what no input has a part in, once for all recordings; ``folded`` then holds it by name."""
        graph = self.file.graph
        known: dict[str, Value | None] = {name: self.graph.constant(a, name) for name, a in graph.initializers.items()}
        self._scope = known
        for node in graph.nodes:
            if any(name and name not in known for name in node.inputs) or node.subgraphs:
                continue
            inputs = [known[name] if name else None for name in node.inputs]
            for name, value in zip(node.outputs, self._record_node(node, inputs)):
                if name and value.is_constant:
                    known[name] = value
                    self._folded[name] = value.data

    def _record_graph(self, graph: OnnxGraph, scope: dict[str, Value | None], top: bool = False) -> tuple[Value, ...]:
        if top:  # named, and before all nodes: packed weights are kept by the names of constants
            scope.update({name: self.graph.constant(a, name) for name, a in {**graph.initializers, **self._folded}.items()})
        else:
            scope.update({name: self.graph.constant(a) for name, a in graph.initializers.items()})
        self._scope = scope
        nodes = [n for n in graph.nodes if not top or any(o and o not in self._folded for o in n.outputs)]
        self._record_nodes(nodes, scope)
        return self._results(graph.name, [port.name for port in graph.outputs], scope)

    def _record_nodes(self, nodes: Sequence[OnnxNode], scope: dict[str, Value | None]) -> None:
        for node in nodes:
            for name in node.inputs:
                if name and name not in scope:
                    raise self._fail(ModelError(f"{self.file.origin}: node {node.name!r} reads {name!r}, which nothing before it makes"))
            made = self._record_node(node, [scope[name] if name else None for name in node.inputs])
            scope.update((name, value) for name, value in zip(node.outputs, made) if name)

    def _results(self, maker: str, names: Sequence[str], scope: Mapping[str, Value | None]) -> tuple[Value, ...]:
        """The values that a graph or function returns."""
        values = []
        for name in names:
            value = scope.get(name)
            if value is None:
                raise self._fail(ModelError(f"{self.file.origin}: {maker!r} returns {name!r}, which no input, initializer or node makes"))
            values.append(value)
        return tuple(values)

    def _fail(self, error: GpucnnError) -> GpucnnError:
        """An error that says where it is; the nodes around have nothing to add."""
        self._failed = error
        return error

    def _record_node(self, node: OnnxNode, inputs: list[Value | None]) -> tuple[Value, ...]:
        self._label = node.name
        self._nodes += 1
        check_limit("nodes", self._nodes, f"{self.file.origin}: with the functions that it calls, the net has {self._nodes} nodes or more")
        where = f"{self.file.origin}, node {node.name!r} ({node.op_type})"
        function = self.file.called_by(node)
        if function is not None:
            return self._call(function, node, inputs)
        operator = find(node.domain, node.op_type, self._opsets.get(node.domain, 0))
        if operator is None:
            raise self._fail(UnsupportedError(_report(self.file, [(node, self._opsets)])))
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        self.wanted = tuple(bool(o) for o in node.outputs)
        try:
            operator.check(len(inputs), node.attributes)
            if any(v is None for v in inputs[: operator.least]):
                raise ModelError(f"lacks an input: {', '.join(n or '(none)' for n in node.inputs)}")
            result = operator.call(self, *inputs, **node.attributes)
        except NeedsValues:
            raise
        except (ShapeError, UnsupportedError, LimitError, ModelError) as error:
            if error is self._failed:  # at a node inside, which it names
                raise
            raise self._fail(type(error)(f"{where}: {error}")) from error
        made = result if isinstance(result, tuple) else (result,)
        missing = [o for o in node.outputs[len(made) :] if o]
        if missing:
            raise self._fail(UnsupportedError(f"{where}: output {missing[0]!r} is asked for, only {len(made)} can be given"))
        return made

    def _call(self, function: OnnxFunction, node: OnnxNode, inputs: list[Value | None]) -> tuple[Value, ...]:
        """Record the body of a function that the file brings along."""
        self._calls += 1
        if self._calls > _DEEPEST_CALL:
            raise self._fail(_too_deep(self.file, node))
        if len(inputs) > len(function.inputs):
            most = len(function.inputs)
            raise self._fail(ModelError(f"{self.file.origin}, node {node.name!r} ({node.op_type}): takes {most} inputs, got {len(inputs)}"))
        given = {**{k: v for k, v in function.attributes.items() if v is not None}, **node.attributes}
        scope: dict[str, Value | None] = {**dict.fromkeys(function.inputs), **dict(zip(function.inputs, inputs))}
        body = [_with_attributes(inner, node.name, given) for inner in function.nodes]
        kept = self._scope, self._opsets
        self._scope, self._opsets = scope, function.opsets
        self._record_nodes(body, scope)
        self._scope, self._opsets = kept
        self._calls -= 1
        return self._results(node.op_type, function.outputs, scope)


def _work(op: Op, specs: Sequence[Spec | None]) -> int:
    """About how many operations an op's reference takes, those in Python's own loops weighed as what they cost.

    References go over the places of a window one after another, and are not made for speed.
    """
    if op.layout != "spatial":
        return op.flops(*specs)
    size = getattr(op, "kernel_size", None) or (specs[1].shape[2:] if len(specs) > 1 and specs[1] is not None else ())
    return 32 * op.flops(*specs) + 2048 * math.prod(size)


def _with_attributes(node: OnnxNode, path: str, given: Mapping[str, Any]) -> OnnxNode:
    """A node of a function's body, with the attributes that it, or a node in its subgraphs, takes from the call."""
    taken = {name: given[outer] for name, outer in node.references.items() if outer in given}
    inside = {
        name: replace(a, nodes=tuple(_with_attributes(n, path, given) for n in a.nodes))
        for name, a in node.attributes.items()
        if isinstance(a, OnnxGraph)
    }
    return replace(node, name=f"{path}/{node.name}", attributes={**node.attributes, **inside, **taken}, references={})


# -- what cannot be recorded, all at once


_Placed = tuple[OnnxNode, Mapping[str, int]]
"""A node, and the opsets that hold where it is."""


def check_operators(file: OnnxFile) -> None:
    """Raise `UnsupportedError` that names every node whose operator cannot be recorded, and what goes in or out that is no tensor.

    What branches hold is named with the rest, but does not count by itself: only when a net is recorded it is known which are taken.
    """
    version = file.opsets.get("")
    if version is None and any(not node.domain for node in file.graph.nodes):
        raise ModelError(f"{file.origin}: does not say which opset of ONNX it uses, so what its operators mean is unknown; export it anew")
    if version is not None and version > NewestOpset:
        raise UnsupportedError(f"{file.origin}: uses ONNX opset {version}, known is up to {NewestOpset}; export it with that")
    _check_nodes(file, file.graph.nodes, file.opsets, _odd_ports(file))


def _odd_ports(file: OnnxFile) -> list[str]:
    """A line for each input and output that is no tensor."""
    ports = [("input", p) for p in file.graph.inputs] + [("output", p) for p in file.graph.outputs]
    return [
        f"  {side} {p.name!r} is a {p.kind}, not a tensor: cut it off the graph (onnx.utils.extract_model)"
        for side, p in ports
        if p.kind != "tensor"
    ]


def _check_nodes(file: OnnxFile, nodes: Sequence[OnnxNode], opsets: Mapping[str, int], odd: Sequence[str] = ()) -> None:
    certain, perhaps = _unknown(file, nodes, opsets, set())
    if certain or odd:
        raise UnsupportedError("\n".join([_report(file, certain + perhaps), *odd]) if certain else "\n".join([f"{file.origin}:", *odd]))


def _unknown(
    file: OnnxFile, nodes: Sequence[OnnxNode], opsets: Mapping[str, int], called: set[int], depth: int = 0
) -> tuple[list[_Placed], list[_Placed]]:
    """Nodes whose operators cannot be recorded: those that will be, and those in branches, which may be."""
    certain: list[_Placed] = []
    perhaps: list[_Placed] = []
    for node in nodes:
        function = file.called_by(node)
        if function is not None and depth > _DEEPEST_CALL:
            raise _too_deep(file, node)
        if function is not None and id(function) not in called:
            called.add(id(function))
            sure, unsure = _unknown(file, function.nodes, function.opsets, called, depth + 1)
            certain += sure
            perhaps += unsure
        elif function is None and find(node.domain, node.op_type, opsets.get(node.domain, 0)) is None:
            certain.append((node, opsets))
        for graph in node.subgraphs:
            sure, unsure = _unknown(file, graph.nodes, opsets, called, depth)
            perhaps += sure + unsure
    return certain, perhaps


def _too_deep(file: OnnxFile, node: OnnxNode) -> ModelError:
    return ModelError(f"{file.origin}: functions call one another more than {_DEEPEST_CALL} deep, at {node.name!r}")


def _report(file: OnnxFile, bad: Sequence[_Placed]) -> str:
    """One line an operator: how often, in which domain and opset, at which nodes; and what to do."""
    names: dict[tuple[str, str, int], list[str]] = {}
    for node, opsets in bad:
        names.setdefault((node.op_type, node.domain, opsets.get(node.domain, 0)), []).append(node.name)
    lines = [f"{file.origin}: {len(names)} operator(s) cannot be run, at {len(bad)} node(s):"]
    for (op_type, domain, opset), at in sorted(names.items()):
        shown = ", ".join(at[:3]) + (f" and {len(at) - 3} more" if len(at) > 3 else "")
        lines.append(f"  {op_type} ({len(at)}×; domain {domain or 'ai.onnx'}, opset {opset}): {shown}")
        lines.append(f"    {_advice(op_type, domain, opset)}")
    return "\n".join(lines)


def _advice(op_type: str, domain: str, opset: int) -> str:
    if op_type in _OF_INTEGERS or op_type.startswith("QLinear"):
        return "computes in integers: quantise into QuantizeLinear and DequantizeLinear (QuantFormat.QDQ), or take the net before that"
    if domain.startswith("com.microsoft"):
        return "is ONNX Runtime's own: save the model before ONNX Runtime optimises it, or export it anew"
    if domain == "ai.onnx.ml":
        return "is of ONNX's part for classical machine learning: export the net without it (from skl2onnx with zipmap=False)"
    if domain:
        return "is of a domain that is not ONNX's own: export the model without it, or as a function of ONNX's operators"
    if op_type in ("Loop", "Scan"):
        return "is a loop: a fixed number of rounds can be unrolled by the exporter"
    if first := first_opset(op_type):
        return f"has another meaning in opset {opset}, or does not exist there: export with opset {max(first, 17)}"
    return "cut it off the graph (onnx.utils.extract_model), or compute it outside"
