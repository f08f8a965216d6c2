"""One spatial axis as two: an impl for images takes lines (n, c, l) as images (n, c, 1, l), by view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from ..ops import LookupConv, Op
from ..spec import Spec
from .base import Call, Impl

__all__ = ["images_of_lines", "takes_lines"]

_ONES = ("kernel_size", "stride", "dilation", "output_size", "output_shape", "output_padding")
"""Fields of ops that have one number a spatial axis: 1 for the axis that is added, 0 for what is added to a size."""

Kind = TypeVar("Kind", bound=type[Impl])


def images_of_lines(op: Any) -> Any:
    """The same operation on images of height 1.

    Examples
    --------
    >>> from gpucnn.ops import Conv
    >>> images_of_lines(Conv((2,), ((1, 0),), (3,))).padding
    ((0, 0), (1, 0))
    """
    if isinstance(op, LookupConv):
        return replace(op, conv=images_of_lines(op.conv))
    changed: dict[str, Any] = {}
    for field in fields(op):
        value = getattr(op, field.name)
        if field.name in _ONES and isinstance(value, tuple):
            changed[field.name] = (0 if field.name == "output_padding" else 1, *value)
        elif field.name == "padding" and isinstance(value, tuple):
            changed[field.name] = ((0, 0), *value)
    return replace(op, **changed)


def _with_axis(value: Any) -> Any:
    """A spec or an array of three axes with a fourth, of size 1; anything else as it is."""
    if getattr(value, "ndim", 0) != 3:
        return value
    if isinstance(value, Spec):
        return Spec((*value.shape[:2], 1, value.shape[2]), value.dtype)
    return value[:, :, None]


def takes_lines(kind: Kind) -> Kind:
    """Class decorator: the impl, written for four axes, also takes three.

    Lines are channels last where images are, so what is added is a stride that is never used. Inputs named by the op's ``maps`` and
    results get the axis when they are bound, everything with three axes (a weight as well) when it is described or packed.
    """
    supports, workspace, pack, bind = kind.supports, kind.workspace, kind.pack, kind.bind

    def supports_both(self: Any, op: Op, *specs: Any, **more: Any) -> bool:
        if specs[0].ndim != 3:
            return supports(self, op, *specs, **more)
        return supports(self, images_of_lines(op), *map(_with_axis, specs), **more)

    def workspace_of_both(self: Any, op: Op, *specs: Any, **more: Any) -> int:
        if specs[0].ndim != 3:
            return workspace(self, op, *specs, **more)
        return workspace(self, images_of_lines(op), *map(_with_axis, specs), **more)

    def pack_both(self: Any, op: Op, *constants: Any) -> tuple[Any, ...]:
        given = [c if i in self.packs else None for i, c in enumerate(constants)]
        if not any(getattr(c, "ndim", 0) == 3 for c in given):
            return pack(self, op, *constants)
        made = pack(self, images_of_lines(op), *map(_with_axis, given))
        return tuple(m if i in self.packs else c for i, (m, c) in enumerate(zip(made, constants)))

    def bind_both(self: Any, backend: Any, op: Op, inputs: Sequence[Any], outputs: Sequence[Any], scratch: Sequence[Any]) -> Call | None:
        if inputs[0].ndim != 3:
            return bind(self, backend, op, inputs, outputs, scratch)
        viewed = [_with_axis(x) if i in op.maps else x for i, x in enumerate(inputs)]
        return bind(self, backend, images_of_lines(op), viewed, [*map(_with_axis, outputs)], scratch)

    for name, both in (("supports", supports_both), ("workspace", workspace_of_both), ("pack", pack_both), ("bind", bind_both)):
        both.__doc__ = getattr(kind, name).__doc__
        setattr(kind, name, both)
    return kind
