"""The ONNX project's own tests, through ``gpucnn.onnx_backend``.

python tests/test_onnx_suite.py           run them all, print the README's table
python tests/test_onnx_suite.py --write   and put it into README.md, between its two marks
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_suite import EXCLUDED, KINDS, cases, compare, is_expanded, light_data, light_nets, suite

from gpucnn.errors import UnsupportedError
from gpucnn.onnx_backend import GpucnnBackend

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- ONNX suite: made by tests/test_onnx_suite.py -->", "<!-- end of ONNX suite -->"
PEER = ROOT / "tests" / "perf" / "results" / "onnx_suite.json"


def run(case):
    rep = GpucnnBackend.prepare(case.model(), "CPU")
    ran = 0
    for inputs, expected in case.data():
        compare(rep.run(inputs), expected, case.test.rtol, case.test.atol)
        ran += 1
    assert ran


@pytest.mark.parametrize("case", [c for c in cases() if c.name not in EXCLUDED], ids=lambda c: f"{c.kind}-{c.name}")
def test_case(case):
    run(case)


@pytest.mark.parametrize("case", [c for c in cases() if c.name in EXCLUDED], ids=lambda c: c.name)
def test_excluded_cases_are_refused(case):
    with pytest.raises(UnsupportedError, match="training"):
        run(case)


def test_every_exclusion_is_a_case():
    assert set(EXCLUDED) <= {c.name for c in cases()}


@pytest.mark.parametrize("name", light_nets())
def test_light_net(name):
    inputs, expected = light_data(light_nets()[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        got = GpucnnBackend.run_model(onnx.load(light_nets()[name]), inputs)
    compare(got, expected, 1e-3, 1e-7)  # the suite's own tolerance for whole nets


def test_the_whole_of_it_is_there():
    """An edition of onnx with fewer cases would let the suite pass for less."""
    count = {kind: sum(c.kind == kind and not is_expanded(c) for c in cases()) for kind in KINDS}
    assert count == {"node": 633, "simple": 7, "pytorch-converted": 82, "pytorch-operator": 30}
    assert len(light_nets()) == 9


def rows():
    """Kind, cases that count, those excluded by name, ONNX Runtime's result."""
    peer = json.loads(PEER.read_text("utf-8"))["passed"]
    for kind, meaning in KINDS.items():
        for expanded in (False, True):
            chosen = [c for c in cases() if c.kind == kind and is_expanded(c) == expanded]
            if chosen:
                excluded = sum(c.name in EXCLUDED for c in chosen)
                name = f"{meaning}, written out" if expanded else meaning
                key = f"{kind} expanded" if expanded else kind
                yield name, suite()[kind] if not expanded else None, len(chosen), len(chosen) - excluded, excluded, peer[key]
    yield "nine light nets", 9, 9, 9, 0, peer["light"]


def table():
    lines = [
        "| cases | in the suite | that count | gpucnn passes | left out by name | ONNX Runtime passes |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, of, chosen, passed, excluded, peer in rows():
        lines.append(f"| {name} | {'' if of is None else of} | {chosen} | {passed} | {excluded} | {peer} |")
    document = json.loads(PEER.read_text("utf-8"))
    lines.append("")
    lines.append(f"onnx {onnx.__version__}; ONNX Runtime {document['onnxruntime']} on the same cases (`python tests/perf/onnx_suite.py`).")
    return "\n".join(lines)


def test_the_readme_has_the_result():
    readme = (ROOT / "README.md").read_text("utf-8")
    found = readme.split(BEGIN)[1].split(END)[0].strip()
    numbers = [re.sub(r"onnx [\d.]+;", "", text) for text in (found, table())]
    assert numbers[0] == numbers[1], "python tests/test_onnx_suite.py --write"


def main():
    failed = []
    for case in cases():
        if case.name not in EXCLUDED:
            try:
                run(case)
            except Exception as error:
                failed.append(f"{case.kind} {case.name}: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
    for name, file in light_nets().items():
        inputs, expected = light_data(file)
        try:
            compare(GpucnnBackend.run_model(onnx.load(file), inputs), expected, 1e-3, 1e-7)
        except Exception as error:
            failed.append(f"light {name}: {type(error).__name__}: {error}")
    if failed:
        sys.exit("\n".join([*failed, f"{len(failed)} failed: no table"]))
    print(table())
    if "--write" in sys.argv:
        readme = ROOT / "README.md"
        text = readme.read_text("utf-8")
        before, rest = text.split(BEGIN)
        readme.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", "utf-8")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        main()
