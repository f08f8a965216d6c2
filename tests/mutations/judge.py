"""What counts as an outcome: an answer, or an error of gpucnn's that hides nobody else's."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import NamedTuple

import gpucnn
from gpucnn.errors import GpucnnError

__all__ = ["Failure", "Outcome", "judge"]

PACKAGE = str(Path(gpucnn.__file__).parent)

# Where a library found the file to be damaged, and gpucnn passed that on. Raised in gpucnn's own lines it would be a mistake there.
LIBRARIES = (
    "/zipfile", "/PIL/", "/json/", "/pickletools.py", "/numpy/lib/_format_impl.py", "/numpy/lib/format.py", "/ast.py", "/struct.py",
    "/google/protobuf/", "/gzip.py", "/zlib.py", "/tokenize.py", "/numpy/lib/_utils_impl.py", "/numpy/lib/utils.py", "/codecs.py",
)  # fmt: skip

# What compiled code raises in the line that calls it.
COMPILED = ("SafetensorError", "DecodeError", "UnicodeDecodeError", "OSError", "FileNotFoundError", "PermissionError", "MemoryError")


class Outcome(NamedTuple):
    """``"answer"``, or the name of the error's class; and what it says."""

    kind: str
    text: str


class Failure(Exception):  # noqa: N818
    """Something that must not happen."""


def judge(error: BaseException) -> Outcome:
    """The outcome that an exception is.

    Raises
    ------
    Failure
        It is not gpucnn's, or is wrapped around one that is not, or around one that gpucnn's own code made.
    """
    if not isinstance(error, GpucnnError):
        raise Failure(f"a foreign exception: {_where(error)}") from error
    seen: BaseException = error
    while (cause := seen.__cause__) is not None:
        if not isinstance(cause, GpucnnError):
            raise Failure(f"a foreign exception wrapped in {error!r}: {_where(cause)}") from error
        seen = cause
    while (context := seen.__context__) is not None:
        if not isinstance(context, GpucnnError) and not _of_a_library(context):
            raise Failure(f"a foreign exception of our own behind {error!r}: {_where(context)}") from error
        seen = context
    return Outcome(type(error).__name__, str(error))


def _of_a_library(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1].filename.replace("\\", "/") if frames else ""
    return type(error).__name__ in COMPILED or any(part in last for part in LIBRARIES) or last.startswith("<")


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(f.filename).name}:{f.lineno}" for f in frames[-4:]]
    return f"{type(error).__name__}: {str(error)[:200]} at {' > '.join(places)}"
