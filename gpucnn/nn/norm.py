"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional as F
from ..errors import ShapeError
from ..functional.base import shape_of
from ..spec import shape_text
from .fill import ones, zeros
from .module import Module, Parameter

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LocalResponseNorm",
    "RMSNorm",
]


def _affine(layer: Module, shape: tuple[int, ...], affine: bool, bias: bool = True) -> None:
    """Give a layer a weight of ones and a bias of zeros, or None."""
    layer.weight = Parameter(shape, ones) if affine else None
    layer.bias = Parameter(shape, zeros) if affine and bias else None


def _statistics(layer: Module, channels: int, kept: bool = True) -> None:
    """Give a layer the statistics of training, or None."""
    for name, fill in (("running_mean", zeros), ("running_var", ones)):
        if kept:
            layer.register_buffer(name, Parameter((channels,), fill))
        else:
            setattr(layer, name, None)


def _require_axes(layer: Module, x: Any, form: str, *counts: int) -> None:
    """Raise unless x has one of these numbers of axes: as for another layer its channels would lie on another axis than is meant."""
    shape = shape_of(x)
    if len(shape) not in counts:
        wanted = " or ".join(map(str, counts))
        raise ShapeError(f"{type(layer).__name__}: x must be {form}, {wanted} axes, got {len(shape)} (x {shape_text(shape)})")


class _BatchNorm(Module):
    """What the three share; ``_form`` and ``_counts`` say which axes x has."""

    _form: str
    _counts: tuple[int, ...]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, *, bias: bool = True
    ) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps
        _affine(self, (num_features,), affine, bias)
        _statistics(self, num_features)

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        _require_axes(self, x, self._form, *self._counts)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (n, c) or (n, c, l); see :func:`gpucnn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float or None
        Taken for PyTorch's sake; only training knows it.
    affine : bool
        Whether there are weight and bias.
    bias : bool
        False leaves the bias out.

    Examples
    --------
    >>> import numpy as np
    >>> BatchNorm1d(2, eps=0.0)(np.float32([[3, -1]]))
    array([[ 3., -1.]], dtype=float32)
    """

    _form = "(n, c) or (n, c, l)"
    _counts = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (n, c, h, w) with the statistics of training; see :func:`gpucnn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float or None
        Taken for PyTorch's sake; only training knows it.
    affine : bool
        Whether there are weight and bias.
    bias : bool
        False leaves the bias out.

    Examples
    --------
    >>> import numpy as np
    >>> BatchNorm2d(1, eps=0.0)(np.float32([[[[3, -1]]]]))
    array([[[[ 3., -1.]]]], dtype=float32)
    """

    _form = "(n, c, h, w)"
    _counts = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (n, c, d, h, w); see :func:`gpucnn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float or None
        Taken for PyTorch's sake; only training knows it.
    affine : bool
        Whether there are weight and bias.
    bias : bool
        False leaves the bias out.

    Examples
    --------
    >>> import numpy as np
    >>> BatchNorm3d(1, eps=0.0)(np.float32([[[[[3, -1]]]]]))
    array([[[[[ 3., -1.]]]]], dtype=float32)
    """

    _form = "(n, c, d, h, w)"
    _counts = (5,)


class LayerNorm(Module):
    """Normalisation of rows by their own mean and variance; see :func:`gpucnn.functional.layer_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last sizes of the input.
    eps : float
    elementwise_affine : bool
        Whether there is a weight.
    bias : bool
        Whether there is a bias beside the weight.

    Examples
    --------
    >>> import numpy as np
    >>> LayerNorm(2, eps=0.0)(np.float32([[1, 3]]))
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        _affine(self, self.normalized_shape, elementwise_affine, bias)

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    """Division of rows by the root of their mean square; see :func:`gpucnn.functional.rms_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last sizes of the input.
    eps : float, optional
    elementwise_affine : bool
        Whether there is a weight.

    Examples
    --------
    >>> import numpy as np
    >>> RMSNorm(2, eps=0.0)(np.float32([[1, 7]]))
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.weight = Parameter(self.normalized_shape, ones) if elementwise_affine else None

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    """Normalisation of groups of channels by their own mean and variance; see :func:`gpucnn.functional.group_norm`.

    Parameters
    ----------
    num_groups, num_channels : int
    eps : float
    affine : bool
        Whether there are weight and bias.
    bias : bool
        False leaves the bias out.

    Examples
    --------
    >>> import numpy as np
    >>> GroupNorm(2, 4, eps=0.0)(np.float32([[1, 3, 10, 50]]))
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, bias: bool = True) -> None:
        super().__init__()
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        _affine(self, (num_channels,), affine, bias)

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class _InstanceNorm(Module):
    """What the three share; ``_form`` and ``_counts`` say which axes x has."""

    _form: str
    _counts: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.track_running_stats = num_features, eps, track_running_stats
        _affine(self, (num_features,), affine, bias)
        _statistics(self, num_features, track_running_stats)

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        _require_axes(self, x, self._form, *self._counts)
        statistics = self.running_mean, self.running_var
        return F.instance_norm(x, *statistics, self.weight, self.bias, not self.track_running_stats, eps=self.eps)


class InstanceNorm1d(_InstanceNorm):
    """Normalisation of each channel of (n, c, l) by its own mean and variance; see :func:`gpucnn.functional.instance_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float or None
        Taken for PyTorch's sake; only training knows it.
    affine : bool
        Whether there are weight and bias.
    track_running_stats : bool
        Whether the statistics of training take the place of the input's.
    bias : bool
        False leaves the bias out.

    Examples
    --------
    >>> import numpy as np
    >>> InstanceNorm1d(2, eps=0.0)(np.float32([[[1, 3], [10, 50]]]))
    array([[[-1.,  1.],
            [-1.,  1.]]], dtype=float32)
    """

    _form = "(n, c, l)"
    _counts = (3,)


class InstanceNorm2d(_InstanceNorm):
    """Normalisation of each channel of (n, c, h, w) by its own mean and variance; see :func:`gpucnn.functional.instance_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float or None
        Taken for PyTorch's sake; only training knows it.
    affine : bool
        Whether there are weight and bias.
    track_running_stats : bool
        Whether the statistics of training take the place of the input's.
    bias : bool
        False leaves the bias out.

    Examples
    --------
    >>> import numpy as np
    >>> InstanceNorm2d(1, eps=0.0)(np.float32([[[[1, 3]]]]))
    array([[[[-1.,  1.]]]], dtype=float32)
    """

    _form = "(n, c, h, w)"
    _counts = (4,)


class InstanceNorm3d(_InstanceNorm):
    """Normalisation of each channel of (n, c, d, h, w) by its own mean and variance; see :func:`gpucnn.functional.instance_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float or None
        Taken for PyTorch's sake; only training knows it.
    affine : bool
        Whether there are weight and bias.
    track_running_stats : bool
        Whether the statistics of training take the place of the input's.
    bias : bool
        False leaves the bias out.

    Examples
    --------
    >>> import numpy as np
    >>> InstanceNorm3d(1, eps=0.0)(np.float32([[[[[1, 3]]]]]))
    array([[[[[-1.,  1.]]]]], dtype=float32)
    """

    _form = "(n, c, d, h, w)"
    _counts = (5,)


class LocalResponseNorm(Module):
    """Division by the magnitude of neighbouring channels; see :func:`gpucnn.functional.local_response_norm`.

    Parameters
    ----------
    size : int
        Channels in the sum. Of an even size the odd channel comes after the one in the middle, as in ONNX; in PyTorch before it.
    alpha, beta, k : float

    Examples
    --------
    >>> import numpy as np
    >>> LocalResponseNorm(3, alpha=3.0, beta=0.5, k=0.0)(np.float32([[1, 2, 2]])).round(4)
    array([[0.4472, 0.6667, 0.7071]], dtype=float32)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)
