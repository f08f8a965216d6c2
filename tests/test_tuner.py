"""Block sizes by time: what is chosen, what is remembered, and what a file of choices may be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gpucnn
from gpucnn import engine, plan, tuner
from gpucnn.backends.cpu import IMPLS_THROUGHPUT, CpuBackend
from gpucnn.backends.cpu.conv import ConvPointwise
from gpucnn.errors import GpucnnError
from gpucnn.graph import Graph
from gpucnn.ops import Conv
from gpucnn.settings import read_settings, settings
from gpucnn.spec import Spec
from gpucnn.tuner import Store, Tuner

WHO = {"cpu": "a test's"}


class Clock(CpuBackend):
    """Runs what it times, and reads the seconds from a table by variant."""

    def __init__(self, seconds, default=1.0):
        super().__init__(impls=IMPLS_THROUGHPUT)
        self.seconds, self.default, self.timed = seconds, default, []

    def time(self, call):
        call()
        impl = next(step.impl for step in call.__self__.plan.steps if isinstance(step.node.op, Conv))
        self.timed.append(impl)
        return self.seconds.get((impl.name, impl.variant), self.seconds.get(impl.variant, self.default))


def node(kernel=1, c=32):
    graph = Graph()
    x = graph.input("x", Spec((2, c, 20, 20), np.dtype(np.float32)), "channels_last")
    weight = np.random.default_rng(0).standard_normal((32, c, kernel, kernel), np.float32)
    pad = kernel // 2
    graph.append(Conv((1, 1), ((pad, pad), (pad, pad))), [x, weight, None])
    return graph.nodes[-1]


@pytest.fixture
def kept(tmp_path):
    return Store(tmp_path / "tuned" / "cpu.json", WHO)


def test_the_fastest_variant_is_chosen_and_remembered(kept):
    backend = Clock({"128k": 0.5, "256k": 0.7})
    chosen = Tuner(kept).choose(backend, node())
    assert (type(chosen), chosen.variant) == (ConvPointwise, "128k")
    assert {impl.variant for impl in backend.timed} == {"64k", "128k", "256k"}
    other = Clock({"256k": 0.1})  # now another would be faster, but that is known
    again = Tuner(Store(kept.path, WHO)).choose(other, node())
    assert again.variant == "128k"
    assert other.timed == []
    seconds = next(iter(json.loads(kept.path.read_text("utf-8"))["choices"].values()))["seconds"]
    assert len(seconds) == 3
    assert sorted(seconds.values())[:2] == [0.5, 0.7]


def test_a_little_faster_is_not_enough(kept):
    assert Tuner(kept).choose(Clock({"128k": 0.99}), node()).variant == "64k"


def test_other_bits_are_no_choice(kept, monkeypatch):
    """However fast: and of those that are left the fastest."""
    real = ConvPointwise.bind

    def bind(self, backend, op, inputs, outputs, workspace):
        call = real(self, backend, op, inputs, outputs, workspace)

        def wrong():
            call()
            outputs[0][0, 0, 0, 0] = np.nextafter(outputs[0][0, 0, 0, 0], np.float32(np.inf))

        return wrong if self.variant == "256k" else call

    monkeypatch.setattr(ConvPointwise, "bind", bind)
    seconds = {"256k": 0.1, "128k": 0.5}
    assert Tuner(kept).choose(Clock(seconds), node()).variant == "128k"
    free = Store(kept.path.with_name("free.json"), WHO)
    assert Tuner(free, free=True).choose(Clock(seconds), node()).variant == "256k"


def test_methods_are_chosen_by_time_only_where_that_is_asked_for(kept):
    seconds = {("conv_im2col", "64k"): 0.1}
    chosen = Tuner(kept).choose(Clock(seconds), node(3))
    assert chosen.name.startswith("conv_winograd4")
    free = Store(kept.path.with_name("free.json"), WHO)
    assert Tuner(free, free=True).choose(Clock(seconds), node(3)).name == "conv_im2col"


def test_what_there_is_no_time_for_keeps_the_first_guess(kept):
    backend = Clock({"128k": 0.5})
    assert Tuner(kept, seconds=0.0).choose(backend, node()).variant == "64k"
    assert backend.timed == []
    assert not kept.path.exists()


def test_layers_that_differ_are_measured_each(kept):
    backend = Clock({"128k": 0.5})
    measured = Tuner(kept)
    for c in (16, 32, 48):
        measured.choose(backend, node(c=c))
    assert len(json.loads(kept.path.read_text("utf-8"))["choices"]) == 3
    count = len(backend.timed)
    measured.choose(backend, node(c=32))
    assert len(backend.timed) == count


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"choices": 3}', '{"made by": {"cpu": "a test\'s"}, "choices": {"k": {"chosen": 5}}}', "[" * 100_000],
    ids=["empty", "half", "a list", "a number", "no choices", "a wrong choice", "deep"],
)
def test_files_that_are_none_count_as_empty(kept, text):
    kept.path.parent.mkdir(parents=True)
    kept.path.write_text(text, "utf-8")
    assert kept.get("k") is None
    kept.put("k", "a", {"a": 1.0})
    assert Store(kept.path, WHO).get("k") == "a"


def test_choices_of_another_machine_count_for_nothing(kept):
    kept.put("k", "a", {"a": 1.0})
    assert Store(kept.path, {"cpu": "another"}).get("k") is None


def test_processes_share_a_file(kept):
    other = Store(kept.path, WHO)
    assert other.get("k") is None  # it has read
    kept.put("k", "a", {"a": 1.0})
    other.put("l", "b", {"b": 1.0})
    found = Store(kept.path, WHO)
    assert (found.get("k"), found.get("l")) == ("a", "b")
    assert list(kept.path.parent.iterdir()) == [kept.path]  # nothing half written is left


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    kept = Store(tmp_path / "file" / "cpu.json", WHO)
    kept.put("k", "a", {"a": 1.0})
    assert kept.get("k") == "a"


def test_a_name_that_is_no_choice_any_more_is_measured_anew(kept):
    backend = Clock({"128k": 0.5})
    first = Tuner(kept).choose(backend, node())
    text = kept.path.read_text("utf-8").replace('"chosen": "conv_pointwise', '"chosen": "gone')
    kept.path.write_text(text, "utf-8")
    assert Tuner(Store(kept.path, WHO)).choose(backend, node()).variant == first.variant


def test_a_model_has_the_same_bits_tuned_or_not(tmp_path, monkeypatch):
    x = np.random.default_rng(0).standard_normal((5, 3, 224, 224), np.float32)
    answers = []
    for tune in ("off", "on", "on"):
        changed = replace(settings(), tune=tune, cache=str(tmp_path))
        monkeypatch.setattr(engine, "settings", lambda changed=changed: changed)
        monkeypatch.setattr(tuner, "settings", lambda changed=changed: changed)
        tuner.store.cache_clear()
        with gpucnn.load("efficientnet_lite0", device="cpu") as model:
            answers.append((model(x), model(x[:1])))
        assert (len(list(tmp_path.rglob("cpu-*.json"))) == 1) == (tune == "on")
    tuner.store.cache_clear()
    for many, one in answers[1:]:
        np.testing.assert_array_equal(many.view(np.int32), answers[0][0].view(np.int32))
        np.testing.assert_array_equal(one.view(np.int32), answers[0][1].view(np.int32))


def test_the_setting():
    said = {"": "on", "on": "on", "1": "on", "off": "off", "0": "off", "Free": "free"}
    assert {text: read_settings({"GPUCNN_TUNE": text}).tune for text in said} == said
    with pytest.raises(GpucnnError, match="GPUCNN_TUNE: expected one of on, off, free, got 'fast'"):
        read_settings({"GPUCNN_TUNE": "fast"})
    assert settings().tune == "off"  # in tests


def test_the_file_is_named_by_what_decides_times(monkeypatch, tmp_path):
    who = tuner.identity()
    assert {"cpu", "blas", "threads", "gpucnn", "numpy", "python"} == set(who)
    paths = set()
    for threads in (1, 2, 2):
        changed = replace(settings(), threads=threads, cache=str(tmp_path))
        monkeypatch.setattr(tuner, "settings", lambda changed=changed: changed)
        tuner.store.cache_clear()
        paths.add(Path(tuner.store().path))
    tuner.store.cache_clear()
    assert len(paths) == 2


def test_the_reference_and_other_types_are_not_measured(kept):
    graph = Graph()
    x = graph.input("x", Spec((2, 3, 5, 5), np.dtype(np.float64)), "channels_last")
    graph.append(Conv((1, 1), ((0, 0), (0, 0))), [x, np.ones((4, 3, 1, 1)), None])
    backend = Clock({})
    assert Tuner(kept).choose(backend, graph.nodes[-1]) is plan.REFERENCE
    assert backend.timed == []
