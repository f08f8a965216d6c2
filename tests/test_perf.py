"""The scripts of ``tests/perf`` that a machine with a GPU is to run: tried without one, so that its minutes are not spent on bugs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import emulator
import numpy as np
import pytest
from emulated import EmulatorDriver
from fake_cupy import FakeCupy
from test_on_gpu import SHAPE, Small
from test_on_gpu import gpu as fake_gpu  # noqa: F401

import gpucnn
from gpucnn.backends.cuda import probe
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.backends.cuda.source import load_source

PERF = Path(__file__).parent / "perf"
sys.path.append(str(PERF))

import gpu as bench  # noqa: E402
import gpu_sides  # noqa: E402
import gpu_table  # noqa: E402
import onnx_exports  # noqa: E402
import sanitize  # noqa: E402
import zoo as beside_torchvision  # noqa: E402

linux = pytest.mark.skipif(sys.platform != "linux", reason="gpu.sh wants bash and GNU coreutils")


def start(*arguments: str, perf: Path = PERF, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHON": sys.executable, **variables}
    command = ["bash", str(perf / "gpu.sh"), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said_by(*arguments: str, code: int, **more: Any) -> str:
    """What gpu.sh prints, having exited with ``code``."""
    process = start(*arguments, **more)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == code, said
    return said


@linux
def test_without_a_gpu_it_says_why(tmp_path):
    gpu = next(d for d in gpucnn.devices() if d.name.startswith("cuda"))
    if gpu.usable:
        pytest.skip("there is a GPU")
    assert gpu.reason in said_by(str(tmp_path), code=2)


@linux
@pytest.mark.parametrize("arguments", ["", "--only all OUT", "--seconds soon OUT", "--commit --smoke OUT", "--fast OUT"])
def test_wrong_arguments(arguments):
    assert "usage: tests/perf/gpu.sh" in said_by(*arguments.split(), code=2)


@linux
def test_what_is_measured_survives_a_stop_and_is_not_measured_again(tmp_path):
    file = tmp_path / "smoke" / "gpu.json"
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

    said = said_by(*arguments, code=0)
    assert f"{row['kind']}: is in gpu.json already" in said
    assert rows()[0] == row
    assert len(rows()) == 2
    assert not (tmp_path / "gpu.json").exists(), "what was tried out is kept apart"


@pytest.fixture
def machine(tmp_path):
    """A Python for gpu.sh that claims a GPU, and notes the commands of steps instead of running them: (its variables, the notes)."""
    notes = tmp_path / "commands"
    python = tmp_path / "python"
    python.write_text(
        f"""#!/usr/bin/env bash
        case "$*" in
            "-c import pytest") [ "$WITHOUT" != pytest ] || {{ echo "No module named 'pytest'"; exit 1; }} ;;
            - | -c*) text=$(cat); if [[ $text == *usable* ]]; then echo "$GPU"; else exec "{sys.executable}" "$@" <<< "$text"; fi ;;
            *) echo "$*" >> "{notes}" ;;
        esac
        """
    )
    sanitizer = tmp_path / "compute-sanitizer"
    sanitizer.write_text(f'#!/bin/sh\necho "$*" >> "{notes}"\n')
    for file in (python, sanitizer):
        file.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    notes.touch()
    return {"PYTHON": str(python), "PATH": path, "GPU": "GPU A", "WITHOUT": ""}, notes


@linux
def test_a_step_that_passed_is_not_run_again_on_the_same_gpu(tmp_path, machine):
    variables, notes = machine
    arguments = ("--only", "tests,fragments,memcheck,racecheck", str(tmp_path / "out"))

    def steps(*more: str, gpu: str = "GPU A") -> int:
        before = len(notes.read_text().splitlines())
        said_by(*more, *arguments, code=0, **{**variables, "GPU": gpu})
        return len(notes.read_text().splitlines()) - before

    assert steps("--smoke") == 4
    assert steps() == 4, "what was tried out is not done"
    assert steps() == 0
    assert steps(gpu="GPU B") == 4


@linux
def test_without_pytest_it_says_first_what_falls_away(tmp_path, machine):
    variables, notes = machine
    said = said_by(str(tmp_path / "out"), code=1, **{**variables, "WITHOUT": "pytest"})
    begin, end = said.split("===", 1)
    for step in ("tests", "fragments"):
        assert f"{step} falls away: pytest cannot be imported: No module named 'pytest'" in begin
        assert f"{step}: FAILED, pytest cannot be imported" in end
    assert re.findall(r"memcheck|racecheck|gpu\.py", notes.read_text()) == ["memcheck", "racecheck", "gpu.py"]


def test_the_sanitizers_run_needs_no_pytest():
    code = f"import sys; sys.modules['pytest'] = None; sys.path.insert(0, {str(PERF)!r}); import sanitize"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the tree that git knows nothing of; one file with tests for a GPU wants a package that nobody has."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("gpucnn", "kernels", "tests"):
        shutil.copytree(PERF.parents[1] / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PERF.parents[1] / "pyproject.toml", root)
    broken = root / "tests" / "test_cuda_nets.py"
    broken.write_text(broken.read_text("utf-8").replace("import emulator\n", "import emulator\nimport nobody_has_this\n"), "utf-8")
    return root


@linux
def test_a_file_that_cannot_be_collected_fails_and_stops_no_other(tmp_path, copy):
    for package in ("PIL", "scipy"):  # what files without tests for a GPU import
        (tmp_path / f"{package}.py").write_text("raise ImportError")
    variables = {"PYTHONPATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": "", "GPUCNN_REQUIRE_GPU": "0"}
    said = said_by("--smoke", "--only", "tests", str(tmp_path / "out"), code=1, perf=copy / "tests" / "perf", **variables)
    log = (tmp_path / "out" / "smoke" / "tests.log").read_text()
    assert "No module named 'nobody_has_this'" in log
    assert re.findall(r"^ERROR (\S+)", said, re.M) == ["tests/test_cuda_nets.py"]
    assert {Path(file).name for file in re.findall(r"^SKIPPED \[\d+\] ([^:]+)", log, re.M)} >= {"test_gpu.py", "drivers.py"}, log


@linux
def test_files_with_tests_for_a_gpu_are_found(tmp_path, machine):
    variables, notes = machine
    said_by("--only", "tests", str(tmp_path / "out"), code=0, **variables)
    given = {Path(word).name for word in notes.read_text().split() if word.startswith("tests/")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "-m", "gpu", "tests"]
    listed = subprocess.run(command, cwd=PERF.parents[1], capture_output=True, text=True, check=True).stdout
    assert given == set(re.findall(r"(test_\w+\.py)", listed))


@linux
def test_a_commit_comes_from_the_option_then_from_git(tmp_path, machine, copy):
    variables, notes = machine
    perf = copy / "tests" / "perf"
    subprocess.run(["git", "init", "-q", str(copy.parent)], check=True)  # of which the copy is no part
    arguments = ("--only", "bench", str(tmp_path / "out"))
    said = said_by(*arguments, code=0, perf=perf, **{**variables, "GIT_COMMIT": "of-the-environment"})
    assert f"git knows no commit of {copy}, rows will say 'unknown'; --commit ID names it" in said
    said = said_by("--commit", "v1-named", *arguments, code=0, perf=perf, **variables)
    assert "git knows no commit" not in said
    assert [re.findall(r"--commit (\S+)", line) for line in notes.read_text().splitlines()] == [["unknown"], ["v1-named"]]


def test_git_names_this_checkout(monkeypatch, tmp_path):
    def git(*command: str) -> str:
        somebody = ("-c", "user.name=x", "-c", "user.email=x")
        return subprocess.run(["git", "-C", str(tmp_path), *somebody, *command], stdout=subprocess.PIPE, text=True, check=True).stdout

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "x")
    monkeypatch.setattr(bench, "ROOT", tmp_path.resolve())
    head = git("rev-parse", "HEAD").strip()
    assert bench.commit() == head
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "new.cu").touch()
    assert bench.commit() == f"{head}-dirty"


def test_rows_belong_to_a_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu.py", str(tmp_path), "--commit", "v1"])
    table = bench.Bench(bench.arguments())
    job = table.wanted[0]
    names = []
    for name, driver in (("GPU A", "1"), ("GPU A", "2"), ("GPU B", "2")):
        monkeypatch.setattr(probe, "find_gpus", lambda name=name: ([probe.Gpu(0, name, (8, 0), 1)], 13000, ""))
        monkeypatch.setattr(gpu_sides, "nvidia_smi", lambda name, driver=driver: {"name": name, "driver_version": driver})
        table.gpu = gpu_sides.machine()["gpu"]
        names.append(table.gpu)
        assert not table.has(job)
        table.keep(job, {**job, "failed": {}})
        assert table.has(job)
    assert len(set(names)) == len(table.document["rows"]) == 3
    assert names[0].startswith("GPU A, driver 1, PyTorch ")
    assert {row["commit"] for row in table.document["rows"]} == {"v1"}


@linux
def test_nvidia_smi_is_asked_for_the_gpu_that_cuda_takes(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU A, 1, 10 MHz, 20 MHz, 30 W, 40 MiB'; echo 'GPU B, 1, 11 MHz, 21 MHz, 31 W, 41 MiB'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert gpu_sides.nvidia_smi("GPU B")["power.limit"] == "31 W"
    assert gpu_sides.nvidia_smi("GPU C") == {}


def test_gpucnns_side_on_a_gpu_that_is_made_up(fake_gpu, monkeypatch):  # noqa: F811
    monkeypatch.setattr(gpucnn.zoo, "create", lambda name: Small())
    x = np.random.default_rng(0).standard_normal((1, *SHAPE), np.float32)
    ours = gpu_sides.Ours("small", None, x, "cuda", "float16")
    first = ours.output()
    row = {"kind": "eager", "rounds": 1, "side_seconds": 0.0, "failed": {}}
    bench.compare(row, {"gpucnn": ours, "gpucnn_launches": gpu_sides.Launched(ours)})
    assert FakeCupy.graphs, "what is timed is a CUDA graph"
    assert set(row["ms"]) == {"gpucnn", "gpucnn_launches"}
    assert list(row["input_ms"]) == [layer["op"] for layer in row["layers"][:2]] == ["cast", "reorder"]
    assert row["layers"][2]["op"] == "conv2d"
    assert bench.line({**row, "model": "small", "batch": 1, "precision": "float16"}).count("its input's cast") == 1
    np.testing.assert_array_equal(ours.output(), first)
    ours.close()


def test_a_head_start_lasts():
    """A turn of its loop stays a turn: folded, several multiply-adds are one with another factor."""
    emulator.require()
    code = load_source("spin.cu")
    ptx = emulator.compile_ptx(code.text, code.name)
    assert re.findall(r"mad\.lo\.s32\s+%r\d+, %r\d+, (-?\d+),", ptx) == ["1664525"]


def test_the_readme_has_the_table_of_the_committed_files():
    readme = (gpu_table.ROOT / "README.md").read_text("utf-8")
    assert gpu_table.written(readme, gpu_table.table(gpu_table.read(gpu_table.committed()))) == readme


def test_the_readme_says_what_was_found_beside_torchvision():
    """Of every network, and each as it should be."""
    made = json.loads(beside_torchvision.RESULTS.read_text("utf-8"))
    assert set(made["rows"]) == set(json.loads(beside_torchvision.STATES.read_text("utf-8")))
    assert [name for name, row in made["rows"].items() if not beside_torchvision.good(row)] == []
    readme = (beside_torchvision.ROOT / "README.md").read_text("utf-8")
    assert beside_torchvision.written(readme, beside_torchvision.summary(made)) == readme


def test_the_readme_says_what_became_of_exports():
    """Of sixteen architectures; in results/onnx_exports.md of all, and each as it should be."""
    made = json.loads(onnx_exports.RESULTS.read_text("utf-8"))
    assert [f"{name}, {e}" for name, by in made["rows"].items() for e, row in by.items() if not onnx_exports.good(row)] == []
    assert all({"dynamo18", "script17"} <= set(by) for by in made["rows"].values())
    assert set(onnx_exports.SIXTEEN) < set(made["rows"])
    summary, readme = onnx_exports.summary(made), (onnx_exports.ROOT / "README.md").read_text("utf-8")
    assert onnx_exports.written(readme, f"{summary}\n\n{onnx_exports.table(made, onnx_exports.SIXTEEN)}") == readme
    everything = f"{summary}\n\n{onnx_exports.table(made, tuple(made['rows']))}\n"
    assert onnx_exports.RESULTS.with_suffix(".md").read_text("utf-8") == everything


def row(kind: str, when: str, ours: float, **ratios: list[float]) -> dict:
    common = {"model": "resnet50", "batch": 32, "precision": "float16", "device": "cuda", "gpu": "Some GPU, driver 1"}
    return {**common, "commit": "0123456789ab-dirty", "kind": kind, "when": when, "ms": {"gpucnn": ours}, "ratios": ratios}


def test_the_newest_row_is_in_the_table():
    rows = [
        row("eager", "2026-01-02", 2.0, gpucnn_launches=[1.0], eager=[1.25, 1.5, 1.0], folded=[0.75]),
        row("eager", "2026-01-01", 9.0, eager=[9.0], folded=[9.0]),
        row("compiled", "2026-01-01", 2.5),
    ]
    text = gpu_table.table([{"machines": {}, "rows": rows}])
    assert "Some GPU, driver 1, float16, commit 01234567-dirty:" in text
    assert "| ResNet-50 | 16 000; **1.25** / **0.75** / – |" in text


def test_the_sanitizer_sees_every_impl():
    first = {impl.name for turn, _, impl in sanitize.every_case(CudaBackend(EmulatorDriver()), 2) if turn == 0}
    assert first == {impl.name for impls in IMPLS.values() for impl in impls}
