"""Damaged files of every format, each an answer or an error of gpucnn's: in processes of their own, with a bounded address space.

    python tests/perf/fuzz_files.py [--runs N] [--first NUMBER] [--base SEED] [--processes N] [--write]
    python tests/perf/fuzz_files.py --repeat NUMBER [--base SEED] [--keep FOLDER]

A case follows from its number: the file, the damage, and what is done with it (tests/mutations). Whatever else comes of it than an answer
or an error of gpucnn's that hides no other, more than 10 s, more than 1 GiB, or the death of the process, is a failure, and the number
repeats it. ``--write`` puts the figures into ``tests/perf/results/fuzz_files.json`` and the README.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from mutations.parent import LIMITS, MIB, SECONDS, Case, cases  # noqa: E402

RESULT = ROOT / "tests" / "perf" / "results" / "fuzz_files.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- fuzz: made by tests/perf/fuzz_files.py -->\n", "<!-- end of fuzz -->"
TURNS = ("onnx", "weights", "onnx", "image", "onnx", "weights", "folder", "image", "onnx", "weights")
NAMES = {"onnx": "ONNX", "weights": "safetensors, .pth, .npz", "image": "images", "folder": "folders"}


def figures(found: list[Case], base: int, seconds: float) -> dict[str, Any]:
    """What is kept of a run."""
    families: dict[str, Counter[str]] = {family: Counter() for family in NAMES}
    for case in found:
        families[TURNS[case.number % 10]][case.kind] += 1
    return {
        "runs": len(found),
        "base": base,
        "python": platform.python_version(),
        "limits": LIMITS,
        "mib": MIB,
        "allowed_seconds": SECONDS,
        "families": {family: dict(sorted(counts.items())) for family, counts in families.items()},
        "failures": [case.__dict__ for case in found if case.kind == "FAILURE"],
        "longest_seconds": max(case.seconds for case in found),
        "largest_growth_mib": max(case.mib for case in found),
        "took_seconds": round(seconds),
    }


def text(kept: dict[str, Any]) -> str:
    """The README's part."""
    lines = ["| files | runs | answers | errors of gpucnn's | anything else |", "|---|--:|--:|--:|--:|"]
    for family, counts in kept["families"].items():
        runs, answers, bad = sum(counts.values()), counts.get("answer", 0), counts.get("FAILURE", 0)
        lines.append(f"| {NAMES[family]} | {runs} | {answers} | {runs - answers - bad} | {bad} |")
    limits = ", ".join(f"{name.removeprefix('GPUCNN_')}={value}" for name, value in kept["limits"].items() if "MAX" in name)
    rest = (
        f"The longest took {kept['longest_seconds']:.1f} s; no process grew by more than {kept['largest_growth_mib']} MiB. "
        f"Limits then: {limits}."
    )
    return "\n".join([*lines, "", rest]) + "\n"


def write(kept: dict[str, Any]) -> None:
    """Into the results, and the README."""
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")
    whole = README.read_text("utf-8")
    before, rest = whole.split(BEGIN)
    README.write_text(before + BEGIN + text(kept) + END + rest.split(END, 1)[1], "utf-8")


def repeat(number: int, base: int, keep: Path | None) -> None:
    """One case again, here, with what was raised in full."""
    from mutations import case

    seed, _ = case.changed(number, base)
    folder = keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{number}: {seed.family} {seed.name}, in {folder}")
    print(case.run(number, folder, base))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--base", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    if args.repeat is not None:
        repeat(args.repeat, args.base, args.keep)
        return
    began = time.perf_counter()
    share = -(-args.runs // args.processes)
    starts = range(args.first, args.first + args.runs, share)

    def several(start: int) -> list[Case]:
        found = []
        for case in cases(start, min(start + share, args.first + args.runs), args.base):
            found.append(case)
            if case.kind == "FAILURE":
                print(f"FAILURE {case.number} ({TURNS[case.number % 10]}): {case.text}", flush=True)
            if len(found) % 1000 == 0:
                print(f"{len(found)} of {share} from {start} on, {time.perf_counter() - began:.0f} s", flush=True)
        return found

    with ThreadPoolExecutor(args.processes) as pool:
        found = [case for part in pool.map(several, starts) for case in part]
    kept = figures(found, args.base, time.perf_counter() - began)
    print(json.dumps({**kept, "failures": len(kept["failures"])}, indent=1))
    print(text(kept))
    if args.write:
        write(kept)


if __name__ == "__main__":
    main()
