"""gpucnn beside PyTorch on a GPU, with the same weights and inputs: device times of whole networks, and of each step of gpucnn's.

    python tests/perf/gpu.py FOLDER [--seconds 540] [--models resnet50,vgg16] [--batches 32,256,1] [--precisions float16,float32]
                                    [--kinds eager,compiled] [--rounds 7] [--side-seconds 0.15] [--commit ID] [--smoke]

Writes FOLDER/gpu.json: a row for each (model, batch, precision, kind of peers), as soon as it is measured. Rows that are there for the
same sources, GPU, driver, PyTorch and CuPy are not measured again, so a second call goes on. Stopped by time, Ctrl-C or SIGTERM, it
prints what it has. A round runs first gpucnn, then each peer, so that a change of the GPU's mood meets all; ratios are taken inside
rounds. A process of its own measures; should it die, the row says so and another one goes on. --smoke tries all this with tiny sizes
on a CPU, without torch too, and writes to FOLDER/smoke.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any

from gpu_table import layers_text

ROOT = Path(__file__).resolve().parents[2]
MODELS, BATCHES, PRECISIONS, KINDS = "resnet50,mobilenet_v2,vgg16", "32,256,1", "float16,float32", "eager,compiled"
SMOKE = {"model": "resnet18", "batch": 4, "precision": "float32", "size": 64}  # the CPU's plan takes images by fours
PEERS = {"eager": ("eager", "folded"), "compiled": ("compiled",)}
LEAST = {"eager": 10.0, "compiled": 60.0}  # with fewer seconds left a row is not begun
MOST_SAMPLES = 40  # of a side in a round

Row = dict[str, Any]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Device times of gpucnn beside PyTorch on a GPU.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("."), help="where gpu.json is, or will be")
    parser.add_argument("--seconds", type=float, default=540, help="stop after this long (540)")
    parser.add_argument("--models", default=MODELS, help=f"comma-separated ({MODELS})")
    parser.add_argument("--batches", default=BATCHES, help=f"comma-separated, the most wanted first ({BATCHES})")
    parser.add_argument("--precisions", default=PRECISIONS, help=f"comma-separated ({PRECISIONS})")
    parser.add_argument("--kinds", default=KINDS, help=f"kinds of peers ({KINDS})")
    parser.add_argument("--rounds", type=int, default=7, help="(7)")
    parser.add_argument("--side-seconds", type=float, default=0.15, help="a side in a round; one run at the least (0.15)")
    parser.add_argument("--commit", default="", help="what to call the sources (git is asked)")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes on a CPU, to try this script")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def jobs(args: argparse.Namespace) -> list[Row]:
    """Rows to measure, the most valuable first."""
    common = {"rounds": args.rounds, "side_seconds": args.side_seconds}
    if args.smoke:
        return [{**SMOKE, **common, "kind": kind, "device": "cpu"} for kind in args.kinds.split(",")]
    return [
        {"model": model, "batch": int(batch), "precision": precision, "kind": kind, "size": 224, "device": "cuda", **common}
        for precision in args.precisions.split(",")
        for kind in args.kinds.split(",")
        for batch in args.batches.split(",")
        for model in args.models.split(",")
    ]


def main() -> None:
    args = arguments()
    if args.worker:
        work()
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    end = time.monotonic() + args.seconds
    bench = Bench(args)
    try:
        bench.run(end)
    finally:
        bench.close()
        print(bench.summary(), flush=True)
    sys.exit(any(row["failed"] for row in bench.rows()))


def stop(number: int, frame: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what follows only prints
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(128 + number)


# ---------------------------------------------------------------- the file, and what is printed


class Bench:
    """The file of rows, and the process that measures them."""

    def __init__(self, args: argparse.Namespace) -> None:
        folder = args.folder / "smoke" if args.smoke else args.folder  # what is tried out must never look like what was measured
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "gpu.json"
        self.document: Row = json.loads(self.file.read_text("utf-8")) if self.file.exists() else {"machines": {}, "rows": []}
        self.worker: Worker | None = None
        self.same = {"commit": args.commit or commit() or unknown(), "sources": sources()}
        self.gpu = ""
        self.wanted = jobs(args)

    def run(self, end: float) -> None:
        self.meet(end)
        print(f"{self.gpu}, sources {self.same['sources']} of commit {self.same['commit']}; ms of a batch, medians")
        for job in self.wanted:
            name = f"{job['model']}, batch {job['batch']}, {job['precision']}, {job['kind']}"
            if self.has(job):
                print(f"{name}: is in {self.file.name} already", flush=True)
                continue
            if job["device"] != "cpu" and end - time.monotonic() < LEAST[job["kind"]]:
                print(f"{name}: no time left")
                continue
            if self.worker is None:
                self.meet(end)
            assert self.worker is not None
            try:
                answer = self.worker.ask(job, end - time.monotonic())
            except TimeoutError:
                print(f"{name}: stopped, the time is up")
                return
            row = answer or {**job, "failed": {"all": "the measuring process died; worker.log may say why"}, "samples": {}}
            if answer is None or answer.pop("sick"):
                self.close()
            self.keep(job, row)
            print(line(row), flush=True)

    def meet(self, end: float) -> None:
        """Start the process, and hear of the machine."""
        self.worker = Worker(self.file.with_name("worker.log"))
        known = list(self.document["machines"])
        machine = self.worker.ask({"known": known}, end - time.monotonic())
        if machine is None:
            sys.exit("the measuring process died at once; worker.log may say why")
        self.gpu = machine.pop("gpu")
        if machine:
            self.document["machines"][self.gpu] = machine
            self.save()

    def rows(self) -> list[Row]:
        """Those of these sources on this machine."""
        return [r for r in self.document["rows"] if r["sources"] == self.same["sources"] and r["gpu"] == self.gpu]

    def has(self, job: Row) -> bool:
        return any(matches(row, job) and not row["failed"] for row in self.rows())

    def keep(self, job: Row, row: Row) -> None:
        """Add a row, in the place of a failed one."""
        row |= {**self.same, "gpu": self.gpu, "when": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        mine = self.rows()
        others = [r for r in self.document["rows"] if r not in mine or not matches(r, job)]
        self.document["rows"] = [*others, row]
        self.save()

    def save(self) -> None:
        """The whole file or none of it; a row is a line."""
        rows = ",\n".join(json.dumps(row) for row in self.document["rows"])
        text = f'{{"machines": {json.dumps(self.document["machines"], indent=1)},\n"rows": [\n{rows}\n]}}\n'
        new = self.file.with_suffix(".json.partial")
        new.write_text(text, "utf-8")
        os.replace(new, self.file)

    def close(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            self.worker = None

    def summary(self) -> str:
        rows = self.rows()
        text = ["", *map(line, rows)]
        machine = self.document["machines"].get(self.gpu, {})
        for row in rows:
            if row.get("layers") and row["batch"] == max(r["batch"] for r in rows if r["model"] == row["model"]):
                text += ["", layers_text(row, machine.get("ceilings", {}), 8)]
        done = sum(map(self.has, self.wanted))
        return "\n".join([*text, "", f"{done} of {len(self.wanted)} rows are in {self.file.name}"])


def matches(row: Row, job: Row) -> bool:
    return all(row[key] == job[key] for key in ("model", "batch", "precision", "kind", "size"))


def line(row: Row) -> str:
    start = f"{row['model']:<14}{row['batch']:>5} {row['precision']:<9}{row['kind']:<9}"
    parts = []
    for side, ms in row.get("ms", {}).items():
        ratios = row["ratios"].get(side)
        beside = f" ({median(ratios):.2f}: {min(ratios):.2f} … {max(ratios):.2f}; error {row['errors'].get(side, 0):.0e})" if ratios else ""
        if side == "gpucnn" and row.get("input_ms"):
            beside = f" (its input's {', '.join(f'{op} {t:.3f}' for op, t in row['input_ms'].items())})"
        parts.append(f"{side} {ms:.3f}{beside}")
    parts += [f"{side} FAILED: {why}" for side, why in row["failed"].items()]
    return f"{start}{', '.join(parts)}"


def commit() -> str:
    """The commit of this checkout, marked where the files that matter differ from it; empty where git knows none of it."""

    def git(*command: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        top = git("rev-parse", "--show-toplevel")
        if not top or Path(top).resolve() != ROOT:  # a copy inside another repository is none of its commits
            return ""
        head = git("rev-parse", "HEAD")
        return head + ("-dirty" if head and git("status", "--porcelain", "--", "gpucnn", "kernels") else "")
    except OSError:
        return ""


def unknown() -> str:
    """What a commit is called that nobody names."""
    print(f"gpu.py: git knows no commit of {ROOT}, rows will say 'unknown'; --commit ID names it", file=sys.stderr, flush=True)
    return "unknown"


def sources() -> str:
    """A hash of what is measured: the package's code and the kernels."""
    digest = hashlib.sha256()
    for folder, pattern in (("gpucnn", "*.py"), ("kernels", "*.cu*")):
        for file in sorted((ROOT / folder).rglob(pattern)):
            digest.update(f"{file.relative_to(ROOT).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


class Worker:
    """The process that measures: one JSON line in, one out. Whatever else it and its libraries print goes to a log."""

    def __init__(self, log: Path) -> None:
        command = [sys.executable, __file__, "--worker"]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
        pipe = subprocess.PIPE
        with log.open("a") as errors:
            # A session of its own: Ctrl-C is for the parent, and torch's compiling children can be ended with it.
            self.process = subprocess.Popen(
                command, env=variables, text=True, start_new_session=True, stdin=pipe, stdout=pipe, stderr=errors
            )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.lines.put(text)
        self.lines.put("null")

    def ask(self, job: Row, seconds: float) -> Row | None:
        """The answer; None where the process has died. TimeoutError where none comes in time."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            answer: Row | None = json.loads(self.lines.get(timeout=max(seconds, 0)))
        except BrokenPipeError:
            return None
        except queue.Empty:
            raise TimeoutError from None
        return answer

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


# ---------------------------------------------------------------- inside the process


def work() -> None:
    """Answer jobs until stdin ends. Only answers go to the parent: what libraries print goes where errors go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for text in sys.stdin:
        job = json.loads(text)
        answer = meet(job["known"]) if "known" in job else measure(job)
        print(json.dumps(answer), file=answers, flush=True)


def meet(known: list[str]) -> Row:
    """What the machine is called, and where that is not known yet, versions and what it can do."""
    import gpu_sides

    found = gpu_sides.machine()
    if found["gpu"] in known:
        return {"gpu": found["gpu"]}
    torch = gpu_sides.torch
    return {**found, "ceilings": gpu_sides.ceilings("cuda" if torch is not None and torch.cuda.is_available() else "cpu")}


def measure(job: Row) -> Row:
    """A row, and whether this process is still good for another."""
    import gpu_sides as sides

    row = all_sides(job)
    return {**row, "sick": sides.is_sick()}


def all_sides(job: Row) -> Row:
    """All sides on one input. One side's failure does not cost the others' figures."""
    import gpu_sides as sides
    import numpy as np

    model, device, precision = job["model"], job["device"], job["precision"]
    x = np.random.default_rng(0).standard_normal((job["batch"], 3, job["size"], job["size"]), np.float32)
    row: Row = {**job, "failed": {}, "ready_s": {}}
    net, state = sides.network(model, device)
    makers: dict[str, Callable[[], Any]] = {"gpucnn": lambda: sides.Ours(model, state, x, device, precision)}
    if device == "cuda":
        makers["gpucnn_launches"] = lambda: sides.Launched(made["gpucnn"])
    for side in PEERS[job["kind"]] if net is not None else ():
        makers[side] = lambda side=side: sides.peer(side, net, x, device, precision)
    made: dict[str, Any] = {}
    for side, make in makers.items():
        begin = time.perf_counter()
        try:
            made[side] = make()
            row["ready_s"][side] = round(time.perf_counter() - begin, 2)
        except Exception as error:
            row["failed"][side] = f"{type(error).__name__}: {error}"[:500]
    try:
        compare(row, made)
    except Exception as error:
        row["failed"]["all"] = f"{type(error).__name__}: {error}"[:500]
    if "gpucnn" in made:
        made["gpucnn"].close()
    return row


def compare(row: Row, made: dict[str, Any]) -> None:
    """Times of all that could be made, in interleaved rounds; then how far the results lie apart, and gpucnn's steps."""
    import gpu_sides as sides

    samples: dict[str, list[list[float]]] = {side: [] for side in made}
    for i in range(row["rounds"] + 1):  # round 0 warms up
        for side, runner in made.items():
            times = timed(runner.ms, row["side_seconds"] if i else 0.0)
            if i:
                samples[side].append(times)
    row["samples"] = samples
    row["ms"] = {side: round(median(median(t) for t in times), 5) for side, times in samples.items()}
    row["ratios"], row["errors"] = {}, {}
    ours = made.get("gpucnn")
    if ours is None:
        return
    row |= ours.describe()
    y = ours.output()
    for side in list(made)[1:]:
        row["ratios"][side] = [round(median(b) / median(a), 4) for a, b in zip(samples["gpucnn"], samples[side])]
        if hasattr(made[side], "output"):
            z = made[side].output()
            row["errors"][side] = float(abs(y - z).max() / abs(z).max())
    if row["kind"] == "eager":
        row["empty_ms"] = median(ours.ms(lambda: None) for _ in range(20))  # what timing itself takes
        row["layers"] = ours.layers()
        # Of gpucnn's time: from a caller's input to what peers are given at once.
        first = takewhile(lambda layer: layer["op"] in sides.MOVES, row["layers"])
        row["input_ms"] = {layer["op"]: median(layer["ms"]) for layer in first}


def timed(ms: Callable[[], float], seconds: float) -> list[float]:
    """Milliseconds of each of the runs that fit."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or (time.perf_counter() < end and len(times) < MOST_SAMPLES):
        times.append(round(ms(), 5))
    return times


if __name__ == "__main__":
    main()
