"""Kernels at work: several as the weight of a convolution, one laid over an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import functional as F
from ..errors import ShapeError
from ..functional import Padding2, Size2
from ..spec import shape_text
from .kernels import Kernel

__all__ = ["apply", "stack"]


def _kernel(name: str, which: str, kernel: Any) -> Kernel:
    """A kernel (h, w) of real, finite numbers as float32."""
    try:
        array = np.asarray(kernel)
    except ValueError:
        raise ShapeError(f"filters.{name}: {which} must be (h, w), its rows differ in length") from None
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(
            f"filters.{name}: {which} must be (h, w), got shape {shape_text(array.shape)}; "
            + ("stack takes several kernels as a list: stack([kernel])" if name == "stack" else "several go to F.conv2d by filters.stack")
        )
    if array.dtype.kind not in "iuf":
        raise ShapeError(f"filters.{name}: {which} must hold real numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        single: Kernel = array.astype(np.float32)
    if not np.isfinite(single).all():
        row, column = np.argwhere(~np.isfinite(single))[0]
        raise ShapeError(
            f"filters.{name}: {which} must hold finite numbers in the range of float32, got {array[row, column]} at ({row}, {column})"
        )
    return single


def stack(kernels: Iterable[Any], channels: int = 1, groups: int = 1) -> Kernel:
    """Make one weight for :func:`gpucnn.functional.conv2d` of several kernels.

    Parameters
    ----------
    kernels : sequence of array, (h, w)
        k of them, their sizes may differ.
    channels : int
        Channels c of the image that the weight is for.
    groups : int
        That of conv2d; it must divide ``channels``. With 1 each kernel sees the **mean** of all channels; with ``groups=channels``
        every kernel looks at every channel by itself.

    Returns
    -------
    array, (k·groups, c/groups, h, w), float32
        Row ``g·k + i`` is kernel i over the channels of group g, divided by how many those are; h and w are the largest of all.

    Raises
    ------
    ShapeError
        There is no kernel, one is not (h, w) or holds no real numbers, or groups does not divide channels.

    Notes
    -----
    A smaller kernel is set in zeros such that under ``padding="same"`` and stride 1 its map is the one that it gives alone: pixel
    ``(size − 1)//2`` of the one lies on that of the other. That is the centre, where both sizes are odd or both even.

    Examples
    --------
    >>> import numpy as np
    >>> from gpucnn.filters import box, laplacian, sobel
    >>> stack([laplacian(), box(1)])[1, 0]
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    >>> rgb = np.zeros((1, 3, 8, 8), np.float32)
    >>> F.conv2d(rgb, stack([sobel("x"), sobel("y")], channels=3)).shape
    (1, 2, 6, 6)
    >>> F.conv2d(rgb, stack([sobel("x"), sobel("y")], channels=3, groups=3), groups=3).shape
    (1, 6, 6, 6)
    """
    if not isinstance(kernels, Iterable):
        raise ShapeError(f"filters.stack: kernels must be a sequence of (h, w) arrays, got {kernels!r}; write [kernel] for one")
    checked = [_kernel("stack", f"kernel {i}", kernel) for i, kernel in enumerate(kernels)]
    if not checked:
        raise ShapeError("filters.stack: there is no kernel; give at least one")
    for field, value in (("channels", channels), ("groups", groups)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise ShapeError(f"filters.stack: {field} must be a whole number of at least 1, got {value!r}")
    if channels % groups:
        raise ShapeError(f"filters.stack: groups {groups} must divide channels {channels}")
    h, w = (max(kernel.shape[axis] for kernel in checked) for axis in (0, 1))
    per = channels // groups
    weight = np.zeros((len(checked), per, h, w), np.float32)
    for i, kernel in enumerate(checked):
        top, left = ((large - 1) // 2 - (small - 1) // 2 for large, small in zip((h, w), kernel.shape))
        weight[i, :, top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel / np.float32(per)
    return np.tile(weight, (int(groups), 1, 1, 1))


def apply(image: Any, kernel: Any, stride: Size2 = 1, padding: Padding2 = "same") -> Kernel:
    """Lay a kernel over an image: cross-correlation, the kernel is **not flipped**.

    Parameters
    ----------
    image : array, (h, w) or (h, w, 3), uint8 or floating point
        Grey or colour, channels last as Pillow gives them. uint8 counts as 0…255, nothing is scaled; float64 is rounded to float32.
    kernel : array, (r, s), real numbers
        As the functions of this module give it, or one of your own.
    stride : int or (int, int)
        Pixels between windows.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        **Zeros** around the image, black that is: a derivative shows the border of a bright image as an edge. Where that disturbs, use
        ``"valid"``, or widen the image first, ``np.pad(image, …, mode="edge")``.

    Returns
    -------
    array, (p, q) or (p, q, 3), float32
        Signed, in units of the image; each channel by itself. With ``"same"`` ``p = ceil(h/stride)``, with ``"valid"``
        ``p = floor((h − r)/stride) + 1``.

    Raises
    ------
    ShapeError
        The image or the kernel has another rank or type, or the kernel is larger than the padded image.

    Notes
    -----
    ``y[p, q] = Σ_{r, s} image[p·stride + r − top, q·stride + s − left] · kernel[r, s]``, summed in float32. NaN in the image gives
    NaN under every window that meets it. ``scipy.ndimage.correlate(image, kernel, mode="constant")`` for stride 1 and odd sizes.

    Examples
    --------
    >>> import numpy as np
    >>> apply(np.uint8([[10, 20], [30, 40]]), np.float32([[0, 0, 0], [0, 1, -1], [0, 0, 0]]))
    array([[-10.,  20.],
           [-10.,  40.]], dtype=float32)
    """
    weight = _kernel("apply", "kernel", kernel)[None, None]
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ShapeError(
            f"filters.apply: image must be grey (h, w) or colour (h, w, 3), got shape {shape_text(pixels.shape)}; "
            "batches (n, c, h, w) go to F.conv2d with filters.stack"
        )
    if pixels.dtype != np.uint8 and pixels.dtype.kind != "f":
        raise ShapeError(f"filters.apply: image must be uint8 (0…255) or floating point, got {pixels.dtype}; use .astype('float32')")
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    maps = F.conv2d(planes[:, None].astype(np.float32), weight, stride=stride, padding=padding)[:, 0]
    y: Kernel = maps[0] if pixels.ndim == 2 else np.ascontiguousarray(maps.transpose(1, 2, 0))
    return y
