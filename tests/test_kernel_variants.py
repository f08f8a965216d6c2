"""The table of macro sets: every kernel has a row, and the emulator refuses what is not listed; see also ``test_cuda_widths.py``."""

from __future__ import annotations

import pytest
from emulated import EmulatorDriver
from kernel_variants import KERNELS, covering, functions_of, sets_of

from gpucnn.backends.cuda.source import Source, kernel_folder

FILES = sorted(path.name for path in kernel_folder().glob("*.cu"))
FIRST = next(iter(KERNELS))


@pytest.mark.parametrize("file", FILES)
def test_every_kernel_has_a_row(file):
    assert sorted(functions_of(file)) == sorted(function for f, function in KERNELS if f == file)


def test_every_row_has_a_kernel():
    assert sorted({file for file, _ in KERNELS}) == FILES


@pytest.mark.parametrize("arch", [75, 80, 90])
@pytest.mark.parametrize("row", KERNELS, ids=":".join)
def test_few_sets_cover_the_axes(row, arch):
    every, few = sets_of(*row, arch), covering(*row, arch)
    assert few.keys() <= every.keys()
    assert {item for macros in few.values() for item in macros.items()} == {item for macros in every.values() for item in macros.items()}
    assert len(few) <= max(1, sum(len(axis) for axis in KERNELS[row].axes))


def test_the_emulator_refuses_what_is_not_listed():
    driver = EmulatorDriver(80)
    source = Source(f"kernels/{FIRST[0]}", "", "")
    with pytest.raises(AssertionError, match=rf"the row of {FIRST[1]} in {FIRST[0]} has no set HALF=7 for sm_80: extend its axes"):
        driver.kernel(source, FIRST[1], {"HALF": 7})
    with pytest.raises(AssertionError, match=rf"has no row for other of {FIRST[0]}: add one"):
        driver.kernel(source, "other", {})


def test_a_function_is_found_however_it_is_declared(tmp_path, monkeypatch):
    (tmp_path / "k.cu").write_text(
        'extern "C" __global__ void one(int* x) {}\n// extern "C" __global__ is what CuPy wants\n'
        'extern "C" __global__ void __launch_bounds__(THREADS, 2) two(\n    int* x)\n{}\n__global__ void inner(int* x) {}\n'
    )
    monkeypatch.setattr("kernel_variants.kernel_folder", lambda: tmp_path)
    assert functions_of("k.cu") == ["one", "two"]


def test_a_kernel_without_macros_is_covered():
    assert covering("spin.cu", "spin", 80) == {"": {}}
