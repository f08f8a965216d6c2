"""The real thing: photographs through trained networks, against probabilities computed by ONNX Runtime."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import gpucnn
from gpucnn.preprocess import Preprocess

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "examples" / "images"
REFERENCE = json.loads((ROOT / "tests" / "data" / "reference.json").read_text())
PHOTOGRAPHS = ("chelsea.png", "coffee.png", "rocket.jpg")

# The float32 weights are too large for the repository: name a folder that holds them to run these tests as well.
MODELS = os.environ.get("GPUCNN_TEST_MODELS", "")
FLOAT32 = {"efficientnet_lite0": "efficientnet_lite0.safetensors", "mobilenet_v2": "mobilenet_v2-b0353104.pth"}


def record_of(name: str) -> Preprocess:
    """The preprocessing that the reference was computed with."""
    entry = REFERENCE[name]
    size = (entry["size"], entry["size"])
    return Preprocess(size, entry["resize_short"], entry["interp"], tuple(entry["mean"]), tuple(entry["std"]))


def classify(classifier: gpucnn.Classifier, count: int = 1) -> dict[str, dict[int, float]]:
    """Probability by class index, most probable first, for each photograph."""
    results = list(classifier.predict([str(IMAGES / name) for name in PHOTOGRAPHS] * count))
    assert [r.error for r in results] == [None] * len(results)
    return {Path(r.path).name: {p.index: p.probability for p in r.predictions} for r in results}


def assert_reference(name: str, got: dict[str, dict[int, float]], tolerance: float) -> None:
    for photograph, expected in REFERENCE[name]["top5"].items():
        assert list(got[photograph]) == [index for index, _, _ in expected], photograph
        np.testing.assert_allclose(
            list(got[photograph].values()), [p for _, _, p in expected], rtol=0, atol=tolerance, err_msg=photograph
        )


def test_the_embedded_model_gives_the_reference() -> None:
    with gpucnn.Classifier() as classifier:
        assert_reference("efficientnet_lite0", classify(classifier), 5e-3)
        named = {Path(r.path).name: r.predictions[0].label for r in classifier.predict([str(IMAGES / n) for n in PHOTOGRAPHS])}
    assert named["chelsea.png"] in ("Egyptian cat", "tiger cat", "tabby")
    assert named["coffee.png"] == "espresso"
    assert named["rocket.jpg"] in ("space shuttle", "missile")


def test_the_embedded_record_is_the_reference_record() -> None:
    with gpucnn.load("efficientnet_lite0") as model:
        assert model.preprocess == record_of("efficientnet_lite0")
        assert len(model.labels) == 1000


@pytest.mark.skipif(not MODELS, reason="needs the float32 weights: set GPUCNN_TEST_MODELS to the folder that holds them")
@pytest.mark.parametrize("name", FLOAT32)
def test_float32_weights_give_the_reference(name: str) -> None:
    weights = Path(MODELS) / FLOAT32[name]
    with gpucnn.Classifier(name, weights=weights, labels="imagenet", preprocess=record_of(name)) as classifier:
        assert_reference(name, classify(classifier), 2e-3)
    # The same through both plans of the door for arrays.
    from gpucnn.images import decode
    from gpucnn.preprocess import normalisation_table

    table = normalisation_table(record_of(name))
    images = np.stack([decode(str(IMAGES / n), record_of(name)) for n in PHOTOGRAPHS])
    x = np.stack([table[images[..., c], c] for c in range(3)], axis=1)
    with gpucnn.load(name, weights=weights) as model:
        for batch in (x, np.concatenate([x, x])):
            scores = gpucnn.functional.softmax(model(batch), dim=1)
            for i, photograph in enumerate(PHOTOGRAPHS):
                for index, _, probability in REFERENCE[name]["top5"][photograph]:
                    assert abs(scores[i, index] - probability) < 2e-3


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "vgg16_bn"])
def test_a_net_without_trained_weights_is_refused(name: str) -> None:
    with pytest.raises(gpucnn.errors.ModelError, match=f"{name}.*no trained weights.*weights='{name}.safetensors'"):
        gpucnn.load(name)
