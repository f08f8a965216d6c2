from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from gpucnn import data, zoo
from gpucnn.data.make_efficientnet_lite0 import make
from gpucnn.errors import ModelError
from gpucnn.formats import read_weights

MODEL = data.folder("efficientnet_lite0")


def test_embedded_weights_fit_the_network_and_the_notice():
    state = read_weights(MODEL / "model.safetensors")
    assert {name: array.shape for name, array in state.items()} == zoo.create("efficientnet_lite0").state_shapes()
    assert all(array.dtype == (np.float32 if array.ndim == 1 else np.float16) for array in state.values())
    assert all(np.isfinite(array).all() for array in state.values())
    digest = hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
    assert digest in (MODEL / "NOTICE").read_text(encoding="utf-8")


def test_config_agrees_with_the_zoo():
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    entry = zoo.ENTRIES[config["architecture"]]
    record, given = entry.preprocess, config["pretrained_cfg"]
    assert config["num_classes"] == entry.num_classes
    assert given["input_size"] == [entry.in_channels, *record.size]
    assert round(record.size[0] / given["crop_pct"]) == record.resize
    assert (tuple(given["mean"]), tuple(given["std"])) == (record.mean, record.std)
    assert given["interpolation"] == record.interpolation


def test_labels():
    labels = json.loads(data.folder("imagenet_labels.json").read_text(encoding="utf-8"))
    assert len(labels) == 1000
    assert (labels[0], labels[285], labels[999]) == ("tench", "Egyptian cat", "toilet tissue")


def test_what_is_packed_is_small():
    photos = sorted(data.folder("photos").glob("*.jpg"))
    assert [path.name for path in photos] == ["chelsea.jpg", "coffee.jpg", "rocket.jpg"]
    assert sum(path.stat().st_size for path in photos) <= 300_000
    assert (MODEL / "model.safetensors").stat().st_size < 9_700_000


def test_make_refuses_another_checkpoint(tmp_path):
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"sha256 is d9298a10d1b0.*expected 579344248a93"):
        make(tmp_path / "other.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()
