"""Folders as timm writes them for the Hugging Face hub: architecture, classes, preprocessing, and weights under timm's names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hostile import assert_ours
from PIL import Image
from safetensors.numpy import save_file

import gpucnn
from gpucnn import zoo
from gpucnn.cli import main
from gpucnn.errors import ModelError
from gpucnn.nn import BatchNorm2d
from gpucnn.preprocess import Preprocess
from gpucnn.zoo.timm import TWINS, in_our_names, is_spelt, twin_of

STATES = json.loads((Path(__file__).parent / "data" / "timm_states.json").read_text())
RECORD = {
    "tag": "x_in1k",
    "custom_load": False,
    "input_size": [3, 96, 96],
    "fixed_input_size": False,
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "crop_mode": "center",
    "mean": [0.4, 0.5, 0.6],
    "std": [0.2, 0.3, 0.4],
    "num_classes": 5,
    "pool_size": [3, 3],
    "first_conv": "conv_stem",
    "classifier": "classifier",
    "license": "apache-2.0",
}
CONFIG = {
    "architecture": "mobilenetv3_small_100",
    "num_classes": 5,
    "num_features": 1024,
    "global_pool": "avg",
    "model_args": {"in_chans": 3, "num_classes": 5, "global_pool": "avg"},
    "label_names": ["a", "b", "c", "d", "e"],
    "label_descriptions": {"a": "the first"},
    "pretrained_cfg": RECORD,
}


# ---- names -----------------------------------------------------------------------------------------------------------


def shapes_of(name):
    """timm's names and shapes of a network of 1000 classes."""
    return {key: tuple(shape) for key, shape in STATES[name]}


@pytest.mark.parametrize("name", TWINS)
def test_every_name_is_one_of_the_zoo_s(name):
    twin = TWINS[name]
    assert twin.name in zoo.ENTRIES
    assert twin_of(name) is twin_of(f"{name}.some_tag_in1k") is twin


@pytest.mark.parametrize("name", STATES)
def test_timm_s_parameters_are_the_zoo_s(name):
    """All names, each once, and the shapes."""
    twin = TWINS[name]
    own = zoo.create(twin.name).state_shapes()
    state = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes_of(name).items()}
    found = state if twin.spelling == "same" else in_our_names(twin, state, own)
    assert {key: a.shape for key, a in found.items()} == own


def test_the_zoo_s_own_names_are_left_alone():
    for name, twin in TWINS.items():
        if name in STATES and twin.spelling != "same":
            assert is_spelt(twin, dict.fromkeys(shapes_of(name)))
        if name != "regnety_1280":
            assert not is_spelt(twin, zoo.create(twin.name).state_shapes())


def test_a_name_that_is_no_parameter_is_an_error():
    own = zoo.create("mobilenet_v2").state_shapes()
    with pytest.raises(ModelError, match=r"timm's mobilenet_v2 has no parameter 'blocks\.0\.0\.attn\.weight'"):
        in_our_names(TWINS["mobilenetv2_100"], {"conv_stem.weight": 0, "blocks.0.0.attn.weight": 0}, own)


# ---- folders ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state():
    """timm's names with numbers that give the classes different scores."""
    rng = np.random.default_rng(0)
    out = {}
    for name, shape in shapes_of("mobilenetv3_small_100").items():
        shape = (5, *shape[1:]) if name.startswith("classifier") else shape
        a = rng.standard_normal(shape, np.float32)
        fan = max(1, int(np.prod(shape[1:])))
        out[name] = (
            np.abs(a) + 0.5 if name.endswith(("running_var", "bn1.weight", "bn2.weight", "bn3.weight")) else a / np.float32(fan**0.5)
        )
    return out


@pytest.fixture
def folder(tmp_path, state):
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def change(folder, **fields):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))


def test_a_folder_of_timm_s(folder):
    with gpucnn.load(folder) as model:
        assert model.name == "mobilenet_v3_small"
        assert model.labels == ("a", "b", "c", "d", "e")
        assert model.preprocess == Preprocess((96, 96), 109, "bicubic", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))  # floor(96 / 0.875)
        assert model.weights == f"{folder / 'model.safetensors'} (timm's names, as of mobilenetv3_small_100)"
        scores = model(np.random.default_rng(1).standard_normal((2, 3, 96, 96), np.float32))
    assert scores.shape == (2, 5)
    assert np.isfinite(scores).all()
    assert scores.std() > 0


def test_batch_norms_have_timm_s_epsilon(state, folder):
    net = zoo.create("mobilenet_v3_small", weights=folder / "model.safetensors")
    assert {m.eps for _, m in net.named_modules() if isinstance(m, BatchNorm2d)} == {1e-5}
    assert {m.eps for _, m in zoo.create("mobilenet_v3_small").named_modules() if isinstance(m, BatchNorm2d)} == {1e-3}


def test_classify_by_the_command(folder, tmp_path, capsys):
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (120, 140, 3), np.uint8)).save(tmp_path / "a.png")
    assert main(["classify", "-m", str(folder), "-f", "jsonl", str(tmp_path / "a.png")]) == 0
    said = capsys.readouterr()
    row = json.loads(said.out)
    with gpucnn.Classifier(folder) as classifier:
        (result,) = classifier.predict([str(tmp_path / "a.png")])
    assert result.predictions[0].label in "abcde"
    assert json.dumps(row).count(result.predictions[0].label) >= 1
    assert "timm's names, as of mobilenetv3_small_100" in said.err
    assert main(["inspect", str(folder)]) == 0
    assert "mobilenet_v3_small" in capsys.readouterr().out


def test_weights_of_timm_s_for_a_name_of_the_zoo_s(folder, state):
    with gpucnn.load(folder) as model, gpucnn.load("mobilenet_v3_small", weights=state) as other:
        x = np.random.default_rng(1).standard_normal((1, 3, 96, 96), np.float32)
        np.testing.assert_array_equal(model(x), other(x))


def test_an_older_folder_has_its_fields_at_the_top(folder):
    config = {**CONFIG, **RECORD, "num_classes": 5}
    del config["pretrained_cfg"], config["model_args"]
    with gpucnn.load(folder) as model:
        record = model.preprocess
    (folder / "config.json").write_text(json.dumps(config))
    with gpucnn.load(folder) as model:
        assert model.preprocess == record


def test_a_cache_of_downloads_is_made_of_links(folder, tmp_path):
    snapshot = tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).symlink_to(folder / name)
    with gpucnn.load(snapshot) as model:
        assert model.labels


def test_pytorch_s_file_where_there_is_no_other(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with gpucnn.load(folder) as model:
        assert "pytorch_model.bin" in model.weights


@pytest.mark.parametrize(
    ("size", "crop", "resize"),
    [(224, 0.875, 256), (224, 0.9, 248), (240, 0.882, 272), (300, 0.904, 331), (288, 1.0, 288), (224, 0.95, 235)],
)
def test_the_short_side_is_timm_s(folder, size, crop, resize):
    change(folder, pretrained_cfg={**RECORD, "input_size": [3, size, size], "crop_pct": crop})
    with gpucnn.load(folder) as model:
        assert model.preprocess.resize == resize


def test_labels_may_be_numbered(folder):
    change(folder, label_names={str(i): name for i, name in enumerate("vwxyz")})
    with gpucnn.load(folder) as model:
        assert model.labels == tuple("vwxyz")


WRONG = {
    "a list": ([1], "must be an object of names and values, got a list"),
    "no architecture": ({**CONFIG, "architecture": None}, 'must name its "architecture"'),
    "transformers": ({"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}, "a config of the transformers library"),
    "unknown": ({**CONFIG, "architecture": "vit_base_patch16_224"}, "unknown model 'vit_base_patch16_224'"),
    "one that only looks alike": ({**CONFIG, "architecture": "efficientnet_lite0.x"}, "unknown model 'efficientnet_lite0.x'"),
    "a path": ({**CONFIG, "architecture": "../../etc/passwd"}, "unknown model"),
    "another pool": ({**CONFIG, "global_pool": "catavgmax"}, "global_pool='catavgmax' makes another network"),
    "arguments": ({**CONFIG, "model_args": {"output_stride": 8}}, "output_stride=8 makes another network"),
    "other channels": ({**CONFIG, "model_args": {"in_chans": 1}}, "in_chans=1 makes another network"),
    "arguments that are none": ({**CONFIG, "model_args": [1]}, '"model_args" must be an object'),
    "a record that is none": ({**CONFIG, "pretrained_cfg": [1]}, '"pretrained_cfg" must be an object'),
    "true classes": ({**CONFIG, "num_classes": True, "model_args": {}}, '"num_classes" must be a whole number from 1'),
    "no classes": ({**CONFIG, "num_classes": 0, "model_args": {}}, '"num_classes" must be a whole number from 1'),
    "many classes": ({**CONFIG, "num_classes": 10**99, "model_args": {}}, '"num_classes" must be a whole number from 1'),
    "labels that are numbers": ({**CONFIG, "label_names": [1, 2, 3, 4, 5]}, '"label_names" must be a list of names'),
    "labels that are text": ({**CONFIG, "label_names": "abcde"}, '"label_names" must be a list of names'),
    "labels by other numbers": ({**CONFIG, "label_names": {"1": "a", "2": "b"}}, '"label_names" must number the classes'),
    "too few labels": ({**CONFIG, "label_names": ["a"]}, "1 labels were given"),
    "no such activation": ({**CONFIG, "activation": ["softmax"]}, '"activation" must be one of'),
}
FIELDS = {
    "input_size": [
        5,
        [3],
        [3, 0, 96],
        [3, -1, 96],
        [3, 96.5, 96],
        [3, True, 96],
        [3, "96", 96],
        [1, 96, 96],
        [3, 10**9, 10**9],
        {"h": 1},
        "96",
    ],
    "crop_pct": [0, -1, "0.9", [0.9], True, float("nan"), float("inf"), 1e-30, 10**400],
    "interpolation": ["random", "", 5, ["bicubic"], "box"],
    "mean": ["grey", [0.5], [0.5, 0.5], ["a", "b", "c"], [None] * 3, [float("nan")] * 3, [[1], [2], [3]], {}, [1e300] * 3],
    "std": [0, [0, 1, 1], [-1, 1, 1], [1], "x", [float("inf")] * 3, [True] * 3],
    "crop_mode": ["squash", "border", 5, ["center"]],
}


@pytest.mark.parametrize(("config", "said"), WRONG.values(), ids=WRONG)
def test_configs_that_make_no_sense(folder, config, said):
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError) as caught:
        gpucnn.load(folder)
    assert_ours(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in FIELDS.items() for value in values], ids=str)
def test_records_that_make_no_sense(folder, field, value):
    if (field, value) == ("interpolation", ""):
        pytest.skip("is the architecture's own")
    change(folder, pretrained_cfg={**RECORD, field: value})
    with pytest.raises(ModelError) as caught:
        gpucnn.load(folder)
    assert_ours(caught.value)
    assert "config.json" in str(caught.value)


def test_a_record_that_is_not_done_here_can_be_given_instead(folder):
    change(folder, pretrained_cfg={**RECORD, "crop_mode": "squash"})
    with pytest.raises(ModelError, match=r"crop_mode must be 'center', .* got 'squash'; pass preprocess="):
        gpucnn.load(folder)
    record = Preprocess((96, 96), 96)
    with gpucnn.load(folder, preprocess=record) as model:
        assert model.preprocess == record


def test_sizes_that_are_not_square_are_cut_otherwise_by_timm(folder):
    change(folder, pretrained_cfg={**RECORD, "input_size": [3, 96, 128]})
    with pytest.raises(ModelError, match="96×128 is not square"):
        gpucnn.load(folder)


TEXTS = {
    "nothing": b"",
    "no JSON": b"{",
    "deep": b"[" * 100_000,
    "no UTF-8": b'{"architecture": "\xff"}',
    "long": b'{"a": "' + b"a" * (17 << 20) + b'"}',
    "a number of many digits": b'{"architecture": ' + b"9" * 9999 + b"}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_that_are_no_config(folder, text):
    (folder / "config.json").write_bytes(text)
    with pytest.raises(ModelError, match=r"config\.json") as caught:
        gpucnn.load(folder)
    assert_ours(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_files_that_are_none(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match="is not a regular file") as caught:
        gpucnn.load(folder)
    assert_ours(caught.value)
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(ModelError) as caught:
        gpucnn.load(folder)
    assert_ours(caught.value)


def test_a_folder_without_its_files(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"there is no model\.safetensors"):
        gpucnn.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"there is no config\.json"):
        gpucnn.load(folder)
