"""The dense layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ...ops import Linear
from ...spec import Spec
from ..base import Call, Impl
from .backend import CpuBackend
from .epilogue import finish, room
from .gemm import shares
from .kinds import product

__all__ = ["LinearGemm", "LinearGemv"]

_CACHED = 1 << 17  # elements of weights that stay in the second-level cache from one image to the next: 512 KB
_FEWEST = 8  # rows of the weight for a call


class LinearGemm(Impl):
    """One matrix product; the weight stays as it is and BLAS reads it transposed."""

    name = "linear_gemm"
    numerics = "gemm over c"
    packs = (2,)  # the epilogue repeats the bias once, when it is bound

    def supports(self, op: Linear, x: Spec, *rest: Spec | None) -> bool:
        """Float32 with at least a batch axis."""
        return x.dtype == np.float32 and x.ndim >= 2

    def workspace(self, op: Linear, x: Spec, *rest: Spec | None) -> int:
        """What the epilogue wants."""
        return room(op.epilogue)

    def bind(
        self, backend: CpuBackend, op: Linear, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """All rows at once where a row's bits do not depend on its place, else one by one."""
        x, weight, bias, residual = (*inputs, None, None)[:4]
        count = prod(x.shape[:-1])
        out, rows = outputs[0].reshape(count, outputs[0].shape[-1]), x.reshape(count, x.shape[-1])
        addend = None if residual is None else residual.reshape(out.shape)
        together = len(rows) == 1 or backend.places_agree(len(rows), 1, weight.T)
        step = len(rows) if together else 1
        calls = [product(rows[i : i + step], weight.T, out[i : i + step]) for i in range(0, len(rows), step)]
        return backend.schedule([calls + finish(op.epilogue, out, bias, addend, out, workspace[0])], 1)


class LinearGemv(Impl):
    """A product with each image's vector: of some rows of the weight, which stay in cache, with all images, and so on.

    A product of few rows spends its time on packing the weight (VGG-16's first, four images on one core: 82 ms against 41).
    """

    name = "linear_gemv"
    numerics = "gemv over c"
    packs = (2,)

    def supports(self, op: Linear, x: Spec, *rest: Spec | None) -> bool:
        """Float32, one vector an image."""
        return x.dtype == np.float32 and x.ndim == 2

    def workspace(self, op: Linear, x: Spec, *rest: Spec | None) -> int:
        """What the epilogue wants."""
        return room(op.epilogue)

    def bind(
        self, backend: CpuBackend, op: Linear, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Per block of the weight's rows a product for each image; then the epilogue, of all or of each worker's share."""
        x, weight, bias, residual = (*inputs, None, None)[:4]
        (n, k), c = outputs[0].shape, x.shape[1]
        parts = backend.lanes_for(2 * n * k * c)
        count = max(1, min(k // _FEWEST, round(k * c / _CACHED))) if n > 1 else 1
        tasks: list[list[Call]] = []
        for p0, p1 in pairwise(shares(k, parts)):
            y, w = outputs[0][:, p0:p1], weight[p0:p1]
            edges = shares(p1 - p0, -(-count // parts))
            calls = [product(w[a:b], image, row[a:b]) for a, b in pairwise(edges) for image, row in zip(x, y)]
            addend = None if residual is None else residual[:, p0:p1]
            scratch = workspace[len(tasks) % parts]
            tasks.append(calls + finish(op.epilogue, y, None if bias is None else bias[p0:p1], addend, y, scratch))
        return backend.schedule(tasks, parts)
