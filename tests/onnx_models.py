"""ONNX models of one node, and what runs them, for tests of the importer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from truth import assert_true, truth

from gpucnn.formats.onnx import read_onnx
from gpucnn.graph import Graph
from gpucnn.onnx_backend import GpucnnBackend
from gpucnn.spec import Spec

Feeds = Mapping[str, Any]


def draw(*shape: int, seed: int = 0) -> Any:
    """Normally distributed float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def whole(*shape: int, seed: int = 0) -> Any:
    """Small whole numbers, whose sums and products float32 holds."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def one_node(
    op_type: str, inputs: Feeds, opset: int, *, outputs: int = 1, constants: Collection[str] = (), domain: str = "", **attributes: Any
) -> onnx.ModelProto:
    """A model of one node.

    Parameters
    ----------
    inputs : mapping of str to array or None
        In the node's order; None is an optional input that is absent.
    outputs : int
        They are called y0, y1, ….
    constants : collection of str
        Inputs that are initializers.
    """
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op_type, [k if v is not None else "" for k, v in inputs.items()], names, name="the node", domain=domain)
    node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
    given = {k: np.asarray(v) for k, v in inputs.items() if v is not None}
    ports = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for k, a in given.items() if k not in constants
    ]
    weights = [numpy_helper.from_array(given[k], k) for k in constants]
    graph = helper.make_graph([node], "model", ports, [helper.make_empty_tensor_value_info(n) for n in names], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def fed(model: onnx.ModelProto, inputs: Feeds) -> dict[str, Any]:
    """Those of ``inputs`` that the model's caller gives."""
    return {port.name: np.asarray(inputs[port.name]) for port in model.graph.input}


def answers(model: onnx.ModelProto, inputs: Feeds) -> tuple[Any, ...]:
    """What gpucnn makes of the inputs."""
    return GpucnnBackend.prepare(model).run(fed(model, inputs))


def evaluated(model: onnx.ModelProto, inputs: Feeds) -> tuple[Any, ...]:
    """What ONNX's reference evaluator makes of them."""
    with np.errstate(all="ignore"):
        return tuple(map(np.asarray, ReferenceEvaluator(model).run(None, fed(model, inputs))))


def recorded(model: onnx.ModelProto, inputs: Feeds) -> Graph:
    """The graph of the model for inputs of these shapes, before any pass."""
    net, graph = read_onnx(model), Graph()
    values = [graph.input(name, Spec(a.shape, a.dtype)) for name, a in fed(model, inputs).items()]
    graph.outputs = dict(zip((port.name for port in net.outputs), net.record(graph, *values)))
    return graph


def op_names(model: onnx.ModelProto, inputs: Feeds) -> list[str]:
    """Names of the ops that a model is recorded as."""
    return [node.op.name for node in recorded(model, inputs).nodes]


def assert_equal(model: onnx.ModelProto, inputs: Feeds, *expected: Any) -> None:
    """Assert that gpucnn gives exactly these arrays, of these types."""
    actual = answers(model, inputs)
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected):
        assert a.dtype == e.dtype
        np.testing.assert_array_equal(a, e, strict=True)


def assert_near(model: onnx.ModelProto, inputs: Feeds, *expected: Any) -> None:
    """Assert that gpucnn's float32 values, and those expected, lie within the computed bound of the true ones of what was recorded."""
    exact = truth(recorded(model, inputs), fed(model, inputs))
    actual = answers(model, inputs)
    assert len(actual) == len(expected)
    for i, (a, e) in enumerate(zip(actual, expected)):
        assert_true(a, exact[f"y{i}"], f"y{i} of gpucnn: ")
        assert_true(np.asarray(e, np.float32), exact[f"y{i}"], f"y{i} as expected: ")
