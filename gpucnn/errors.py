"""Every exception that gpucnn raises on purpose.

::

    GpucnnError
    ├── ShapeError        what an op was given does not fit: shape, rank, dtype, groups   (also a ValueError)
    ├── UnsupportedError  legal, but not something this version or device does
    ├── ModelError        a model cannot be found, read or built; weights do not fit
    ├── ImageError        one image cannot be found, read or decoded
    ├── LimitError        a limit that guards memory or time was met; says how to raise it
    └── DeviceError       the device asked for cannot be used, and why                    (also a RuntimeError)

A message says what was expected, what came, and what to do.
"""

from __future__ import annotations


class GpucnnError(Exception):
    """Base of every error that gpucnn raises on purpose."""


class ShapeError(GpucnnError, ValueError):
    """An operation was given arrays or arguments that do not fit it."""


class UnsupportedError(GpucnnError):
    """The request is legal, but this version or device does not do it."""


class ModelError(GpucnnError):
    """A model cannot be found, read or built, or its weights do not fit."""


class ImageError(GpucnnError):
    """An image cannot be found, read or decoded."""


class LimitError(GpucnnError):
    """A limit that guards memory or time was met."""


class DeviceError(GpucnnError, RuntimeError):
    """The device asked for cannot be used."""
