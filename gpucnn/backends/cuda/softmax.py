"""Softmax and its logarithm, a row by one thread, one warp or one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import LogSoftmax, Softmax
from ...spec import Spec
from ..base import Call, Impl
from .backend import CudaBackend, launch
from .geometry import scalars
from .layout import element_strides, fold, is_float, walk

__all__ = ["LogSoftmaxKernel", "SoftmaxKernel"]

_THREADS = 256
_WARP_MOST = 1024  # elements of a row that one warp takes; a longer one gets a block


class SoftmaxKernel(Impl):
    """``kernels/softmax.cu``."""

    name = "softmax"
    numerics = "lanes over dim"

    def supports(self, op: Softmax, x: Spec) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def bind(
        self, backend: CudaBackend, op: Softmax, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _rows(backend, op, inputs[0], outputs[0])


class LogSoftmaxKernel(Impl):
    """``kernels/softmax.cu``, log_softmax."""

    name = "log_softmax"
    numerics = "lanes over dim"

    def supports(self, op: LogSoftmax, x: Spec) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def bind(
        self, backend: CudaBackend, op: LogSoftmax, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        return _rows(backend, op, inputs[0], outputs[0])


def _rows(backend: CudaBackend, op: Softmax | LogSoftmax, x: Any, y: Any) -> Call:
    """A launch of the function that has the op's name."""
    dim = op.dim % x.ndim
    others = [axis for axis in range(x.ndim) if axis != dim]
    x_strides, y_strides, length = element_strides(x), element_strides(y), int(x.shape[dim])
    axes = fold([x.shape[i] for i in others], [y_strides[i] for i in others], [x_strides[i] for i in others])
    rows, rest = walk(op.name, axes, 2)
    # Rows whose elements lie apart lie side by side themselves: neighbouring threads then read neighbouring rows.
    lanes = 1 if length > 1 and x_strides[dim] != 1 else 32 if length <= _WARP_MOST else 256
    args = scalars(x=x, y=y, length=length, x_step=np.int64(x_strides[dim]), y_step=np.int64(y_strides[dim]), rows=rows)
    kernel = backend.kernel("softmax.cu", op.name, HALF=int(x.dtype == np.float16), LANES=lanes)
    return launch(kernel, (-(-rows // (_THREADS // lanes)), 1, 1), (_THREADS, 1, 1), (*args, *rest))
