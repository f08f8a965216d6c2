"""Channels that change places, with each other or with pixels."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError
from ..ops import ChannelShuffle, DepthToSpace, Reshape, SpaceToDepth
from ..spec import shape_text
from .base import T, apply_op, shape_of, whole

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def channel_shuffle(x: T, groups: int) -> T:
    """Deal the channels of each group out over the whole, so that the next group convolution sees some of each.

    Parameters
    ----------
    x : array, (n, c, …), at least one spatial axis
    groups : int
        Divides c.

    Returns
    -------
    array, shape and dtype of x
        Channel ``j·groups + i`` is x's ``i·c/groups + j``.

    Raises
    ------
    ShapeError
        ``groups`` does not divide the channels.

    Notes
    -----
    Zhang et al. 2017, ShuffleNet, arXiv:1707.01083; PyTorch ``channel_shuffle``.

    Examples
    --------
    >>> import numpy as np
    >>> channel_shuffle(np.arange(6).reshape(1, 6, 1), 2).ravel()
    array([0, 3, 1, 4, 2, 5])
    """
    y: T = apply_op(ChannelShuffle(whole("channel_shuffle", "groups", groups)), x)[0]
    return y


def _blocks(op: DepthToSpace | SpaceToDepth, x: Any) -> Any:
    """The op on x (…, c, h, w), whose axes in front are one while it runs."""
    shape = shape_of(x)
    if len(shape) < 3:
        raise ShapeError(f"{op.name}: x needs at least 3 axes (…, c, h, w), got shape {shape_text(shape)}")
    if len(shape) == 4:
        return apply_op(op, x)[0]
    y = apply_op(op, apply_op(Reshape((prod(shape[:-3]), *shape[-3:])), x)[0])[0]
    return apply_op(Reshape((*shape[:-3], *shape_of(y)[1:])), y)[0]


def pixel_shuffle(x: T, upscale_factor: int) -> T:
    """Lay channels out as pixels: (…, c·r², h, w) to (…, c, h·r, w·r).

    Parameters
    ----------
    x : array, (…, c·r², h, w)
    upscale_factor : int
        r.

    Returns
    -------
    array, (…, c, h·r, w·r), dtype of x
        Pixel (i, j) of each block of r·r comes from channel ``c·r² + i·r + j``.

    Raises
    ------
    ShapeError
        The channels do not divide by r².

    Notes
    -----
    Shi et al. 2016, arXiv:1609.05158; PyTorch ``pixel_shuffle``, ONNX ``DepthToSpace`` with mode CRD.

    Examples
    --------
    >>> import numpy as np
    >>> pixel_shuffle(np.arange(4).reshape(1, 4, 1, 1), 2)[0, 0]
    array([[0, 1],
           [2, 3]])
    """
    y: T = _blocks(DepthToSpace(whole("pixel_shuffle", "upscale_factor", upscale_factor)), x)
    return y


def pixel_unshuffle(x: T, downscale_factor: int) -> T:
    """Lay pixels out as channels, the inverse of :func:`pixel_shuffle`: (…, c, h·r, w·r) to (…, c·r², h, w).

    Parameters
    ----------
    x : array, (…, c, h·r, w·r)
    downscale_factor : int
        r.

    Returns
    -------
    array, (…, c·r², h, w), dtype of x

    Raises
    ------
    ShapeError
        Height or width do not divide by r.

    Notes
    -----
    PyTorch ``pixel_unshuffle``. (ONNX ``SpaceToDepth`` orders the channels otherwise: that is the op's mode DCR.)

    Examples
    --------
    >>> import numpy as np
    >>> pixel_unshuffle(np.arange(4).reshape(1, 1, 2, 2), 2).ravel()
    array([0, 1, 2, 3])
    """
    y: T = _blocks(SpaceToDepth(whole("pixel_unshuffle", "downscale_factor", downscale_factor)), x)
    return y
