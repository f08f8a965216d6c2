"""The Classifier's pipeline: order, laziness, bad items, ties, threads; and the rows that writers make."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gpucnn
from gpucnn import images
from gpucnn.classify import Classifier, Prediction, Result
from gpucnn.errors import GpucnnError, ModelError
from gpucnn.preprocess import Preprocess
from gpucnn.writers import FORMATS, CsvRows, JsonlRows, OutputFile, TextRows

RECORD = Preprocess(size=(8, 8), resize=8, interpolation="nearest")
GREY = Preprocess(size=(8, 8), resize=8, interpolation="nearest", mean=(0.5,), std=(0.5,), order="L")
PHOTOS = sorted(map(str, (Path(gpucnn.__file__).parent / "data" / "photos").glob("*.jpg")))


class FakeModel:
    """Scores of ten classes by the mean of the pixels, made by a scorer that the test may watch."""

    name, labels_source, nodes = "fake", "made up", None

    def __init__(self, record=RECORD, labels=tuple("abcdefghij"), batch=4, score=None, classes=10):
        if classes != 10:
            labels = None
        self.preprocess = record
        self.labels = labels
        self.batches = []
        self.closed = False
        self._batch = batch
        self._score = score
        self._classes = classes

    def scorer(self, preprocess, activation):
        return FakeScorer(self._run, self._batch, self._classes, "softmax" if activation == "auto" else activation)

    def _run(self, pixels):
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        self.batches.append(len(pixels))
        if self._score is not None:
            return self._score(pixels)
        level = pixels.reshape(len(pixels), -1).mean(axis=1, dtype=np.float64) / 25.6
        return np.exp(-np.abs(level[:, None] - np.arange(10))).astype(np.float32)

    def close(self):
        self.closed = True


class FakeScorer:
    def __init__(self, function, batch, classes, activation):
        self._function, self.batch, self.classes, self.activation = function, batch, classes, activation
        self.one_by_one = False

    def __call__(self, pixels):
        return self._function(pixels)

    def close(self):
        self._function = None


def flat(level, size=8):
    return np.full((size, size, 3), level, np.uint8)


def decoding_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("gpucnn-decode")]


# ---------------------------------------------------------------- predict


def test_results_are_in_input_order_for_every_kind_of_item(tmp_path):
    Image.fromarray(flat(77)).save(tmp_path / "a.png")
    items = [
        tmp_path / "a.png",
        flat(0),
        Image.fromarray(flat(128)),
        (tmp_path / "a.png").read_bytes(),
        str(tmp_path / "b.png"),
    ]
    results = list(Classifier(FakeModel(), top=2).predict(items))
    assert [result.path for result in results] == [str(tmp_path / "a.png"), None, None, None, str(tmp_path / "b.png")]
    assert [[p.label for p in result.predictions] for result in results] == [
        ["d", "e"],
        ["a", "b"],
        ["f", "e"],
        ["d", "e"],
        [],
    ]
    assert [result.error for result in results] == [None, None, None, None, "no such file"]
    first = results[1].predictions[0]
    assert first == Prediction(0, "a", 1.0)
    assert type(first.index) is int
    assert type(first.probability) is float


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 3, 16, 100])
def test_order_holds_however_the_work_is_cut(batch_size, workers):
    levels = np.random.default_rng(0).integers(0, 256, 50)
    model = FakeModel()
    classifier = Classifier(model, top=1, batch_size=batch_size, workers=workers)
    got = [result.predictions[0].index for result in classifier.predict(flat(level) for level in levels)]
    assert got == [min(range(10), key=lambda k: (abs(level / 25.6 - k), k)) for level in levels]
    assert sum(model.batches) == 50
    assert max(model.batches) == min(batch_size, 50)


def test_uneven_decoding_times_do_not_change_the_order(monkeypatch):
    def slow(item, record):
        time.sleep(0.01 * (item % 3))
        return flat(item * 25)

    monkeypatch.setattr("gpucnn.classify.decode", slow)
    results = Classifier(FakeModel(), top=1, batch_size=3, workers=4).predict(iter(range(10)))
    assert [result.predictions[0].index for result in results] == [round(i * 25 / 25.6) for i in range(10)]


def test_a_bad_item_is_a_result():
    items = [None, flat(0), np.zeros((2, 2)), flat(255), b"junk", b"", object()]
    model = FakeModel()
    results = list(Classifier(model, batch_size=4).predict(items))
    assert [result.error is None for result in results] == [False, True, False, True, False, False, False]
    assert model.batches == [2]  # a batch of nothing but bad items does not reach the network
    assert all(not result.predictions for result in results if result.error)


def test_scores_that_are_not_finite_are_errors():
    def score(pixels):
        scores = np.full((len(pixels), 3), 1 / 3, np.float32)
        scores[pixels[:, 0, 0, 0] == 1, 2] = np.nan
        scores[pixels[:, 0, 0, 0] == 2, 0] = np.inf
        scores[pixels[:, 0, 0, 0] == 3, 1] = -np.inf
        return scores

    results = list(Classifier(FakeModel(score=score, classes=3)).predict(map(flat, range(5))))
    assert ["not finite" in (result.error or "") for result in results] == [False, True, True, True, False]
    assert [len(result.predictions) for result in results] == [3, 0, 0, 0, 3]


def test_equal_scores_go_by_index():
    scores = np.float32([0.1, 0.3, 0.1, 0.3, 0.1, 0.1])
    model = FakeModel(score=lambda pixels: np.repeat(scores[None], len(pixels), axis=0), classes=6)
    (result,) = Classifier(model, top=5).predict([flat(0)])
    assert [p.index for p in result.predictions] == [1, 3, 0, 2, 4]


def test_top_is_clipped_and_labels_may_be_missing():
    classifier = Classifier(FakeModel(labels=None), top=99)
    (result,) = classifier.predict([flat(0)])
    assert classifier.top == 10
    assert [p.index for p in result.predictions] == list(range(10))
    assert {p.label for p in result.predictions} == {None}


def test_grey_models():
    model = FakeModel(record=GREY, score=lambda pixels: np.ones((len(pixels), pixels.shape[3]), np.float32), classes=1)
    (result,) = Classifier(model).predict([flat(9)])
    assert len(result.predictions) == 1


def test_one_item_is_not_read_letter_by_letter(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(flat(0)).save(path)
    for item in (path, str(path), path.read_bytes(), flat(0), Image.fromarray(flat(0))):
        (result,) = Classifier(FakeModel()).predict(item)
        assert result.error is None
    assert len(list(Classifier(FakeModel()).predict(np.zeros((3, 8, 8, 3), np.uint8)))) == 3
    assert list(Classifier(FakeModel()).predict([])) == []


def test_automatic_batch_size_fills_the_device():
    sizes = {batch: Classifier(FakeModel(batch=batch)).batch_size for batch in (1, 3, 8, 16, 24, 64)}
    assert sizes == {1: 16, 3: 18, 8: 16, 16: 16, 24: 24, 64: 64}
    assert Classifier(FakeModel(), batch_size=7).batch_size == 7


@pytest.mark.parametrize("option", [{"top": 0}, {"top": 2.5}, {"batch_size": 0}, {"batch_size": "many"}, {"workers": -1}])
def test_wrong_numbers(option):
    (name,) = option
    with pytest.raises(GpucnnError, match=f"{name} must be a whole number of at least 1"):
        Classifier(FakeModel(), **option)


def test_wrong_models():
    with pytest.raises(ModelError, match="give weights, device to"):
        Classifier(FakeModel(), weights="w.npz", device="cpu")
    with pytest.raises(ModelError, match="preprocess="):
        Classifier(FakeModel(record=None))
    with pytest.raises(ModelError, match=r"10 classes, but 2 labels \(made up\)"):
        Classifier(FakeModel(labels=("x", "y")))


def test_a_callers_model_stays_open():
    model = FakeModel()
    with Classifier(model) as classifier:
        assert classifier.model is model
        assert classifier.labels == model.labels
    assert not model.closed


# ---------------------------------------------------------------- laziness, memory, threads


def test_items_are_pulled_only_a_little_ahead():
    pulled = itertools.count()

    def endless():
        while True:
            yield flat(next(pulled) % 256)

    model = FakeModel()
    classifier = Classifier(model, batch_size=4, workers=3, top=1)
    with closing(classifier.predict(endless())) as results:
        for done in range(1, 200):
            next(results)
            in_hand = -(-done // 4) * 4
            assert next(pulled) - done + 1 <= in_hand + 2 * 4 + 3  # the count itself takes a number each time
    assert sum(model.batches) <= 204


def test_take_ten_of_an_endless_generator():
    pulled = []

    def endless():
        for i in itertools.count():
            pulled.append(i)
            yield flat(i % 256)

    results = Classifier(FakeModel(), batch_size=4, workers=2).predict(endless())
    assert pulled == []
    assert len(list(itertools.islice(results, 10))) == 10
    assert len(pulled) <= 10 + 3 * 4 + 2
    results.close()
    assert decoding_threads() == []


def test_decoding_overlaps_the_network(monkeypatch):
    """While the network runs a batch, the images of the next are decoded: neither waits for the other's end."""
    decoded = threading.Semaphore(0)

    def counted(item, record):
        decoded.release()
        return flat(0)

    def score(pixels):
        for _ in range(4):  # four images beyond those that went into this batch
            assert decoded.acquire(timeout=5)
        return np.ones((len(pixels), 2), np.float32)

    monkeypatch.setattr("gpucnn.classify.decode", counted)
    results = Classifier(FakeModel(score=score, classes=2), batch_size=4, workers=2).predict(iter(range(4 * 5)))
    for _ in range(4):
        assert next(results).error is None
        decoded.acquire()
    results.close()


def test_closing_early_ends_the_threads(monkeypatch):
    started = threading.Semaphore(0)

    def slow(item, record):
        started.release()
        time.sleep(0.05)
        return flat(0)

    monkeypatch.setattr("gpucnn.classify.decode", slow)
    results = Classifier(FakeModel(), batch_size=2, workers=2).predict(iter(lambda: 0, None))
    next(results)
    assert decoding_threads()
    begin = time.perf_counter()
    results.close()
    assert time.perf_counter() - begin < 1
    assert decoding_threads() == []
    with pytest.raises(StopIteration):
        next(results)


def test_what_the_items_raise_comes_after_the_results_before_it():
    def items():
        yield flat(0)
        yield flat(255)
        raise KeyError("the caller's own")

    results = Classifier(FakeModel(), batch_size=16).predict(items())
    assert [next(results).predictions[0].index for _ in range(2)] == [0, 9]
    with pytest.raises(KeyError, match="the caller's own"):
        next(results)
    assert decoding_threads() == []


def test_an_interrupt_leaves_no_threads():
    def items():
        yield from map(flat, range(6))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Classifier(FakeModel(), batch_size=2).predict(items()))

    def score(pixels):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Classifier(FakeModel(score=score), batch_size=2).predict(map(flat, range(200))))
    assert decoding_threads() == []


def test_two_runs_of_one_classifier_do_not_meet():
    classifier = Classifier(FakeModel(), batch_size=3, top=1)
    rising, falling = (
        classifier.predict(map(flat, range(0, 250, 25))),
        classifier.predict(map(flat, range(225, -1, -25))),
    )
    pairs = [(a.predictions[0].index, b.predictions[0].index) for a, b in zip(rising, falling)]
    assert pairs == [(k, 9 - k) for k in range(10)]


# ---------------------------------------------------------------- writers

ROWS = [
    Result("a.jpg", (Prediction(285, "Egyptian cat", float(np.float32(0.6634))), Prediction(2, "b, c", 1e-9))),
    Result("longer/name.jpg", (Prediction(7, None, 0.25), Prediction(8, '=cmd|"x"', 0.125))),
    Result("bad.jpg", error="no such file"),
    Result(None, (Prediction(1, "x", 1.0), Prediction(0, "y", 0.0))),
]


def test_jsonl():
    text = JsonlRows(2).rows(ROWS)
    rows = [json.loads(line) for line in text.splitlines()]
    assert text.isascii()
    assert text.endswith("}\n")
    assert rows[0] == {
        "path": "a.jpg",
        "predictions": [
            {"index": 285, "label": "Egyptian cat", "probability": 0.663399994},
            {"index": 2, "label": "b, c", "probability": 1e-9},
        ],
    }
    assert list(rows[0]) == ["path", "predictions"]
    assert list(rows[0]["predictions"][0]) == ["index", "label", "probability"]
    assert np.float32(rows[0]["predictions"][0]["probability"]) == np.float32(0.6634)
    assert rows[1]["predictions"][0]["label"] is None
    assert rows[2] == {"path": "bad.jpg", "error": "no such file"}
    assert rows[3]["path"] is None


def test_jsonl_of_odd_names():
    for name in ("new\nline", 'quo"te', "写真 ☃.jpg", "\udcff.jpg", "\u2028", "tab\t"):
        line = JsonlRows(1).rows([Result(name, error="e")])
        assert line.isascii()
        assert line.count("\n") == 1
        assert json.loads(line)["path"] == name


def test_csv():
    rows = CsvRows(2)
    table = list(csv.reader(io.StringIO(rows.header() + rows.rows(ROWS), newline="")))
    assert table[0] == ["path", "error", "index_1", "label_1", "probability_1", "index_2", "label_2", "probability_2"]
    assert table[1] == ["a.jpg", "", "285", "Egyptian cat", "0.663399994", "2", "b, c", "1e-09"]
    assert table[2] == ["longer/name.jpg", "", "7", "", "0.25", "8", '\'=cmd|"x"', "0.125"]
    assert table[3] == ["bad.jpg", "no such file", "", "", "", "", "", ""]
    assert table[4][0] == ""


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1.jpg", "@SUM(A1)", "\tx", "\rx", "\nx"])
def test_csv_runs_no_formulas(name):
    rows = CsvRows(1)
    text = rows.rows([Result(name, error=name), Result("a", (Prediction(0, name, 0.5),))])
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert table[0][:2] == ["'" + name, "'" + name]
    assert table[1][3] == "'" + name


def test_text():
    lines = TextRows(2).rows(ROWS).splitlines()
    assert lines == [
        "a.jpg            Egyptian cat 66.3%  b, c 0.0%",
        'longer/name.jpg  class 7 25.0%       =cmd|"x" 12.5%',
        "bad.jpg: error: no such file",
        "-                x 100.0%            y 0.0%",
    ]


def test_text_keeps_a_row_on_a_line():
    names = ["a\nb", "a\r\x1b[31mb", "a\u2028b", "a\x85b", "\udcff", "a\tb"]
    text = TextRows(1).rows([Result(name, (Prediction(0, "l\nm", 0.5),)) for name in names] + [Result("a", error="b\nc")])
    assert len(text.splitlines()) == 7
    assert text.replace("\n", "").isprintable()
    assert TextRows(1).rows([Result("写真 ☃.jpg", error="e")]) == "写真 ☃.jpg: error: e\n"


def test_every_format_takes_nothing():
    for form in FORMATS.values():
        assert form(3).rows([]) == ""


# ---------------------------------------------------------------- the output file


def test_the_output_has_its_name_only_when_whole(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("before")
    output = OutputFile(str(path))
    output.write("写 \udcff\n")
    assert path.read_text() == "before"
    assert Path(output.partial).read_bytes() == "写 \\udcff\n".encode()
    output.finish()
    output.leave()
    assert path.read_bytes() == "写 \\udcff\n".encode()
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_row_cut_short_is_cut_off(tmp_path):
    output = OutputFile(str(tmp_path / "out"))
    output.write("row 1\n")
    output._file.write(b"row 2, half")  # as if the write had been interrupted
    output.leave()
    assert (tmp_path / "out.partial").read_text() == "row 1\n"
    assert not (tmp_path / "out").exists()


def test_no_rows_leave_no_file(tmp_path):
    OutputFile(str(tmp_path / "out")).leave()
    assert os.listdir(tmp_path) == []


def test_outputs_that_cannot_be(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "out", Path(os.devnull)):
        with pytest.raises(GpucnnError, match="cannot be written"):
            OutputFile(str(path))


# ---------------------------------------------------------------- the real network


@pytest.fixture(scope="module")
def model():
    with gpucnn.load("efficientnet_lite0", device="cpu") as loaded:
        yield loaded


def test_photographs_get_their_names(model):
    results = list(Classifier(model).predict(PHOTOS))
    names = {Path(result.path).stem: result.predictions[0].label for result in results}
    assert names["chelsea"] in ("Egyptian cat", "tiger cat", "tabby")
    assert names["coffee"] == "espresso"
    assert names["rocket"] in ("space shuttle", "missile")
    assert all(len(result.predictions) == 5 for result in results)


def test_one_image_has_the_same_bits_in_every_batch(model):
    """Alone, among 7 and among 64, at every place in the batch: bitwise the same scores of all classes."""
    record = model.preprocess
    photos = [images.decode(path, record) for path in PHOTOS]
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (*record.size, 3), np.uint8) for _ in range(4)]
    crowd = (photos + noise) * 10

    def bits(items, batch_size):
        results = Classifier(model, batch_size=batch_size, top=1000).predict(items)
        return [sorted((p.index, p.probability) for p in result.predictions) for result in results]

    alone = [bits([item], 1)[0] for item in photos + noise]
    assert len(alone[0]) == 1000
    assert bits(crowd[:7], 7) == alone
    assert bits(crowd[:64], 64) == (alone * 10)[:64]
    assert bits(crowd[:10], 4) == (alone * 2)[:10]
