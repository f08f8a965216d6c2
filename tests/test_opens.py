"""Loading a hostile file opens nothing outside its folder, no socket, starts nothing and writes nothing: seen by Python's audit hook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import audited
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links are made otherwise on Windows")

HERE = Path(__file__).parent


def watched(tmp_path, control=""):
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(HERE / "audited.py"), str(tmp_path), control]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_hostile_files_reach_nothing(tmp_path):
    found = watched(tmp_path)
    assert found["seen"] == []
    assert found["sound"] == ["answer"] * 4 + ["ModelError"] * 3  # the checkpoints are of another net, or refused
    answers = {name for name, kind in found["outcomes"].items() if kind == "answer"}
    assert answers <= {"metadata.onnx"}
    assert len(found["outcomes"]) > 50
    assert not (tmp_path / "ran").exists()
    assert not list(tmp_path.rglob("slip.npy"))


@pytest.mark.parametrize("control", audited.CONTROLS)
def test_a_trespass_is_seen(tmp_path, control):
    assert watched(tmp_path, control)["seen"]
