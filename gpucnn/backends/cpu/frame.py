"""``Frame``: the padded piece of input that a block of output lines looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...spec import Array
from ..base import Call
from .backend import Scratch
from .gemm import Block
from .kinds import Copy

__all__ = ["Frame"]


@dataclass(frozen=True)
class Frame:
    """Geometry of sliding windows over channels-last images.

    Parameters
    ----------
    x_nhwc : array, (n, h, w, c)
    kernel, stride, dilation : (int, int)
    origin : (int, int)
        Padding before the first line and column.
    width : int
        Windows along a line.
    fill : float
        Value of the padding.
    """

    x_nhwc: Array
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    origin: tuple[int, int]
    width: int
    fill: float = 0.0

    def reach(self, windows: int, axis: int) -> int:
        """Pixels that so many neighbouring windows span."""
        return (windows - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def elements(self, block: Block, sorted_by_rest: bool = False) -> int:
        """Scratch elements that ``source`` may need for a block; ``phases``, where the columns are a multiple of the stride."""
        n0, n1, p0, p1 = block
        columns = self.reach(self.width, 1)
        columns = -(-columns // self.stride[1]) * self.stride[1] if sorted_by_rest else columns
        return (n1 - n0) * self.reach(p1 - p0, 0) * columns * int(self.x_nhwc.shape[3])

    def source(self, scratch: Scratch, block: Block, dense: bool = False) -> tuple[Array, list[Call]]:
        """Input (images, lines, columns, c) under a block, and the calls that prepare it.

        It is a view where no padding is met; else, or where ``dense`` memory is asked for and x has gaps, a padded copy in scratch.
        """
        n0, n1, p0, p1 = block
        _, h, w, c = self.x_nhwc.shape
        lines, columns = self.reach(p1 - p0, 0), self.reach(self.width, 1)
        top, left = p0 * self.stride[0] - self.origin[0], -self.origin[1]
        a, b = max(0, top), min(h, top + lines)  # lines and columns of x that are met
        i, j = max(0, left), min(w, left + columns)
        inside = top >= 0 and top + lines <= h and left >= 0 and left + columns <= w
        if inside:
            view = self.x_nhwc[n0:n1, a:b, i:j]
            gaps = (view.strides[3] != view.itemsize and c > 1) or view.strides[2] != c * view.itemsize
            if not (dense and gaps):
                return view, []
        padded = scratch.take(n1 - n0, lines, columns, c)
        fill = np.float32(self.fill)
        if b <= a or j <= i:
            return padded, [Copy(padded.fill, fill)]
        inner = padded[:, a - top : b - top, i - left : j - left]
        strips = (
            padded[:, : a - top],
            padded[:, b - top :],
            padded[:, a - top : b - top, : i - left],
            padded[:, a - top : b - top, j - left :],
        )
        borders = tuple(s for s in strips if s.size)
        x = self.x_nhwc[n0:n1, a:b, i:j]

        def prepare() -> None:
            for border in borders:
                border[...] = fill
            np.copyto(inner, x)

        return padded, [Copy(prepare)]

    def phases(self, scratch: Scratch, block: Block) -> tuple[Array, list[Call]]:
        """As ``source``, always a padded copy, with the columns sorted by their rest modulo the stride: (images, lines, rest, columns, c).

        The pixels that a tap meets in neighbouring windows are neighbours there.
        """
        n0, n1, p0, p1 = block
        h, c = self.x_nhwc.shape[1], self.x_nhwc.shape[3]
        step, left = self.stride[1], self.origin[1]
        lines, columns = self.reach(p1 - p0, 0), -(-self.reach(self.width, 1) // step)
        top = p0 * self.stride[0] - self.origin[0]
        a, b = max(0, top), min(h, top + lines)
        padded = scratch.take(n1 - n0, lines, step, columns, c)
        borders = [padded[:, : max(0, a - top)], padded[:, max(0, b - top) :]]
        copies = []
        for rest in range(step):
            first = max(0, -(-(left - rest) // step))  # column j holds pixel j·step + rest − left
            x = self.x_nhwc[n0:n1, a : max(a, b), first * step + rest - left :: step][:, :, : columns - first]
            part = padded[:, a - top : max(a, b) - top, rest]
            borders += [part[:, :, :first], part[:, :, first + x.shape[2] :]]
            copies.append((part[:, :, first : first + x.shape[2]], x))
        zeros = tuple(border for border in borders if border.size)
        fill = np.float32(self.fill)

        def prepare() -> None:
            for border in zeros:
                border[...] = fill
            for target, x in copies:
                np.copyto(target, x)

        return padded, [Copy(prepare)]

    def windows(self, source: Array, lines: int) -> Array:
        """View (images, lines, width, r, s, c) of a source: every window's pixels."""
        sn, sh, sw, sc = source.strides
        shape = (source.shape[0], lines, self.width, *self.kernel, source.shape[3])
        strides = (sn, sh * self.stride[0], sw * self.stride[1], sh * self.dilation[0], sw * self.dilation[1], sc)
        return as_strided(source, shape, strides)
