"""How photographs are probably prepared for a net that does not say so, by what is usual where such nets come from."""

from __future__ import annotations

import numpy as np

from .door import Port
from .preprocess import Preprocess

__all__ = ["image_axes", "preset_for"]

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def image_axes(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Axes of channels, height and width of an input of photographs; None where it is none.

    Examples
    --------
    >>> image_axes((1, 3, 224, 224)), image_axes((1, 224, 224, 3)), image_axes((1, 1000))
    ((1, 2, 3), (3, 1, 2), None)
    """
    if len(shape) != 4:
        return None
    if shape[1] in (1, 3):
        return 1, 2, 3
    return (3, 1, 2) if shape[3] in (1, 3) else None


def preset_for(port: Port, example: tuple[int, ...]) -> tuple[Preprocess, str] | None:
    """A record for an input, and its name and meaning for people; None where the input takes no photographs.

    Parameters
    ----------
    port : Port
    example : tuple of int
        Its sizes, where the port leaves some open.

    Notes
    -----
    Bytes go in as they are. Of floating point, channels first is PyTorch's habit, so torchvision's preset is taken; channels last is
    TensorFlow's, whose classic preset is −1…1. One channel is taken from 0 to 1.
    """
    axes = image_axes(example)
    if axes is None:
        return None
    channels, size = example[axes[0]], (example[axes[1]], example[axes[2]])
    short, order = min(size), "RGB" if channels == 3 else "L"
    resize = max(round(short / 0.875), *size)
    said = f"short side {resize} bilinear, crop {size[0]}×{size[1]}"
    if port.dtype == np.uint8:
        return Preprocess(size, resize, "bilinear", (0.0,) * channels, (1.0,) * channels, 1.0, order), f"bytes as they are ({said})"
    if channels == 1:
        return Preprocess(size, resize, "bilinear", (0.0,), (1.0,), 255.0, order), f"grey from 0 to 1 ({said})"
    if axes[0] == 3:
        return Preprocess(size, resize, "bilinear", (0.5,) * 3, (0.5,) * 3, 255.0, order), f"tf ({said}, RGB from −1 to 1)"
    mean, std = _IMAGENET
    return Preprocess(size, resize, "bilinear", mean, std, 255.0, order), f"torchvision ({said}, RGB less ImageNet's mean by its deviation)"
