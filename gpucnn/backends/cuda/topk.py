"""The best of every row, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import LimitError
from ...ops import TopK
from ...spec import Spec
from ..base import Call, Impl
from .backend import CudaBackend, launch
from .geometry import scalars
from .layout import element_strides, fold, is_float, walk

__all__ = ["TopKKernel"]

_WARP_MOST = 256  # elements of a row that one warp takes; a longer one gets eight
_MOST = 2**31 - 1


class TopKKernel(Impl):
    """``kernels/topk.cu``."""

    name = "topk"
    numerics = "exact"

    def supports(self, op: TopK, x: Spec) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def bind(self, backend: CudaBackend, op: TopK, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]) -> Call | None:
        """One launch: a block a row."""
        x, (values, places) = inputs[0], outputs
        dim, length = op.dim % x.ndim, int(x.shape[op.dim])
        if length > _MOST:
            raise LimitError(f"topk: the kernel takes rows of at most {_MOST} elements, got {length}")
        arrays = (values, places, x)
        steps = [element_strides(a) for a in arrays]
        others = [axis for axis in range(x.ndim) if axis != dim]
        axes = fold([x.shape[i] for i in others], *([s[i] for i in others] for s in steps))
        rows, rest = walk("topk", axes, 3)
        args = scalars(
            x=x, values=values, places=places, length=length, k=op.k, largest=int(op.largest),
            x_step=np.int64(steps[2][dim]), values_step=np.int64(steps[0][dim]), places_step=np.int64(steps[1][dim]),
        )  # fmt: skip
        threads = 32 if length <= _WARP_MOST else 256
        kernel = backend.kernel("topk.cu", "topk", HALF=int(x.dtype == np.float16), THREADS=threads)
        return launch(kernel, (rows, 1, 1), (threads, 1, 1), (*args, *rest))
