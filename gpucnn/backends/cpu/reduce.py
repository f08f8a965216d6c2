"""Reductions of float32 without a wider copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import Reduce
from ...spec import Spec
from ..base import Call, Impl
from .backend import CpuBackend

__all__ = ["ReduceUfunc"]

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
