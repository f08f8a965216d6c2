"""The limit on what a weights file may take in memory, checked before anything is allocated."""

from __future__ import annotations

from pathlib import Path

from ..errors import LimitError
from ..settings import settings

__all__ = ["check_limit"]


def check_limit(path: Path, nbytes: int, what: str) -> None:
    """Raise `LimitError` if ``nbytes`` is more than ``GPUCNN_MAX_WEIGHT_BYTES``; ``what`` says of what."""
    limit = settings().max_weight_bytes
    if nbytes > limit:
        raise LimitError(f"{path}: {what} {nbytes} bytes, the limit is {limit}; set GPUCNN_MAX_WEIGHT_BYTES to raise it")
