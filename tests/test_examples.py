"""The examples run, from another folder, and show what they say."""

import subprocess
import sys
from pathlib import Path

import emulator

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(tmp_path: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_classify(tmp_path):
    out = run(tmp_path, str(EXAMPLES / "classify.py"), str(EXAMPLES / "images" / "coffee.png"), str(tmp_path / "missing.png"))
    first, second = out.splitlines()
    assert "('espresso', 0.95" in first
    assert "missing.png" in second
    assert "[(" not in second


def test_resnet_from_layers(tmp_path):
    out = run(tmp_path, str(EXAMPLES / "resnet_from_layers.py"))
    assert "scores (8, 10)" in out
    assert "has shape (8, 32, 16, 16)" in out
    assert "reference (slow)" not in out
    difference = float(out.split("differ by at most ")[1].split()[0])
    assert difference < 1e-4


def test_own_kernel(tmp_path):
    emulator.require()
    out = run(tmp_path, str(EXAMPLES / "own_kernel.py"))
    assert "float32: max_pool_2x2 (mine) equals the reference in all 1080 places" in out
    assert "float16: likewise" in out
    assert "planted bug: max_pool_2x2: " in out
    assert "own_kernel.cu:" in out.split("planted bug")[1]
    assert "not timed: no GPU" in out or "GB/s" in out
