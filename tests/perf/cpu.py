"""Images per second of gpucnn beside ONNX Runtime and others, on the CPU, with the same weights, inputs and number of threads.

    python tests/perf/cpu.py FOLDER [--models resnet50,vgg16] [--batches 1,16] [--threads 1,2] [--peers torch,openvino,ncnn]
                             [--rounds 9] [--seconds 0.5] [--json OUT [--update]]
    python tests/perf/cpu.py --table tests/perf/results/cpu_*.json

FOLDER is what export_onnx.py wrote. Needs onnxruntime, and what is asked for as a peer: torch (eager, channels_last), openvino (float32 by
INFERENCE_PRECISION_HINT), ncnn with pnnx and torch (one image at a time: it knows no batches). Each (model, threads) has a process of its
own, since numbers of threads are fixed when a process starts, and one more with the peers, whose threads would be in the way of the first.
A round gives all sides a fresh input and runs one after the other for some seconds each, so that a change of the machine's mood meets all;
a ratio is the median over the rounds of the ratio inside a round. Nothing is asserted. Columns: images/s of gpucnn and of ONNX Runtime,
their ratio, the lowest and highest of a round; the largest difference of the scores, relative to the largest score, and in how many of the
images the best class is the same; milliseconds of CPU that an image costs both; gpucnn's multiply-adds a second beside those of a large
matrix product of NumPy's on as many cores; and ratios to the peers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODELS = "vgg16,resnet18,resnet50,squeezenet1_1,mobilenet_v2,efficientnet_lite0"
PEERS = ("torch", "openvino", "ncnn")
REST = 0.02  # seconds between the sides: ONNX Runtime's threads spin for a while after a run, waiting for the next

HEAD = (
    f"{'model':<20}{'threads':>8}{'batch':>7}{'gpucnn':>10}{'ORT':>10}{'ratio':>8}   {'(lowest … highest)':<20}"
    f"{'error':>9}{'top-1':>9}{'CPU ms':>15}{'of peak':>9}   ratio to peers"
)


def main() -> None:
    args = arguments()
    if args.table:
        text = table([json.loads(file.read_text("utf-8")) for file in args.table])
        print(text)
        if args.write:
            readme = ROOT / "README.md"
            before, rest = readme.read_text("utf-8").split(BEGIN, 1)
            readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}", "utf-8")
        return
    if args.folder is None:
        sys.exit("FOLDER is missing: what export_onnx.py wrote")
    if args.worker:
        print(json.dumps(work(args.folder, args.models, args.batches, args.threads[0], args.rounds, args.seconds, args.peers)))
        return
    before = json.loads(args.json.read_text("utf-8")) if args.update else None
    if before and before["machine"]["cpu"] != machine()["cpu"]:
        sys.exit(f"--update: {args.json} is of {before['machine']['cpu']}, this is {machine()['cpu']}")
    print(f"img/s, medians of {args.rounds} rounds of {args.seconds} s a side; ratio is gpucnn / ONNX Runtime")
    print(HEAD)
    rows: list[dict[str, Any]] = []
    libraries: dict[str, Any] = {}
    for name in args.models.split(","):
        for threads in args.threads:
            found = start(args, name, threads, [])
            libraries = found["libraries"]
            if args.peers:  # in a process of their own: what their threads do between runs would change the ratio to ONNX Runtime
                for row, beside in zip(found["rows"], start(args, name, threads, args.peers)["rows"]):
                    row |= {"peers": beside["peers"], "peer_samples": beside["samples"]}
            rows += found["rows"]
            for row in found["rows"]:
                print(line(row), flush=True)
    if args.json:
        record = {"when": datetime.now(timezone.utc).isoformat(timespec="seconds"), "commit": commit(), "libraries": libraries}
        record["machine"] = machine()
        record |= {"rounds": args.rounds, "seconds": args.seconds, "rows": rows}
        if before:
            record = updated(before, record)
        args.json.write_text(compact(record), "utf-8")


def updated(record: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """The record with the rows of a newer one in place of its own; ratios to peers stay where the newer has none."""
    rows = {which(row): row for row in record["rows"]}
    for row in newer["rows"]:
        peers = {key: value for key, value in rows.get(which(row), {}).items() if key in ("peers", "peer_samples") and not row["peers"]}
        rows[which(row)] = row | {key: newer[key] for key in ("commit", "when", "rounds")} | peers
    return record | {"rows": list(rows.values())}


def which(row: dict[str, Any]) -> tuple[str, int, int]:
    """What a row is about."""
    return row["model"], row["batch"], row["threads"]


def compact(record: Any) -> str:
    """JSON with six digits of every float, and lists of numbers in one line."""
    text = json.dumps(json.loads(json.dumps(record), parse_float=lambda digits: float(f"{float(digits):.6g}")), indent=1)
    return re.sub(r"\[[^\[\]{}\"]*\]", lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text) + "\n"


def arguments() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description="Images per second of gpucnn beside ONNX Runtime on the CPU.")
    parser.add_argument("folder", type=Path, nargs="?", help="where export_onnx.py has put NAME.onnx and NAME.safetensors")
    parser.add_argument("--models", default=MODELS, help=f"comma-separated ({MODELS})")
    parser.add_argument("--batches", type=numbers, default=[1, 16], help="comma-separated (1,16)")
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="comma-separated (1,2)")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=[], help=f"comma-separated, of {', '.join(PEERS)} (none)")
    parser.add_argument("--table", type=Path, nargs="+", help="print the README's table of files that --json wrote")
    parser.add_argument("--write", action="store_true", help="put the table into the README as well")
    parser.add_argument("--rounds", type=int, default=9, help="(9)")
    parser.add_argument("--seconds", type=float, default=0.5, help="a side in a round; one run at the least (0.5)")
    parser.add_argument("--json", type=Path, help="write everything measured there")
    parser.add_argument("--update", action="store_true", help="replace in the file of --json only what is measured")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.update and not (args.json and args.json.is_file()):
        parser.error("--update: --json must name the file to be updated")
    return args


def line(row: dict[str, Any]) -> str:
    ratios = row["ratios"]
    spread = f"({min(ratios):.2f} … {max(ratios):.2f})"
    start = f"{row['model']:<20}{row['threads']:>8}{row['batch']:>7}{row['gpucnn']:>10.2f}{row['onnxruntime']:>10.2f}"
    cpu = f"{row['cpu_ms']['gpucnn']:.1f} / {row['cpu_ms']['onnxruntime']:.1f}"
    peers = "  ".join(f"{name} {median(found):.2f}" for name, found in row["peers"].items())
    checks = f"{row['error']:>9.1e}{row['top1']:>9}{cpu:>15}{row['share_of_peak']:>9.0%}"
    return f"{start}{median(ratios):>8.2f}   {spread:<20}{checks}   {peers}"


NAMES = {
    "vgg16": "VGG-16", "resnet18": "ResNet-18", "resnet50": "ResNet-50", "squeezenet1_1": "SqueezeNet 1.1", "mobilenet_v2": "MobileNetV2",
    "efficientnet_lite0": "EfficientNet-Lite0",
}  # fmt: skip


BEGIN, END = "<!-- CPU table: made by tests/perf/cpu.py -->", "<!-- end of CPU table -->"


def table(records: list[dict[str, Any]]) -> str:
    """The README's, for each machine: images/s of both and the median ratio, by model, batch and threads; and ratios to the peers."""
    lines = [
        "On the CPU, images/s of gpucnn / of ONNX Runtime with all its optimisations, and the median ratio within interleaved rounds, in",
        "float32; below it, times the images/s of PyTorch (eager, channels last), OpenVINO and ncnn (both in float32), in rounds with them",
        "(`python tests/perf/cpu.py FOLDER --peers torch,openvino,ncnn`, raw samples in `tests/perf/results/`):",
    ]
    for record in records:
        lines += ["", *_of_machine(record)]
    worst = max(row["error"] for record in records for row in record["rows"])
    lines += ["", f"The largest difference from ONNX Runtime's scores, relative to the largest score, is {worst:.0e}."]
    return "\n".join(lines)


def _of_machine(record: dict[str, Any]) -> list[str]:
    versions, host = record["libraries"], record["machine"]
    (blas,) = versions["blas"][:1] or [{}]
    library = f"{blas.get('internal_api', 'BLAS')} {blas.get('version', '')} for {blas.get('architecture', '?')}"
    peak = f"{versions['peak_gflops_a_core']:.0f} GFLOP/s of products a core"
    rows = {which(row): row for row in record["rows"]}
    columns = [(16, 1), (16, 2), (1, 1), (1, 2)]
    titles = [f"batch {b}, {t} thread{'s' * (t > 1)}" for b, t in columns]
    commits = {(row["batch"], row["threads"], row["commit"]) for row in record["rows"] if "commit" in row}
    later = [f"; {titles[columns.index((b, t))]} commit {commit}, peers aside" for b, t, commit in sorted(commits)]
    lines = [
        f"{host['cpu']}, {host['cores']} cores, {peak}, NumPy {versions['numpy']} with {library}, ONNX Runtime {versions['onnxruntime']};",
        f"commit {record['commit']}, {record['when'][:10]}{''.join(later)}:",
        "",
        "| | " + " | ".join(titles) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for name, title in NAMES.items():
        found = [rows.get((name, *column)) for column in columns]
        cells = ["" if row is None else _cell(row) for row in found]
        if any(cells):
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def _cell(row: dict[str, Any]) -> str:
    beside = ", ".join(f"{median(row['peers'][peer]):.2f}" for peer in PEERS if peer in row["peers"])
    return f"{row['gpucnn']:.3g} / {row['onnxruntime']:.3g}, **{median(row['ratios']):.2f}**" + (f"<br>{beside}" if beside else "")


def start(args: argparse.Namespace, name: str, threads: int, peers: list[str]) -> dict[str, Any]:
    """One process for one model and one number of threads."""
    variables = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    variables |= {"GPUCNN_THREADS": str(threads), "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    batches = ",".join(map(str, args.batches))
    options = {"models": name, "batches": batches, "threads": threads, "rounds": args.rounds, "seconds": args.seconds}
    options |= {"peers": ",".join(peers)} if peers else {}
    command = [sys.executable, __file__, str(args.folder), "--worker", *(f"--{k}={v}" for k, v in options.items())]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}, {threads} threads: the process ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# ---------------------------------------------------------------- inside a process


Run = Callable[[Any], Any]


def work(
    folder: Path, name: str, batches: list[int], threads: int, rounds: int, seconds: float, peers: list[str]
) -> dict[str, Any]:
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
    peak = gemm_peak(np)
    with gpucnn.load(name, weights=folder / f"{name}.safetensors", device="cpu") as model:
        flops = sum(step.node.op.flops(*step.node.specs) for step in model.plan(1, throughput=False).steps)
        for batch in batches:
            shape = (batch, *model.inputs[0].shape[1:])
            sides: dict[str, Run] = {"gpucnn": model, "onnxruntime": lambda x: session.run(None, {feed: x})[0]}
            sides |= {peer: OTHERS[peer](folder, name, threads, batch) for peer in peers}
            samples: dict[str, list[list[float]]] = {side: [] for side in sides}
            spent: dict[str, list[float]] = {side: [] for side in sides}
            error, same = 0.0, 0
            for i in range(rounds + 1):  # round 0 plans, allocates and warms up
                x = rng.standard_normal(shape, np.float32)
                answers = {}
                for side, run in sides.items():
                    answers[side], times, cpu = timed(run, x, seconds if i else 0.0)
                    if i:
                        samples[side].append(times)
                        spent[side].append(cpu / len(times) / batch)
                y, z = answers["gpucnn"], answers["onnxruntime"]
                for peer in peers:
                    far = float(np.abs(answers[peer] - z).max() / np.abs(z).max())
                    if not far < 1e-3:
                        sys.exit(f"{name}: {peer} answers something else, {far:.1e} from ONNX Runtime")
                error = max(error, float(np.abs(y - z).max() / np.abs(z).max()))
                same += int((y.argmax(1) == z.argmax(1)).sum())
            row: dict[str, Any] = {"model": name, "threads": threads, "batch": batch, "error": error}
            row |= {side: batch / median(median(t) for t in times) for side, times in samples.items()}
            row["top1"] = f"{same}/{batch * (rounds + 1)}"
            row["cpu_ms"] = {side: 1e3 * median(found) for side, found in spent.items()}
            row["share_of_peak"] = row["gpucnn"] * flops / (peak * threads)
            row["ratios"] = ratios(samples, "onnxruntime")
            row["peers"] = {peer: ratios(samples, peer) for peer in peers}
            row["samples"] = samples
            rows.append(row)
    return {"rows": rows, "libraries": libraries(np, ort, gpucnn) | {"peak_gflops_a_core": peak / 1e9}}


def ratios(samples: dict[str, list[list[float]]], side: str) -> list[float]:
    return [median(b) / median(a) for a, b in zip(samples["gpucnn"], samples[side])]


def gemm_peak(np: Any) -> float:
    """Operations a second of NumPy's product of two 1024×1024 matrices on one core."""
    from threadpoolctl import threadpool_limits

    a = np.random.default_rng(0).standard_normal((1024, 1024), np.float32)
    out = np.empty_like(a)
    with threadpool_limits(1, "blas"):
        times = []
        for _ in range(9):
            begin = time.perf_counter()
            np.matmul(a, a, out=out)
            times.append(time.perf_counter() - begin)
    return 2 * 1024**3 / min(times)


def torch_side(folder: Path, name: str, threads: int, batch: int) -> Run:
    import torch
    from safetensors.torch import load_file
    from torch_nets import MODELS

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    net = MODELS[name]().eval()
    net.load_state_dict(load_file(folder / f"{name}.safetensors"), strict=False)
    net = net.to(memory_format=torch.channels_last)
    return lambda x: net(torch.from_numpy(x).to(memory_format=torch.channels_last)).numpy()


def openvino_side(folder: Path, name: str, threads: int, batch: int) -> Run:
    import openvino

    core = openvino.Core()
    model = core.read_model(str(folder / f"{name}.onnx"))
    model.reshape([batch, 3, 224, 224])
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", options).create_infer_request()
    return lambda x: request.infer([x])[0]


def ncnn_side(folder: Path, name: str, threads: int, batch: int) -> Run:
    import ncnn
    import numpy as np

    param, weights = folder / f"{name}.ncnn.param", folder / f"{name}.ncnn.bin"
    if not param.exists():
        to_ncnn(folder, name)
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.load_param(str(param))
    net.load_model(str(weights))

    def one(image: Any) -> Any:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(image))
        return np.array(extractor.extract("out0")[1]).reshape(-1)

    return lambda x: np.stack([one(image) for image in x])


def to_ncnn(folder: Path, name: str) -> None:
    """By pnnx, from PyTorch's trace; it writes beside what it reads."""
    import pnnx
    import torch
    from safetensors.torch import load_file
    from torch_nets import MODELS

    net = MODELS[name]().eval()
    net.load_state_dict(load_file(folder / f"{name}.safetensors"), strict=False)
    pnnx.export(net, str(folder / f"{name}.pt"), torch.zeros(1, 3, 224, 224), fp16=False)


OTHERS = {"torch": torch_side, "openvino": openvino_side, "ncnn": ncnn_side}


def timed(run: Run, x: Any, seconds: float) -> tuple[Any, list[float], float]:
    """The result, the seconds of each of the runs that fit, and the seconds of CPU of all."""
    time.sleep(REST)
    times: list[float] = []
    spent = time.process_time()
    end = time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        y = run(x)
        now = time.perf_counter()
        times.append(now - begin)
        if now >= end:
            return y, times, time.process_time() - spent


def libraries(np: Any, ort: Any, gpucnn: Any) -> dict[str, Any]:
    from threadpoolctl import threadpool_info

    blas = [{k: v for k, v in lib.items() if k != "filepath"} for lib in threadpool_info() if lib["user_api"] == "blas"]
    versions = {"gpucnn": gpucnn.__version__, "numpy": np.__version__, "onnxruntime": ort.__version__}
    return {"python": platform.python_version(), **versions, "blas": blas}


def commit() -> str:
    """Of the tree, with a mark where it has changes."""
    told = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True, check=False)
    return told.stdout.strip()


def machine() -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    from gpucnn.tuner import processor

    return {"cpu": processor(), "cores": os.cpu_count(), "system": platform.platform()}


if __name__ == "__main__":
    main()
