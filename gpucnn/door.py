"""``Door``: what a model takes and gives, and the check of what a caller brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .errors import ShapeError
from .spec import Array, Spec, shape_text

__all__ = ["Dims", "Door", "Port", "width_of"]

Dims = tuple["int | str", ...]

_BATCH = "\0batch"  # which no net calls a size of its own


class Port(NamedTuple):
    """An input or output of a model.

    Attributes
    ----------
    name : str
    shape : tuple of int or str
        ``"n"`` stands for the batch, any number of images (``"batch"`` where the net calls another size n). Another name stands for any
        size, the same wherever it occurs, ``"?"`` for any size at all, and ``("…",)`` for axes of which nothing is known beforehand.
    dtype : numpy.dtype
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: np.dtype[Any]


def width_of(shape: tuple[int | str, ...]) -> int | None:
    """Classes of an output that is one row of scores an image, whatever axes of length 1 are about it; None where it is not.

    Examples
    --------
    >>> width_of(("n", 10)), width_of(("n", 10, 1, 1)), width_of(("n", 1)), width_of(("n", 10, 7, 7))
    (10, 10, 1, None)
    """
    sizes = shape[1:]
    if not sizes or any(isinstance(s, str) for s in sizes):
        return None
    wide = [int(s) for s in sizes if s != 1]
    return None if len(wide) > 1 else wide[0] if wide else 1


class Door:
    """The inputs of a model.

    Parameters
    ----------
    specs : mapping of str to Spec
        Each input at an example of its sizes.
    dims : mapping of str to tuple of int or str, optional
        What sizes it may have: a number is that size alone, a name any. Left out, the first axis is the batch, the second is as in
        ``specs``, and the net's layers decide about the others.

    Attributes
    ----------
    fixed : bool
        Whether ``dims`` were given, so that numbers among them are binding.
    """

    def __init__(self, specs: Mapping[str, Spec], dims: Mapping[str, Dims] | None = None) -> None:
        self.specs = dict(specs)
        self.dims: dict[str, Dims] = dict(dims) if dims is not None else {k: ("n", *s.shape[1:]) for k, s in self.specs.items()}
        self.fixed = dims is not None

    @property
    def batch(self) -> int | str | None:
        """The first size that all inputs share: a number, or a name for any; None where there is none."""
        first = {dims[0] if dims else None for dims in self.dims.values()}
        return first.pop() if len(first) == 1 and (len(self.dims) == 1 or first != {"?"}) else None

    @property
    def any_number(self) -> str:
        """What the size of a batch is called."""
        return "batch" if any("n" in dims[1:] for dims in self.dims.values()) else "n"

    def ports(self, any_batch: bool) -> tuple[Port, ...]:
        """The inputs for people; ``any_batch`` says that the first size may be anything, whatever the declaration."""
        return tuple(
            Port(name, (self.any_number, *dims[1:]) if any_batch and dims else dims, self.specs[name].dtype)
            for name, dims in self.dims.items()
        )

    def check(self, name: str, feeds: Mapping[str, Any], any_batch: bool, adopt: Callable[[Any], Array]) -> dict[str, Array]:
        """The arrays that are fed, by name and in the order of the inputs.

        Parameters
        ----------
        name : str
            The model's, for errors.
        feeds : mapping of str to array
        any_batch : bool
            Whether the first axis may have any size, the same for all.
        adopt : callable
            Makes an array of a feed where it lies.

        Raises
        ------
        ShapeError
            Names what was expected and what came.
        """
        if set(feeds) != set(self.specs):
            raise ShapeError(f"{name}: inputs are {sorted(self.specs)}, got {sorted(feeds)}")
        arrays: dict[str, Array] = {}
        sizes: dict[str, tuple[int, str]] = {}
        for port in self.ports(any_batch):
            try:
                a = adopt(feeds[port.name])
            except (ShapeError, TypeError, ValueError) as error:
                raise ShapeError(f"{name}: input {port.name!r}: {error}") from None
            self._check_one(name, port, a)
            for axis, size in enumerate(self.dims[port.name]):
                if axis == 0 and (any_batch or not self.fixed):
                    size = _BATCH
                elif isinstance(size, int) or size == "?":
                    continue
                seen = sizes.setdefault(size, (a.shape[axis], port.name))
                if seen[0] != a.shape[axis]:
                    what = "all inputs must have one batch size" if size == _BATCH else f"size {size!r} must be the same everywhere"
                    raise ShapeError(f"{name}: {what}; {seen[1]!r} has {seen[0]}, {port.name!r} has {a.shape[axis]}")
            arrays[port.name] = a
        return arrays

    def _check_one(self, name: str, port: Port, a: Array) -> None:
        spec, expected = self.specs[port.name], "×".join(map(str, port.shape)) or "a scalar"
        came = f"{shape_text(a.shape)} {a.dtype}"
        if a.ndim != spec.ndim:
            raise ShapeError(f"{name}: input {port.name!r} must have {spec.ndim} axes ({expected} {port.dtype}), got shape {came}")
        if a.dtype != spec.dtype and not (a.dtype.kind == "f" and spec.dtype.kind == "f"):
            hint = (
                "normalise the image as model.preprocess says and convert it with .astype('float32')"
                if spec.dtype.kind == "f"
                else f"convert it with .astype('{spec.dtype}')"
            )
            raise ShapeError(f"{name}: input {port.name!r} must be {spec.dtype} ({expected}), got {came}; {hint}")
        if not self.fixed:
            if spec.ndim > 1 and a.shape[1] != spec.shape[1]:
                raise ShapeError(
                    f"{name}: input {port.name!r} must have {spec.shape[1]} channels on axis 1 ({expected}), "
                    f"got shape {shape_text(a.shape)}"
                )
            return
        for axis, size in enumerate(port.shape):
            if isinstance(size, int) and a.shape[axis] != size:
                raise ShapeError(
                    f"{name}: input {port.name!r} must be {expected} {port.dtype}, got {came}: axis {axis} must have size {size}"
                )
