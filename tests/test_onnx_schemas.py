"""Operators' functions against ONNX's own schemas, of every version."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from onnx import defs, helper

from gpucnn.formats.onnx import (
    ops_activation,
    ops_conv,
    ops_dense,
    ops_gather,
    ops_moving,
    ops_norm,
    ops_pool,
    ops_resize,
    ops_shape,
)
from gpucnn.formats.onnx.registry import find

MODULES = (ops_activation, ops_conv, ops_dense, ops_gather, ops_moving, ops_norm, ops_pool, ops_resize, ops_shape)
NAMES = {re.sub(r"_\d+$", "", name) for module in MODULES for name in module.__all__}
SCHEMAS = [s for s in defs.get_all_schemas_with_history() if s.domain == "" and s.name in NAMES]
KINDS = {"INT": "int", "FLOAT": "float", "STRING": "str", "INTS": "Ints", "FLOATS": "Floats"}
OPTIONAL_HERE = {
    ("BatchNormalization", 1, "consumed_inputs"), ("Gemm", 7, "C"), ("Gemm", 9, "C"),
    ("Resize", 11, "roi"), ("Resize", 11, "scales"),
}  # fmt: skip
"""What a file must have for ONNX, and may lack for us."""

REQUIRED_HERE = {("LpPool", 1, "kernel_shape"), ("Reshape", 1, "shape")}
"""The other way round: without it there is no saying what it means."""


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: f"{s.name}-{s.since_version}")
def test_signatures_are_the_schemas(schema):
    operator = find("", schema.name, schema.since_version)
    assert operator is not None
    parameters = inspect.signature(operator.call).parameters
    for name, attribute in schema.attributes.items():
        key = (schema.name, schema.since_version, name)
        assert operator.attributes.get(name) == KINDS[attribute.type.name], name
        assert (name in operator.required) == ((attribute.required and key not in OPTIONAL_HERE) or key in REQUIRED_HERE), name
        if attribute.default_value.name:
            default, theirs = parameters[name].default, helper.get_attribute_value(attribute.default_value)
            if (schema.name, name) in (("Clip", "min"), ("Clip", "max")):  # of nothing: infinite numbers stay what they are
                assert abs(theirs) == np.finfo(np.float32).max
            elif isinstance(default, tuple):
                assert default == tuple(theirs), name
            elif isinstance(default, float):
                assert np.float32(default) == np.float32(theirs), name
            else:
                assert default == (theirs.decode() if isinstance(theirs, bytes) else theirs), name


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: f"{s.name}-{s.since_version}")
def test_inputs_are_those_of_the_schemas(schema):
    operator = find("", schema.name, schema.since_version)
    assert operator is not None
    if schema.inputs[-1].option == defs.OpSchema.FormalParameterOption.Variadic:
        assert operator.most is None
        return
    assert operator.most == len(schema.inputs)
    single = [i.name for i in schema.inputs if i.option == defs.OpSchema.FormalParameterOption.Single]
    assert operator.least == sum((schema.name, schema.since_version, name) not in OPTIONAL_HERE for name in single)
