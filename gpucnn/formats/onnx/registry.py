"""The functions that record ONNX's operators, found by their names.

A function is called like its operator: ``def Clip_11(g, x, min=None, max=None)`` holds from opset 11 on until a larger number follows;
a name without number holds for all opsets. Positional parameters are the operator's inputs, keyword-only ones its attributes, with the
types that their annotations say.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...errors import ModelError, UnsupportedError
from . import (
    ops_activation,
    ops_cast,
    ops_control,
    ops_conv,
    ops_dense,
    ops_elementwise,
    ops_gather,
    ops_logic,
    ops_moving,
    ops_norm,
    ops_pool,
    ops_quantize,
    ops_reduce,
    ops_resize,
    ops_shape,
)
from .document import OnnxGraph

__all__ = ["OldestOpset", "Operator", "find", "first_opset"]

MODULES = (
    ops_activation,
    ops_cast,
    ops_control,
    ops_conv,
    ops_dense,
    ops_elementwise,
    ops_gather,
    ops_logic,
    ops_moving,
    ops_norm,
    ops_pool,
    ops_quantize,
    ops_reduce,
    ops_resize,
    ops_shape,
)

OldestOpset = 1
NewestOpset = 30
"""Opsets beyond were not known when this was written; an operator may mean something else there."""


@dataclass(frozen=True)
class Operator:
    """An operator's function, and what its signature says."""

    call: Callable[..., Any]
    least: int
    most: int | None
    attributes: dict[str, str]
    required: frozenset[str]

    def check(self, inputs: int, attributes: dict[str, Any]) -> None:
        """Raise unless so many inputs, and these attributes, are what the operator takes."""
        if inputs < self.least or (self.most is not None and inputs > self.most):
            most = "any number" if self.most is None else self.most
            takes = f"{self.least}" if self.least == self.most else f"{self.least} to {most}"
            raise ModelError(f"takes {takes} inputs, got {inputs}")
        for name, value in attributes.items():
            kind = self.attributes.get(name)
            if kind is None:
                raise UnsupportedError(f"attribute {name!r} is not known here; known are {', '.join(self.attributes) or 'none'}")
            if not _fits(value, kind):
                raise ModelError(f"attribute {name!r} must be of type {kind}, got {type(value).__name__}")
        if missing := self.required - set(attributes):
            raise ModelError(f"lacks the attribute {', '.join(map(repr, sorted(missing)))}")


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "int" | "bool":
            return isinstance(value, int)
        case "float":
            return isinstance(value, float)
        case "str":
            return isinstance(value, str)
        case "Ints":
            return isinstance(value, tuple) and all(isinstance(v, int) for v in value)
        case "Floats":
            return isinstance(value, tuple) and all(isinstance(v, float) for v in value)
        case "Strings":
            return isinstance(value, tuple) and all(isinstance(v, str) for v in value)
        case "Tensor":
            return isinstance(value, np.ndarray)
        case "Subgraph":
            return isinstance(value, OnnxGraph)
    raise AssertionError(f"no such kind of attribute: {kind}")


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[int, Operator]]:
    table: dict[str, dict[int, Operator]] = {}
    for module in MODULES:
        for name in module.__all__:
            call = getattr(module, name)
            base, since = re.fullmatch(r"(\w+?)(?:_(\d+))?", name).groups()  # type: ignore[union-attr]
            table.setdefault(base, {})[int(since or 1)] = _operator(call)
    return table


def _operator(call: Callable[..., Any]) -> Operator:
    parameters = list(inspect.signature(call).parameters.values())[1:]
    inputs = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return Operator(
        call,
        sum(p.default is p.empty for p in inputs),
        None if variadic else len(inputs),
        {p.name: str(p.annotation).removesuffix(" | None") for p in named},
        frozenset(p.name for p in named if p.default is p.empty),
    )


def find(domain: str, op_type: str, opset: int) -> Operator | None:
    """The function for an operator as it is in ``opset``; None where there is none."""
    if domain:
        return None
    versions = _table().get(op_type, {})
    since = max((v for v in versions if v <= opset), default=None)
    return None if since is None else versions[since]


def first_opset(op_type: str) -> int | None:
    """The oldest opset in which an operator can be recorded; None where there is none."""
    return min(_table().get(op_type, {}), default=None)
