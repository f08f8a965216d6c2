"""NVRTC through ctypes: CUDA C++ to PTX, or to machine code for ptxas' report. Needs no GPU, no driver and no CuPy.

The library and the CUDA headers come from the wheels ``nvidia-cuda-nvrtc`` and ``nvidia-cuda-runtime`` (or their ``-cu12``
namesakes), else from a CUDA toolkit at ``CUDA_PATH`` or ``/usr/local/cuda``.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import CompileError, UnavailableError

__all__ = ["Resources", "compile_cubin_log", "compile_ptx", "identity", "locate", "supported_archs", "version"]


@dataclass(frozen=True)
class Resources:
    """What one kernel takes on one architecture, as ptxas reports it.

    registers : registers of a thread
    spill_stores, spill_loads : bytes that did not fit into registers
    stack : bytes of local memory of a thread, spills included
    shared : bytes of static shared memory of a block
    """

    registers: int
    spill_stores: int
    spill_loads: int
    stack: int
    shared: int


def _roots() -> list[tuple[Path, list[Path]]]:
    """Places that may hold NVRTC: (library folder, header folders)."""
    roots = []
    for entry in dict.fromkeys(sys.path):
        nvidia = Path(entry or ".") / "nvidia"
        if nvidia.is_dir():
            roots.append((nvidia / "cu13" / "lib", [nvidia / "cu13" / "include"]))
            roots.append((nvidia / "cuda_nvrtc" / "lib", [nvidia / "cuda_runtime" / "include", nvidia / "cuda_nvrtc" / "include"]))
    for toolkit in (os.environ.get("CUDA_PATH"), "/usr/local/cuda"):
        if toolkit:
            roots.append((Path(toolkit) / "lib64", [Path(toolkit) / "include"]))
    return roots


@lru_cache(maxsize=1)
def locate() -> tuple[Path, tuple[Path, ...]]:
    """The NVRTC library and the folders of CUDA's headers.

    Raises
    ------
    UnavailableError
        When either is missing: which, and what to install.
    """
    libraries = [(next(iter(sorted(lib.glob("libnvrtc.so.[0-9]*"))), None), headers) for lib, headers in _roots()]
    found = [(library, [h for h in headers if h.is_dir()]) for library, headers in libraries if library]
    if not found:
        raise UnavailableError("NVRTC was not found: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime")
    for library, headers in found:
        if any((h / "cuda_fp16.h").exists() for h in headers):
            return library, tuple(headers)
    raise UnavailableError(f"{found[0][0]} is here, but not cuda_fp16.h: pip install nvidia-cuda-runtime")


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    path, _ = locate()
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise UnavailableError(f"NVRTC cannot be loaded: {error}") from error


@lru_cache(maxsize=1)
def version() -> str:
    """NVRTC's version, such as ``"13.5"``."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


@lru_cache(maxsize=1)
def identity() -> str:
    """NVRTC, the headers and how this file calls them, for cache keys."""
    headers = [h / "cuda_fp16.hpp" for h in locate()[1]]
    stamps = [f"{h.stat().st_size}:{h.stat().st_mtime_ns}" for h in headers if h.exists()]
    here = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return f"nvrtc {version()} {locate()[0]} {' '.join(stamps)} {here}"


def supported_archs() -> tuple[str, ...]:
    """Architectures that this NVRTC compiles for, such as ``("75", "80", ...)``."""
    count = ctypes.c_int()
    _library().nvrtcGetNumSupportedArchs(ctypes.byref(count))
    archs = (ctypes.c_int * count.value)()
    _library().nvrtcGetSupportedArchs(archs)
    return tuple(str(a) for a in archs)


def _text(program: ctypes.c_void_p, what: str) -> str:
    size = ctypes.c_size_t()
    getattr(_library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(max(1, size.value))
    getattr(_library(), f"nvrtcGet{what}")(program, text)
    return text.value.decode(errors="replace")


def _compile(source: str, name: str, options: tuple[str, ...], arch: str, want: str | None) -> tuple[str, str]:
    library, program = _library(), ctypes.c_void_p()
    status = library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name.encode(), 0, None, None)
    if status:
        raise CompileError(f"{name}: NVRTC made no program (error {status})")
    try:
        flags = [f"-arch={arch}", *(f"-I{folder}" for folder in locate()[1]), *options]
        status = library.nvrtcCompileProgram(program, len(flags), (ctypes.c_char_p * len(flags))(*(f.encode() for f in flags)))
        log = _text(program, "ProgramLog")
        if status:
            raise CompileError(f"{name} for {arch} with {' '.join(options) or 'no options'}:\n{log}")
        return (_text(program, want) if want else ""), log
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def compile_ptx(source: str, name: str, options: tuple[str, ...] = (), arch: str = "80") -> str:
    """PTX of a CUDA source text, with line numbers.

    Parameters
    ----------
    source : str
        CUDA C++, its own includes already inlined; ``<cuda_fp16.h>`` and the like are found.
    name : str
        File name for messages.
    options : tuple of str
        NVRTC's options, such as ``-DTILE=64``.
    arch : str
        Compute capability without the dot, such as ``"80"``.

    Raises
    ------
    CompileError
        With NVRTC's log.
    """
    return _compile(source, name, ("-lineinfo", *options), f"compute_{arch}", "PTX")[0]


def compile_cubin_log(source: str, name: str, options: tuple[str, ...] = (), arch: str = "80") -> dict[str, Resources]:
    """Registers, spills and shared memory of every kernel of a source text, as ptxas reports them for ``sm_<arch>``."""
    _, log = _compile(source, name, (*options, "--ptxas-options=-v"), f"sm_{arch}", None)
    return parse_ptxas(log)


_FUNCTION = re.compile(r"Compiling entry function '([^']+)' for")
_SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(.*)")
_SHARED = re.compile(r"(\d+) bytes smem")


def parse_ptxas(log: str) -> dict[str, Resources]:
    """Read what ``ptxas -v`` prints: kernel name to resources."""
    kernels: dict[str, Resources] = {}
    name, spills = "", (0, 0, 0)
    for line in log.splitlines():
        if match := _FUNCTION.search(line):
            name, spills = match[1], (0, 0, 0)
        elif name and (match := _SPILLS.search(line)):
            spills = (int(match[1]), int(match[2]), int(match[3]))
        elif name and (match := _USED.search(line)):
            shared = _SHARED.search(match[2])
            stack, stores, loads = spills
            kernels[name] = Resources(int(match[1]), stores, loads, stack, int(shared[1]) if shared else 0)
            name = ""
    return kernels
