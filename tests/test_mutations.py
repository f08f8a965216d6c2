"""400 damaged files, the same in every run, and the harness itself: what must not happen is seen when it does.

By hand, and by the ten thousand: ``python tests/perf/fuzz_files.py``.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from dataclasses import replace

import mutations
import numpy as np
import pytest
from mutations import case, parent
from mutations.judge import Failure, judge
from mutations.seeds import seeds

from gpucnn import limits
from gpucnn.errors import ImageError, LimitError, ModelError
from gpucnn.settings import read_settings, settings

linux = pytest.mark.skipif(sys.platform != "linux", reason="the workers bound their address space, which Linux does")

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")  # of members of a zip: as some cases want
CASES = 400
GROUPS = 8


@pytest.fixture(scope="module", autouse=True)
def small_limits():
    """As in the worker processes: no memory beyond the limit is what is tried here."""
    few = read_settings({name: str(value) for name, value in parent.LIMITS.items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "settings", lambda: few)
        patch.setattr("gpucnn.images.settings", lambda: replace(settings(), max_image_pixels=few.max_image_pixels))
        yield


class _Hangs(BaseException):
    pass


def _too_long(*_):
    raise _Hangs


@pytest.fixture
def watched():
    """Ends a case that takes more than 10 s."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _too_long)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("group", range(GROUPS))
def test_damaged_files_are_answers_or_errors_of_ours(group, tmp_path, watched, caplog):
    caplog.set_level("ERROR", "gpucnn")
    kinds = set()
    for number in range(group, CASES, GROUPS):
        folder = tmp_path / str(number)
        folder.mkdir()
        if hasattr(signal, "SIGALRM"):
            signal.alarm(10)
        try:
            kinds.add(mutations.run(number, folder).kind)
        except (Failure, _Hangs) as failure:
            pytest.fail(f"case {number} (python tests/perf/fuzz_files.py --repeat {number}): {failure!r}")
    assert "answer" in kinds
    assert len(kinds) > 1


@pytest.mark.parametrize("seed", [seed for family in seeds().values() for seed in family], ids=lambda seed: f"{seed.family} {seed.name}")
def test_what_is_not_damaged_is_an_answer(seed, tmp_path):
    for name, data in seed.files.items():
        (tmp_path / name).write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case.use(seed, tmp_path)


def test_a_number_repeats_its_case():
    for number in range(60):
        (seed, files), (again, same) = case.changed(number), case.changed(number)
        assert seed is again
        assert files == same


def test_nearly_all_cases_differ_from_their_seed():
    differ = sum(files != dict(seed.files) for seed, files in map(case.changed, range(300)))
    assert differ > 280


@linux
def test_in_processes_of_their_own(tmp_path):
    found = list(parent.cases(1000, 1030, at_once=17))
    assert [c.number for c in found] == list(range(1000, 1030))
    assert not [c for c in found if c.kind == "FAILURE"]
    assert {"answer", "ModelError"} <= {c.kind for c in found}
    assert max(c.mib for c in found) < parent.MIB


# ---- the harness sees what it is for ---------------------------------------------------------------------------------


def wrapped(error, cause=None):
    try:
        if cause is None:
            raise error
        raise error from cause
    except Exception as caught:
        return caught


def with_context(made):
    """An error of ours raised while one that our own code made was handled."""
    try:
        try:
            made()
        except Exception:
            raise ModelError("the file is damaged") from None
    except ModelError as error:
        return error


def test_the_judge():
    assert judge(wrapped(ModelError("x"))) == ("ModelError", "x")
    assert judge(wrapped(ImageError("x"), LimitError("y"))).kind == "ImageError"
    for bad in (KeyError("x"), MemoryError(), RecursionError("x"), AssertionError("x")):
        with pytest.raises(Failure, match="a foreign exception: "):
            judge(wrapped(bad))
        with pytest.raises(Failure, match="a foreign exception wrapped in ModelError"):
            judge(wrapped(ModelError("the file is damaged"), bad))
    with pytest.raises(Failure, match="wrapped in LimitError"):
        judge(wrapped(LimitError("x"), wrapped(ModelError("y"), KeyError("z"))))


def test_the_judge_tells_our_mistakes_from_a_library_s_word():
    assert judge(with_context(lambda: json.loads("{"))).kind == "ModelError"
    assert judge(with_context(lambda: b"\xff".decode("utf-8"))).kind == "ModelError"
    for mistake in (lambda: [][0], lambda: {}["x"], lambda: np.zeros(3).reshape(2), lambda: int("x")):
        with pytest.raises(Failure, match="a foreign exception of our own behind"):
            judge(with_context(mistake))


PLANTED = """
import time, os
from mutations import case
from gpucnn.errors import ModelError
def use(seed, folder):
    number = int(os.environ["PLANT"])
    use.calls += 1
    if use.calls == number:
        {what}
    return None
use.calls = 0
case.use = use
case.start = lambda: None
import mutations.worker as worker
worker.start = lambda: None
worker.main()
"""
WHATS = {
    "hangs": ("time.sleep(60)", "no answer in 2 s"),
    "dies": ("os.abort()", "the process died (-6)"),
    "takes memory": ("b'x' * (2 << 30)", "a foreign exception: MemoryError"),
    "wraps": ("raise ModelError('damaged') from KeyError('x')", "a foreign exception wrapped in ModelError('damaged')"),
}


@linux
@pytest.mark.parametrize(("what", "said"), WHATS.values(), ids=WHATS)
def test_workers_that_fail_are_seen_and_replaced(what, said, tmp_path, monkeypatch):
    script = tmp_path / "planted.py"
    script.write_text(PLANTED.format(what=what))
    started = parent.subprocess.Popen
    count = []

    def popen(command, **options):
        count.append(command)
        environment = {**options.pop("env"), "PLANT": "3" if len(count) == 1 else "0"}
        return started([command[0], str(script), *command[3:]], env=environment, **options)

    monkeypatch.setattr(parent.subprocess, "Popen", popen)
    found = list(parent.cases(0, 6, seconds=2))
    assert [c.number for c in found] == list(range(6))
    assert [c.kind for c in found] == ["answer", "answer", "FAILURE", "answer", "answer", "answer"]
    assert said in found[2].text
