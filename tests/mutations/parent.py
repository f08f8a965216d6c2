"""Runs workers over a range of cases, and stops those that hang."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LIMITS", "Case", "cases"]

TESTS = Path(__file__).parents[1]

LIMITS = {
    "GPUCNN_MAX_FILE_BYTES": 64 << 20,
    "GPUCNN_MAX_WEIGHT_BYTES": 128 << 20,
    "GPUCNN_MAX_ELEMENTS": 1 << 23,
    "GPUCNN_MAX_NODES": 10_000,
    "GPUCNN_MAX_IMAGE_PIXELS": 1 << 24,
    "GPUCNN_THREADS": 1,
}
"""What the cases run under: a gigabyte has to be enough, so that the limits must lie below it."""

MIB = 1024
SECONDS = 10
STARTING = 120  # seconds for imports and seeds


@dataclass(frozen=True)
class Case:
    """What came of one.

    Attributes
    ----------
    kind : str
        ``"answer"``, the name of an error of gpucnn's, or ``"FAILURE"``.
    mib : int
        By how much the process has grown until then, at most.
    """

    number: int
    kind: str
    text: str
    seconds: float
    mib: int


def cases(first: int, end: int, base: int = 0, mib: int = MIB, seconds: float = SECONDS, at_once: int = 500) -> Iterator[Case]:
    """Do cases in worker processes, ``at_once`` in each; a worker that dies or hangs costs the case that it was at."""
    while first < end:
        for case in _worker(first, min(end, first + at_once), base, mib, seconds):
            yield case
            first = case.number + 1


def _worker(first: int, end: int, base: int, mib: int, seconds: float) -> Iterator[Case]:
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    limits = {name: str(value) for name, value in LIMITS.items()}
    environment = {**os.environ, **limits, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mutations.worker", str(first), str(end), str(base), str(mib)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines: queue.Queue[str | None] = queue.Queue()
    said: list[str] = []
    readers = [
        threading.Thread(target=_read, args=(process.stdout, lines)),
        threading.Thread(target=lambda: said.append(process.stderr.read())),  # type: ignore[union-attr]
    ]
    for reader in readers:
        reader.start()
    at = first - 1
    try:
        while True:
            began = at >= first
            try:
                line = lines.get(timeout=seconds if began else STARTING)
            except queue.Empty:
                at = max(at, first)
                yield Case(at, "FAILURE", f"no answer in {seconds} s", seconds, 0)
                return
            if line is None:
                process.wait()
                readers[1].join(5)
                at = max(at, first)
                yield Case(at, "FAILURE", f"the process died ({process.returncode}): {''.join(said)[-600:]}", 0.0, 0)
                return
            record = json.loads(line)
            if "begin" in record:
                at = record["begin"]
            else:
                yield Case(record["end"], record["kind"], record["text"], record["seconds"], record["mib"])
                if record["end"] == end - 1:
                    return
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        for reader in readers:
            reader.join(5)
        process.wait()


def _read(stream: object, lines: queue.Queue[str | None]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        if line.startswith("{"):
            lines.put(line)
    lines.put(None)
