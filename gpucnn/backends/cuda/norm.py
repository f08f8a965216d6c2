"""Normalisation by an image's own statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import GroupNorm, LayerNorm, LocalResponseNorm, Normalize
from ...spec import Array, Spec
from ..base import Call, Impl
from .backend import CudaBackend, launch
from .geometry import on_host, scalars
from .layout import element_strides, fold, is_float, walk

__all__ = ["GroupNormKernel", "LayerNormKernel", "LocalResponseNormKernel", "NormalizeKernel"]

_THREADS = 256
_WARP_MOST = 1024  # elements of a row that one warp takes; a longer one gets a block
_BESIDE = 8  # rows side by side in a block, where their elements lie apart
_NORMS = {1.0: 2, 2.0: 3, math.inf: 4}  # by p; as in kernels/norm_rows.cu, like the kinds below
_CENTRED, _UNCENTRED = 0, 1

Split = tuple[Sequence[int], Sequence[Sequence[int]]]
"""Sizes of some axes, and their strides in y, in x and in the parameters."""


def _float32(constants: Sequence[Any]) -> tuple[Any, ...]:
    """Weight and bias as the kernel reads them; what was computed comes from the device."""
    return (constants[0], *(None if a is None else on_host(a).astype(np.float32) for a in constants[1:]))


def _launch_rows(
    backend: CudaBackend, name: str, kind: int, eps: float, x: Array, y: Array, weight: Any, bias: Any, rows: Split, row: Split
) -> Call:
    """A launch over the rows that ``rows`` counts, the elements of each counted by ``row``."""
    outside, inside = fold(rows[0], *rows[1]), fold(row[0], *row[1])
    count, of_rows = walk(name, outside, 3)
    length, of_row = walk(name, inside, 3)
    # Elements of a row that lie apart lie near those of the next rows: neighbouring threads then take neighbouring rows.
    apart = bool(inside) and inside[-1].strides[1] != 1
    lanes = _THREADS // _BESIDE if apart or length <= _WARP_MOST else _THREADS
    macros = {"HALF": int(x.dtype == np.float16), "LANES": lanes, "ACROSS": int(apart), "FLAT": int(len(inside) <= 1)}
    first = scalars(x=x, y=y, weight=weight, bias=bias, kind=kind, eps=float(eps), length=length, rows=count)
    kernel = backend.kernel("norm_rows.cu", "norm_rows", **macros)
    return launch(kernel, (-(-count // (_THREADS // lanes)), 1, 1), (_THREADS, 1, 1), (*first, *of_rows, *of_row))


class LayerNormKernel(Impl):
    """``kernels/norm_rows.cu``: rows of the last axes."""

    name = "layer_norm_rows"
    numerics = "lanes over a row"
    packs = (1, 2)

    def supports(self, op: LayerNorm, x: Spec, *rest: Spec | None) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def pack(self, op: LayerNorm, *constants: Any) -> tuple[Any, ...]:
        """Weight and bias in float32."""
        return _float32(constants)

    def bind(
        self, backend: CudaBackend, op: LayerNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        (x, weight, bias), y = (*inputs, None, None)[:3], outputs[0]
        lead = x.ndim - op.dims
        x_strides, y_strides = element_strides(x), element_strides(y)
        given = weight if weight is not None else bias
        of_row = (0,) * op.dims if given is None else element_strides(given)
        rows = x.shape[:lead], (y_strides[:lead], x_strides[:lead], (0,) * lead)
        row = x.shape[lead:], (y_strides[lead:], x_strides[lead:], of_row)
        return _launch_rows(backend, op.name, _CENTRED if op.centred else _UNCENTRED, op.eps, x, y, weight, bias, rows, row)


class GroupNormKernel(Impl):
    """``kernels/norm_rows.cu``: rows of the channels of a group and their pixels."""

    name = "group_norm_rows"
    numerics = "lanes over a row"
    packs = (1, 2)

    def supports(self, op: GroupNorm, x: Spec, *rest: Spec | None) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def pack(self, op: GroupNorm, *constants: Any) -> tuple[Any, ...]:
        """Weight and bias in float32."""
        return _float32(constants)

    def bind(
        self, backend: CudaBackend, op: GroupNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        (x, weight, bias), y = (*inputs, None, None)[:3], outputs[0]
        (n, c, *pixels), groups = x.shape, op.groups or x.shape[1]
        size = c // groups
        (xn, xc, *x_pixels), (yn, yc, *y_pixels) = element_strides(x), element_strides(y)
        wc = int(weight is not None or bias is not None)
        rows = (n, groups), ((yn, yc * size), (xn, xc * size), (0, wc * size))
        row = (size, *pixels), ((yc, *y_pixels), (xc, *x_pixels), (wc, *(0,) * len(pixels)))
        return _launch_rows(backend, op.name, _CENTRED, op.eps, x, y, weight, bias, rows, row)


class NormalizeKernel(Impl):
    """``kernels/norm_rows.cu``: rows of one axis, divided by their norm."""

    name = "normalize_rows"
    numerics = "lanes over a row"

    def supports(self, op: Normalize, x: Spec) -> bool:
        """Norms with p 1, 2 and infinity of float32 and float16, up to five axes."""
        return is_float(x) and op.p in _NORMS

    def bind(
        self, backend: CudaBackend, op: Normalize, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch."""
        x, y = inputs[0], outputs[0]
        dim = op.dim % x.ndim
        strides = element_strides(y), element_strides(x), (0,) * x.ndim
        others = [axis for axis in range(x.ndim) if axis != dim]
        rows = [x.shape[i] for i in others], [[s[i] for i in others] for s in strides]
        row = [x.shape[dim]], [[s[dim]] for s in strides]
        return _launch_rows(backend, op.name, _NORMS[op.p], op.eps, x, y, None, None, rows, row)


class LocalResponseNormKernel(Impl):
    """``kernels/norm_neighbours.cu``."""

    name = "local_response_norm"
    numerics = "window in order"

    def supports(self, op: LocalResponseNorm, x: Spec) -> bool:
        """Float32 and float16, up to five axes."""
        return is_float(x)

    def bind(
        self, backend: CudaBackend, op: LocalResponseNorm, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """One launch: a thread an element."""
        x, y = inputs[0], outputs[0]
        before, after = op.window
        channel = tuple(int(axis == 1 and x.shape[1] > 1) for axis in range(x.ndim))
        items, rest = walk(op.name, fold(y.shape, element_strides(y), element_strides(x), channel), 3)
        args = scalars(
            x=x, y=y, channels=int(x.shape[1]), before=before, after=after, share=op.alpha / op.size, beta=float(op.beta), k=float(op.k),
            x_channel=np.int64(element_strides(x)[1]), items=items,
        )  # fmt: skip
        kernel = backend.kernel("norm_neighbours.cu", "norm_neighbours", HALF=int(x.dtype == np.float16))
        return launch(kernel, (-(-items // _THREADS), 1, 1), (_THREADS, 1, 1), (*args, *rest))
