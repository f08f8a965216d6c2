"""What all tests share: the seed of the run's cases is said, so that a failure can be repeated."""

from __future__ import annotations

from cases import SEED

SAID = f"GPUCNN_TEST_SEED={SEED} repeats these numbers"


def pytest_report_header() -> str:
    return SAID


def pytest_terminal_summary(terminalreporter) -> None:
    """The header is hidden by -q; what failed is not."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(SAID)
