"""Blocks of rows: how the matrix-product methods cut an output into pieces that stay in cache."""

from __future__ import annotations

from itertools import pairwise

__all__ = ["TARGET", "TARGETS", "Block", "blocks", "group_size", "shares"]

Block = tuple[int, int, int, int]
"""Images [n0, n1) and output lines [p0, p1): whole images, or lines of one."""

TARGET = 1 << 16
"""Output elements of a block: 256 KB, so that the epilogue finds it in the second-level cache."""

TARGETS = (1 << 16, 1 << 17, 1 << 18)
"""Sizes to choose from by time. Of 139 layers of four networks the best of these costs 0.1 % more than the best of 16k to 256k."""

_ROWS = 392  # with fewer rows, packing the weights costs too much beside the product (ResNet-50: 4 % against 128)


def group_size(n: int, p: int, q: int, k: int, target: int = TARGET) -> int:
    """How many whole images a block should hold: 1 where an image fills one, else a divisor of n."""
    wanted = max(-(-_ROWS // (p * q)), round(target / (p * q * k)))
    return max(d for d in range(1, n + 1) if n % d == 0 and d <= max(1, wanted))


def blocks(n: int, p: int, q: int, k: int, group: int = 1, parts: int = 1, target: int = TARGET) -> list[Block]:
    """Blocks of ``group`` whole images, or of the lines of one image that make about ``target`` output elements and at least 392 rows.

    A block never holds parts of two images: an image's rows then meet the same products wherever it lies in the batch.
    With ``parts`` workers an image is cut into a multiple of as many blocks, so that none waits for another's last.
    """
    if group > 1:
        return [(i, i + group, 0, p) for i in range(0, n, group)]
    lines = max(1, round(target / (q * k)), -(-_ROWS // q))
    edges = shares(p, round(p / lines), parts)
    return [(i, i + 1, a, b) for i in range(n) for a, b in pairwise(edges)]


def shares(size: int, count: int, parts: int = 1) -> list[int]:
    """Edges of about ``count`` even shares of ``size`` things: a multiple of ``parts``, and none of nothing."""
    count = min(size, max(1, -(-count // parts)) * parts)
    return [size * i // count for i in range(count + 1)]
