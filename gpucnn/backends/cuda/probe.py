"""What the NVIDIA driver and CuPy say of themselves, asked without importing CuPy."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DeviceError

__all__ = ["Gpu", "cupy_problem", "driver_cuda", "find_gpus", "find_headers", "find_library", "toolkit_problem"]

LEAST_CAPABILITY = (7, 5)

EXTRAS = {
    "cuda12": '"cupy-cuda12x>=14" nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12 nvidia-cublas-cu12',
    "cuda13": '"cupy-cuda13x>=14" "nvidia-cuda-nvrtc>=13,<14" "nvidia-cuda-runtime>=13,<14" "nvidia-cublas>=13,<14"',
}
"""What the extras of pyproject.toml install, by name: a command that works wherever gpucnn itself was installed from."""


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver names it.

    Attributes
    ----------
    index : int
    name : str
    capability : (int, int)
        Compute capability; (7, 5) is sm_75.
    memory : int
        Bytes.
    """

    index: int
    name: str
    capability: tuple[int, int]
    memory: int


def open_driver() -> Any:
    """Open the driver's library; OSError where there is none."""
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def find_gpus(open_library: Callable[[], Any] = open_driver) -> tuple[list[Gpu], int, str]:
    """Return the GPUs, the driver's CUDA version (12040 is 12.4), and why there are none."""
    try:
        driver = open_library()
    except OSError:
        return [], 0, "no NVIDIA driver found"
    version, count = ctypes.c_int(), ctypes.c_int()
    status = driver.cuInit(0)
    if status:
        return [], 0, f"the NVIDIA driver does not start (cuInit gives error {status})"
    driver.cuDriverGetVersion(ctypes.byref(version))
    if driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return [], version.value, "the NVIDIA driver sees no GPU"
    gpus = []
    for index in range(count.value):
        handle, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
        major, minor = ctypes.c_int(), ctypes.c_int()
        driver.cuDeviceGet(ctypes.byref(handle), index)
        driver.cuDeviceGetName(name, 256, handle)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
        driver.cuDeviceGetAttribute(ctypes.byref(major), 75, handle)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
        driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, handle)  # …_MINOR
        gpus.append(Gpu(index, name.value.decode(errors="replace"), (major.value, minor.value), memory.value))
    return gpus, version.value, ""


def driver_cuda(version: int) -> str:
    """12040 as ``12.4``."""
    return f"{version // 1000}.{version % 1000 // 10}"


def installed_cupys() -> dict[str, str]:
    """Return name and version of every installed CuPy wheel."""
    from importlib import metadata  # 18 ms, and asked only where there is a GPU

    found = {}
    for package in metadata.distributions():
        name = (package.metadata["Name"] or "").lower()
        if name == "cupy" or name.startswith("cupy-cuda"):
            found[name] = package.version
    return found


def fitting_extra(driver_version: int, cupys: dict[str, str]) -> str:
    """Name the extra for a driver: CUDA 13's where the driver has it, unless CUDA 12's CuPy is there, which runs on it as well."""
    return "cuda13" if driver_version >= 13000 and list(cupys) != ["cupy-cuda12x"] else "cuda12"


def cupy_problem(driver_version: int, cupys: dict[str, str]) -> str:
    """Say why CuPy cannot drive these GPUs, with the command that mends it; empty where nothing is known to be wrong."""
    if driver_version < 12000:
        return f"the driver supports CUDA {driver_cuda(driver_version)}, needed is 12 or newer: update the NVIDIA driver"
    extra = fitting_extra(driver_version, cupys)
    install = f"pip install {EXTRAS[extra]}"
    if not cupys:
        return f"CuPy is not installed (the extra {extra}): {install}"
    if set(cupys) != {f"cupy-{extra}x"}:  # a second CuPy beside the first would break both
        install = f"pip uninstall -y {' '.join(sorted(cupys))} && {install}"
    if len(cupys) > 1:
        return f"two CuPys are installed and break each other: {install}"
    ((name, version),) = cupys.items()
    major = re.match(r"\D*(\d+)", version)
    if not major or int(major[1]) < 14:
        return f"{name} is version {version}, needed is 14 or newer: {install}"
    if name == "cupy-cuda13x" and driver_version < 13000:
        return f"cupy-cuda13x needs a driver for CUDA 13, this one supports {driver_cuda(driver_version)}: {install}"
    return ""


def find_library(name: str, cuda: int) -> str:
    """Path of NVIDIA's library ``name`` for CUDA 12 or 13: in the wheels, in a toolkit, or where the system looks.

    Raises
    ------
    DeviceError
        There is none, or only that of another CUDA.
    """
    try:
        from cuda import pathfinder

        path = str(pathfinder.load_nvidia_dynamic_lib(name).abs_path)
    except (ImportError, RuntimeError, OSError) as error:
        raise DeviceError(f"{name} was not found: {str(error).splitlines()[0]}") from error
    found = re.search(r"\.so\.(\d+)|_(\d+)(?:_\d+)?\.dll$", path)
    major = int(found[1] or found[2][:2]) if found else cuda
    if major != cuda:
        raise DeviceError(f"{path} is of CUDA {major}, CuPy's is {cuda}: uninstall the wheels of CUDA {major}")
    return path


def find_headers(cuda: int) -> Path | None:
    """Return the folder that holds ``cuda_fp16.h`` of CUDA 12 or 13, or None."""
    try:
        from cuda import pathfinder

        found = [pathfinder.find_nvidia_header_directory("cudart")]
    except (ImportError, RuntimeError, OSError):
        found = []
    wheels = [Path(entry or ".") / "nvidia" / part / "include" for entry in sys.path for part in ("cu13", "cuda_runtime")]
    folders = [*(Path(folder) for folder in found if folder), *wheels, Path("/usr/local/cuda/include")]
    return next((f for f in folders if (f / "cuda_fp16.h").is_file() and _cuda_of(f) in (cuda, None)), None)


def _cuda_of(headers: Path) -> int | None:
    """The major version that the headers tell; they must be of the compiler's."""
    try:
        version = re.search(r"#define\s+CUDART_VERSION\s+(\d+)", (headers / "cuda_runtime_api.h").read_text("utf-8", "replace"))
    except OSError:
        return None
    return int(version[1]) // 1000 if version else None


def toolkit_problem(driver_version: int, cupys: dict[str, str]) -> str:
    """Say which part of CUDA beside CuPy is missing, with the command that installs it; empty where all is there."""
    extra = fitting_extra(driver_version, cupys)
    if list(cupys) != ["cupy"]:
        return _missing(int(extra[-2:]), f"(the extra {extra}): pip install {EXTRAS[extra]}")
    # Built from source, or conda's: it does not say for which CUDA, and brings its parts in its own way.
    how = "beside CuPy: install them as CuPy was installed (conda-forge: cuda-nvrtc, cuda-cudart-dev, libcublas)"
    problems = [_missing(cuda, how) for cuda in (13, 12) if 1000 * cuda <= driver_version]
    return problems[0] if all(problems) else ""


def _missing(cuda: int, how: str) -> str:
    """What of CUDA 12 or 13 is not there, and ``how`` to get it."""
    missing = []
    for name, what in (("nvrtc", "NVRTC (it compiles the kernels)"), ("cublas", "cuBLAS (dense layers)")):
        try:
            find_library(name, cuda)
        except DeviceError as error:
            if "uninstall" in str(error):
                return str(error)
            missing.append(what)
    if find_headers(cuda) is None:
        missing.append("the CUDA headers (cuda_fp16.h)")
    return f"{', '.join(missing)} not found {how}" if missing else ""
