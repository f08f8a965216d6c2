"""Activations and softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...graph import Value
from ...ops import Activation, Softmax

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["HardSigmoid", "HardSwish", "Relu", "Sigmoid", "Softmax_13"]


def Relu(g: Recorder, x: Value) -> Value:
    return g.append(Activation("relu"), x)


def Sigmoid(g: Recorder, x: Value) -> Value:
    return g.append(Activation("sigmoid"), x)


def HardSwish(g: Recorder, x: Value) -> Value:
    return g.append(Activation("hardswish"), x)


def HardSigmoid(g: Recorder, x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Value:
    return g.append(Activation("hardsigmoid", alpha=alpha, beta=beta), x)


def Softmax_13(g: Recorder, x: Value, *, axis: int = -1) -> Value:
    return g.append(Softmax(axis), x)
