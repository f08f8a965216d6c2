"""The devices that a test of kernels may ask for: emulated ones, in check mode, and the GPU where there is one."""

from __future__ import annotations

import os

import emulator
import pytest
from emulated import EmulatorDriver

from gpucnn import devices
from gpucnn.backends.cuda.driver import Driver

__all__ = ["DRIVERS", "driver"]

DRIVERS = (*(f"emulated sm_{arch}" for arch in (75, 80, 90)), pytest.param("cuda", marks=pytest.mark.gpu))
"""Parameters for ``driver``: what kernels compile for and run on."""


def driver(name: str) -> Driver:
    """One of ``DRIVERS``; skips with the reason where it cannot be had, or fails if GPUCNN_REQUIRE_GPU is 1."""
    if name != "cuda":
        emulator.require()
        return EmulatorDriver(int(name.rpartition("_")[2]), check=True)
    gpu = next(d for d in devices() if d.name.startswith("cuda"))
    if not gpu.usable:
        (pytest.fail if os.environ.get("GPUCNN_REQUIRE_GPU") == "1" else pytest.skip)(f"{gpu.description}: {gpu.reason}")
    from gpucnn.backends.cuda.cupy_driver import CupyDriver

    return CupyDriver(0)
