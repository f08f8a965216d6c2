"""Adaptive pooling on channels-last memory: first the lines under each row of windows, then the columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import AdaptiveAvgPool, AdaptiveMaxPool
from ...ops.adaptive import adaptive_window
from ...spec import Array, Spec
from ..base import Call, Impl
from ..unit_axis import takes_lines
from .backend import CpuBackend, Scratch

__all__ = ["AdaptiveAvgPoolLines", "AdaptiveMaxPoolLines"]


def _workspace(op: AdaptiveAvgPool | AdaptiveMaxPool, x: Spec) -> int:
    """The folded lines of an image."""
    return 4 * op.output_size[0] * x.shape[3] * x.shape[1] + 256


def _bind(backend: CpuBackend, x: Array, out: Array, workspace: Sequence[Any], ufunc: Any, scale: Array | None) -> Call | None:
    """Fold each image (h, w, c) into (p, q, c), and scale it."""
    (h, w), (p, q) = x.shape[2:], out.shape[2:]
    rows, columns = [[slice(*adaptive_window(i, n, k)) for i in range(k)] for n, k in ((h, p), (w, q))]
    parts = backend.lanes_for(x.size, 1 << 21)

    def task(image: Array, target: Array, lines: Array) -> list[Call]:
        def call() -> None:
            for i, row in enumerate(rows):
                ufunc.reduce(image[row], axis=0, out=lines[i])
            for j, column in enumerate(columns):
                ufunc.reduce(lines[:, column], axis=1, out=target[:, j])
            if scale is not None:
                np.multiply(target, scale, out=target)

        return [call]

    images = zip(x.transpose(0, 2, 3, 1), out.transpose(0, 2, 3, 1))
    tasks = [task(a, b, Scratch(workspace[i % parts]).take(p, w, x.shape[1])) for i, (a, b) in enumerate(images)]
    return backend.schedule(tasks, parts)


@takes_lines
class AdaptiveAvgPoolLines(Impl):
    """Sums of whole lines, then a product with the reciprocal of each window's count."""

    name = "adaptive_avg_pool_lines"
    numerics = "sum over r, then s"

    def supports(self, op: AdaptiveAvgPool, x: Spec) -> bool:
        """Float32 in two dimensions."""
        return x.dtype == np.float32 and x.ndim == 4

    def workspace(self, op: AdaptiveAvgPool, x: Spec) -> int:
        """The folded lines of an image."""
        return _workspace(op, x)

    def bind(
        self, backend: CpuBackend, op: AdaptiveAvgPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Fold each image and scale it."""
        sizes = [np.diff([adaptive_window(i, n, p) for i in range(p)]) for n, p in zip(inputs[0].shape[2:], op.output_size)]
        scale = (1 / (sizes[0] * sizes[1].T)).astype(np.float32)[:, :, None]
        return _bind(backend, inputs[0], outputs[0], workspace, np.add, scale)


@takes_lines
class AdaptiveMaxPoolLines(Impl):
    """Maxima of whole lines; ``numpy.maximum`` lets NaN through."""

    name = "adaptive_max_pool_lines"
    numerics = "exact"

    def supports(self, op: AdaptiveMaxPool, x: Spec) -> bool:
        """Float32 in two dimensions, without indices."""
        return x.dtype == np.float32 and x.ndim == 4 and not op.return_indices

    def workspace(self, op: AdaptiveMaxPool, x: Spec) -> int:
        """The folded lines of an image."""
        return _workspace(op, x)

    def bind(
        self, backend: CpuBackend, op: AdaptiveMaxPool, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Fold each image."""
        return _bind(backend, inputs[0], outputs[0], workspace, np.maximum, None)
