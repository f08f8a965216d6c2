"""Kernel sources: found beside the package or in it, includes inlined, macros written in front."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from ...errors import GpucnnError

__all__ = ["Source", "kernel_folder", "load_source"]

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """One kernel file as the compiler gets it.

    Includes of ours are part of the text, because CuPy's cache of compiled kernels does not see the files that an ``-I`` finds: an edit
    of a header would silently reuse the old code. ``#line`` marks let errors point at the file that people edit.

    Attributes
    ----------
    name : str
        ``"kernels/conv_igemm_mma.cu"``.
    text : str
    digest : str
        Of the text; part of every key under which something about the kernel is remembered.
    """

    name: str
    text: str
    digest: str


@lru_cache(maxsize=1)
def kernel_folder() -> Path:
    """``gpucnn/kernels`` in an installed package, ``kernels`` beside the package in a checkout."""
    package = Path(__file__).parents[2]
    for folder in (package.resolve() / "kernels", package.resolve().parent / "kernels"):
        if (folder / "include" / "common.cuh").is_file():
            return folder
    raise GpucnnError(f"the kernel sources are missing in {package / 'kernels'} and {package.parent / 'kernels'}; reinstall gpucnn")


@cache
def load_source(file: str | Path) -> Source:
    """Read a kernel with its includes in place: ``"pool.cu"`` of the kernel folder, or any file by its absolute path."""
    path = kernel_folder() / file
    text = _inline(path, set())
    return Source(_label(path), text, hashlib.sha256(text.encode()).hexdigest())


def _label(path: Path) -> str:
    """What messages call a file: ``kernels/include/mma.cuh``; the bare name where it is not one of ours."""
    folder = kernel_folder()
    return f"kernels/{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else path.name


def _inline(path: Path, seen: set[Path]) -> str:
    out = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        found = _INCLUDE.match(line)
        if line.strip() == "#pragma once":
            out.append("")
        elif found is None:
            out.append(line)
        else:
            inner = _included(path, found[1])
            if inner not in seen:
                seen.add(inner)
                out += [f'#line 1 "{_label(inner)}"', _inline(inner, seen), f'#line {number + 1} "{_label(path)}"']
            else:
                out.append("")
    return "\n".join(out)


def _included(path: Path, include: str) -> Path:
    """An include lies beside the file that names it, else in the kernel folder."""
    beside = path.parent / include
    return (beside if beside.is_file() else kernel_folder() / include).resolve()
