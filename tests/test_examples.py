"""The examples run, from another folder, and show what they say."""

import os
import subprocess
import sys
from pathlib import Path

import emulator
import pytest
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
    assert "('tiger cat', 0.38" in run(tmp_path, str(EXAMPLES / "classify.py"))  # without a photograph, from any folder


def test_resnet_from_layers(tmp_path):
    out = run(tmp_path, str(EXAMPLES / "resnet_from_layers.py"))
    assert "scores (8, 10)" in out
    assert "has shape (8, 32, 16, 16)" in out
    assert "reference (slow)" not in out
    difference = float(out.split("differ by at most ")[1].split()[0])
    assert difference < 1e-4


def test_onnx_file(tmp_path):
    out = run(tmp_path, str(EXAMPLES / "onnx_file.py"))
    assert "19 nodes in the file, 19 nodes recorded, 11 steps run, 0 reorders left" in out
    assert "{'logits': (2, 10)}" in out
    assert "input 'x' must have 4 axes (n×1×28×28 float32), got shape 2×5 float32" in out
    assert "933 of 1000 right" in out


def test_own_kernel(tmp_path):
    emulator.require()
    out = run(tmp_path, str(EXAMPLES / "own_kernel.py"))
    assert "float32: max_pool_2x2 (mine) equals the reference in all 1080 places" in out
    assert "float16: likewise" in out
    assert "planted bug: max_pool_2x2: " in out
    assert "own_kernel.cu:" in out.split("planted bug")[1]
    assert "not timed: no GPU" in out or "GB/s" in out


def test_own_kernel_says_what_is_missing(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path), "GPUCNN_EMULATOR_CACHE": str(tmp_path)}  # there is no g++ there
    command = [sys.executable, str(EXAMPLES / "own_kernel.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.endswith("the top of own_kernel.py says what it needs\n")
    assert "Traceback" not in done.stderr


def test_multi_label(tmp_path):
    """Rows as the example's docstring promises them: each label, pairs and all three that were not in the fit, and none."""
    rows = {line[:15].strip(): line[16:53].strip() for line in run(tmp_path, str(EXAMPLES / "multi_label.py")).splitlines()[3:]}
    labels = {name: {part.split()[0] for part in row.split(", ")} for name, row in rows.items()}
    assert labels == {
        "the cat": {"cat"},
        "the coffee": {"coffee"},
        "the rocket": {"rocket"},
        "rocket and cat": {"rocket", "cat"},
        "all three": {"cat", "coffee", "rocket"},
        "plain blue": {"(no"},
    }
    assert rows["plain blue"] == "(no label)"


def test_own_weights(tmp_path):
    lines = run(tmp_path, str(EXAMPLES / "own_weights.py")).splitlines()
    files = ("flowers.safetensors", "flowers.npz", "flowers.pth", "a state dict")
    rows = [line[21:] for line in lines if line.startswith(files)]
    assert len(rows) == 4
    assert len(set(rows)) == 1
    assert {part.split()[0] for part in rows[0].split(", ")} == {"daisy", "rose", "tulip"}
    assert "the same bits from each: True" in lines
    errors = [line for line in lines if line.startswith("ModelError: ")]
    said = ("1 missing: classifier.1.bias 3", "not weights of resnet18", "2 labels were given", "does not name its architecture")
    assert len(errors) == len(said)
    for error, part in zip(errors, said):
        assert part in error
    assert not list(tmp_path.iterdir())


def test_similar_images(tmp_path):
    _, *searches = run(tmp_path, str(EXAMPLES / "similar_images.py")).split("\n\n")
    assert [search.split(".")[0] for search in searches] == ["chelsea", "coffee", "rocket"]
    for search in searches:
        asked, *found = search.splitlines()
        cosines, names = zip(*(line.split(maxsplit=1) for line in found))
        own = [name.startswith(f"{Path(asked).stem}, ") for name in names]
        assert own == [True] * 5 + [False], "its own versions, and then another"
        assert float(cosines[4]) > 2 * float(cosines[5])
        assert 1 > float(cosines[0]) > float(cosines[4]) > 0.5


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.png"], "nowhere.png is not read: "),
        ([str(EXAMPLES / "README.md")], "README.md is not read: "),
        (["-o", "sheet"], "the sheet is written as .png, .jpg or .webp, not sheet"),
        (["-o", "nowhere/sheet.png"], "there is no folder nowhere"),
    ],
)
def test_forward_pass_says_what_is_wrong(tmp_path, arguments, said):
    command = [sys.executable, str(EXAMPLES / "forward_pass.py"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
