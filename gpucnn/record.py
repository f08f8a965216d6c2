"""Values and preprocessing records as files write them: looked at before they are used, so that the error names the field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ModelError
from .preprocess import Preprocess

__all__ = ["checked_record", "checked_size", "number", "parsed_json", "shown", "whole"]

_LONGEST_SIDE = 1 << 16


def shown(value: Any) -> str:
    """A value of a file for an error: short, and never a whole nest of lists."""
    if isinstance(value, (str, int, float, bool, type(None))):
        text = repr(value) if not isinstance(value, int) or abs(value) < 1 << 200 else "a number of many digits"
        return text if len(text) <= 60 else text[:57] + "…"
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, (list, tuple)) else type(value).__name__


def number(what: str, value: Any, least: float = -math.inf, above: float = -math.inf) -> float:
    """A finite number.

    Raises
    ------
    ModelError
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # A whole number of a file may be larger than any float; what is compared with 2^60 first is not converted.
    if not is_number or not -(1 << 60) < value < 1 << 60 or not value >= least or not value > above:
        bound = f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
        raise ModelError(f"{what} must be a number{bound}, got {shown(value)}")
    return float(value)


def whole(what: str, value: Any, least: int, most: int = (1 << 31) - 1) -> int:
    """A whole number.

    Raises
    ------
    ModelError
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ModelError(f"{what} must be a whole number from {least} to {most}, got {shown(value)}")
    return value


def checked_size(what: str, value: Any) -> tuple[int, int]:
    """Height and width: the last two of timm's ``input_size`` (channels, height, width), or one number for both.

    Raises
    ------
    ModelError
    """
    sides = [value, value] if isinstance(value, int) else value
    if not isinstance(sides, (list, tuple)) or len(sides) not in (1, 2, 3):
        raise ModelError(f"{what} must be (channels, height, width) or (height, width), got {shown(value)}")
    sides = [*sides, *sides][-2:] if len(sides) == 1 else sides[-2:]
    height, width = (whole(f"{what}: a side", side, 1, _LONGEST_SIDE) for side in sides)
    return height, width


def checked_record(what: str, fields: Mapping[str, Any], size: tuple[int, int], base: Preprocess) -> Preprocess:
    """The record from timm's names of fields; what is absent is that of ``base``.

    Parameters
    ----------
    what : str
        Where the fields are, for errors.
    fields : mapping
        ``crop_pct``, ``crop_mode``, ``interpolation``, ``mean``, ``std``, ``color_order``, ``divisor``.
    size : tuple of int
    base : Preprocess

    Raises
    ------
    ModelError

    Notes
    -----
    The short side becomes ``floor(size / crop_pct)``, as in timm's ``transforms_imagenet_eval``.
    """
    mode = fields.get("crop_mode", "center")
    if mode not in ("center", None):
        raise ModelError(f"{what}: crop_mode must be 'center', which is what is done here, got {shown(mode)}; pass preprocess=")
    crop = fields.get("crop_pct")
    crop = base.size[0] / base.resize if crop is None else number(f"{what}: crop_pct", crop, above=0)
    interpolation = fields.get("interpolation") or base.interpolation
    order = fields.get("color_order") or base.order
    for key, value in (("interpolation", interpolation), ("color_order", order)):
        if not isinstance(value, str):
            raise ModelError(f"{what}: {key} must be text, got {shown(value)}")
    short = min(size) / crop
    if not short < _LONGEST_SIDE:
        raise ModelError(f"{what}: crop_pct {crop:g} would make the short side {short:g} pixels, at most {_LONGEST_SIDE}")
    try:
        return Preprocess(
            size=size,
            # Of a size that is not square no side of the crop may be longer than the image.
            resize=max(math.floor(short + 1e-9), *size),
            interpolation=interpolation,
            mean=_each(f"{what}: mean", fields.get("mean"), base.mean),
            std=_each(f"{what}: std", fields.get("std"), base.std),
            divisor=number(f"{what}: divisor", fields.get("divisor", base.divisor), above=0),
            order=order.upper(),
        )
    except ModelError as error:
        if str(error).startswith(what):
            raise
        raise ModelError(f"{what}: {error}") from error


def _each(what: str, value: Any, base: Sequence[float]) -> tuple[float, ...]:
    if value is None:
        return tuple(base)
    values = value if isinstance(value, (list, tuple)) else [value] * len(base)
    return tuple(number(what, v) for v in values[:8])


def parsed_json(what: str, text: str) -> Any:
    """What a JSON text stands for.

    Raises
    ------
    ModelError
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # the parser's own word
        raise ModelError(f"{what} is not JSON: {error}") from None
