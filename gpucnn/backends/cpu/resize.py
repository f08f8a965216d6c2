"""Resizing on channels-last memory, one spatial axis after another."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...ops import Resize
from ...ops.resize import Taps
from ...spec import Array, Spec, spec_of
from ..base import Call, Impl
from .backend import CpuBackend, Scratch
from .kinds import add, copy

__all__ = ["ResizeLines"]


def _stages(op: Resize, x: Spec) -> list[tuple[Taps, tuple[int, ...]]]:
    """Per axis that is resized: its taps, and the shape of an image (…, c) behind it."""
    image, found = [*x.shape[2:], x.shape[1]], []
    for taps in op.taps(x):
        image[taps.dim - 2] = len(taps.places)
        found.append((taps, tuple(image)))
    return found


class ResizeLines(Impl):
    """Lines are gathered, weighted and added up, tap by tap, image by image."""

    name = "resize_lines"
    numerics = "axis by axis, tap by tap"

    def supports(self, op: Resize, x: Spec) -> bool:
        """Float32, spatial axes alone, nothing outside x."""
        inside = op.coordinates != "tf_crop_and_resize" and all(x.ndim > 0 and d % x.ndim >= 2 for d in op.dims)
        return x.dtype == np.float32 and x.ndim >= 3 and bool(op.dims) and inside

    def workspace(self, op: Resize, x: Spec) -> int:
        """For each axis what is gathered, and its sum."""
        return sum(2 * (4 * prod(shape) + 64) for _, shape in _stages(op, x))

    def bind(
        self, backend: CpuBackend, op: Resize, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A task an image."""
        x, y = np.moveaxis(inputs[0], 1, -1), np.moveaxis(outputs[0], 1, -1)
        stages = _stages(op, spec_of(inputs[0]))
        parts = backend.lanes_for(8 * y.size, 1 << 21)
        tasks = []
        for i in range(len(x)):
            scratch, source, calls = Scratch(workspace[i % parts]), x[i], []
            for taps, shape in stages:
                gathered, total = scratch.take(*shape), scratch.take(*shape)
                calls += _axis(op, taps, source, gathered, total)
                source = gathered if op.mode == "nearest" else total
            tasks.append([*calls, copy(y[i], source)])
        return backend.schedule(tasks, parts)


def _axis(op: Resize, taps: Taps, source: Array, gathered: Array, total: Array) -> list[Call]:
    """Calls that resize one axis of an image."""
    axis = taps.dim - 2
    column = (-1,) + (1,) * (source.ndim - 1 - axis)
    calls: list[Call] = []
    for t in range(taps.places.shape[1]):
        places, weights = taps.places[:, t].copy(), taps.weights[:, t].astype(np.float32)
        calls.append(_gather(source, places, axis, gathered))
        if op.mode == "nearest":
            continue
        target = total if t == 0 else gathered
        calls.append(_weigh(gathered, weights.reshape(column), target, np.moveaxis(target, axis, 0), np.flatnonzero(weights == 0)))
        if t:
            calls.append(add(total, gathered))
    return calls


def _gather(source: Array, places: Array, axis: int, out: Array) -> Call:
    return lambda: np.take(source, places, axis, out=out, mode="clip")  # places are inside; "raise" would go through a buffer


def _weigh(x: Array, weights: Array, out: Array, lines: Array, unused: Array) -> Call:
    def call() -> None:
        np.multiply(x, weights, out=out)
        if unused.size:
            lines[unused] = 0  # whatever stands there

    return call
