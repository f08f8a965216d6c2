"""Every ``GPUCNN_*`` environment variable, read once. No other file reads the environment.

======================== ============ ================================================================
variable                 default      meaning
======================== ============ ================================================================
GPUCNN_CACHE             the user's   folder for what need not be made twice: compiled kernels
GPUCNN_GRAPHS            1            0: on a GPU launch step by step instead of as a CUDA graph
GPUCNN_THREADS           all cores    CPU cores to use
GPUCNN_STRICT            0            1: a step that would run by the slow reference is an error
GPUCNN_TUNE              on           on a CPU measure each layer's block sizes once, and remember them in the cache; off: keep
                                      the first guess; free: choose among all methods too, so that bits differ between machines
GPUCNN_WINOGRAD          1            0: on a CPU no 3×3 convolution by Winograd's method, which is faster and rounds more
GPUCNN_MAX_FILE_BYTES    17179869184  a model, weights or label file larger than this is not opened
GPUCNN_MAX_WEIGHT_BYTES  8589934592   weights that together take more than this are refused
GPUCNN_MAX_NODES         20000        an ONNX model with more nodes is refused
GPUCNN_MAX_FOLDING       10000000000  operations on constants while an ONNX model is loaded, beyond which it is refused
GPUCNN_MAX_ELEMENTS      2147483647   an array with more elements is refused, in a net or on the way to one
GPUCNN_MAX_IMAGE_PIXELS  89478485     an image with more pixels is refused before it is decoded
======================== ============ ================================================================
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from .errors import GpucnnError

__all__ = ["Settings", "read_settings", "settings"]


_ON, _OFF = ("1", "on", "true", "yes"), ("0", "off", "false", "no")


@dataclass(frozen=True)
class Settings:
    """The values of the ``GPUCNN_*`` variables; see the module's table."""

    cache: str
    graphs: bool
    threads: int
    strict: bool
    tune: str
    winograd: bool
    max_file_bytes: int
    max_weight_bytes: int
    max_nodes: int
    max_folding: int
    max_elements: int
    max_image_pixels: int


def usable_cores() -> int:
    """Cores this process may run on: its affinity where the system has one, else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    count = getattr(os, "process_cpu_count", os.cpu_count)
    return count() or 1


def _cache(environ: Mapping[str, str]) -> str:
    """A folder named gpucnn where the system keeps its users' caches."""
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return environ.get("GPUCNN_CACHE", "").strip() or os.path.join(base, "gpucnn")


def _positive(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise GpucnnError(f"{name}: expected a whole number of at least 1, got {text!r}; unset it for the default {default}")
    return int(text)


def _switch(environ: Mapping[str, str], name: str, default: bool = False) -> bool:
    text = environ.get(name, "").strip().lower()
    if not text:
        return default
    if text in _OFF:
        return False
    if text in _ON:
        return True
    raise GpucnnError(f"{name}: expected 0 or 1, got {text!r}")


def _one_of(environ: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    """One of some words, the first if not set."""
    text = environ.get(name, "").strip().lower() or values[0]
    text = "on" if text in _ON else "off" if text in _OFF else text
    if text not in values:
        raise GpucnnError(f"{name}: expected one of {', '.join(values)}, got {text!r}; unset it for the default {values[0]}")
    return text


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from a mapping of variables; a value that makes no sense is an error, not a default."""
    return Settings(
        cache=_cache(environ),
        graphs=_switch(environ, "GPUCNN_GRAPHS", True),
        threads=_positive(environ, "GPUCNN_THREADS", usable_cores()),
        strict=_switch(environ, "GPUCNN_STRICT"),
        tune=_one_of(environ, "GPUCNN_TUNE", ("on", "off", "free")),
        winograd=_switch(environ, "GPUCNN_WINOGRAD", True),
        max_file_bytes=_positive(environ, "GPUCNN_MAX_FILE_BYTES", 16 << 30),
        max_weight_bytes=_positive(environ, "GPUCNN_MAX_WEIGHT_BYTES", 8 << 30),
        max_nodes=_positive(environ, "GPUCNN_MAX_NODES", 20_000),
        max_folding=_positive(environ, "GPUCNN_MAX_FOLDING", 10**10),
        max_elements=_positive(environ, "GPUCNN_MAX_ELEMENTS", 2**31 - 1),
        max_image_pixels=_positive(environ, "GPUCNN_MAX_IMAGE_PIXELS", 89_478_485),
    )


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return this process's settings, read from the environment at the first call."""
    return read_settings(os.environ)
