"""Transposed convolution as ordinary ones: results whose places agree modulo the stride meet the same elements of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, prod
from typing import Any

import numpy as np

from ...ops import Conv, ConvTranspose, Identity
from ...spec import Array, Spec
from ..base import Call, Impl, Packed, in_order
from ..unit_axis import takes_lines
from .backend import CudaBackend
from .conv import ConvIgemmMma, ConvIgemmSimt
from .depthwise import ConvDepthwiseDirect
from .geometry import on_host
from .layout import CopyKernel

__all__ = ["ConvTransposePhases", "Phase", "phases"]

_GAP = 256  # bytes: alignment of what lies in the workspace and in the packed weights
_COPY, _IDENTITY = CopyKernel(), Identity()


@dataclass(frozen=True)
class Phase:
    """Every ``stride``-th result along one axis, and the convolution that makes them.

    Attributes
    ----------
    first, count : int
        Of the results.
    taps : tuple of int
        Elements of the kernel, in the order in which the convolution meets its input; none where only the bias is.
    dilation : int
        Pixels of x between them.
    shift : int
        Pixel of x that the first of them meets for the first result; negative where that lies before the image.
    """

    first: int
    count: int
    taps: tuple[int, ...]
    dilation: int
    shift: int


def phases(stride: int, dilation: int, kernel: int, before: int, size: int, out: int) -> list[Phase]:
    """The phases of one axis, of x of ``size`` pixels and ``out`` results.

    Result p meets element r where ``p + before − r·dilation`` is a multiple of the stride, at that multiple: the elements of a phase are
    every ``stride/gcd(stride, dilation)``-th, and their pixels ``dilation/gcd`` apart.

    Examples
    --------
    >>> for phase in phases(2, 1, 3, 1, 4, 8):
    ...     print(phase)
    Phase(first=0, count=4, taps=(1,), dilation=1, shift=0)
    Phase(first=1, count=4, taps=(2, 0), dilation=1, shift=0)
    """
    found = []
    for first in range(min(stride, out)):
        taps = [r for r in range(kernel) if (first + before - r * dilation) % stride == 0][::-1]
        shift = (first + before - taps[0] * dilation) // stride if taps else 0
        if shift >= size:
            taps = []
        found.append(Phase(first, -(-(out - first) // stride), tuple(taps), dilation // gcd(stride, dilation), shift if taps else 0))
    return found


@dataclass(frozen=True)
class _Kernels(Packed):
    """Packed weights of all phases in one array.

    Attributes
    ----------
    parts : dict of taps, a tuple an axis, to (int, shape, shape)
        Where a phase's weight lies, its packed shape, and that of the weight.
    """

    parts: dict[tuple[tuple[int, ...], ...], tuple[int, tuple[int, ...], tuple[int, ...]]]


@takes_lines
class ConvTransposePhases(Impl):
    """One convolution of stride 1 a phase, by the kernels of convolution, then a copy to every stride-th pixel of the result.

    Nothing is multiplied by zeros between pixels. The depthwise kernel writes to every stride-th pixel itself, and with stride 1 there is
    one phase and nothing to copy.

    Parameters
    ----------
    mma, simt : str, optional
        Tiles of the products, in float16 and in float32; chosen by shape where absent.
    """

    numerics = "of a convolution a phase"
    packs = (1, 2)

    def __init__(self, mma: str = "", simt: str = "") -> None:
        self.name = f"conv_transpose_phases{f'/{mma}/{simt}' if mma or simt else ''}"
        self._products: dict[str, Impl] = {"float16": ConvIgemmMma(mma), "float32": ConvIgemmSimt(simt)}
        self._depthwise = ConvDepthwiseDirect()

    def supports(self, op: ConvTranspose, x: Spec, *rest: Spec | None) -> bool:
        """Float16 and float32."""
        return str(x.dtype) in self._products and x.ndim in (4, 5)

    def workspace(self, op: ConvTranspose, x: Spec, weight: Spec, *rest: Spec | None) -> int:
        """Results of a phase, and its part of a residual, where they cannot be written where they belong."""
        n, k, *_ = op.infer(x, weight, *rest)[0].shape
        if self._in_place(op, weight.shape[0]):
            return 0
        largest = prod(axis[0].count for axis in _axes(op, x.shape, weight.shape))
        maps = 1 if len(rest) < 2 or rest[1] is None else 2
        return maps * _bytes(n * k * largest, x.dtype)

    def pack(self, op: ConvTranspose, *constants: Any) -> tuple[Any, ...]:
        """A weight for every set of elements that a phase may meet, as the convolution's kernel packs it."""
        weight, bias = on_host(constants[1]), constants[2] if len(constants) > 2 else None
        (c, per), g = weight.shape[:2], op.groups
        turned = weight.reshape(g, c // g, per, *weight.shape[2:]).swapaxes(1, 2).reshape(g * per, c // g, *weight.shape[2:])
        axes = weight.ndim - 2
        inner, plain = self._inner(op, c, weight.dtype), Conv((1,) * axes, ((0, 0),) * axes, (1,) * axes, g)
        sets = [{*_sets(s, d, k), ()} for s, d, k in zip(op.stride, op.dilation, weight.shape[2:])]
        parts, arrays, at, shift = {}, [], 0, bias
        for taps in sorted(product(*sets)):
            if all(taps):
                chosen = (..., *np.ix_(*taps))
                part = turned[chosen]
            elif not any(taps):
                part = np.zeros((g * per, c // g, *(1,) * axes), weight.dtype)
            else:
                continue
            _, made, *packed = inner.pack(plain, None, part, bias)
            array = made.array if isinstance(made, Packed) else made
            shift = packed[0]
            parts[taps] = (at, array.shape, part.shape)
            arrays += [array.reshape(-1), np.zeros(-array.size % (_GAP // array.itemsize), array.dtype)]
            at += sum(a.size for a in arrays[-2:])
        kernels = _Kernels(np.concatenate(arrays), tuple(weight.shape), parts)
        return (constants[0], kernels, shift, *constants[3:])[: len(constants)]

    def bind(
        self, backend: CudaBackend, op: ConvTranspose, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A launch a phase, and copies."""
        x, kernels, bias, residual = (*inputs, None, None)[:4]
        inner, in_place = self._inner(op, x.shape[1], x.dtype), self._in_place(op, x.shape[1])
        calls: list[Call] = []
        for axes in product(*_axes(op, x.shape, kernels.shape)):
            meets = all(axis.taps for axis in axes)
            conv, source = _convolution(op, axes, meets, x)
            at, shape, whole = kernels.parts[tuple(axis.taps if meets else () for axis in axes)]
            array = kernels.array[at : at + prod(shape)].reshape(shape)
            weight = array if inner is self._depthwise else Packed(array, whole)
            every = (..., *(slice(axis.first, None, stride) for axis, stride in zip(axes, op.stride)))
            y, added = outputs[0][every], None if residual is None else residual[every]
            if in_place:
                calls.append(_bound(inner, backend, conv, (source, weight, bias, added), y))
                continue
            maps = [_map(backend, workspace[0], i, y) for i in range(1 if added is None else 2)]
            if added is not None:
                calls.append(_bound(_COPY, backend, _IDENTITY, (added,), maps[1]))
                added = maps[1]
            calls.append(_bound(inner, backend, conv, (source, weight, bias, added), maps[0]))
            calls.append(_bound(_COPY, backend, _IDENTITY, (maps[0],), y))
        return in_order(calls)

    def _inner(self, op: ConvTranspose, c: int, dtype: Any) -> Impl:
        return self._depthwise if op.groups == c > 1 and len(op.stride) == 2 else self._products[str(dtype)]

    def _in_place(self, op: ConvTranspose, c: int) -> bool:
        return max(op.stride) == 1 or (op.groups == c > 1 and len(op.stride) == 2)


def _sets(stride: int, dilation: int, kernel: int) -> set[tuple[int, ...]]:
    """The elements of the kernel by what their places leave modulo the stride, last ones first."""
    by: dict[int, list[int]] = {}
    for r in range(kernel)[::-1]:
        by.setdefault(r * dilation % stride, []).append(r)
    return {tuple(taps) for taps in by.values()}


def _axes(op: ConvTranspose, x: Sequence[int], weight: Sequence[int]) -> list[list[Phase]]:
    """Phases of every axis."""
    before, out = op.geometry(tuple(x[2:]), tuple(weight[2:]))
    return [phases(*axis) for axis in zip(op.stride, op.dilation, weight[2:], before, x[2:], out)]


def _convolution(op: ConvTranspose, axes: Sequence[Phase], meets: bool, x: Array) -> tuple[Conv, Array]:
    """The convolution of a phase, and the part of x that it reads: without the lines and columns that it never meets in front."""
    ones = (1,) * len(axes)
    if not meets:  # one element of 0, and every window before the image
        return Conv(ones, tuple((axis.count, 0) for axis in axes), ones, op.groups, op.epilogue), x
    pads = tuple((max(0, -axis.shift), 0) for axis in axes)
    met = (..., *(slice(max(0, axis.shift), None) for axis in axes))
    return Conv(ones, pads, tuple(axis.dilation for axis in axes), op.groups, op.epilogue), x[met]


def _bytes(elements: int, dtype: np.dtype[Any]) -> int:
    return -(-elements * dtype.itemsize // _GAP) * _GAP


def _map(backend: CudaBackend, memory: Array, i: int, like: Array) -> Array:
    """The i-th map of the workspace, of the shape of a phase's results, channels last."""
    n, k, *sizes = like.shape
    strides = tuple(k * prod(sizes[axis + 1 :]) for axis in range(len(sizes)))
    return backend.view(memory, i * (memory.nbytes // 2), Spec((n, k, *sizes), like.dtype), (k * prod(sizes), 1, *strides))


def _bound(impl: Impl, backend: CudaBackend, op: Any, inputs: Sequence[Any], out: Array) -> Call:
    call = impl.bind(backend, op, inputs, (out,), ())
    assert call is not None
    return call
