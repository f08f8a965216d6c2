"""Reductions of float32 without a wider copy."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...ops import Reduce
from ...spec import Spec
from ..base import Call, Impl
from .backend import CpuBackend, Scratch
from .power import doubles

__all__ = ["ReduceSquares", "ReduceUfunc"]

_UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


class ReduceUfunc(Impl):
    """The ufunc's own reduction, image by image, so that its order does not depend on how many there are; a mean is scaled then."""

    name = "reduce_ufunc"
    numerics = "ufunc over dims"

    def supports(self, op: Reduce, x: Spec) -> bool:
        """Sums, means, products and extremes of float32 along axes that are not empty."""
        axes = op.axes(x.ndim)
        return op.kind in _UFUNCS and x.dtype == np.float32 and op.dtype is None and all(x.shape[a] for a in axes) and x.ndim > 0

    def bind(
        self, backend: CpuBackend, op: Reduce, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A call an image, or one where images are added up."""
        x, y, ufunc = inputs[0], outputs[0], _UFUNCS[op.kind]
        axes = op.axes(x.ndim)
        out = y if op.keepdim else np.expand_dims(y, axes)
        pairs = [(x, out)] if 0 in axes else [(x[i : i + 1], out[i : i + 1]) for i in range(len(x))]
        scale = np.float32(1 / np.prod([x.shape[a] for a in axes])) if op.kind == "mean" else None

        def call() -> None:
            for image, target in pairs:
                ufunc.reduce(image, axis=axes, out=target, keepdims=True)
            if scale is not None:
                np.multiply(y, scale, out=y)

        return call


class ReduceSquares(Impl):
    """Sums of squares, and their roots, image by image; in float64, which squares of float32 do not leave."""

    name = "reduce_squares"
    numerics = "float64, sum over dims"

    def supports(self, op: Reduce, x: Spec) -> bool:
        """Sums of squares and Euclidean norms of float32 along axes that are not empty."""
        squares = op.kind == "sum_square" or (op.kind == "norm" and op.p == 2)
        return squares and x.dtype == np.float32 and op.dtype is None and x.ndim > 0 and all(x.shape[a] for a in op.axes(x.ndim))

    def workspace(self, op: Reduce, x: Spec) -> int:
        """The squares of an image, or of all where images are added up, and their sums."""
        return 16 * prod(self._part(op, x.shape)) + 256

    def bind(
        self, backend: CpuBackend, op: Reduce, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Square, sum and take the root of each image; the squares lie as the image does."""
        x, y = inputs[0], outputs[0]
        axes, part, scratch = op.axes(x.ndim), self._part(op, x.shape), Scratch(workspace[0])
        order = sorted(range(x.ndim), key=lambda a: -x.strides[a])
        squares = doubles(scratch, *(part[a] for a in order)).transpose(np.argsort(order))
        sums = doubles(scratch, *(1 if a in axes else n for a, n in enumerate(part)))
        out = y if op.keepdim else np.expand_dims(y, axes)
        pairs = [(x, out)] if 0 in axes else [(x[i : i + 1], out[i : i + 1]) for i in range(len(x))]
        is_norm = op.kind == "norm"

        def call() -> None:
            for image, target in pairs:
                np.multiply(image, image, out=squares, dtype=np.float64)
                np.add.reduce(squares, axis=axes, out=sums, keepdims=True)
                if is_norm:
                    np.sqrt(sums, out=sums)
                np.copyto(target, sums, casting="same_kind")

        return call

    @staticmethod
    def _part(op: Reduce, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if 0 in op.axes(len(shape)) else (1, *shape[1:])
