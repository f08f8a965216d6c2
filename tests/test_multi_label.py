"""Labels that do not exclude each other: sigmoid, thresholds, one output for two classes, and rows without labels in every format."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from close import assert_close
from test_classify import FakeModel, flat
from test_cli import photos, with_fake_model  # noqa: F401
from test_loader import change, folder, lenet_state  # noqa: F401
from test_on_gpu import SHAPE, Small
from test_on_gpu import gpu as fake_gpu  # noqa: F401

import gpucnn
from gpucnn import cli, nn
from gpucnn.classify import Classifier, Prediction, Result
from gpucnn.errors import GpucnnError, ModelError
from gpucnn.images import decode
from gpucnn.ops import Activation
from gpucnn.preprocess import Preprocess
from gpucnn.writers import FORMATS, CsvRows, JsonlRows, TextRows

RECORD = Preprocess((8, 8), 8, "nearest", (0.5,) * 3, (0.25,) * 3)
SIGMOID = Activation("sigmoid")


def fixed(*scores):
    """A model that gives every image these scores."""
    row = np.float32(scores)
    return FakeModel(score=lambda pixels: np.repeat(row[None], len(pixels), 0), classes=len(scores))


def found(*scores, labels=None, **options):
    """Indices of what a classifier lists, and its ``top``."""
    classifier = Classifier(fixed(*scores), labels=labels, **options)
    (result,) = classifier.predict([flat(0)])
    assert result.error is None
    return [p.index for p in result.predictions], classifier.top


def head(outputs, *tail):
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, outputs), *tail)
    rng = np.random.default_rng(outputs)
    return net.load_state_dict({name: rng.standard_normal(s).astype(np.float32) for name, s in net.state_shapes().items()})


def noise(n):
    return np.random.default_rng(n).integers(0, 256, (n, 8, 8, 3), np.uint8)


# ---------------------------------------------------------------- which labels


SCORES = (0.2, 0.9, 0.5, 0.9, 0.1, 0.7, 0.6)


@pytest.mark.parametrize(
    ("options", "indices", "top"),
    [
        ({}, [1, 3, 5, 6, 2], 5),
        ({"threshold": 0.5}, [1, 3, 5, 6, 2], 7),
        ({"threshold": 0.0}, [1, 3, 5, 6, 2, 0, 4], 7),
        ({"threshold": 0.55}, [1, 3, 5, 6], 7),
        ({"threshold": 0.1}, [1, 3, 5, 6, 2, 0, 4], 7),  # the 0.1 of float32 is not below it
        ({"threshold": 0.9}, [1, 3], 7),
        ({"threshold": 0.91}, [], 7),
        ({"threshold": 1}, [], 7),
        ({"threshold": 0.5, "top": 2}, [1, 3], 2),
        ({"threshold": 0.65, "top": 6}, [1, 3, 5], 6),
        ({"top": 3}, [1, 3, 5], 3),
    ],
)
def test_all_labels_that_reach_the_threshold(options, indices, top):
    assert found(*SCORES, activation="sigmoid", **options) == (indices, top)


@pytest.mark.parametrize(
    ("options", "indices", "top"),
    [
        ({"threshold": 0.0}, [1, 3, 5, 6, 2], 5),  # still the best five
        ({"threshold": 0.6}, [1, 3, 5, 6], 5),
        ({"threshold": 0.95}, [], 5),
        ({"threshold": 0.6, "top": 1}, [1], 1),
        ({"threshold": 0.15, "top": 100}, [1, 3, 5, 6, 2, 0], 7),
    ],
)
def test_under_softmax_a_threshold_drops_entries(options, indices, top):
    assert found(*SCORES, **options) == (indices, top)


def test_values_as_they_are_have_any_threshold():
    assert found(-3, 12, -20, 5, activation="none", threshold=-5) == ([1, 3, 0], 4)
    assert found(-3, 12, -20, 5, activation="none", threshold=13) == ([], 4)


def test_a_row_without_labels_is_no_error():
    (result,) = Classifier(fixed(0.1, 0.2), threshold=0.5, activation="sigmoid").predict([flat(0)])
    assert result == Result(None)
    assert result.error is None
    assert result.predictions == ()


def test_bad_items_and_scores_stay_errors():
    def score(pixels):
        scores = np.full((len(pixels), 2), 0.25, np.float32)
        scores[pixels[:, 0, 0, 0] == 1, 1] = np.nan
        return scores

    classifier = Classifier(FakeModel(score=score, classes=2), activation="sigmoid", threshold=0.5)
    results = list(classifier.predict([flat(0), flat(1), b"junk"]))
    assert [result.error is None for result in results] == [True, False, False]
    assert not any(result.predictions for result in results)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threshold": 50}, r"threshold must lie in 0…1, where probabilities do \(50 % is 0.5\), got 50"),
        ({"threshold": -0.1, "activation": "sigmoid"}, "got -0.1"),
        ({"threshold": 1.5, "activation": "softmax"}, "only with activation='none'"),
        ({"threshold": float("nan")}, "threshold must be a number, got nan"),
        ({"threshold": float("inf"), "activation": "none"}, "threshold must be a number, got inf"),
        ({"threshold": "0.5"}, "threshold must be a number, got '0.5'"),
        ({"threshold": True}, "threshold must be a number, got True"),
        ({"activation": "relu"}, "activation must be 'auto', 'softmax', 'sigmoid' or 'none', got 'relu'"),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(GpucnnError, match=said):
        Classifier(FakeModel(), **options)


# ---------------------------------------------------------------- which activation


@pytest.mark.parametrize(
    ("tail", "outputs", "recorded", "asked", "used"),
    [
        ((), 4, "auto", "auto", "softmax"),
        ((), 4, "auto", "sigmoid", "sigmoid"),
        ((), 4, "auto", "none", "none"),
        ((), 4, "sigmoid", "auto", "sigmoid"),
        ((), 4, "sigmoid", "softmax", "softmax"),
        ((), 4, "none", "auto", "none"),
        ((), 1, "auto", "auto", "sigmoid"),
        ((), 1, "auto", "none", "none"),
        ((), 1, "softmax", "sigmoid", "sigmoid"),
        ((nn.Sigmoid(),), 4, "auto", "auto", "sigmoid"),
        ((nn.Sigmoid(),), 4, "auto", "sigmoid", "sigmoid"),
        ((nn.Sigmoid(),), 1, "auto", "auto", "sigmoid"),
        ((nn.Sigmoid(), nn.Identity()), 4, "auto", "none", "none"),
        ((nn.Softmax(1),), 4, "auto", "auto", "softmax"),
        ((nn.Softmax(1),), 4, "auto", "softmax", "softmax"),
        ((nn.Softmax(1),), 4, "auto", "none", "none"),
    ],
)
def test_the_activation_that_is_used(tail, outputs, recorded, asked, used):
    net = head(outputs, *tail)
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model:
        model.activation = recorded  # as the record of a folder sets it
        scorer = model.scorer(RECORD, asked)
        values = model.scorer(RECORD, "none")(noise(5))
        scores = scorer(noise(5))
    assert scorer.activation == used
    if used == "none" or tail:
        np.testing.assert_array_equal(scores, values)  # nothing twice
    elif used == "sigmoid":
        assert_close(SIGMOID, (scores,), (values,))
    else:
        np.testing.assert_allclose(scores.sum(1), 1, rtol=16 * np.finfo(np.float32).eps)
        assert (scores.argmax(1) == values.argmax(1)).all()


@pytest.mark.parametrize(
    ("tail", "outputs", "recorded", "asked", "said"),
    [
        ((nn.Softmax(1),), 4, "auto", "sigmoid", "ends in a softmax of its own, which is not undone for the sigmoid asked for.*'softmax'"),
        ((nn.Sigmoid(),), 4, "auto", "softmax", "ends in a sigmoid of its own, .* softmax asked for; use activation='sigmoid'"),
        ((nn.LogSoftmax(1),), 4, "auto", "sigmoid", "ends in a log_softmax of its own, .* sigmoid asked for; use activation='softmax'"),
        ((nn.Softmax(1),), 4, "sigmoid", "auto", "for the sigmoid what the model's record says"),
        ((), 1, "auto", "softmax", "one output a photograph; softmax over one class is always 1: use activation='sigmoid'"),
        ((), 1, "softmax", "auto", "one output a photograph"),
        ((nn.Softmax(1),), 1, "auto", "auto", "one output a photograph"),
    ],
)
def test_activations_that_cannot_be(tail, outputs, recorded, asked, said):
    with gpucnn.compile(head(outputs, *tail), (1, 3, 8, 8), device="cpu") as model:
        model.activation = recorded
        with pytest.raises(ModelError, match=said):
            Classifier(model, preprocess=RECORD, activation=asked)


def test_softmax_undoes_a_log_softmax_that_the_net_ends_in():
    with gpucnn.compile(head(4, nn.LogSoftmax(1)), (1, 3, 8, 8), device="cpu") as model:
        scorer = model.scorer(RECORD)
        logarithms, probabilities = model.scorer(RECORD, "none")(noise(5)), scorer(noise(5))
    assert scorer.activation == "softmax"
    bound = 16 * np.finfo(np.float32).eps * (1 + np.abs(logarithms))  # exp makes an error of the logarithm a relative one
    assert (np.abs(probabilities - np.exp(logarithms.astype(np.float64))) <= bound * probabilities).all()


def test_a_folder_may_say_so(folder):  # noqa: F811
    change(folder, activation="sigmoid")
    with Classifier(folder, device="cpu") as classifier:
        assert (classifier.model.activation, classifier.activation) == ("sigmoid", "sigmoid")
    with Classifier(folder, device="cpu", activation="softmax") as classifier:
        assert classifier.activation == "softmax"
    for wrong in ("relu", ["sigmoid"], None, 1):
        change(folder, activation=wrong)
        with pytest.raises(ModelError, match='config.json: "activation" must be one of auto, softmax, sigmoid, none, got'):
            gpucnn.load(folder)


def test_large_scores_neither_overflow_nor_warn(recwarn):
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
    bias = np.float32([-1e30, -60, 60, 1e30])
    net.load_state_dict({"2.weight": np.zeros((4, 3), np.float32), "2.bias": bias})
    with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model:
        scores = model.scorer(RECORD, "sigmoid")(noise(2))
    assert_close(SIGMOID, (scores,), (np.stack([bias] * 2),))
    assert (scores[:, [0, 3]] == [0, 1]).all()
    assert 0 < scores[0, 1] < 1e-25
    assert not recwarn.list


# ---------------------------------------------------------------- one output


@pytest.mark.parametrize("labels", [None, ["defect"]])
def test_one_output_is_the_positive_class(labels):
    with gpucnn.compile(head(1), (1, 3, 8, 8), device="cpu") as model:
        values = model.scorer(RECORD, "none")(noise(9))
        with Classifier(model, preprocess=RECORD, labels=labels) as classifier:
            results = list(classifier.predict(noise(9)))
            assert (classifier.activation, classifier.top) == ("sigmoid", 1)
    p = np.float32([[result.predictions[0].probability] for result in results])
    assert_close(SIGMOID, (p,), (values,))
    assert {(q.index, q.label) for result in results for q in result.predictions} == {(0, labels[0] if labels else None)}


def test_two_labels_of_one_output_are_both_classes():
    p = np.float32([0, 2**-30, 0.25, 0.5, 0.75, 1])
    model = FakeModel(score=lambda pixels: p[pixels[:, 0, 0, 0], None], classes=1)
    options = {"labels": ["negative", "positive"], "activation": "sigmoid"}
    results = list(Classifier(model, **options).predict(map(flat, range(6))))
    for result, positive in zip(results, p):
        assert {q.label: q.probability for q in result.predictions} == {"negative": 1 - positive, "positive": positive}
        assert [q.index for q in result.predictions] == ([0, 1] if positive <= 0.5 else [1, 0])
    best = Classifier(model, threshold=0.5, **options)
    names = [[q.label for q in result.predictions] for result in best.predict(map(flat, range(6)))]
    assert names == [["negative"], ["negative"], ["negative"], ["negative", "positive"], ["positive"], ["positive"]]
    assert best.top == 2


def test_labels_of_one_output(folder, lenet_state):  # noqa: F811
    from safetensors.numpy import save_file

    state = {**lenet_state, **{name: lenet_state[name][:1] for name in ("output.weight", "output.bias")}}
    save_file(state, folder / "model.safetensors")
    change(folder, num_classes=1, label_names=["even", "odd"])
    image = np.zeros((32, 32), np.uint8)
    with Classifier(folder, device="cpu") as classifier:
        (result,) = classifier.predict(image)
        assert {q.label for q in result.predictions} == {"even", "odd"}
        assert sum(q.probability for q in result.predictions) == 1
    with pytest.raises(ModelError, match="one output tells two classes apart by activation='sigmoid' only; for activation='none' give one"):
        Classifier(folder, device="cpu", activation="none")
    with gpucnn.load("lenet5", weights=state, labels=["odd"], device="cpu") as model:
        (result,) = Classifier(model).predict(image)
        assert [q.label for q in result.predictions] == ["odd"]
        with pytest.raises(ModelError, match=r"1 class, but 3 labels \(given\): .*or two: of the negative and the positive class"):
            Classifier(model, labels=list("abc"))
    with pytest.raises(ModelError, match="3 labels were given, the output is output n×1; .*two where there is one output: the negative"):
        gpucnn.load("lenet5", weights=state, labels=list("abc"))
    with pytest.raises(ModelError, match="2 labels were given, the output is output n×10; give one label a class$"):
        gpucnn.load("lenet5", weights=lenet_state, labels=list("ab"))


# ---------------------------------------------------------------- bits


def test_one_image_has_the_same_bits_in_every_batch():
    """The trained network under sigmoid: alone, among 7 and among 64, at every place, beside anything."""
    with gpucnn.load("efficientnet_lite0", device="cpu") as model:
        photographs = np.random.default_rng(0).integers(0, 256, (64, 230, 240, 3), np.uint8)
        crowd = np.stack([decode(photograph, model.preprocess) for photograph in photographs])
        scorer = model.scorer(activation="sigmoid")
        together = scorer(crowd)
        for n in (1, 3, 7):
            np.testing.assert_array_equal(scorer(crowd[:n]).view(np.uint32), together[:n].view(np.uint32))
        np.testing.assert_array_equal(scorer(crowd[::-1][:9]).view(np.uint32), together[::-1][:9].view(np.uint32))
        with Classifier(model, activation="sigmoid", threshold=0.5, batch_size=5) as classifier:
            rows = list(classifier.predict(photographs[:7]))
    for scores, row in zip(together, rows):
        above = np.flatnonzero(scores >= np.float32(0.5))
        assert {p.index: p.probability for p in row.predictions} == {int(k): float(scores[k]) for k in above}


def test_a_sigmoid_behind_a_map_has_the_same_bits_in_every_batch():
    """No dense layer to carry it: a step of its own, over as many elements as there are images."""
    for outputs in (1, 3, 17):
        net = nn.Sequential(nn.Conv2d(3, outputs, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        with gpucnn.compile(net, (1, 3, 8, 8), device="cpu") as model:
            scorer = model.scorer(RECORD, "sigmoid")
            crowd = noise(23)
            together = scorer(crowd)
            for i in range(23):
                np.testing.assert_array_equal(scorer(crowd[i : i + 1])[0].view(np.uint32), together[i].view(np.uint32))
            np.testing.assert_array_equal(scorer(crowd[::-1]).view(np.uint32), together[::-1].view(np.uint32))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_on_a_gpu(fake_gpu, precision):  # noqa: F811
    """From the bytes to the rows, with the sigmoid on the GPU."""
    record = Preprocess((16, 12), 16, "nearest", (0.5,) * 3, (0.25,) * 3)
    photographs = np.random.default_rng(1).integers(0, 256, (5, 16, 12, 3), np.uint8)
    crowd = np.stack([decode(photograph, record) for photograph in photographs])
    net = Small()
    options = {"preprocess": record, "activation": "sigmoid", "threshold": 0.5}
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision=precision) as model:
        with Classifier(model, **options) as classifier:
            rows, (alone,) = list(classifier.predict(photographs)), classifier.predict(photographs[3])
        scores, values = (model.scorer(record, activation)(crowd) for activation in ("sigmoid", "none"))
        steps = model.scorer(record, "sigmoid")._model.plan().steps
    assert "sigmoid" in str(steps[-1].node.op), "the last step is that of the dense layer"
    assert scores.dtype == np.float32
    assert_close(SIGMOID, (scores,), (values,))  # as close as float32, whatever the maps are stored in
    assert [{p.index for p in row.predictions} for row in rows] == [set(np.flatnonzero(s >= 0.5).tolist()) for s in scores]
    assert any(row.predictions for row in rows)
    assert alone == rows[3]


# ---------------------------------------------------------------- rows

ROWS = [Result("a.jpg", (Prediction(1, "cat", 0.75), Prediction(0, "dog", 0.5))), Result("b.jpg"), Result("c.jpg", error="no such file")]


def test_text_without_labels():
    rows = TextRows(2)
    assert rows.rows(ROWS).splitlines() == ["a.jpg  cat 75.0%   dog 50.0%", "b.jpg  (no label)", "c.jpg: error: no such file"]
    assert rows.rows(ROWS[:1]) == "a.jpg  cat 75.0%   dog 50.0%\n"  # a short row takes no column from those after it


def test_csv_without_labels():
    rows = CsvRows(2)
    table = list(csv.reader(io.StringIO(rows.header() + rows.rows(ROWS))))
    assert table[2] == ["b.jpg", "", "", "", "", "", "", ""]
    assert table[3] == ["c.jpg", "no such file", "", "", "", "", "", ""]
    assert {len(record) for record in table} == {8}


def test_jsonl_without_labels():
    assert json.loads(JsonlRows(2).rows(ROWS).splitlines()[1]) == {"path": "b.jpg", "predictions": []}


def test_scores_are_not_called_probabilities():
    rows = [Result("a", (Prediction(1, "cat", -12.345678), Prediction(0, None, 1e6)))]
    text, table, record = (form(2, "score") for form in FORMATS.values())
    assert text.rows(rows) == "a  cat -12.35  class 0 1e+06\n"
    assert table.header() == "path,error,index_1,label_1,score_1,index_2,label_2,score_2\n"
    assert json.loads(record.rows(rows))["predictions"][0] == {"index": 1, "label": "cat", "score": -12.345678}


# ---------------------------------------------------------------- the command


def test_the_command_lists_what_reaches_the_threshold(photos, capsys):  # noqa: F811
    assert with_fake_model(["classify", photos, "--activation", "sigmoid", "--threshold", "0.97", "-f", "jsonl"]) == 0
    out, err = capsys.readouterr()
    assert [[p["label"] for p in json.loads(line)["predictions"]] for line in out.splitlines()] == [["dark"], [], ["bright"]]
    assert "; activation sigmoid; threshold 0.97; precision float32; " in err.splitlines()[0]
    assert "3 images, 0 errors" in err
    assert with_fake_model(["classify", photos, "--threshold", "0.97", "-q"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("b.PNG  (no label)")


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ([], 3),  # there are three classes
        (["-k", "1"], 1),
        (["--activation", "sigmoid", "--threshold", "0.5"], 3),
        (["--activation", "sigmoid", "--threshold", "0.5", "-k", "2"], 2),
    ],
)
def test_columns_of_the_table(photos, capsys, options, columns):  # noqa: F811
    assert with_fake_model(["classify", photos, "-f", "csv", "-q", *options]) == 0
    table = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert {len(record) for record in table} == {2 + 3 * columns}
    assert table[0][-1] == f"probability_{columns}"


def test_the_command_and_values_as_they_are(photos, capsys):  # noqa: F811
    assert with_fake_model(["classify", photos, "-f", "csv", "--activation", "none", "--threshold", "-7"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].endswith(",index_3,label_3,score_3")
    assert "; activation none; threshold -7; " in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--activation", "relu"], "invalid choice: 'relu'"),
        (["--threshold", "half"], "expected a number such as 0.5, got 'half'"),
        (["--threshold", "50"], "threshold must lie in 0…1, where probabilities do (50 % is 0.5), got 50"),
        (["--threshold", "-0.5", "--activation", "sigmoid"], "threshold must lie in 0…1"),
        (["--threshold", "nan"], "threshold must be a number, got nan"),
    ],
)
def test_wrong_use_of_the_command(photos, capsys, options, message):  # noqa: F811
    assert with_fake_model(["classify", photos, "-o", "out.txt", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert not list(Path().glob("out*"))


def test_the_real_network_without_a_label(capsys):
    images = str(Path(gpucnn.__file__).parent / "data" / "photos")
    assert cli.main(["classify", images, "--threshold", "0.9", "-d", "cpu"]) == 0
    out, err = capsys.readouterr()
    cat, cup, rocket = out.splitlines()
    assert cat.endswith("(no label)")
    assert "espresso 9" in cup
    assert rocket.endswith("(no label)")
    assert "; threshold 0.9; precision" in err
