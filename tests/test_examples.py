"""The examples run, from another folder, and show what they say."""

import subprocess
import sys
from pathlib import Path

import emulator
from PIL import Image

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


def test_forward_pass(tmp_path):
    out = run(tmp_path, str(EXAMPLES / "forward_pass.py"))
    assert "Sobel x: brighter to the right      216x324 float32, -" in out
    assert "F.fractional_max_pool2d(grey, 2, (100, 150))" in out
    assert "1x5 float32" in out
    with Image.open(tmp_path / "forward_pass.png") as sheet:
        assert f"{sheet.width}x{sheet.height} pixels" in out
    out = run(tmp_path, str(EXAMPLES / "forward_pass.py"), str(EXAMPLES / "images" / "rocket.jpg"), "-o", "rocket.png")
    assert out.endswith("pixels\n")
    assert (tmp_path / "rocket.png").is_file()
