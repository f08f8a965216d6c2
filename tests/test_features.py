"""What the last dense layer reads: which layer that is, its values, and that no bit of them depends on the batch."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from close import assert_close
from test_on_gpu import SHAPE, Small
from test_on_gpu import gpu as fake_gpu  # noqa: F401

import gpucnn
from gpucnn import functional as F
from gpucnn import nn, zoo
from gpucnn.classify import Classifier, Features
from gpucnn.errors import GpucnnError, ModelError
from gpucnn.images import decode
from gpucnn.ops import Conv, Linear
from gpucnn.preprocess import Preprocess, normalisation_table

PHOTOS = sorted(map(str, (Path(gpucnn.__file__).parent / "data" / "photos").glob("*.jpg")))
RECORD = Preprocess((8, 8), 8, "nearest", (0.5,) * 3, (0.25,) * 3)
SMALL = Preprocess((40, 40), 40, "bilinear")


def noise(n, size=8):
    return np.random.default_rng(n).integers(0, 256, (n, size, size, 3), np.uint8)


def seeded(net):
    rng = np.random.default_rng(7)
    return net.load_state_dict({name: 0.3 * rng.standard_normal(s).astype(np.float32) for name, s in net.state_shapes().items()})


def vectors(classifier, items):
    found = list(classifier.features(items))
    assert [f.error for f in found] == [None] * len(found)
    return np.stack([f.vector for f in found])


def as_input(crowd, record):
    table = normalisation_table(record)
    return np.stack([table[crowd[..., c], c] for c in range(3)], axis=1)


class Apply(nn.Module):
    """Backbone of a convolution, and any head."""

    def __init__(self, head):
        super().__init__()
        self.body, self.dense, self.point = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), nn.Conv2d(6, 4, 1)
        self.other, self.wide, self.grouped = nn.Linear(6, 4), nn.Conv2d(6, 4, 3), nn.Conv2d(6, 4, 1, groups=2)
        self._head = head

    def forward(self, x):
        return self._head(self, F.relu(self.body(x)))


def pooled(x):
    return F.flatten(F.global_avg_pool2d(x), 1)


# ---------------------------------------------------------------- which layer


HEADS = {
    "dense": lambda net, x: net.dense(pooled(x)),
    "dense, then softmax": lambda net, x: F.softmax(net.dense(pooled(x)), 1),
    "dense, scaled, then sigmoid": lambda net, x: F.sigmoid(net.dense(pooled(x)) * 0.5 + 1),
    "dropout before and behind": lambda net, x: F.dropout(net.dense(F.dropout(pooled(x)))),
    "convolution of what is pooled": lambda net, x: F.flatten(net.point(F.global_avg_pool2d(x)), 1),
    "convolution, then pooled": lambda net, x: pooled(net.point(x)),
    "convolution, ReLU, pooled, as SqueezeNet": lambda net, x: F.flatten(F.adaptive_avg_pool2d(F.relu(net.point(x)), 1), 1),
    "dense over the last axis": lambda net, x: F.reshape(net.dense(F.permute(F.global_avg_pool2d(x), (0, 2, 3, 1))), (-1, 4)),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_value_before_the_last_dense_layer(head):
    """The mean of the map behind the backbone, wherever the head takes it."""
    net = seeded(Apply(head))
    crowd = noise(6)
    expected = F.global_avg_pool2d(F.relu(net.body(as_input(crowd, RECORD))))
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model, Classifier(model, preprocess=RECORD) as classifier:
        found = vectors(classifier, crowd)
    assert found.shape == (6, 6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.reshape(6, 6), rtol=64 * np.finfo(np.float32).eps)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (lambda net, x: pooled(x), "scores come from 'body', a convolution of kernel 3×3 in 1 group"),
        (lambda net, x: pooled(net.wide(x)), "scores come from 'wide', a convolution of kernel 3×3 in 1 group"),
        (lambda net, x: pooled(net.grouped(x)), "'grouped', a convolution of kernel 1×1 in 2 group"),
        (lambda net, x: net.dense(pooled(x)) + net.other(pooled(x)), "no single dense layer"),
        (lambda net, x: F.global_avg_pool2d(net.dense(F.permute(x, (0, 2, 3, 1))) * 1), "'dense' reads 1×6×6×6, not one vector an image"),
    ],
)
def test_nets_without_features(head, said):
    net = seeded(Apply(head))
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model, Classifier(model, preprocess=RECORD) as classifier:
        assert next(classifier.predict(noise(1))).error is None
        with pytest.raises(ModelError) as caught:
            classifier.features(noise(1))  # now, not when the first is asked for
    assert said in str(caught.value)
    assert "model.layers names them" in str(caught.value)


def test_a_net_without_a_layer_at_all():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model, pytest.raises(ModelError, match="no single dense layer"):
        Classifier(model, preprocess=RECORD).features(noise(1))
    with gpucnn.compile(nn.ReLU(), (3,), device="cpu") as model, pytest.raises(ModelError, match="is no image classifier"):
        model.feature_extractor(RECORD)


SIZES = {"resnet18": 512, "mobilenet_v2": 1280, "efficientnet_lite0": 1280}


@pytest.mark.parametrize("name", SIZES)
def test_the_last_dense_layer_makes_scores_of_them(name):
    """An oracle that knows nothing of which value is taken: the head of the state dict on the features is the scores."""
    net = zoo.create(name, num_classes=7)
    rng = np.random.default_rng(3)
    state = net.state_dict()  # norms as they are made; seeded weights that let differences through
    state.update({k: rng.standard_normal(a.shape).astype(np.float32) * (2 / a[0].size) ** 0.5 for k, a in state.items() if a.ndim > 1})
    net.load_state_dict(state)
    key = zoo.ENTRIES[name].head
    weight, bias = state[key], state[key.replace("weight", "bias")]
    crowd = noise(5, 40)
    with gpucnn.compile(net, (1, 3, 40, 40), device="cpu") as model:
        extractor, scorer = model.feature_extractor(SMALL), model.scorer(SMALL, "none")
        found, scores = extractor(crowd), scorer(crowd)
        layers = [step.node.name for step in extractor._model.plan().steps]
    assert found.shape == (5, SIZES[name]) == (5, extractor.size)
    assert key.rpartition(".")[0] not in layers, "the head is not computed for nothing"
    assert_close(Linear(), (scores,), (found, weight, bias))
    assert np.ptp(scores, axis=0).min() > 0, "the images differ"


def test_grey_images():
    state = seeded(zoo.create("lenet5")).state_dict()
    digits = np.random.default_rng(2).integers(0, 256, (9, 32, 32), np.uint8)
    with gpucnn.load("lenet5", weights=state, device="cpu") as model, Classifier(model, activation="none", top=10) as classifier:
        found = vectors(classifier, digits[..., None])
        rows = [sorted((p.index, p.probability) for p in r.predictions) for r in classifier.predict(digits[..., None])]
    scores = np.float32([[p for _, p in row] for row in rows])
    assert_close(Linear(), (scores,), (found, state["output.weight"], state["output.bias"]))


# ---------------------------------------------------------------- bits


def test_one_image_has_the_same_bits_in_every_batch():
    """The trained network: alone, among 7 and among 64, at every place, beside anything."""
    with gpucnn.load("efficientnet_lite0", device="cpu") as model:
        random = np.random.default_rng(0)
        items = [*PHOTOS, *random.integers(0, 256, (4, 230, 230, 3), np.uint8)]

        def bits(chosen, batch_size):
            with Classifier(model, batch_size=batch_size) as classifier:
                return vectors(classifier, chosen).view(np.uint32)

        alone = bits(items, 1)
        assert alone.shape == (7, 1280)
        np.testing.assert_array_equal(bits(items, 7), alone)
        np.testing.assert_array_equal(bits(items[::-1] * 3, 4), np.tile(alone[::-1], (3, 1)))
        crowd = np.stack([decode(item, model.preprocess) for item in items] * 10)[:64]
        np.testing.assert_array_equal(model.feature_extractor()(crowd).view(np.uint32), np.tile(alone, (10, 1))[:64])
        with Classifier(model) as classifier:
            named = {Path(r.path).stem: r.predictions[0].label for r in classifier.predict(PHOTOS)}
            assert [Path(f.path).stem for f in classifier.features(PHOTOS)] == ["chelsea", "coffee", "rocket"]
            assert named["coffee"] == "espresso", "both may be asked of one classifier"


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_on_a_gpu(fake_gpu, precision):  # noqa: F811
    record = Preprocess((16, 12), 16, "nearest", (0.5,) * 3, (0.25,) * 3)
    photographs = np.random.default_rng(1).integers(0, 256, (5, 16, 12, 3), np.uint8)
    net = Small()
    with gpucnn.compile(net, (1, *SHAPE), device="cpu") as model:
        wanted = vectors(Classifier(model, preprocess=record), photographs)
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision=precision) as model:
        classifier = Classifier(model, preprocess=record)
        found, (alone,) = vectors(classifier, photographs), vectors(classifier, photographs[3])
    unit = np.finfo(precision).eps
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 64 * unit * np.abs(wanted).max(), "some roundings away"
    np.testing.assert_array_equal(alone.view(np.uint32), found[3].view(np.uint32))


# ---------------------------------------------------------------- items


@pytest.fixture
def classifier():
    net = seeded(Apply(HEADS["dense"]))
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model, Classifier(model, preprocess=RECORD, batch_size=3) as made:
        yield made


def test_bad_items_have_errors(classifier, tmp_path):
    (tmp_path / "bad.jpg").write_text("no image")
    found = list(classifier.features([noise(1)[0], tmp_path / "gone.png", str(tmp_path / "bad.jpg"), noise(2)[0], None]))
    assert [f.path for f in found] == [None, str(tmp_path / "gone.png"), str(tmp_path / "bad.jpg"), None, None]
    assert [f.error is None for f in found] == [True, False, False, True, False]
    assert [f.vector is None for f in found] == [False, True, True, False, True]
    assert found[1].error == "no such file"
    assert list(classifier.features([])) == []
    (one,) = classifier.features(noise(1)[0])
    np.testing.assert_array_equal(one.vector, found[0].vector)


def test_features_that_are_not_finite_are_errors():
    net = seeded(Apply(HEADS["dense"]))
    net.load_state_dict({**net.state_dict(), "body.bias": np.full(6, np.inf, np.float32)})
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model, Classifier(model, preprocess=RECORD) as classifier:
        (found,) = classifier.features(noise(1))
    assert found.vector is None
    assert "features are not finite" in found.error


def test_vectors_belong_to_the_caller(classifier):
    first, second = classifier.features(noise(2))
    assert first.vector.base is None
    assert first.vector.flags.writeable
    kept = second.vector.copy()
    first.vector[:] = 0
    np.testing.assert_array_equal(second.vector, kept)
    assert isinstance(first, Features)
    assert first != second


def test_items_are_read_lazily_and_threads_end(classifier):
    pulled = []

    def endless():
        while True:
            pulled.append(len(pulled))
            yield noise(1)[0]

    with closing(classifier.features(endless())) as found:
        assert not pulled
        for _ in range(5):
            assert next(found).error is None
        assert len(pulled) <= 5 + 3 * 3 + classifier.workers
    assert not [t for t in threading.enumerate() if t.name.startswith("gpucnn-decode")]


def test_a_closed_classifier_says_so():
    net = seeded(Apply(HEADS["dense"]))
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model:
        with Classifier(model, preprocess=RECORD) as classifier:
            vectors(classifier, noise(2))
        with pytest.raises(GpucnnError, match="closed"):
            next(classifier.features(noise(1)))
        with Classifier(model, preprocess=RECORD) as again:
            vectors(again, noise(2))


def test_eight_threads_ask_a_classifier_that_nobody_has_asked(classifier):
    found = [None] * 8
    barrier = threading.Barrier(8)

    def ask(i):
        barrier.wait()
        found[i] = vectors(classifier, noise(5))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_the_convolution_in_front_is_where_features_end():
    """What runs is the net without its head, and the mean of the map in place of the head's pooling."""
    with gpucnn.compile(seeded(Apply(HEADS["convolution, then pooled"])), (1, 3, 8, 8), device="cpu") as model:
        steps = model.feature_extractor(RECORD)._model.plan().steps
    assert [step.node.op.name for step in steps if isinstance(step.node.op, (Conv, Linear))] == ["conv2d"]
    assert steps[-1].node.op.name == "global_avg_pool"
