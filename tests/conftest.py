"""What all tests share: the seed of the run's cases is said, so that a failure can be repeated; how many processes run them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from cases import SEED

from gpucnn import limits
from gpucnn.settings import settings

SAID = f"GPUCNN_TEST_SEED={SEED} repeats these numbers"
MOST_PROCESSES = 8
"""Each collects all tests, and has a few hundred MB."""

os.environ["GPUCNN_TUNE"] = "off"  # nothing that is tested depends on time; test_tuner.py is for the rest
os.environ["GPUCNN_TEST_SEED"] = str(SEED)  # for the processes of `pytest -n`, which have to agree


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many ``-n auto`` starts."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


def pytest_report_header() -> str:
    return SAID


def pytest_terminal_summary(terminalreporter) -> None:
    """The header is hidden by -q; what failed is not."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(SAID)


@pytest.fixture
def set_limits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``set_limits(max_file_bytes=99)`` for the length of a test."""
    return lambda **fields: monkeypatch.setattr(limits, "settings", lambda: replace(settings(), **fields))
