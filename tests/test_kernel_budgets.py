"""Machine code of every kernel: no spills, no local memory, registers within the committed budget, the file made from today's code."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import emulator
import kernel_budgets
import pytest
from cases import SEED
from emulator import Resources, nvrtc
from kernel_budgets import ARCHS, COMMAND, FILE, IN_TESTS, Budgets, Variant, code_digest, complaints, measure, variants_of
from kernel_variants import KERNELS, covering

from gpucnn.backends.cuda.source import Source, load_source

BUDGETS = Budgets.read()
FIRST = next(iter(BUDGETS.resources))
FILES = sorted({file for file, _ in KERNELS})


@pytest.fixture(scope="module")
def nvrtc_of_the_budgets():
    """Another compiler gives other registers."""
    emulator.require(run=False)
    assert nvrtc.version() == BUDGETS.nvrtc, (
        f"{FILE.name} was made with NVRTC {BUDGETS.nvrtc}, here is {nvrtc.version()}: pip install -e '.[test]', or run {COMMAND}"
    )


@pytest.mark.usefixtures("nvrtc_of_the_budgets")
def test_compiles_within_the_budget():
    found = measure(variants_of(IN_TESTS, covering))
    assert {(v.file, v.function) for v in found} == set(KERNELS)
    assert complaints(found, BUDGETS) == []


@pytest.mark.usefixtures("nvrtc_of_the_budgets")
@pytest.mark.parametrize("file", FILES)
def test_a_drawn_set_compiles_within_the_budget(file):
    """One of any other architecture: the file says the same of all, if it was made as it should be."""
    draw = Random(f"{SEED} {file}")
    listed = variants_of(draw.choice([arch for arch in ARCHS if arch != IN_TESTS]))
    name = draw.choice(sorted({v.name for v in listed if v.file == file}))
    found = measure({v: macros for v, macros in listed.items() if (v.file, v.name) == (file, name)})
    assert found
    assert complaints(found, BUDGETS) == []


@pytest.mark.parametrize("file", FILES)
def test_committed_results_are_of_this_code(file):
    """Also for the architectures that the tests do not compile for."""
    assert BUDGETS.code.get(file) == code_digest(file), f"{file} or a header was edited after {FILE.name} was made: run {COMMAND}"


@pytest.mark.parametrize("arch", ARCHS)
def test_committed_results_are_complete(arch):
    here = {variant: resources for variant, resources in BUDGETS.resources.items() if variant.arch == arch}
    assert here.keys() == variants_of(arch).keys(), f"kernel_variants.py changed after {FILE.name} was made: run {COMMAND}"
    assert complaints(here, BUDGETS) == []


def test_excess_is_found(monkeypatch):
    variant, r = FIRST, BUDGETS.resources[FIRST]
    assert complaints({variant: replace(r, registers=r.registers - 1)}, BUDGETS) == []
    (line,) = complaints({variant: replace(r, registers=r.registers + 1)}, BUDGETS)
    assert line == f"{variant}: {r.registers + 1} registers, the budget is {r.registers}"
    (line,) = complaints({variant: replace(r, spill_loads=4)}, BUDGETS)
    assert "spills 0 bytes of stores and 4 of loads" in line
    (line,) = complaints({variant: replace(r, stack=KERNELS[variant.file, variant.function].stack + 8)}, BUDGETS)
    assert "bytes of local memory, kernel_variants.py allows" in line
    (line,) = complaints({variant._replace(name="BM=1"): r}, BUDGETS)
    assert f"has no budget; run {COMMAND}" in line
    edited = replace(BUDGETS, code={**BUDGETS.code, variant.file: "of other code"})
    (line,) = complaints({variant: replace(r, registers=r.registers + 1)}, edited)
    assert f"(of the code before it was edited; if more is meant, run {COMMAND})" in line


def test_a_file_written_is_the_file_read(tmp_path):
    BUDGETS.write(tmp_path / "again.json")
    assert Budgets.read(tmp_path / "again.json") == BUDGETS
    assert (tmp_path / "again.json").read_text("utf-8") == FILE.read_text("utf-8")


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        (lambda text: text.replace("// Ladder: ", "// Ladder:  2026: faster"), True),
        (lambda text: "/* two\nlines */\n" + text + "\n\n#line 9 \"x.cu\"\n", True),
        (lambda text: text.replace("v[EACH];", "v[EACH ];"), False),
        (lambda text: text + '\n__device__ const char* const name = "// not a comment";', False),
    ],
)
def test_only_comments_are_free(edit, same, monkeypatch):
    source = load_source("copy.cu")
    before, text = code_digest("copy.cu"), edit(source.text)
    assert text != source.text
    monkeypatch.setattr(kernel_budgets, "load_source", lambda file: Source(source.name, text, ""))
    assert (code_digest.__wrapped__("copy.cu") == before) == same


def test_only_what_changed_is_compiled(tmp_path, monkeypatch, capsys):
    """The script trusts results of the same code and compiler, and compiles the rest."""
    target = tmp_path / "budgets.json"
    stale = Budgets(BUDGETS.nvrtc, {**BUDGETS.code, FIRST.file: "of other code"}, dict(BUDGETS.resources))
    new_set = next(v for v in BUDGETS.resources if v.file != FIRST.file)
    del stale.resources[new_set]
    asked: set[Variant] = set()

    def fake(variants):
        asked.update(variants)
        return {v: replace(BUDGETS.resources[v], registers=7) for v in variants}

    monkeypatch.setattr(kernel_budgets, "measure", fake)
    monkeypatch.setattr(kernel_budgets.nvrtc, "version", lambda: BUDGETS.nvrtc)
    stale.write(target)
    assert kernel_budgets.main(target) == 0
    assert asked == {v for v in BUDGETS.resources if v.file == FIRST.file} | {new_set}
    after = Budgets.read(target)
    assert after.code == BUDGETS.code
    assert {v for v, r in after.resources.items() if r.registers == 7} == asked
    printed = capsys.readouterr().out
    assert f"{new_set.function} of {new_set.file}: 1 new" in printed
    assert f"{FIRST}: registers {BUDGETS.resources[FIRST].registers} → 7\n" in printed

    def spilling(variants):
        return {v: Resources(255, 8, 16, 24, 0) for v in variants}

    monkeypatch.setattr(kernel_budgets, "measure", spilling)
    stale.write(target)
    assert kernel_budgets.main(target) == 1
    assert f"{new_set}: spills 8 bytes of stores and 16 of loads at 255 registers" in capsys.readouterr().out
