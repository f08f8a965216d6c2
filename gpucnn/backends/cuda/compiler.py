"""From a kernel's source to machine code: NVRTC, several at a time, and a cache on disk.

CuPy could compile too, but adds ``-ftz=true`` to whatever it is given, which flushes small float32 values to zero; so NVRTC is called
here, through CuPy's binding, and CuPy loads what comes out (``cupy.RawModule(path=…)``).
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...errors import DeviceError
from ...whole_file import write_whole
from .source import Source

__all__ = ["Compiler"]

_OPTIONS = ("-std=c++17", "-lineinfo")


class Compiler:
    """Compiles for one architecture.

    Parameters
    ----------
    nvrtc : module
        ``cupy.cuda.nvrtc``, or what has its functions.
    arch : int
        Compute capability; 90 is sm_90. For a GPU newer than this NVRTC, PTX of the newest architecture that it knows is made, which the
        driver finishes.
    headers : path
        The folder that holds ``cuda_fp16.h``.
    folder : path
        Where machine code is kept; shared by processes and versions, because a file's name is the hash of all that went into it.
    workers : int
        Compilations side by side; NVRTC works outside of Python's lock.
    """

    def __init__(self, nvrtc: Any, arch: int, headers: Path, folder: Path, workers: int) -> None:
        older = [known for known in map(int, nvrtc.getSupportedArchs()) if known <= arch]
        if not older:
            version = ".".join(map(str, nvrtc.getVersion()))
            raise DeviceError(f"this NVRTC ({version}) does not compile for sm_{arch}: update CUDA's packages")
        self._final = arch in older
        self._arch = f"sm_{arch}" if self._final else f"compute_{max(older)}"
        self._nvrtc, self._headers, self._folder = nvrtc, headers, folder
        self._pool = ThreadPoolExecutor(workers, "gpucnn-nvrtc")
        self._lock = threading.Lock()
        self._spare: tempfile.TemporaryDirectory[str] | None = None
        stamps = (f"{f.name}:{f.stat().st_size}" for f in sorted(headers.glob("cuda_fp16.h*")))
        self._identity = f"nvrtc {'.'.join(map(str, nvrtc.getVersion()))} {' '.join(stamps)} {self._arch}"

    def submit(self, source: Source, macros: Mapping[str, int]) -> Future[Path]:
        """Path of a file with the machine code, once it is there."""
        return self._pool.submit(self.compile, source, macros)

    def compile(self, source: Source, macros: Mapping[str, int]) -> Path:
        """Path of a file with the machine code, compiled if it is not in the cache.

        Raises
        ------
        DeviceError
            NVRTC refuses the source; with its log.
        """
        flags = (*_OPTIONS, *(f"-D{name}={value}" for name, value in sorted(macros.items())))
        key = hashlib.sha256("\0".join((self._identity, source.name, source.digest, *flags)).encode()).hexdigest()
        path = self._folder / f"{key[:32]}.{'cubin' if self._final else 'ptx'}"
        if path.is_file():
            return path
        code = self._run(source, flags)
        try:
            return write_whole(path, code)
        except OSError:  # a cache that cannot be written costs time, not the run
            with self._lock:
                if self._spare is None:
                    self._spare = tempfile.TemporaryDirectory(prefix="gpucnn-")
                return write_whole(Path(self._spare.name) / path.name, code)

    def _run(self, source: Source, flags: tuple[str, ...]) -> bytes:
        options = (f"-arch={self._arch}", f"-I{self._headers}", *flags)
        program = self._nvrtc.createProgram(f'#line 1 "{source.name}"\n{source.text}', source.name, (), ())
        try:
            try:
                self._nvrtc.compileProgram(program, options)
            except Exception as error:  # the binding's own class
                log = self._nvrtc.getProgramLog(program)
                raise DeviceError(f"{source.name} does not compile with {' '.join(options)}:\n{log}") from error
            code: bytes | str = self._nvrtc.getCUBIN(program) if self._final else self._nvrtc.getPTX(program)
            return code.encode() if isinstance(code, str) else code
        finally:
            self._nvrtc.destroyProgram(program)

    def close(self) -> None:
        """Let go of the threads and of a temporary cache."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._spare is not None:
            self._spare.cleanup()
