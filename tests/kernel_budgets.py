"""Compiles every kernel for every architecture and writes down what it takes: registers, shared memory, local memory, spills.

    python tests/kernel_budgets.py

rewrites ``tests/data/kernel_budgets.json``, compiling what is new since it was made: kernels whose code changed (comments do not count),
sets of macros that were not there, everything where NVRTC is another. It prints what changed, and ends with status 1 where something
spills. ``test_kernel_budgets.py`` holds the kernels to that file. Needs NVRTC (``pip install -e '.[test]'``), no GPU and no g++.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":  # the package that this file belongs to, whatever else is installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emulator import Resources, build, compile_cubin_log, nvrtc
from kernel_variants import KERNELS, Macros, sets_of

from gpucnn.backends.cuda.source import load_source

__all__ = ["ARCHS", "COMMAND", "FILE", "IN_TESTS", "Budgets", "Variant", "code_digest", "complaints", "measure", "variants_of"]

FILE = Path(__file__).parent / "data" / "kernel_budgets.json"
COMMAND = "python tests/kernel_budgets.py"
ARCHS = (75, 80, 86, 89, 90, 100, 120)
COLUMNS = ("registers", "shared", "stack", "spill_stores", "spill_loads")

IN_TESTS = 80
"""For which architecture the tests compile as few sets as have every tile and width; for the others they draw a few, others in each run.

This script compiles all sets for all architectures, and the tests hold its file to the code and the compiler that made it.
"""


class Variant(NamedTuple):
    """A function under one set of macros for one architecture."""

    file: str
    function: str
    name: str
    arch: int

    def __str__(self) -> str:
        return f"{self.function} of {self.file}, {self.name}, sm_{self.arch}"


def variants_of(arch: int, listed: Callable[[str, str, int], dict[str, Macros]] = sets_of) -> dict[Variant, Macros]:
    """Everything that is launched on an architecture, or a part of it."""
    return {Variant(*key, name, arch): macros for key in KERNELS for name, macros in listed(*key, arch).items()}


_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/|^#line [^\n]*', re.DOTALL | re.MULTILINE)


@cache
def code_digest(file: str) -> str:
    """Hash of a kernel's code with its includes, without comments and line marks."""
    code = _COMMENT.sub(lambda match: match[1] or " ", load_source(file).text)
    return hashlib.sha256("\n".join(" ".join(line.split()) for line in code.split("\n") if line.strip()).encode()).hexdigest()[:16]


def _compiled(file: str, name: str, macros: Macros, arch: int) -> dict[str, Resources]:
    """What all functions of a file take; remembered in the emulator's cache."""

    def make(path: Path) -> None:
        source = load_source(file)
        options = tuple(f"-D{macro}={value}" for macro, value in sorted(macros.items()))
        found = compile_cubin_log(f'#line 1 "{source.name}"\n{source.text}', source.name, options, str(arch))
        path.write_text(json.dumps({function: asdict(resources) for function, resources in found.items()}))

    key = build.digest(nvrtc.identity(), file, code_digest(file), name, str(arch))
    return {function: Resources(**r) for function, r in json.loads(build.cached(f"{key}.json", make).read_text()).items()}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure(variants: dict[Variant, Macros]) -> dict[Variant, Resources]:
    """Compile on all cores; functions of one file under the same macros are compiled together."""
    units = {(v.file, v.name, v.arch): macros for v, macros in variants.items()}
    with ThreadPoolExecutor(_cores()) as pool:
        futures = {unit: pool.submit(_compiled, unit[0], unit[1], macros, unit[2]) for unit, macros in units.items()}
        found = {unit: future.result() for unit, future in futures.items()}
    return {v: found[v.file, v.name, v.arch][v.function] for v in variants}


@dataclass
class Budgets:
    """The committed file.

    nvrtc : version that made it
    code : of every kernel file, the hash of the code that it was made from
    resources : what every variant took
    """

    nvrtc: str = ""
    code: dict[str, str] = field(default_factory=dict)
    resources: dict[Variant, Resources] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path = FILE) -> Budgets:
        if not path.exists():
            return cls()
        raw = json.loads(path.read_text("utf-8"))
        resources = {
            Variant(file, function, name, int(arch)): Resources(**dict(zip(raw["columns"], numbers)))
            for file, functions in raw["kernels"].items()
            for function, sets in functions.items()
            for name, archs in sets.items()
            for arch, numbers in archs.items()
        }
        return cls(raw["nvrtc"], raw["code"], resources)

    def write(self, path: Path = FILE) -> None:
        """One line for each set of macros, so that a difference can be read."""
        lines = {key: [] for key in KERNELS}
        names = {key: list(dict.fromkeys(name for arch in ARCHS for name in sets_of(*key, arch))) for key in KERNELS}
        for key in KERNELS:
            for name in names[key]:
                at = {arch: self.resources.get(Variant(*key, name, arch)) for arch in ARCHS}
                numbers = {str(arch): [getattr(r, c) for c in COLUMNS] for arch, r in at.items() if r is not None}
                lines[key].append(f'    "{name}": {json.dumps(numbers)}')
        files = {file: [function for f, function in KERNELS if f == file] for file in self.code}
        kernels = (
            f'  "{file}": {{\n' + ",\n".join(f'   "{f}": {{\n' + ",\n".join(lines[file, f]) + "\n   }" for f in functions) + "\n  }"
            for file, functions in files.items()
        )
        code = json.dumps(self.code, indent=2).replace("\n}", "\n }")
        head = f' "nvrtc": "{self.nvrtc}",\n "columns": {json.dumps(COLUMNS)},\n "code": {code},\n'
        path.write_text("{\n" + head + ' "kernels": {\n' + ",\n".join(kernels) + "\n }\n}\n", "utf-8")


def complaints(found: dict[Variant, Resources], budgets: Budgets) -> list[str]:
    """What breaks a rule: spills, local memory that the table does not name, more registers than the budget."""
    out = []
    for variant, r in found.items():
        out += _spills(variant, r)
        budget = budgets.resources.get(variant)
        if budget is None:
            out.append(f"{variant}: has no budget; run {COMMAND}")
        elif r.registers > budget.registers:
            edited = budgets.code.get(variant.file) != code_digest(variant.file)
            why = f" (of the code before it was edited; if more is meant, run {COMMAND})" if edited else ""
            out.append(f"{variant}: {r.registers} registers, the budget is {budget.registers}{why}")
    return out


def _spills(variant: Variant, r: Resources) -> list[str]:
    allowed = KERNELS[variant.file, variant.function].stack
    if r.spill_stores or r.spill_loads:
        return [f"{variant}: spills {r.spill_stores} bytes of stores and {r.spill_loads} of loads at {r.registers} registers"]
    if r.stack > allowed:
        return [f"{variant}: {r.stack} bytes of local memory, kernel_variants.py allows {allowed}"]
    return []


def changes(old: Budgets, new: Budgets) -> Iterable[str]:
    """Sets whose numbers are not what they were; how many came and went."""
    for variant in sorted(old.resources.keys() & new.resources.keys()):
        was, now = old.resources[variant], new.resources[variant]
        if was != now:
            numbers = (f"{c} {getattr(was, c)} → {getattr(now, c)}" for c in COLUMNS if getattr(was, c) != getattr(now, c))
            yield f"{variant}: {', '.join(numbers)}"
    for what, there, here in (("new", new.resources, old.resources), ("gone", old.resources, new.resources)):
        for (file, function), count in sorted(Counter((v.file, v.function) for v in there.keys() - here.keys()).items()):
            yield f"{function} of {file}: {count} {what}"


def main(path: Path = FILE) -> int:
    begin, old = time.perf_counter(), Budgets.read(path)
    files = sorted({file for file, _ in KERNELS})
    current = {file for file in files if old.nvrtc == nvrtc.version() and old.code.get(file) == code_digest(file)}
    kept, needed = {}, {}
    for variant, macros in ((v, m) for arch in ARCHS for v, m in variants_of(arch).items()):
        if variant.file in current and variant in old.resources:
            kept[variant] = old.resources[variant]
        else:
            needed[variant] = macros
    print(f"{len(kept)} results are current; compiling for {len(needed)} more with NVRTC {nvrtc.version()} on {_cores()} cores", flush=True)
    for arch in ARCHS:
        kept |= measure({variant: macros for variant, macros in needed.items() if variant.arch == arch})
        print(f"sm_{arch} done after {time.perf_counter() - begin:.0f} s", flush=True)
    new = Budgets(nvrtc.version(), {file: code_digest(file) for file in files}, kept)
    new.write(path)
    for line in changes(old, new):
        print(line)
    spills = [line for variant, r in new.resources.items() for line in _spills(variant, r)]
    print(*spills, f"{path.name}: {len(new.resources)} results, {len(spills)} with spills; {time.perf_counter() - begin:.0f} s", sep="\n")
    return bool(spills)


if __name__ == "__main__":
    sys.exit(main())
