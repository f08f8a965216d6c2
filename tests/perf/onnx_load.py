"""From an ONNX file to the first answer, gpucnn beside ONNX Runtime: seconds and memory, each in a process of its own, by turns.

    python tests/perf/onnx_load.py FILE.onnx [--rounds 7] [--write]

Times begin when the library is imported (what comes before is printed too) and end with the answer for one random image. Memory is
the largest resident size over what the process had before loading, as a multiple of the file. With --write the row goes to
tests/perf/results/onnx_load.json. Needs onnxruntime; Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "perf" / "results" / "onnx_load.json"

CHILD = """
import json, sys, time
start = time.perf_counter()
import numpy as np
file, who = sys.argv[1:]
def resident(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) * 1024
if who == "gpucnn":
    import gpucnn, gpucnn.loader
else:
    import onnxruntime
imported, before = time.perf_counter(), resident("VmRSS")
if who == "gpucnn":
    model = gpucnn.load(file, device="cpu")
    (port,) = model.inputs
    shape = [s if isinstance(s, int) else 1 if i == 0 else 224 for i, s in enumerate(port.shape)]
else:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    shape = [s if isinstance(s, int) else 1 if i == 0 else 224 for i, s in enumerate(port.shape)]
loaded = time.perf_counter()
x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
y = model(x) if who == "gpucnn" else session.run(None, {port.name: x})[0]
done = time.perf_counter()
print(json.dumps({"import": imported - start, "load": loaded - imported, "first": done - loaded, "total": done - imported,
                  "memory": resident("VmHWM") - before}))
"""


def measure(file: Path, who: str) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", CHILD, str(file), who], capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description="From an ONNX file to the first answer.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    size = args.file.stat().st_size
    rounds = [{who: measure(args.file, who) for who in ("gpucnn", "onnxruntime")} for _ in range(args.rounds + 1)]
    del rounds[0]  # it warms the disk
    for who in ("gpucnn", "onnxruntime"):
        parts = [f"{key} {median(r[who][key] for r in rounds):.2f} s" for key in ("import", "load", "first", "total")]
        parts.append(f"memory {median(r[who]['memory'] for r in rounds) / size:.2f} × the file")
        print(f"{who:12}{', '.join(parts)}")
    ratio = median(r["gpucnn"]["total"] / r["onnxruntime"]["total"] for r in rounds)
    print(f"load and first answer: {ratio:.2f} × ONNX Runtime's (median of {args.rounds} rounds)")
    if args.write:
        RESULTS.write_text(json.dumps({"file": args.file.name, "bytes": size, "ratio": ratio, "rounds": rounds}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
