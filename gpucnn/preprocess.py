"""``Preprocess``: the record of how a photograph becomes a model's input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import ModelError

__all__ = ["INTERPOLATIONS", "Preprocess", "normalisation_table"]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True)
class Preprocess:
    """How a photograph becomes a model's input: resize the short side, crop the centre, normalise.

    With ``s = resize / min(w, h)`` the image is resized to ``(round(w·s), round(h·s))``, then a window of ``size`` is cut at
    left ``(w − size_w)//2`` and top ``(h − size_h)//2``, and each value v of channel c becomes ``(v/divisor − mean[c])/std[c]``.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the crop, pixels.
    resize : int
        Length of the short side before the crop, pixels.
    interpolation : {"bicubic", "bilinear", "nearest", "lanczos"}
        Pillow's filter of that name.
    mean, std : tuple of float
        One per channel, in units of the divided value.
    divisor : float
        255 for models that take 0…1, 1 for models that take 0…255.
    order : {"RGB", "BGR", "L"}
        Order of the channels; ``"L"`` is one grey channel.

    Raises
    ------
    ModelError
        The numbers of channels of order, mean and std differ, or a value is none of those that are listed.

    Examples
    --------
    >>> Preprocess(size=(32, 32), resize=32, mean=(0.1307,), std=(0.3081,), order="L").channels
    1
    """

    size: tuple[int, int] = (224, 224)
    resize: int = 256
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    divisor: float = 255.0
    order: str = "RGB"

    def __post_init__(self) -> None:
        channels = {"RGB": 3, "BGR": 3, "L": 1}.get(self.order)
        if channels is None:
            raise ModelError(f"preprocess: order must be 'RGB', 'BGR' or 'L', got {self.order!r}")
        if self.interpolation not in INTERPOLATIONS:
            raise ModelError(f"preprocess: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")
        if len(self.mean) != channels or len(self.std) != channels:
            raise ModelError(
                f"preprocess: order {self.order} has {channels} channels, mean has {len(self.mean)} values and std {len(self.std)}"
            )
        sized = isinstance(self.size, tuple) and len(self.size) == 2
        if not sized or not all(isinstance(s, int) and s >= 1 for s in self.size) or not isinstance(self.resize, int):
            raise ModelError(f"preprocess: size must be (height, width) in pixels, got size {self.size!r}, resize {self.resize!r}")
        if self.resize < max(self.size):
            raise ModelError(f"preprocess: resize {self.resize} is smaller than the crop {self.size[0]}×{self.size[1]}")
        if not all(s > 0 for s in self.std) or not self.divisor > 0:
            raise ModelError(f"preprocess: std and divisor must be positive, got std {self.std}, divisor {self.divisor}")

    @property
    def channels(self) -> int:
        """Number of channels that the model sees."""
        return len(self.mean)


def normalisation_table(record: Preprocess) -> npt.NDArray[np.float32]:
    """The normalised value of each byte: (256, channels) float32.

    CPU and GPU look values up here instead of computing them, so both start from the same bits.

    Examples
    --------
    >>> normalisation_table(Preprocess(mean=(0.5,), std=(0.5,), order="L"))[[0, 255], 0]
    array([-1.,  1.], dtype=float32)
    """
    byte = np.arange(256, dtype=np.float32)[:, None] / np.float32(record.divisor)
    mean, std = (np.asarray(values, np.float32) for values in (record.mean, record.std))
    table: npt.NDArray[np.float32] = (byte - mean) / std
    return table
