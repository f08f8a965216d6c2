"""Interpreters that start as an installed package is met: with bytecode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

__all__ = ["bytecode"]


@contextmanager
def bytecode() -> Iterator[None]:
    """While open, processes that are started write and find bytecode, of a checkout too, in a folder that is gone afterwards.

    What pip installs has its bytecode beside it, ONNX Runtime for one; a checkout need not, and may be told not to write any. To compile
    its 216 files took gpucnn 0.3 s of each start. The first start of each kind fills the folder, and is not to be counted.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with TemporaryDirectory(prefix="gpucnn-bytecode-") as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        yield
