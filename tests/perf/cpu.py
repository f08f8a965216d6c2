"""Images per second of gpucnn beside ONNX Runtime, on the CPU, with the same weights, inputs and number of threads.

    python tests/perf/cpu.py FOLDER [--models resnet50,vgg16] [--batches 1,16] [--threads 1,2] [--rounds 9] [--seconds 0.5] [--json OUT]

FOLDER is what export_onnx.py wrote. Needs onnxruntime. Each (model, threads) has a process of its own, since numbers of threads are fixed
when a process starts. A round gives both sides a fresh input and runs first gpucnn, then ONNX Runtime, for some seconds each, so that a
change of the machine's mood meets both; the ratio is the median over the rounds of the ratio inside a round. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODELS = "resnet50,vgg16,mobilenet_v2"
REST = 0.02  # seconds between the sides: ONNX Runtime's threads spin for a while after a run, waiting for the next

HEAD = f"{'model':<20}{'threads':>8}{'batch':>7}{'gpucnn':>10}{'ORT':>10}{'ratio':>8}   {'(lowest … highest)':<20}{'error':>9}"


def main() -> None:
    args = arguments()
    if args.worker:
        print(json.dumps(work(args.folder, args.models, args.batches, args.threads[0], args.rounds, args.seconds)))
        return
    print(f"img/s, medians of {args.rounds} rounds of {args.seconds} s a side; ratio is gpucnn / ONNX Runtime")
    print(HEAD)
    rows: list[dict[str, Any]] = []
    libraries: dict[str, Any] = {}
    for name in args.models.split(","):
        for threads in args.threads:
            found = start(args, name, threads)
            libraries = found["libraries"]
            rows += found["rows"]
            for row in found["rows"]:
                print(line(row), flush=True)
    if args.json:
        record = {"when": datetime.now(timezone.utc).isoformat(timespec="seconds"), "machine": machine(), "libraries": libraries}
        record |= {"rounds": args.rounds, "seconds": args.seconds, "rows": rows}
        args.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def arguments() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description="Images per second of gpucnn beside ONNX Runtime on the CPU.")
    parser.add_argument("folder", type=Path, help="where export_onnx.py has put NAME.onnx and NAME.safetensors")
    parser.add_argument("--models", default=MODELS, help=f"comma-separated ({MODELS})")
    parser.add_argument("--batches", type=numbers, default=[1, 16], help="comma-separated (1,16)")
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="comma-separated (1,2)")
    parser.add_argument("--rounds", type=int, default=9, help="(9)")
    parser.add_argument("--seconds", type=float, default=0.5, help="a side in a round; one run at the least (0.5)")
    parser.add_argument("--json", type=Path, help="write everything measured there")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def line(row: dict[str, Any]) -> str:
    ratios = row["ratios"]
    spread = f"({min(ratios):.2f} … {max(ratios):.2f})"
    start = f"{row['model']:<20}{row['threads']:>8}{row['batch']:>7}{row['gpucnn']:>10.2f}{row['onnxruntime']:>10.2f}"
    return f"{start}{median(ratios):>8.2f}   {spread:<20}{row['error']:>9.1e}"


def start(args: argparse.Namespace, name: str, threads: int) -> dict[str, Any]:
    """One process for one model and one number of threads."""
    variables = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    variables |= {"GPUCNN_THREADS": str(threads), "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    batches = ",".join(map(str, args.batches))
    options = {"models": name, "batches": batches, "threads": threads, "rounds": args.rounds, "seconds": args.seconds}
    command = [sys.executable, __file__, str(args.folder), "--worker", *(f"--{k}={v}" for k, v in options.items())]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}, {threads} threads: the process ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# ---------------------------------------------------------------- inside a process


def work(folder: Path, name: str, batches: list[int], threads: int, rounds: int, seconds: float) -> dict[str, Any]:
    import numpy as np
    import onnxruntime as ort

    import gpucnn

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name
    rng = np.random.default_rng(0)
    rows = []
    with gpucnn.load(name, weights=folder / f"{name}.safetensors", device="cpu") as model:
        for batch in batches:
            shape = (batch, *model.inputs[0].shape[1:])

            def ours(x: Any) -> Any:
                return model(x)

            def theirs(x: Any) -> Any:
                return session.run(None, {feed: x})[0]

            samples: dict[str, list[list[float]]] = {"gpucnn": [], "onnxruntime": []}
            error = 0.0
            for i in range(rounds + 1):  # round 0 plans, allocates and warms up
                x = rng.standard_normal(shape, np.float32)
                y, times = timed(ours, x, seconds if i else 0.0)
                z, others = timed(theirs, x, seconds if i else 0.0)
                error = max(error, float(np.abs(y - z).max() / np.abs(z).max()))
                if i:
                    samples["gpucnn"].append(times)
                    samples["onnxruntime"].append(others)
            row: dict[str, Any] = {"model": name, "threads": threads, "batch": batch, "error": error}
            row |= {side: batch / median(median(t) for t in times) for side, times in samples.items()}
            row["ratios"] = [median(b) / median(a) for a, b in zip(samples["gpucnn"], samples["onnxruntime"])]
            row["samples"] = samples
            rows.append(row)
    return {"rows": rows, "libraries": libraries(np, ort, gpucnn)}


def timed(run: Callable[[Any], Any], x: Any, seconds: float) -> tuple[Any, list[float]]:
    """The result, and the seconds of each of the runs that fit."""
    time.sleep(REST)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        y = run(x)
        now = time.perf_counter()
        times.append(now - begin)
        if now >= end:
            return y, times


def libraries(np: Any, ort: Any, gpucnn: Any) -> dict[str, Any]:
    from threadpoolctl import threadpool_info

    blas = [{k: v for k, v in lib.items() if k != "filepath"} for lib in threadpool_info() if lib["user_api"] == "blas"]
    versions = {"gpucnn": gpucnn.__version__, "numpy": np.__version__, "onnxruntime": ort.__version__}
    return {"python": platform.python_version(), **versions, "blas": blas}


def machine() -> dict[str, Any]:
    return {"cpu": cpu(), "cores": os.cpu_count(), "system": platform.platform()}


def cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    fields = dict(part.split(":", 1) for part in text.replace("\t", "").splitlines() if ":" in part)
    numbers = " ".join(f"{k} {fields[k].strip()}" for k in ("cpu family", "model", "stepping") if k in fields)
    return f"{fields.get('model name', platform.processor()).strip()} ({numbers})"


if __name__ == "__main__":
    main()
