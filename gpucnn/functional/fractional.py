"""Fractional pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..graph import Value
from ..ops import FractionalMaxPool
from ..ops.window import require_axes
from ..spec import Spec
from .base import Size2, Size3, T, apply_op, known, of_axes, whole

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]


def _windows(op: str, spec: Spec, output_size: Any, output_ratio: Any, axes: int) -> tuple[int, ...]:
    """Windows along each axis, given as such or as a share of the pixels."""
    if (output_size is None) == (output_ratio is None):
        raise ShapeError(f"{op}: give one of output_size and output_ratio, got {output_size!r} and {output_ratio!r}")
    if output_ratio is None:
        return of_axes(op, "output_size", output_size, axes)
    ratios = tuple(output_ratio) if isinstance(output_ratio, Sequence) else (output_ratio,) * axes
    if len(ratios) != axes or not all(isinstance(r, (int, float)) and 0 < r < 1 for r in ratios):
        raise ShapeError(f"{op}: output_ratio must lie between 0 and 1, one for all or one for each of {axes} axes, got {output_ratio!r}")
    return tuple(int(n * r) for n, r in zip(spec.shape[2:], ratios))


def _samples(op: str, samples: Any, seed: Any, channels: int, axes: int) -> Any:
    """As they came, symbolic ones unseen; or drawn."""
    if samples is None:
        if whole(op, "seed", seed) < 0:
            raise ShapeError(f"{op}: seed must not be negative, got {seed}")
        return np.random.default_rng(int(seed)).random((1, channels, axes))
    if isinstance(samples, Value):
        return samples
    samples = np.asarray(samples)
    if samples.dtype.kind == "f" and not ((samples >= 0) & (samples < 1)).all():
        raise ShapeError(f"{op}: samples must lie in [0, 1), got {samples.min()} to {samples.max()}")
    return samples


def _fractional(
    op: str, x: Any, kernel_size: Any, output_size: Any, output_ratio: Any, return_indices: bool, samples: Any, seed: Any, axes: int
) -> Any:
    spec = known(x)
    require_axes(op, spec, axes)
    kernel = of_axes(op, "kernel_size", kernel_size, axes)
    made = FractionalMaxPool(kernel, _windows(op, spec, output_size, output_ratio, axes), bool(return_indices))
    outputs = apply_op(made, x, _samples(op, samples, seed, spec.shape[1], axes))
    return outputs if return_indices else outputs[0]


def fractional_max_pool2d(
    x: T,
    kernel_size: Size2,
    output_size: Size2 | None = None,
    output_ratio: float | tuple[float, float] | None = None,
    return_indices: bool = False,
    samples: Any = None,
    seed: int = 0,
) -> Any:
    """Take the maximum of windows that lie apart by a fraction of a pixel on average.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type
    kernel_size : int or (int, int)
        Pixels.
    output_size : int or (int, int), optional
        Windows along each axis; ``output_size + kernel_size − 1`` must not be above the size of x.
    output_ratio : float or (float, float), optional
        Instead: ``output_size = int(size·ratio)``, between 0 and 1.
    return_indices : bool
        Also return where each maximum lies.
    samples : array, (n, c, 2) or (1, c, 2), floating point, optional
        u in [0, 1) for every image, channel and axis, or for every channel and axis. Index 0 is the **width**, 1 the height, as in
        PyTorch's ``_random_samples``.
    seed : int
        Where no samples are given, they are ``numpy.random.default_rng(seed).random((1, c, 2))``: one for each channel and axis, the same
        for all images, so that what becomes of an image does not depend on its batch.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        NaN in a window gives NaN.
    array, (n, c, *output_size), int64
        Only with ``return_indices``: flat index into the h·w plane.

    Raises
    ------
    ShapeError
        x does not have four axes, it is too small for so many windows, both or none of output_size and output_ratio are given, or samples
        are not in [0, 1).

    Notes
    -----
    Window i of an axis starts at ``int((i + u)·alpha) − int(u·alpha)`` with ``alpha = (in − kernel)/(out − 1)``, the last one at ``in −
    kernel``: PyTorch ``fractional_max_pool2d``, which draws new samples in every call. It is computed in the type of the samples
    (float32 where they have 16 bits), as there, so that the same samples of 32 or 64 bits give the same windows; those of a seed are
    float64. Graham 2014, Fractional Max-Pooling, arXiv:1412.6071, whose sequence is another one.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 1, 1, 9)
    >>> fractional_max_pool2d(x, (1, 2), (1, 4), samples=np.float32([[[0.5, 0]]]))
    array([[[[1., 3., 5., 8.]]]], dtype=float32)
    """
    return _fractional("fractional_max_pool2d", x, kernel_size, output_size, output_ratio, return_indices, samples, seed, 2)


def fractional_max_pool3d(
    x: T,
    kernel_size: Size3,
    output_size: Size3 | None = None,
    output_ratio: float | tuple[float, float, float] | None = None,
    return_indices: bool = False,
    samples: Any = None,
    seed: int = 0,
) -> Any:
    """Take the maximum of windows that lie apart by a fraction of a pixel on average, in a volume.

    Parameters
    ----------
    x : array, (n, c, d, h, w), any number type
    kernel_size : int or (int, int, int)
        Pixels.
    output_size : int or (int, int, int), optional
        Windows along each axis; ``output_size + kernel_size − 1`` must not be above the size of x.
    output_ratio : float or (float, float, float), optional
        Instead: ``output_size = int(size·ratio)``, between 0 and 1.
    return_indices : bool
        Also return where each maximum lies.
    samples : array, (n, c, 3) or (1, c, 3), floating point, optional
        u in [0, 1) for every image, channel and axis, or for every channel and axis. In the order depth, height, width, as in PyTorch's
        ``_random_samples``.
    seed : int
        Where no samples are given, they are ``numpy.random.default_rng(seed).random((1, c, 3))``: one for each channel and axis, the same
        for all images, so that what becomes of an image does not depend on its batch.

    Returns
    -------
    array, (n, c, *output_size), dtype of x
        NaN in a window gives NaN.
    array, (n, c, *output_size), int64
        Only with ``return_indices``: flat index into the d·h·w volume.

    Raises
    ------
    ShapeError
        x does not have five axes, it is too small for so many windows, both or none of output_size and output_ratio are given, or samples
        are not in [0, 1).

    Notes
    -----
    Window i of an axis starts at ``int((i + u)·alpha) − int(u·alpha)`` with ``alpha = (in − kernel)/(out − 1)``, the last one at ``in −
    kernel``: PyTorch ``fractional_max_pool3d``, which draws new samples in every call. It is computed in the type of the samples
    (float32 where they have 16 bits), as there, so that the same samples of 32 or 64 bits give the same windows; those of a seed are
    float64. Graham 2014, Fractional Max-Pooling, arXiv:1412.6071, whose sequence is another one.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 1, 1, 1, 9)
    >>> fractional_max_pool3d(x, (1, 1, 2), (1, 1, 4), samples=np.float32([[[0, 0, 0.5]]]))
    array([[[[[1., 3., 5., 8.]]]]], dtype=float32)
    """
    return _fractional("fractional_max_pool3d", x, kernel_size, output_size, output_ratio, return_indices, samples, seed, 3)
