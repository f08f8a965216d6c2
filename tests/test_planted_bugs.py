"""Bugs planted into the project's own kernels, one edit each, are caught by the same runs that hold the kernels to the references.

The emulator's tests plant bugs into kernels written for that (``tests/emulator/test_emulator.py``); here they go into those that ship. An
edit names text that its source must have exactly once, so that a rewritten kernel cannot lose its bug unnoticed. The case of each
bug is one of the table's, which ``test_cuda_impls.py`` runs without the bug.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import emulator
import pytest
from cases import CASES, Case, halved
from close import assert_close
from emulated import EmulatorDriver
from emulator import KernelError
from harness import Harness
from test_cuda_impls import SMALL, ways_of

from gpucnn.backends.base import Impl
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.depthwise import ConvDepthwiseDirect
from gpucnn.backends.cuda.driver import Kernel
from gpucnn.backends.cuda.global_pool import GlobalAvgPoolDirect
from gpucnn.backends.cuda.layout import CopyKernel
from gpucnn.backends.cuda.norm import GroupNormKernel, LayerNormKernel
from gpucnn.backends.cuda.pointwise import ActivationKernel, GLUKernel
from gpucnn.backends.cuda.softmax import SoftmaxKernel
from gpucnn.backends.cuda.source import Source
from gpucnn.ops import GLU, Activation, Conv, GlobalAvgPool, GroupNorm, LayerNorm, Op, Softmax, Transpose


@dataclass(frozen=True)
class Bug:
    """One edit of a kernel, and how it shows.

    file : the kernel, its headers included
    text, instead : a regular expression that matches once, and what replaces the match
    impl, kind, case : what runs it
    message : how check mode reports it; empty where no rule is broken and the result is wrong
    way : of the harness; empty for the first that the case is run in
    """

    file: str
    text: str
    instead: str
    impl: Impl
    kind: type[Op]
    case: str
    message: str = ""
    arch: int = 80
    way: str = ""

    def find_case(self) -> Case:
        """``"id"`` of the table, or ``"id, float16"``."""
        name, comma, _ = self.case.partition(", float16")
        case = next(case for case in CASES[self.kind] if case.id == name)
        return halved(case) if comma else case


class PlantingDriver(EmulatorDriver):
    """Edits one kernel before it is compiled."""

    def __init__(self, bug: Bug, check: bool) -> None:
        super().__init__(bug.arch, check)
        self.bug, self.planted = bug, False

    def kernel(self, source: Source, function: str, macros: Mapping[str, int]) -> Kernel:
        if source.name == f"kernels/{self.bug.file}":
            text, times = re.subn(self.bug.text, self.bug.instead, source.text)
            assert times == 1, f"{source.name} has {times} places like {self.bug.text!r}: plant this bug elsewhere"
            source = Source(source.name, text, hashlib.sha256(text.encode()).hexdigest())
            self.planted = True
        return super().kernel(source, function, macros)


MMA, SIMT = SMALL["conv_igemm_mma"], SMALL["conv_igemm_simt"]
DEEP = "images grouped into one product"  # padded and aligned
DEEPER = "1000 channels in"  # goes round in the pipeline often
UNWRITTEN_OR_RACE = r"race: |no thread has written yet"

BUGS = {
    "missing barrier, reduction": Bug(
        "pool_global.cu", r"(= sum\[e\];\n)    __syncthreads\(\);", r"\1",
        GlobalAvgPoolDirect(), GlobalAvgPool, "odd sizes", UNWRITTEN_OR_RACE,
    ),
    "missing barrier, transpose": Bug(
        "copy.cu", r"__syncthreads\(\);", "", CopyKernel(), Transpose, "tiles", UNWRITTEN_OR_RACE,
    ),
    "missing barrier before reuse": Bug(
        "softmax.cu", r"__syncthreads\(\);( +// scratch has been read by all)", r"\1", SoftmaxKernel(), Softmax, "2000 classes", "race: ",
    ),
    "missing barrier before reuse, rows": Bug(
        "norm_rows.cu", r"__syncthreads\(\);( +// scratch has been read by all\n    scratch\[threadIdx.x\] = v;)", r"\1",
        GroupNormKernel(), GroupNorm, "instances", "race: ", way="alone",
    ),
    "a mean of squares for the variance": Bug(
        "norm_rows.cu", r"x - mean, x - mean", "x, x", LayerNormKernel(), LayerNorm, "a large mean",
    ),
    "missing barrier in a pipelined loop, registers": Bug(
        "conv_igemm_simt.cu", r"(deposit\(\(step \+ 1\) & 1\);.*\n +)__syncthreads\(\);", r"\1", SIMT, Conv, DEEP, UNWRITTEN_OR_RACE,
    ),
    "missing barrier in a pipelined loop, cp.async": Bug(
        "conv_igemm_mma.cu", r"__syncthreads\(\);( +// .* has landed for all)", r"\1", MMA, Conv, f"{DEEPER}, float16",
        f"{UNWRITTEN_OR_RACE}|in flight",
    ),
    "wrong wait count": Bug(
        "conv_igemm_mma.cu", r'(wait_group %0;" :: "n"\(PENDING)\)', r"\1 + 1)", MMA, Conv, f"{DEEPER}, float16", "in flight",
    ),
    "off-by-one read out of bounds": Bug(
        "conv_depthwise.cu", r"taps \+ \(i64\)\(r \* columns \+ s\)", "taps + (i64)(r * columns + s + 1)",
        ConvDepthwiseDirect(), Conv, "depthwise", r"conv_depthwise.cu:\d+.*out of bounds: read of 4 bytes",
    ),
    "off-by-one read of a neighbour": Bug(
        "pool_global.cu", r"i < pixels;", "i <= pixels;", GlobalAvgPoolDirect(), GlobalAvgPool, "odd sizes",
    ),
    "off-by-one write": Bug(
        "conv_depthwise.cu", r"q0 \+ t >= q_size", "q0 + t > q_size", ConvDepthwiseDirect(4), Conv,
        "depthwise 5x5 larger than image", r"conv_depthwise.cu:\d+.*race: write of byte", way="alone",
    ),
    "misaligned vector, global memory": Bug(
        "pool_global.cu", r"__ldg\(reinterpret_cast<const wide\*>\(p\)\)", "__ldg(reinterpret_cast<const wide*>(p + 1))",
        GlobalAvgPoolDirect(), GlobalAvgPool, "1000 channels", "misaligned read of 16 bytes",
    ),
    "misaligned vector, shared memory": Bug(
        "conv_igemm_simt.cu", r"#define PAD 4", "#define PAD 1", SIMT, Conv, DEEP, "misaligned read of 16 bytes",
    ),
    "swapped operands": Bug(
        "conv_igemm_mma.cu", r'"r"\(a\[3\]\), "r"\(b\[0\]\), "r"\(b\[1\]\)', '"r"(a[3]), "r"(b[1]), "r"(b[0])',
        MMA, Conv, f"{DEEP}, float16",
    ),
    "swapped operands, sm_75": Bug(
        "conv_igemm_mma.cu", r'"r"\(a\[2\]\), "r"\(a\[3\]\), "r"\(b\[1\]\)', '"r"(a[3]), "r"(a[2]), "r"(b[1])',
        MMA, Conv, f"{DEEP}, float16", arch=75,
    ),
    "stray .trans": Bug(
        "conv_igemm_mma.cu", r"\.m8n8\.x4\.shared", ".m8n8.x4.trans.shared", MMA, Conv, f"{DEEP}, float16",
    ),
    "dropped src-size, 16 bytes": Bug(
        "conv_igemm_mma.cu", r"\[%1\], 16, %2;", "[%1], 16;", MMA, Conv, f"{DEEP}, float16",
    ),
    "dropped src-size, 4 bytes": Bug(
        "conv_igemm_mma.cu", r"\[%1\], %2, %3;", "[%1], %2;", MMA, Conv, "windows in the padding alone, float16",
    ),
    "the other formula for GELU": Bug(
        "elementwise.cu", r"case ACT_GELU: return [^;]*;", "case ACT_GELU: return activate_slowly(v, ACT_GELU_TANH, 0.f, 0.f);",
        ActivationKernel(), Activation, "gelu odd sizes",
    ),
    "a lost NaN": Bug(
        "elementwise.cu", r"v <= alpha \? beta : v;", "v > alpha ? v : beta;", ActivationKernel(), Activation, "threshold NaN",
    ),
    "halves exchanged": Bug(
        "elementwise.cu", r"return a \* sigmoid\(b\);", "return b * sigmoid(a);", GLUKernel(), GLU, "odd sizes",
    ),
}  # fmt: skip


def planted(name: str) -> Harness:
    bug, case = BUGS[name], BUGS[name].find_case()
    driver = PlantingDriver(bug, check=bool(bug.message))
    harness = Harness(case, bug.impl, CudaBackend(driver), bug.way or ways_of(case, bug.impl)[0])
    assert driver.planted, f"{bug.impl.name} on {bug.case!r} does not launch {bug.file}"
    return harness


@pytest.fixture(autouse=True, scope="module")
def _built(request):
    """Build the edited kernels on all cores; what cannot be planted is the test's to say."""
    emulator.require()
    names = [i.callspec.params["name"] for i in request.session.items if i.module is request.module and hasattr(i, "callspec")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in [pool.submit(planted, name) for name in names]:
            future.exception()


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name):
    bug, harness = BUGS[name], planted(name)
    if bug.message:
        with pytest.raises(KernelError, match=bug.message):
            harness.run()
    else:
        result = harness.run()  # the neighbours in the concatenation are intact
        with pytest.raises(AssertionError):
            assert_close(bug.find_case().op, result, harness.arrays)


def test_a_bug_that_finds_no_place_is_reported():
    lost = Bug("copy.cu", "no such text", "", CopyKernel(), Transpose, "tiles")
    with pytest.raises(AssertionError, match="copy.cu has 0 places like 'no such text': plant this bug elsewhere"):
        Harness(lost.find_case(), lost.impl, CudaBackend(PlantingDriver(lost, check=False)), "copied")
