"""What takes elements from places that follow from strides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.lib.stride_tricks import as_strided

from ...ops import Op
from ...spec import Spec, spec_of
from ..base import Call, Impl
from .backend import CpuBackend
from .kinds import copy

__all__ = ["RouteCopy"]


def _taken(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, of which one that is never taken may be any number in a net, and NumPy's must fit a pointer."""
    return tuple(stride if size > 1 else 0 for size, stride in zip(shape, strides))


class RouteCopy(Impl):
    """The op's loop nest as one copy between two views."""

    name = "route_copy"
    numerics = "exact"

    def supports(self, op: Op, x: Spec) -> bool:
        """Everything."""
        return True

    def bind(
        self, backend: CpuBackend, op: Any, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One copy; of one element, where all are the same, NumPy makes a fill."""
        x, y = inputs[0], outputs[0]
        route = op.route(spec_of(x), x.strides, y.strides)
        start = x[route.start]
        source = as_strided(start, route.shape, _taken(route.shape, route.x_strides), writeable=False)
        return copy(as_strided(y, route.shape, _taken(route.shape, route.y_strides)), source)
