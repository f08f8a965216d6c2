"""Memory and cold start of gpucnn beside ONNX Runtime: one process for each number.

    python tests/perf/footprint.py FOLDER [--model resnet50] [--rounds 5] [--json OUT]

FOLDER is what export_onnx.py wrote. Memory is the highest resident set less that of the bare interpreter, after one and after ten
calls with batches of 16 and 64; needs Linux. A cold start is import, load and the first answer of one image, in a fresh
process, files in the page cache, bytecode written and block sizes chosen before (a process that is not counted does that); medians of
the rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from fresh import bytecode

ROOT = Path(__file__).resolve().parents[2]
SIDES = {"gpucnn": "safetensors", "gpucnn of the .onnx": "onnx", "onnxruntime": "onnx"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and cold start of gpucnn beside ONNX Runtime.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(work(args.folder, args.model, args.worker, args.batch)))
        return
    with bytecode():
        compare(args)


def compare(args: argparse.Namespace) -> None:
    found: dict[str, Any] = {"model": args.model, "memory": {}, "start": {side: [] for side in SIDES}}
    for side in SIDES:
        start(args, side, 1)
    print(f"{args.model}: MB of memory over the interpreter's, after 1 and after 10 calls")
    for batch in (16, 64):
        for side in SIDES:
            once, often = start(args, side, batch)["memory"]
            found["memory"][f"{side}, batch {batch}"] = [once, often]
            print(f"  batch {batch:>3}  {side:<20}{once:>8.0f}{often:>8.0f}", flush=True)
    for _ in range(args.rounds):
        for side in SIDES:
            found["start"][side].append(start(args, side, 1)["seconds"])
    print("seconds from the start of the process to the first answer, and beside ONNX Runtime's")
    theirs = found["start"]["onnxruntime"]
    for side, seconds in found["start"].items():
        print(f"  {side:<20}{median(seconds):>8.3f}{median(a / b for a, b in zip(seconds, theirs)):>8.2f}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def start(args: argparse.Namespace, side: str, batch: int) -> dict[str, Any]:
    command = [sys.executable, __file__, str(args.folder), "--model", args.model, "--worker", side, "--batch", str(batch)]
    begin = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"seconds": time.perf_counter() - begin}


def work(folder: Path, name: str, side: str, batch: int) -> dict[str, Any]:
    before = peak()
    sys.path.insert(0, str(ROOT))
    file = folder / f"{name}.onnx"
    if side == "onnxruntime":
        import numpy as np
        import onnxruntime as ort

        session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        feed = session.get_inputs()[0].name

        def run(x: Any) -> Any:
            return session.run(None, {feed: x})[0]
    else:
        import numpy as np

        import gpucnn

        weights = file.with_suffix(".safetensors")
        run = gpucnn.load(file, device="cpu") if "onnx" in side else gpucnn.load(name, weights=weights, device="cpu")
    x = np.random.default_rng(0).standard_normal((batch, 3, 224, 224), np.float32)
    given = x.nbytes / 1e6
    run(x)
    if batch == 1:
        return {}
    once = peak()
    for _ in range(9):
        run(x)
    return {"memory": [once - before - given, peak() - before - given]}


def peak() -> float:
    """MB of the highest resident set so far."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("no VmHWM in /proc/self/status")


if __name__ == "__main__":
    main()
