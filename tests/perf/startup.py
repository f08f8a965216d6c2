"""How long ``import gpucnn`` and ``gpucnn classify`` of three photographs take, each in a fresh interpreter; beside the targets.

    python tests/perf/startup.py [--rounds 9]

Needs nothing but gpucnn's own dependencies. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from fresh import bytecode

ROOT = Path(__file__).resolve().parents[2]
PHOTOGRAPHS = ROOT / "examples" / "images"
IMPORT_TARGET, CLASSIFY_TARGET = 0.15, 2.0  # seconds

# Inside the interpreter, so that its own start is not counted.
TIMED = "import time; begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time import and the first classification.")
    parser.add_argument("--rounds", type=int, default=9, help="fresh interpreters for each line (9); classify gets a third")
    rounds = parser.parse_args().rounds
    with bytecode():
        measure(rounds)


def measure(rounds: int) -> None:
    statements = ("import numpy", "import gpucnn", "import gpucnn; gpucnn.load", "import gpucnn; gpucnn.Classifier")
    seconds: dict[str, list[float]] = {statement: [] for statement in statements}
    for i in range(rounds + 1):  # round 0 fills the disk cache and writes the bytecode
        for statement in statements:
            elapsed = float(python("-c", TIMED.format(statement)))
            if i:
                seconds[statement].append(elapsed)
    print(f"fresh interpreters, medians of {rounds}")
    for statement in statements:
        verdict = f"   {judge(median(seconds[statement]), IMPORT_TARGET)}" if statement == "import gpucnn" else ""
        print(f"  {statement:<36}{median(seconds[statement]):>8.3f} s{verdict}")

    photographs = sorted(str(p) for p in PHOTOGRAPHS.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    elapsed_times = []
    for i in range(max(1, rounds // 3) + 1):
        begin = time.perf_counter()
        rows = python("-m", "gpucnn", "classify", "--quiet", "--top", "1", *photographs)
        if i:
            elapsed_times.append(time.perf_counter() - begin)
    total = median(elapsed_times)
    what = f"gpucnn classify, {len(photographs)} photographs"
    print(f"  {what:<36}{total:>8.3f} s   {judge(total, CLASSIFY_TARGET)} (the whole process)")
    print("".join(f"    {row}\n" for row in rows.splitlines()), end="")


def python(*arguments: str) -> str:
    """What a fresh interpreter prints; gpucnn comes from this checkout."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def judge(seconds: float, target: float) -> str:
    return f"within the target of {target} s" if seconds <= target else f"MISSES the target of {target} s"


if __name__ == "__main__":
    main()
