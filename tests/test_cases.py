"""The numbers of the cases: others in every run, the same within one and for one seed, and a failure says which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from cases import SEED, of

from gpucnn.ops import Identity

CASE = of("some numbers", Identity(), (3, 4))


def test_numbers_follow_from_the_seed():
    first, again, other = (CASE.arrays(*seed)[0] for seed in ((), (SEED,), (SEED + 1,)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_another_case_has_other_numbers():
    assert (CASE.arrays()[0] != of("others", Identity(), (3, 4)).arrays()[0]).all()


def seed_of_a_run(**more: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "GPUCNN_TEST_SEED"}
    command = [sys.executable, "-c", "import cases; print(cases.SEED)"]
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent)])
    run = subprocess.run(command, env={**environment, "PYTHONPATH": paths, **more}, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_a_run_has_a_seed_of_its_own_or_the_one_it_is_given():
    assert seed_of_a_run() != seed_of_a_run()
    assert seed_of_a_run(GPUCNN_TEST_SEED="17") == "17"


def test_what_failed_says_the_seed(tmp_path):
    here = Path(__file__).parent
    (tmp_path / "conftest.py").write_bytes((here / "conftest.py").read_bytes())
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)]), "GPUCNN_TEST_SEED": "17"}
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed" in run.stdout
    assert "GPUCNN_TEST_SEED=17 repeats these numbers" in run.stdout
