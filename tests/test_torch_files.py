"""Checkpoints that PyTorch wrote (tests/data/make_torch_checkpoints.py), read without it."""

from __future__ import annotations

import logging
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import gpucnn
from gpucnn import nn, zoo
from gpucnn.errors import ModelError
from gpucnn.formats import read_state, read_weights

FOLDER = Path(__file__).parent / "data" / "torch"
SHAPES = {"conv.weight": (2, 1, 3, 3), "conv.bias": (2,), "bn.running_mean": (2,), "fc.weight": (3, 8), "fc.bias": (3,)}


def value(shape, first):
    return (((np.arange(int(np.prod(shape))) + first) % 17 - 8) / 8).reshape(shape)


def state(first=0):
    return {name: value(shape, first + i) for i, (name, shape) in enumerate(SHAPES.items())}


def assert_holds(found, expected, dtype=np.float32):
    """The arrays and no others, but for batch norm's counter and variance."""
    assert {name for name in found if not name.endswith(("bn.num_batches_tracked", "bn.running_var"))} == set(expected)
    for name, a in expected.items():
        assert found[name].dtype == dtype
        np.testing.assert_array_equal(found[name], a)


READ = {
    "zip.pth": (state(), np.float32, ()),
    "legacy.pth": (state(), np.float32, ()),
    "half.pth": (state(), np.float16, ()),
    "legacy_half.pth": (state(), np.float16, ()),
    "bfloat16.pth": (state(), np.float32, ()),
    "double.pth": (state(), np.float64, ()),
    "under_model.pth": (state(), np.float32, ("under 'model'",)),
    "averaged.pth": (state(5), np.float32, ("under 'model_ema' (not 'model')", "prefix 'module.' taken off")),
    "legacy_nested.pth": (state(5), np.float32, ("under 'model_ema' (not 'model')", "prefix 'module.' taken off")),
    "lightning.ckpt": ({f"model.{name}": a for name, a in state().items()}, np.float32, ("under 'state_dict'",)),
    "data_parallel.pth": (state(), np.float32, ("prefix 'module.' taken off",)),
    "compiled.pth": (state(), np.float32, ("under 'state_dict'", "prefix 'module.' taken off", "prefix '_orig_mod.' taken off")),
}


@pytest.mark.parametrize(("name", "expected", "dtype", "notes"), [(name, *row) for name, row in READ.items()], ids=READ)
def test_what_is_read_and_what_is_said(name, expected, dtype, notes, caplog):
    found, said = read_state(FOLDER / name)
    assert_holds(found, expected, dtype)
    assert said == notes
    with caplog.at_level(logging.INFO, "gpucnn"):
        read_weights(FOLDER / name)
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == list(notes)


def test_parameters_are_tensors():
    found = read_weights(FOLDER / "parameters.pth")
    assert_holds(found, {name: a for name, a in state().items() if "bn" not in name})


def test_unsigned_numbers_of_all_widths():
    for (_, a), dtype in zip(read_weights(FOLDER / "unsigned.pth").items(), [np.uint16, np.uint32, np.uint64], strict=True):
        assert a.dtype == dtype
        np.testing.assert_array_equal(a, np.arange(5))


def test_windows_of_one_storage():
    whole = value((4, 6), 0)
    expected = {
        "whole": whole, "turned": whole.T, "part": whole[1:3, 2:5], "second": whole[:, ::2], "spread": np.full((2, 3), whole[0, 0]),
        "empty": whole[:, :0], "scalar": whole[2, 3], "channels_last": value((2, 3, 4, 5), 1),
    }  # fmt: skip
    found = read_weights(FOLDER / "views.pth")
    assert set(found) == set(expected)
    for name, a in expected.items():
        assert found[name].shape == a.shape
        assert found[name].flags.c_contiguous
        np.testing.assert_array_equal(found[name], a)


REFUSED = {
    "script.pt": ("is TorchScript", "torch.onnx.export(torch.jit.load('script.pt'), example_input, 'net.onnx', dynamo=False)"),
    "whole_model.pth": (
        "'__main__.Net'",
        "a whole model",
        "torch.save(torch.load('whole_model.pth', weights_only=False).state_dict(), 'weights.pth')",
        "torch.onnx.export(torch.load('whole_model.pth', weights_only=False).eval(), example_input, 'net.onnx')",
    ),
    "exported.pt2": ("an exported program", "torch.save(torch.export.load('exported.pt2').state_dict, 'weights.pth')"),
    "quantised.pth": ("'torch._utils._rebuild_qtensor'", ".dequantize()"),
    "sparse.pth": ("'torch._utils._rebuild_sparse_tensor'", ".to_dense()"),
    "complex.pth": ("'torch.ComplexFloatStorage'", "not plain ones"),
    "float8.pth": ("'torch.float8_e4m3fn'", ".float()"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "parts"), REFUSED.items(), ids=REFUSED)
def test_what_is_refused_says_the_line_to_run(name, parts):
    with pytest.raises(ModelError) as caught:
        read_weights(FOLDER / name)
    assert caught.value.__cause__ is None
    for part in (name, *parts):
        assert part in str(caught.value)


def test_every_file_is_tried_here():
    assert {file.name for file in FOLDER.iterdir()} == {*READ, *REFUSED, "parameters.pth", "unsigned.pth", "views.pth"}


# ---- into a net ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["half.pth", "legacy_half.pth", "bfloat16.pth", "double.pth"])
def test_other_widths_compute_in_float32(name):
    """The numbers are ones that every width has, so that the results are float32's to the bit."""
    x = np.random.default_rng(0).standard_normal((5, 1, 4, 4), np.float32)
    results = []
    for file in ("zip.pth", name):
        net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
        found = read_weights(FOLDER / file)
        net.load_state_dict({
            "0.weight": found["conv.weight"], "0.bias": found["conv.bias"], "2.weight": found["fc.weight"], "2.bias": found["fc.bias"],
        })  # fmt: skip
        assert all(a.dtype == np.float32 for a in net.state_dict().values())
        with gpucnn.compile(net, (1, 1, 4, 4), device="cpu") as model:
            assert model.precision == "float32"
            results.append(model(x))
    assert results[0].dtype == np.float32
    np.testing.assert_array_equal(*results)


@pytest.fixture
def lenet():
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, np.float32) * 0.1 for name, shape in zoo.create("lenet5").state_shapes().items()}


@pytest.mark.parametrize("prefix", ["model.", "net.", "a.b.", "module.model.", "_orig_mod."])
def test_a_prefix_comes_off_where_the_architectures_names_appear(prefix, lenet, tmp_path, capsys):
    np.savez(tmp_path / "net.npz", **{prefix + name: a for name, a in lenet.items()})
    x = np.ones((1, 1, 32, 32), np.float32)
    with gpucnn.load("lenet5", weights=lenet) as model:
        right = model(x)
        assert model.weights == "a state dict"
    last = "model." if prefix == "module.model." else prefix
    with gpucnn.load("lenet5", weights=tmp_path / "net.npz") as model:
        np.testing.assert_array_equal(model(x), right)
        assert model.weights.startswith(f"{tmp_path / 'net.npz'} (")
        assert f"prefix {last!r} taken off" in model.weights
    zoo.create("lenet5", weights=tmp_path / "net.npz")
    from PIL import Image

    from gpucnn.cli import main

    Image.new("L", (32, 32)).save(tmp_path / "black.png")
    assert main(["classify", "-m", "lenet5", "-w", str(tmp_path / "net.npz"), str(tmp_path / "black.png")]) == 0
    assert f"prefix {last!r} taken off" in capsys.readouterr().err


def test_names_that_fit_neither_way_are_reported_as_they_are(lenet, tmp_path):
    lenet["model.c1.weight"] = lenet.pop("c1.weight")
    with pytest.raises(ModelError, match=r"missing: c1\.weight .* unexpected: model\.c1\.weight"):
        gpucnn.load("lenet5", weights=lenet)


def test_a_big_endian_machine_s_zip(tmp_path):
    """What a zip says of byte order is believed, where PyTorch wrote one; here one is turned over."""
    with zipfile.ZipFile(FOLDER / "zip.pth") as old, zipfile.ZipFile(tmp_path / "big.pth", "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if "/data/" in info.filename:
                width = 8 if len(data) == 8 and info.filename.endswith("/5") else 4  # the last is the counter, an int64
                data = np.frombuffer(data, f"u{width}").byteswap().tobytes()
            new.writestr(info.filename, b"big" if info.filename.endswith("byteorder") else data)
    found = read_weights(tmp_path / "big.pth")
    assert found["bn.num_batches_tracked"] == 7
    assert_holds(found, state())


@pytest.mark.skipif("GPUCNN_TEST_MODELS" not in os.environ, reason="GPUCNN_TEST_MODELS names no folder with mobilenet_v2-b0353104.pth")
def test_the_published_mobilenet_v2_is_a_legacy_checkpoint():
    """Its scores on photographs are compared in test_photographs.py."""
    found, notes = read_state(Path(os.environ["GPUCNN_TEST_MODELS"]) / "mobilenet_v2-b0353104.pth")
    assert notes == ()
    shapes = zoo.create("mobilenet_v2").state_shapes()
    assert {name: a.shape for name, a in found.items() if not name.endswith("num_batches_tracked")} == shapes
