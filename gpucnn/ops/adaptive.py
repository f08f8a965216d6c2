"""Adaptive pooling: a given number of windows that cover the map, whatever its size."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, require_float
from .window import require_axes, require_map, require_number, running_best

__all__ = ["AdaptiveAvgPool", "AdaptiveMaxPool", "adaptive_window", "best_of_lines"]


def _check_output(op: str, output_size: tuple[int, ...]) -> None:
    if min(output_size) < 1:
        raise ShapeError(f"{op}: output_size must be at least 1, got {output_size}")


def adaptive_window(i: int, n: int, p: int) -> tuple[int, int]:
    """First pixel of window i of p over n pixels, and the one behind its last: ``floor(i·n/p)``, ``ceil((i+1)·n/p)``."""
    return i * n // p, -(-(i + 1) * n // p)


def best_of_lines(xp: Any, x: Array, lines: Sequence[Array]) -> tuple[Array, Array]:
    """Maximum of each window and its place in the plane, from the pixels that the windows meet along each axis.

    Parameters
    ----------
    xp : module
    x : array, (n, c, …)
    lines : sequence of array, (n or 1, c or 1, out, k), int64
        One per spatial axis. A window of fewer than k pixels repeats its last one, which changes nothing.
    """
    sizes, axes = x.shape[2:], range(len(lines))
    alone = (1,) * len(lines)
    images = xp.arange(x.shape[0]).reshape(-1, 1, *alone)
    channels = xp.arange(x.shape[1]).reshape(1, -1, *alone)

    def met() -> Iterator[tuple[Array, Array]]:
        for offset in np.ndindex(*(line.shape[-1] for line in lines)):
            picked = [line[..., r] for line, r in zip(lines, offset)]
            at = [p.reshape(*p.shape[:2], *(-1 if a == b else 1 for b in axes)) for a, p in enumerate(picked)]
            place = at[0]
            for size, i in zip(sizes[1:], at[1:]):
                place = place * size + i
            cut = (images, channels, *at)
            yield x[cut], place

    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    shape = (*x.shape[:2], *(line.shape[2] for line in lines))
    return running_best(xp, met(), shape, x.dtype, lowest, operator.gt)


@dataclass(frozen=True)
class AdaptiveAvgPool(Op):
    """Mean over a grid of ``output_size`` windows that cover the map: ``start = floor(i·in/out)``, ``end = ceil((i+1)·in/out)``.

    Notes
    -----
    PyTorch ``adaptive_avg_pool2d``. Integer arithmetic: floats go wrong for large sizes.
    """

    output_size: tuple[int, ...]
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        _check_output(self.name, self.output_size)

    @property
    def name(self) -> str:
        """``adaptive_avg_pool2d`` for two spatial axes."""
        return f"adaptive_avg_pool{len(self.output_size)}d"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, *output_size)."""
        require_axes(self.name, x, len(self.output_size))
        require_float(self.name, x=x)
        require_map(self.name, x)
        return (Spec((*x.shape[:2], *self.output_size), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """One mean per window, in the accumulator type."""
        wide = x.astype(accumulator(x.dtype))
        y = xp.empty((*x.shape[:2], *self.output_size), dtype=wide.dtype)
        axes = tuple(range(2, x.ndim))
        for place in np.ndindex(*self.output_size):
            lines = (slice(*adaptive_window(i, n, p)) for i, n, p in zip(place, x.shape[2:], self.output_size))
            cut, at = (slice(None), slice(None), *lines), (slice(None), slice(None), *place)
            y[at] = wide[cut].mean(axis=axes)
        return (y.astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """About one addition per input element."""
        return x.size


@dataclass(frozen=True)
class AdaptiveMaxPool(Op):
    """Maximum over the windows of ``AdaptiveAvgPool``; NaN in a window gives NaN.

    Parameters
    ----------
    output_size : tuple of int
        Windows along each spatial axis.
    return_indices : bool
        Also give the place of each maximum: int64, flat index into the spatial plane of its image and channel (PyTorch's).

    Notes
    -----
    PyTorch ``adaptive_max_pool2d``. Integer arithmetic: floats go wrong for large sizes.
    """

    output_size: tuple[int, ...]
    return_indices: bool = False
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "exact"

    def __post_init__(self) -> None:
        _check_output(self.name, self.output_size)

    @property
    def name(self) -> str:
        """``adaptive_max_pool2d`` for two spatial axes."""
        return f"adaptive_max_pool{len(self.output_size)}d"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, *output_size), and the indices where asked for."""
        require_axes(self.name, x, len(self.output_size))
        require_number(self.name, x)
        require_map(self.name, x)
        shape = (*x.shape[:2], *self.output_size)
        return (Spec(shape, x.dtype), Spec(shape, np.dtype(np.int64)))[: 1 + self.return_indices]

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """A running maximum over the longest window; shorter ones meet their last line or column again."""
        lines = []
        for n, p in zip(x.shape[2:], self.output_size):
            windows = [adaptive_window(i, n, p) for i in range(p)]
            longest = max(end - start for start, end in windows)
            met = [[min(start + r, end - 1) for r in range(longest)] for start, end in windows]
            lines.append(xp.asarray(np.asarray(met, np.int64)[None, None]))
        return best_of_lines(xp, x, lines)[: 1 + self.return_indices]

    def flops(self, x: Spec) -> int:
        """About one comparison per input element."""
        return x.size
