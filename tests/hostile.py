"""What tests of hostile files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpucnn.errors import GpucnnError
from gpucnn.formats import read_weights

__all__ = ["assert_ours", "refused_cleanly"]


def assert_ours(error: BaseException) -> None:
    """An error of gpucnn's, and no exception of anybody else wrapped in it."""
    cause: BaseException | None = error
    while cause is not None:
        assert isinstance(cause, GpucnnError), f"{cause!r} is not ours"
        cause = cause.__cause__


def refused_cleanly(path: Path, *parts: str) -> None:
    """Weights that cannot be read, for a reason that names the file."""
    with pytest.raises(GpucnnError) as caught:
        read_weights(path)
    assert_ours(caught.value)
    for part in (str(path), *parts):
        assert part in str(caught.value)
