"""The commands on ONNX files: what is said, once, and that any model can be inspected and timed."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, save
from onnx_classifiers import classifier
from onnx_graphs import model
from PIL import Image

from gpucnn.cli import main


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    return str(path)


def test_classify_says_once_what_is_assumed(tmp_path, picture, capsys):
    path = str(classifier(tmp_path / "net.onnx"))
    assert main(["classify", picture, picture, "-m", path]) == 0
    rows, said = capsys.readouterr()
    assert rows.count("class 3") == 2
    assert said.count("assumed: torchvision") == 1
    assert "write mean, std and crop_pct into the file's metadata" in said
    assert main(["classify", picture, "-m", path, "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_a_record_in_the_metadata_is_all_it_takes(tmp_path, picture, capsys):
    path = classifier(tmp_path / "net.onnx", metadata={"mean": "0.5", "std": "0.25", "crop_pct": "1", "labels": "a\nb\nc\nd"})
    assert main(["classify", picture, "-m", str(path)]) == 0
    rows, said = capsys.readouterr()
    assert "assumed" not in said
    assert "labels the file's metadata 'labels'" in said
    assert all(f" {name} " in rows for name in "abcd")


def test_that_images_are_run_one_by_one_is_said(tmp_path, picture, capsys):
    for head, said in (("fixed", 1), ("gemm", 0)):
        assert main(["classify", picture, "-m", str(classifier(tmp_path / "net.onnx", shape=(1, 3, 8, 8), head=head))]) == 0
        assert capsys.readouterr().err.count("images one by one;") == said


def test_a_net_that_is_no_classifier_is_told_so_and_nothing_is_assumed(tmp_path, picture, capsys):
    two = model([("Add", "a b", "y")], dict.fromkeys("ab", ("float32", ("n", 3, 8, 8))))
    several = model([("Relu", "x", "y"), ("Neg", "x", "z")], {"x": ("float32", ("n", 3, 8, 8))}, ["y", "z"])
    for made, said in ((two, "its inputs are 'a' n×3×8×8, 'b' n×3×8×8"), (several, "its outputs are 'y' n×3×8×8, 'z' n×3×8×8")):
        save(made, tmp_path / "net.onnx")
        assert main(["classify", picture, "-m", str(tmp_path / "net.onnx")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "is no image classifier; it needs one input, one output" in line
        assert said in line


def test_imagenet_labels_where_asked(tmp_path, picture, capsys):
    nodes = [("GlobalAveragePool", "x", "m"), ("Flatten", "m", "f"), ("Gemm", "f w", "y", {"transB": 1})]
    weight = np.zeros((1000, 3), np.float32)
    weight[281] = 1
    save(model(nodes, {"x": ("float32", ("n", 3, 8, 8))}, constants={"w": weight}), tmp_path / "net.onnx")
    rest = ["classify", picture, "-m", str(tmp_path / "net.onnx"), "-k", "1"]
    assert main(rest) == 0
    assert "class 281 " in capsys.readouterr().out
    assert main([*rest, "--labels", "imagenet"]) == 0
    assert "tabby " in capsys.readouterr().out


def test_sizes_that_are_open_are_given_by_shape(tmp_path, picture, capsys):
    path = str(classifier(tmp_path / "net.onnx", shape=("n", 3, "h", "w")))
    assert main(["classify", picture, "-m", path, "--shape", "x=1x3x32x40"]) == 0
    assert "crop 32×40" in capsys.readouterr().err
    assert main(["inspect", path, "--shape", "x=1x3x32x40"]) == 0
    assert "4×3×32×40" in capsys.readouterr().out
    for wrong, said in (("y=1x3x8x8", "names the input 'y', there are 'x'"), ("x=1x4x8x8", "the file says n×3×h×w")):
        assert main(["inspect", path, "--shape", wrong]) == 2
        assert said in capsys.readouterr().err
    nodes = [("Reshape", "x to", "y")]
    save(model(nodes, {"x": ("float32", ("n", 3, "h", "w"))}, constants={"to": np.int64([-1, 3 * 17 * 17])}), path)
    assert main(["inspect", path]) == 2
    assert "or --shape input=1x3xHxW, with sizes that it takes" in capsys.readouterr().err
    assert main(["inspect", path, "--shape", "x=1x3x17x17"]) == 0
    capsys.readouterr()
    assert main(["inspect", path, "--shape", "x=1x3x8x8", "--shape", "x=1x3x9x9"]) == 2
    assert "--shape: names an input twice" in capsys.readouterr().err
    assert main(["inspect", "efficientnet_lite0", "--shape", "input=1x3x8x8"]) == 2
    assert "shapes is for ONNX files" in capsys.readouterr().err


NETS = {
    "open sizes": ([("Relu", "x", "y")], {"x": ("float32", ("n", 3, "h", "w"))}, 3),
    "bytes": ([("Cast", "x", "y", {"to": TensorProto.FLOAT})], {"x": ("uint8", ("n", 3))}, 3),
    "places": ([("Gather", "k x", "y")], {"x": ("int64", ("n", 3))}, 3),
    "float16": ([("Relu", "x", "y")], {"x": ("float16", ("n", 3))}, 3),
    "bool": ([("Not", "x", "y")], {"x": ("bool", ("n", 3))}, 3),
    "one batch": ([("ReduceMax", "x", "m", {"axes": [0]}), ("Sub", "x m", "y")], {"x": ("float32", (4, 3))}, 4),
    "images that mix": ([("ReduceMax", "x", "m", {"axes": [0]}), ("Sub", "x m", "y")], {"x": ("float32", ("n", 3))}, 3),
    "no batch": ([("Add", "a b", "y")], {"a": ("float32", ("i", 3)), "b": ("float32", ("j", 3))}, 1),
    "a scalar": ([("Relu", "x", "y")], {"x": ("float32", ())}, 1),
    "no inputs": ([("Add", "k k", "y")], {}, 1),
    "nothing to do": ([("Identity", "x", "y")], {"x": ("float32", ("n", 3))}, 3),
}


@pytest.mark.parametrize("name", NETS)
def test_any_net_can_be_inspected_and_timed(tmp_path, capsys, name):
    nodes, inputs, batch = NETS[name]
    path = str(tmp_path / "net.onnx")
    save(model(nodes, inputs, constants={"k": np.eye(2, 3, dtype=np.float32)}), path)
    assert main(["inspect", path]) == 0
    assert f"{len(nodes)} nodes in the file" in capsys.readouterr().out
    assert main(["bench", path, "--seconds", "0.01", "--layers", "-b", "3", "-d", "cpu"]) == 0
    assert f"in float32, batch {batch}\n" in capsys.readouterr().out


def test_inspect_counts_reorders_and_steps_by_reference(tmp_path, capsys):
    weights = {"w": np.ones((4, 3, 3, 3), np.float32), "axis": np.int64(1)}
    for nodes, counts in (
        ([("Conv", "x w", "c"), ("CumSum", "c axis", "y")], "1 reorders left, 1 by reference (slow)\n"),
        ([("CumSum", "x axis", "y")], "0 reorders left, 1 by reference (slow)\n"),
    ):
        save(model(nodes, {"x": ("float32", ("n", 3, 8, 8))}, constants=weights), tmp_path / "net.onnx")
        assert main(["inspect", str(tmp_path / "net.onnx")]) == 0
        said = capsys.readouterr().out
        assert counts in said
        assert next(line for line in said.splitlines() if " cumsum " in line).endswith("reference (slow)")


def test_shapes_by_value_are_said_and_not_timed(tmp_path, capsys):
    path = str(tmp_path / "net.onnx")
    save(model([("Reshape", "x s", "y")], {"x": ("float32", (6,)), "s": ("int64", (2,))}), path)
    assert main(["inspect", path]) == 0
    said = capsys.readouterr().out
    assert "output  y: … float32" in said
    assert "1 nodes in the file; its shapes depend on the values of s" in said
    assert main(["bench", path]) == 2
    assert "its shapes depend on the values of s, so there is nothing to time" in capsys.readouterr().err
