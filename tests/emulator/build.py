"""g++ and the cache of what it built.

Everything is kept under a name that hashes whatever went into it (source, options, architecture, the emulator's own files,
compiler versions, processor), so nothing is ever stale; files appear whole by renaming, so processes may share a folder.
The folder is ``GPUCNN_EMULATOR_CACHE``, else ``gpucnn/emulator`` in the user's cache folder, else one in the system's for
temporary files.
"""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from .errors import CompileError, UnavailableError

__all__ = ["cached", "compiler", "digest", "load_kernel", "runtime_library"]

HERE = Path(__file__).parent
RUNTIME = HERE / "runtime"
TRANSLATOR = ("tokens", "tree", "ptx", "translate", "arithmetic", "moves", "memory", "collectives", "build")
RUNTIME_SOURCES = ("launch.cpp", "scheduler.cpp", "collectives.cpp", "check.cpp")
FLAGS = ("-std=c++17", "-march=native", "-fPIC", "-ffp-contract=off", "-fno-strict-aliasing", "-fwrapv", "-fno-math-errno", "-pthread")
# -Og: a kernel is built more often than it is run. -O1 takes 40 % longer to build, for code that is no faster, -O2 three times as long.
KERNEL_FLAGS = ("-w", "-Og", "-fno-stack-protector", "-fno-exceptions", "-fno-asynchronous-unwind-tables")
CHECK_FLAGS = ("-DEMU_CHECK=1", "-ftrivial-auto-var-init=pattern")
OLDEST_GCC = 12  # the first with _Float16 on x86-64


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    choices = [os.environ.get("GPUCNN_EMULATOR_CACHE")]
    if not choices[0]:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        choices = [f"{home}/gpucnn/emulator", f"{tempfile.gettempdir()}/gpucnn-emulator-{getpass.getuser()}"]
    for choice in choices:
        folder = Path(str(choice))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
        except OSError:
            continue
    raise UnavailableError(f"no cache folder can be written: {', '.join(map(str, choices))}; set GPUCNN_EMULATOR_CACHE")


@lru_cache(maxsize=1)
def compiler() -> tuple[str, str]:
    """g++ and its version line.

    Raises
    ------
    UnavailableError
        Without a g++ of version 12 or newer, or on a system other than Linux.
    """
    if platform.system() != "Linux":
        raise UnavailableError(f"the emulator runs on Linux, this is {platform.system()}")
    path = shutil.which(os.environ.get("CXX", "g++"))
    if not path:
        raise UnavailableError("g++ was not found: install it (Debian, Ubuntu: apt-get install g++)")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    major = re.search(r"\b(\d+)\.\d+", version)
    if "clang" not in version and major and int(major[1]) < OLDEST_GCC:
        raise UnavailableError(f"the emulator needs g++ {OLDEST_GCC} or newer, {path} is: {version}")
    return path, version


@lru_cache(maxsize=1)
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return platform.machine() + next((line for line in lines if line.startswith(("flags", "Features"))), "")


@lru_cache(maxsize=1)
def emulator_digest() -> str:
    """Of all files of the emulator that shape what is built."""
    files = [*RUNTIME.iterdir(), *(HERE / f"{name}.py" for name in TRANSLATOR)]
    return digest(*(f.name + f.read_text() for f in sorted(files)), *compiler(), _processor(), *FLAGS, *KERNEL_FLAGS, *CHECK_FLAGS)


def digest(*parts: str) -> str:
    """Short hash of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """Path of a file in the cache, made by ``make(path)`` if it is not there yet."""
    target = cache_folder() / name
    with _alone(target):  # tests run in several processes, which often want the same kernel at the same time
        if target.exists():
            with contextlib.suppress(OSError):  # its age says when it was last asked for
                os.utime(target)
            return target
        handle, scratch = tempfile.mkstemp(prefix=f"{target.stem}.", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        try:
            make(Path(scratch))
            os.replace(scratch, target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    return target


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold the lock of one file of the cache, which the system frees if the process dies."""
    if target.exists():
        yield
        return
    import fcntl  # not there on Windows, where the emulator is not either

    lock = target.with_suffix(".lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
        if target.exists():
            lock.unlink(missing_ok=True)


def _compile(arguments: Iterable[str | Path]) -> None:
    command = [compiler()[0], *FLAGS, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"{' '.join(command)}\n{done.stderr[:6000]}")


@lru_cache(maxsize=1)
def runtime_library() -> ctypes.CDLL:
    """The runtime, one library for all kernels."""
    _forget_unused()
    return ctypes.CDLL(str(_runtime_path()), mode=ctypes.RTLD_GLOBAL)


def _runtime_path() -> Path:
    name = f"libemu-{emulator_digest()}.so"

    def make(path: Path) -> None:
        objects = [path.with_suffix(f".{Path(source).stem}.o") for source in RUNTIME_SOURCES]
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda pair: _compile(["-O3", "-c", RUNTIME / pair[0], "-o", pair[1]]), zip(RUNTIME_SOURCES, objects)))
            _compile(["-shared", f"-Wl,-soname,{name}", *objects, "-o", path])
        finally:
            for each in objects:
                each.unlink(missing_ok=True)

    return cached(name, make)


def _forget_unused() -> None:
    """Remove what no process has asked for in a month."""
    oldest = time.time() - 30 * 86400
    for path in cache_folder().iterdir():
        with contextlib.suppress(OSError):  # another process was faster
            if path.stat().st_mtime < oldest:
                path.unlink()


def load_kernel(key: str, check: bool, translate: Callable[[], str]) -> ctypes.CDLL:
    """The library of one translated kernel; ``translate()`` gives its C++ when it has to be built."""
    runtime_library()

    def make(path: Path) -> None:
        source = path.with_suffix(".cpp")
        source.write_text(translate())
        try:
            flags = [*KERNEL_FLAGS, *(CHECK_FLAGS if check else ()), f"-I{RUNTIME}", "-shared", "-Wl,-rpath,$ORIGIN"]
            _compile([*flags, source, _runtime_path(), "-o", path])
            os.replace(source, cache_folder() / f"{name}.cpp")  # for people who want to see it
        finally:
            source.unlink(missing_ok=True)

    name = digest(emulator_digest(), key, str(check))
    return ctypes.CDLL(str(cached(f"{name}.so", make)))
