"""The emulator's own tests need what it needs."""

from __future__ import annotations

import pytest

import emulator


@pytest.fixture(autouse=True, scope="session")
def _usable() -> None:
    emulator.require()
