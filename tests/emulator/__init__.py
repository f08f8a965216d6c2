"""Runs the project's CUDA kernels on a CPU, so that the test suite executes what a GPU would.

The kernel's source goes through NVIDIA's own compiler to PTX, inline assembly included; the PTX becomes C++, one function per
kernel, and g++ builds it against a small runtime that runs one fiber per CUDA thread::

    Module(source)          nvrtc.py       CUDA C++ -> PTX, with source lines          (cached)
      .get_function(name)   ptx.py         PTX -> functions and instructions; tokens.py  tree.py
                            translate.py   one kernel -> C++; opcodes by family in
                                           arithmetic.py  moves.py  memory.py  collectives.py
                            build.py       g++, and the cache                          (cached)
      (grid, block, args)   module.py      arguments and limits, as cupy.RawKernel has them
                            runtime/       scheduler   fibers, barriers, workers over blocks
                                           collectives shuffles, ldmatrix, mma.sync, cp.async
                                           check       races, uninitialised memory, bounds, alignment
                                           bits.h      what single instructions compute

A ``cp.async`` is carried out at the latest moment that is legal, its ``wait_group``. Shared memory begins as NaN. With
``check=True`` the kernel stops with file and line at a race (both sides are named), a read of shared memory that nobody wrote or
that a copy is still on its way to, an address outside its buffer or badly aligned, and a barrier that some threads left.

What it cannot see: speed, occupancy, bank conflicts, errors of ptxas, the exact rounding of tensor cores and of approximate
functions (computed exactly here), memory order between blocks, and races on bytes that this run did not touch.

``compile_cubin_log`` reports registers, spills and shared memory of the real machine code for any architecture.

=========================== ============================ ============================================================
variable                    default                      meaning
=========================== ============================ ============================================================
GPUCNN_EMULATOR_CACHE       ~/.cache/gpucnn/emulator     where PTX and libraries are kept; unused ones go after 30 days
GPUCNN_EMULATOR_SECONDS     120                          time limit of one launch
GPUCNN_REQUIRE_EMULATOR     0                            1: tests fail where the emulator cannot run, instead of skipping
=========================== ============================ ============================================================
"""

from __future__ import annotations

from .errors import CompileError, EmulatorError, KernelError, LaunchError, UnavailableError, UnsupportedPtxError
from .module import Kernel, Module, available, require
from .nvrtc import Resources, compile_cubin_log, compile_ptx

__all__ = [
    "CompileError",
    "EmulatorError",
    "Kernel",
    "KernelError",
    "LaunchError",
    "Module",
    "Resources",
    "UnavailableError",
    "UnsupportedPtxError",
    "available",
    "compile_cubin_log",
    "compile_ptx",
    "require",
]
