"""The scripts of ``tests/perf`` that a machine with a GPU is to run: tried without one, so that its minutes are not spent on bugs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from emulated import EmulatorDriver

import gpucnn
from gpucnn.backends.cuda import IMPLS, CudaBackend

PERF = Path(__file__).parent / "perf"
sys.path.append(str(PERF))

import gpu_table  # noqa: E402
import sanitize  # noqa: E402

linux = pytest.mark.skipif(sys.platform != "linux", reason="gpu.sh wants bash and GNU coreutils")


def start(*arguments: str) -> subprocess.Popen[str]:
    variables = {**os.environ, "PYTHON": sys.executable}
    command = ["bash", str(PERF / "gpu.sh"), *arguments]
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@linux
def test_without_a_gpu_it_says_why(tmp_path):
    gpu = next(d for d in gpucnn.devices() if d.name.startswith("cuda"))
    if gpu.usable:
        pytest.skip("there is a GPU")
    process = start(str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert gpu.reason in said


@linux
@pytest.mark.parametrize("arguments", [(), ("--only", "all", "OUT"), ("--seconds", "soon", "OUT"), ("--fast", "OUT")], ids=" ".join)
def test_wrong_arguments(arguments):
    process = start(*arguments)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "usage: tests/perf/gpu.sh" in said


@linux
def test_what_is_measured_survives_a_stop_and_is_not_measured_again(tmp_path):
    file = tmp_path / "gpu.json"
    arguments = ("--smoke", "--only", "bench", "--seconds", "100", str(tmp_path))

    def rows():
        return json.loads(file.read_text("utf-8"))["rows"] if file.exists() else []

    process = start(*arguments)
    end = time.monotonic() + 60
    while not rows() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 143, said
    (row,) = rows()
    assert not row["failed"]
    assert len(row["samples"]["gpucnn"]) == row["rounds"]
    assert "bench: stopped; 1 of 2 rows are in gpu.json" in said

    process = start(*arguments)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert f"{row['kind']}: is in gpu.json already" in said
    assert rows()[0] == row
    assert len(rows()) == 2


def test_the_readme_has_the_table_of_the_committed_files():
    readme = (gpu_table.ROOT / "README.md").read_text("utf-8")
    assert gpu_table.written(readme, gpu_table.table(gpu_table.read(gpu_table.committed()))) == readme


def row(kind: str, when: str, ours: float, **ratios: list[float]) -> dict:
    common = {"model": "resnet50", "batch": 32, "precision": "float16", "device": "cuda", "gpu": "Some GPU", "commit": "0123456789ab"}
    return {**common, "kind": kind, "when": when, "ms": {"gpucnn": ours}, "ratios": ratios}


def test_the_newest_row_is_in_the_table():
    machine = {"libraries": {"torch": "2.13.0"}, "nvidia_smi": {"driver_version": "580.1"}}
    rows = [
        row("eager", "2026-01-02", 2.0, gpucnn_launches=[1.0], eager=[1.25, 1.5, 1.0], folded=[0.75]),
        row("eager", "2026-01-01", 9.0, eager=[9.0], folded=[9.0]),
        row("compiled", "2026-01-01", 2.5),
    ]
    text = gpu_table.table([{"machines": {"Some GPU": machine}, "rows": rows}])
    assert "Some GPU (driver 580.1), float16, PyTorch 2.13.0, commit 01234567:" in text
    assert "| ResNet-50 | 16 000; **1.25** / **0.75** / – |" in text


def test_the_sanitizer_sees_every_impl():
    first = {impl.name for turn, _, impl in sanitize.every_case(CudaBackend(EmulatorDriver()), 2) if turn == 0}
    assert first == {impl.name for impls in IMPLS.values() for impl in impls}
