"""Cases one after another in a process of their own, with a bounded address space: ``python -m mutations.worker FIRST END BASE MIB``.

A line of JSON is written before and after each case, so that the parent knows at which one the process died or hangs.
"""

from __future__ import annotations

import json
import logging
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from . import Failure, run, start


def grown(mib: int) -> None:
    """Bound the address space to what is taken now and so much more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (mib << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def peak() -> int:
    """The most memory that this process had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    first, end, base, mib = map(int, sys.argv[1:])
    logging.getLogger("gpucnn").setLevel(logging.ERROR)
    start()
    grown(mib)
    before = peak()
    for number in range(first, end):
        print(json.dumps({"begin": number}), flush=True)
        folder = Path(tempfile.mkdtemp())
        began = time.perf_counter()
        try:
            kind, text = run(number, folder, base)
        except Failure as failure:
            kind, text = "FAILURE", str(failure)
        except BaseException as error:
            kind, text = "FAILURE", f"the harness: {error!r}"
        shutil.rmtree(folder)
        seconds, most = time.perf_counter() - began, peak()
        print(json.dumps({"end": number, "kind": kind, "text": text[:600], "seconds": round(seconds, 3), "mib": most - before}), flush=True)


if __name__ == "__main__":
    main()
