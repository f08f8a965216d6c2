"""Little networks as PyTorch's exporters and other tools write them, beside ONNX Runtime: files of tests/data/make_onnx_nets.py."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

import gpucnn
from gpucnn.ops import Reorder

FOLDER = Path(__file__).parent / "data" / "onnx"
FILES = json.loads((FOLDER / "files.json").read_text("utf-8"))
CASES = [pytest.param(file, case, id=f"{file} {case['case']}") for file, row in FILES.items() for case in row["cases"]]


@pytest.fixture(scope="module")
def answers():
    with np.load(FOLDER / "answers.npz") as stored:
        return dict(stored)


@pytest.mark.parametrize(("file", "case"), CASES)
def test_equals_onnx_runtime(file, case, answers):
    """At one image and at three, with sizes that the file was not exported with, too."""
    with gpucnn.load(FOLDER / file, device="cpu") as model:
        for n in FILES[file]["batches"]:
            y = model.run({name: answers[key][:n] for name, key in case["inputs"].items()})
            assert set(y) == set(case["allowed"])
            for name, allowed in case["allowed"].items():
                expected = answers[f"{file} {case['case']} {name}"][:n]
                assert (y[name].shape, y[name].dtype) == (expected.shape, expected.dtype)
                distance = np.abs(y[name].astype(np.float64) - expected).max()
                assert distance <= allowed, f"batch {n}, output {name}: off by {distance}"


@pytest.mark.parametrize(("file", "case"), CASES)
def test_what_is_allowed_tells_images_apart(file, case, answers):
    for name, allowed in case["allowed"].items():
        y = answers[f"{file} {case['case']} {name}"].astype(np.float64)
        assert np.isfinite(y).all()
        apart = np.abs(y[0] - y[1]).max() if len(y) > 1 else np.ptp(y)
        assert apart > 20 * allowed


def test_files_are_those_of_the_table():
    assert {f.name for f in FOLDER.glob("*.onnx")} == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_files_say_nothing_of_the_machine_that_made_them(file):
    data = (FOLDER / file).read_bytes()
    assert not re.search(rb'File "|site-packages|/[a-z_]+/[a-z_/]+\.(py|onnx)\b', data)
    assert len(data) < 60_000
    onnx.checker.check_model(onnx.load_from_string(data))


LEFT = {
    "se": {"Conv": 9, "GlobalAvgPool": 3, "Binary": 2, "Linear": 1},
    "by_hand": {"Conv": 4, "GlobalAvgPool": 1, "Linear": 1},
    "shuffle": {"Conv": 7, "ChannelShuffle": 2, "GlobalAvgPool": 1, "Linear": 1},
    "sizes": {"Conv": 4, "Resize": 5, "Binary": 4},
    "flattened": {"Conv": 1, "Linear": 3, "Concat": 1, "LogSoftmax": 1},
    "pixels": {"SpaceToDepth": 2, "Conv": 3, "Reduce": 1, "Binary": 1, "Activation": 1, "DepthToSpace": 2},
    "standardised": {"Conv": 3, "GlobalAvgPool": 1, "Linear": 1},
    "same": {"Conv": 3, "MaxPool": 1, "AvgPool": 1, "GlobalAvgPool": 2, "Binary": 1, "Linear": 1},
    "unet": {"Conv": 6, "MaxPool": 2, "ConvTranspose": 2},
    "signal": {"Conv": 3, "MaxPool": 1, "GlobalAvgPool": 2, "Binary": 1, "AvgPool": 1, "ConvTranspose": 1, "Linear": 1},
    "branch": {"Conv": 2, "MaxPool": 1, "GlobalAvgPool": 1, "Linear": 1},
}
"""What is left of a network, whoever wrote the file; Reorders, of which an image that comes in needs one, apart."""


@pytest.mark.parametrize("file", [f for f in FILES if f.split(".")[0] in LEFT and f.split(".")[1] not in ("int8", "uint8", "half")])
def test_what_exporters_add_goes_away(file):
    with gpucnn.load(FOLDER / file, device="cpu") as model:
        nodes = [step.node for step in model.plan(1, throughput=False).steps]
    unfolded = [node for node in nodes if node.name.endswith(".pad")]  # borders of what a convolution reads: a pass's, not a file's
    kinds = Counter(type(node.op).__name__ for node in nodes if not isinstance(node.op, Reorder) and node not in unfolded)
    assert kinds == LEFT[file.split(".")[0]]
