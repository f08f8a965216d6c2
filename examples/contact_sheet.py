"""Panels with captions in rows, drawn by Pillow: what forward_pass.py shows its steps with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS, CELL, GAP, MARGIN = 5, 326, 18, 24  # cells in a row, and pixels: width of a cell, between cells, around the sheet
WIDTH = COLUMNS * CELL + (COLUMNS - 1) * GAP + 2 * MARGIN
CAPTION = 62  # pixels above a picture: title, op, shape and range
KEY = 30  # below it: the colour bar with its numbers
TILE_GAP = 2
CLIP = 99.5  # percentile of |value| at which colours end, so that a few peaks do not leave the rest pale

PAPER, INK, GREY, LINE = (255, 255, 255), (20, 20, 20), (95, 95, 95), (200, 200, 200)


def _ramp(stops: list[tuple[int, int, int]], steps: int) -> Any:
    """Colours between the stops, evenly spaced: (steps, 3) uint8."""
    at = np.linspace(0, len(stops) - 1, steps)
    return np.stack([np.interp(at, range(len(stops)), channel) for channel in zip(*stops)], 1).round().astype(np.uint8)


DIVERGING = _ramp([(5, 48, 97), (33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130), (178, 24, 43), (103, 0, 31)], 255)
"""Blue below zero, red above; the middle one of 255, nearly white, is zero itself."""
GREYS = _ramp([(0, 0, 0), (255, 255, 255)], 256)
NEGATIVE, POSITIVE = tuple(DIVERGING[60].tolist()), tuple(DIVERGING[194].tolist())


@dataclass(frozen=True)
class Panel:
    """One result and how to show it.

    Parameters
    ----------
    title, op : str
        What it is in words, and the call that made it.
    array : array
        As the op gave it: (h, w), (h, w, 3), (1, c, h, w) or (1, k).
    kind : {"photo", "unsigned", "signed", "bars"}
        uint8 as it is; black is 0 and white ``high``; blue, white, red around 0; a bar for each number.
    high : float, optional
        Where the colours end; the 99.5th percentile of ``|array|`` if not given.
    labels : tuple of str
        Names of the bars, or of groups of bars.
    kernel : array (h, w), optional
        Shown small in the corner of the caption.
    span, height : int
        Cells that it is wide, pixels that the picture may be high.
    wrap : int
        Numbers in a row where (1, k) is drawn as a picture.
    across, first : int, optional
        Maps in a row, and how many of them are drawn; as fit, and all, if not given.
    """

    title: str
    op: str
    array: Any
    kind: str
    high: float | None = None
    labels: tuple[str, ...] = ()
    kernel: Any = None
    span: int = 1
    height: int = 222
    wrap: int = 40
    across: int | None = None
    first: int | None = None

    @property
    def width(self) -> int:
        """Pixels."""
        return self.span * CELL + (self.span - 1) * GAP

    @property
    def facts(self) -> str:
        """Shape, type and range."""
        shape = "x".join(map(str, self.array.shape))
        return f"{shape} {self.array.dtype}, {number(self.array.min())} to {number(self.array.max())}"


@dataclass(frozen=True)
class Row:
    """Panels side by side, under a heading and a sentence."""

    title: str
    sentence: str
    panels: tuple[Panel, ...]


def number(value: float) -> str:
    """Three digits or so, in few characters."""
    size = abs(float(value))
    if size == 0 or float(value).is_integer():
        return f"{value:.0f}"
    if size < 0.001:
        return f"{value:.0e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"


def font(size: int) -> Any:
    """Pillow's own font, which has little beyond ASCII."""
    return ImageFont.load_default(size=size)


# -- values to colours


def scale(panel: Panel) -> tuple[float, float]:
    """The values at the two ends of the panel's colours."""
    if panel.kind == "photo":
        return 0.0, 255.0
    high = panel.high if panel.high is not None else float(np.percentile(np.abs(panel.array), CLIP))
    high = high or float(np.abs(panel.array).max()) or 1.0
    return (-high if panel.kind == "signed" else 0.0), high


def colours(panel: Panel, values: Any) -> Any:
    """Numbers as colours: (…) to (…, 3) uint8. Zero of a signed panel is the middle colour; what lies beyond an end has its colour."""
    _, high = scale(panel)
    if panel.kind == "signed":
        return DIVERGING[np.rint(127 + 127 * np.clip(values / high, -1, 1)).astype(int)]
    if values.min() < 0:
        raise ValueError(f"{panel.title}: values below zero need kind='signed', the least is {values.min()}")
    return GREYS[np.rint(255 * np.clip(values / high, 0, 1)).astype(int)]


def planes(panel: Panel) -> Any:
    """What is drawn side by side: (k, h, w)."""
    a = panel.array
    if a.ndim == 4:
        return a.reshape(-1, *a.shape[2:])
    if a.ndim == 3:
        return np.moveaxis(a, -1, 0)
    return a.reshape(1, -1, panel.wrap) if a.shape[0] == 1 else a[None]


# -- pictures


def tiling(panel: Panel) -> tuple[int, int, int]:
    """How many planes are drawn, how many in a row, and by what whole factor they are enlarged: the largest at which all fit."""
    count, h, w = planes(panel).shape
    count = min(count, panel.first or count)
    for factor in range(32, 0, -1):
        fit = (panel.width + TILE_GAP) // (w * factor + TILE_GAP)
        rows = (panel.height + TILE_GAP) // (h * factor + TILE_GAP)
        across = panel.across or (min(fit, math.ceil(count / rows)) if rows else 0)
        if 0 < across <= fit and math.ceil(count / across) <= rows:
            return count, across, factor
    raise ValueError(f"{panel.title}: {count} maps of {h}x{w} do not fit into {panel.width}x{panel.height} pixels; draw the first few")


def picture(panel: Panel) -> Image.Image:
    """The values alone, without captions; small maps are enlarged by whole factors, pixel by pixel."""
    if panel.kind == "bars":
        return _bars(panel)
    if panel.kind == "photo" and panel.array.ndim == 3:
        return Image.fromarray(panel.array)
    maps = planes(panel)
    count, across, factor = tiling(panel)
    h, w = (n * factor + TILE_GAP for n in maps.shape[1:])
    made = Image.new("RGB", (across * w - TILE_GAP, math.ceil(count / across) * h - TILE_GAP), PAPER)
    for i, values in enumerate(maps[:count]):
        tile = Image.fromarray(colours(panel, values)).resize((w - TILE_GAP, h - TILE_GAP), Image.Resampling.NEAREST)
        made.paste(tile, (i % across * w, i // across * h))
    return made


def shown(panel: Panel) -> str:
    """How the picture differs from the array: what is left out, and how much it is enlarged."""
    if panel.kind in ("photo", "bars"):
        return ""
    (count, _, factor), all_of_them = tiling(panel), len(planes(panel))
    parts = [f"first {count}"] if count < all_of_them else []
    return ", ".join(parts + ([f"enlarged {factor}x"] if factor > 1 else []))


def _bars(panel: Panel) -> Image.Image:
    """Lying bars with names and numbers; columns in groups where there are more numbers than names."""
    values = panel.array.reshape(-1).astype(float)
    top = panel.high if panel.high is not None else float(np.abs(values).max()) or 1.0
    made = Image.new("RGB", (panel.width, panel.height), PAPER)
    pen = ImageDraw.Draw(made)
    (_columns if len(values) > len(panel.labels) else _lying)(panel, values, top, pen)
    return made


def _lying(panel: Panel, values: Any, top: float, pen: Any) -> None:
    pitch = min(44, panel.height // len(values))
    labels = [fitted(pen, label, font(14), panel.width // 2) for label in panel.labels]
    start = max(pen.textlength(label, font(14)) for label in labels) + 10
    room = panel.width - start - 64  # for the number behind the bar
    left = min(0.0, values.min()) / top  # how far bars reach below zero, of what they reach above
    unit = room / (1 - left)
    zero = start - left * unit
    for i, (label, v) in enumerate(zip(labels, values)):
        y, end = i * pitch, zero + v / top * unit
        pen.text((start - 10, y + pitch / 2), label, INK, font(14), anchor="rm")
        pen.rectangle((min(zero, end), y + 3, max(zero, end), y + pitch - 3), POSITIVE if v >= 0 else NEGATIVE)
        pen.text((max(zero, end) + 8, y + pitch / 2), number(v), GREY, font(14), anchor="lm")
    pen.line((zero, 0, zero, pitch * len(values)), LINE)


def _columns(panel: Panel, values: Any, top: float, pen: Any) -> None:
    if values.min() < 0:
        raise ValueError(f"{panel.title}: columns stand on zero, the least value is {values.min()}")
    start = round(pen.textlength(number(top), font(11))) + 10  # for the scale
    room, floor = panel.width - start, panel.height - 24
    pitch, group = room / len(values), room / len(panel.labels)
    pen.line((start - 6, 0, start - 6, floor), LINE)
    pen.text((start - 10, 0), number(top), GREY, font(11), anchor="ra")
    pen.text((start - 10, floor), "0", GREY, font(11), anchor="rs")
    for i, v in enumerate(values):
        left = start + round(i * pitch)
        pen.rectangle((left, floor - v / top * floor, max(left, start + round((i + 1) * pitch) - 3), floor), POSITIVE)
    for i, label in enumerate(panel.labels):
        pen.line((start + round(i * group), floor + 3, start + round((i + 1) * group) - 6, floor + 3), INK)
        pen.text((start + (i + 0.5) * group, floor + 7), label, INK, font(14), anchor="ma")


def fitted(pen: Any, text: str, face: Any, width: float) -> str:
    """The text, cut where it would be wider."""
    if pen.textlength(text, face) <= width:
        return text
    while text and pen.textlength(text + "...", face) > width:
        text = text[:-1]
    return text + "..."


# -- panels and the sheet


def draw(panel: Panel) -> Image.Image:
    """A panel with its captions; the picture's upper left corner is at (0, CAPTION)."""
    inner = picture(panel)
    has_key = panel.kind in ("signed", "unsigned")
    made = Image.new("RGB", (panel.width, CAPTION + inner.height + (KEY if has_key else 0)), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((0, 0), panel.title, INK, font(17))
    pen.text((0, 23), panel.op, GREY, font(12))
    pen.text((0, 40), ", ".join(filter(None, (panel.facts, shown(panel)))), GREY, font(12))
    if panel.kernel is not None:
        small = Panel("", "", panel.kernel, "signed", high=float(np.abs(panel.kernel).max()))
        factor = max(1, 33 // max(panel.kernel.shape))
        icon = Image.fromarray(colours(small, panel.kernel))
        icon = icon.resize((icon.width * factor, icon.height * factor), Image.Resampling.NEAREST)
        made.paste(icon, (panel.width - icon.width - 1, 1))
        pen.rectangle((panel.width - icon.width - 2, 0, panel.width - 1, icon.height + 1), outline=LINE)
    made.paste(inner, (0, CAPTION))
    if has_key:
        _key(panel, pen, inner.width, CAPTION + inner.height + 6)
    return made


def _key(panel: Panel, pen: Any, width: int, y: int) -> None:
    """The colours from end to end, and the values there."""
    low, high = scale(panel)
    width = max(min(width, CELL), 160)
    table = DIVERGING if panel.kind == "signed" else GREYS
    for x in range(width):
        pen.line((x, y, x, y + 6), tuple(table[x * (len(table) - 1) // (width - 1)].tolist()))
    pen.rectangle((0, y, width - 1, y + 6), outline=LINE)
    pen.text((0, y + 9), number(low), GREY, font(11))
    pen.text((width, y + 9), number(high), GREY, font(11), anchor="ra")
    if panel.kind == "signed":
        pen.text((width / 2, y + 9), "0", GREY, font(11), anchor="ma")


def sheet(title: str, subtitle: str, rows: list[Row]) -> tuple[Image.Image, dict[str, tuple[int, int, int, int]]]:
    """All rows under one title, and where each panel's picture lies: its title to (left, top, right, bottom)."""
    drawn = [[draw(panel) for panel in row.panels] for row in rows]
    header, heading = 84, 66
    heights = [heading + max(image.height for image in images) + 22 for images in drawn]
    made = Image.new("RGB", (WIDTH, MARGIN + header + sum(heights)), PAPER)
    pen = ImageDraw.Draw(made)
    pen.text((MARGIN, MARGIN), title, INK, font(34))
    pen.text((MARGIN, MARGIN + 46), subtitle, GREY, font(15))
    places, y = {}, MARGIN + header
    for row, images, height in zip(rows, drawn, heights):
        pen.line((MARGIN, y, WIDTH - MARGIN, y), LINE)
        pen.text((MARGIN, y + 10), row.title, INK, font(22))
        pen.text((MARGIN, y + 38), row.sentence, GREY, font(14))
        x = MARGIN
        for panel, image in zip(row.panels, images):
            made.paste(image, (x, y + heading))
            if panel.title in places:
                raise ValueError(f"two panels are called {panel.title}")
            inner = picture(panel).size
            places[panel.title] = (x, y + heading + CAPTION, x + inner[0], y + heading + CAPTION + inner[1])
            x += panel.width + GAP
        y += height
    return made, places
