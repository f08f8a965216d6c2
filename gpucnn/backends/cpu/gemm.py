"""Blocks of rows: how the matrix-product methods cut an output into pieces that stay in cache."""

from __future__ import annotations

from itertools import pairwise

__all__ = ["Block", "blocks", "group_size"]

Block = tuple[int, int, int, int]
"""Images [n0, n1) and output lines [p0, p1): whole images, or lines of one."""

_TARGET = 1 << 16  # output elements: 256 KB, so that the epilogue finds the block in the second-level cache
_ROWS = 392  # with fewer rows, packing the weights costs too much beside the product (ResNet-50: 4 % against 128)


def group_size(n: int, p: int, q: int, k: int) -> int:
    """How many whole images a block should hold: 1 where an image fills one, else a divisor of n."""
    wanted = max(-(-_ROWS // (p * q)), round(_TARGET / (p * q * k)))
    return max(d for d in range(1, n + 1) if n % d == 0 and d <= max(1, wanted))


def blocks(n: int, p: int, q: int, k: int, group: int = 1, parts: int = 1) -> list[Block]:
    """Blocks of ``group`` whole images, or of the lines of one image that make about 64k output elements and at least 392 rows.

    A block never holds parts of two images: an image's rows then meet the same products wherever it lies in the batch.
    With ``parts`` workers an image is cut into at least as many blocks.
    """
    if group > 1:
        return [(i, i + group, 0, p) for i in range(0, n, group)]
    lines = max(1, round(_TARGET / (q * k)), -(-_ROWS // q))
    count = min(p, max(parts, round(p / lines), 1))
    edges = [p * i // count for i in range(count + 1)]
    return [(i, i + 1, a, b) for i in range(n) for a, b in pairwise(edges)]
