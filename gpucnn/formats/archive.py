"""Zip files of weights: what NumPy archives and PyTorch checkpoints are kept in, read within what the file really holds."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import IO, BinaryIO

from ..errors import ModelError

__all__ = ["Archive"]

_MOST_INDEX_BYTES = 32 << 20
"""Of the list of members at the end of a zip: each of at least 46 bytes takes a kilobyte once read. 100,000 members take 6 MB."""

_END, _END_BYTES, _COMMENT_BYTES = b"PK\x05\x06", 22, 65535
_END_64, _END_64_BYTES, _LOCATOR_BYTES = b"PK\x06\x06", 56, 20


class Archive:
    """The members of a zip file.

    Parameters
    ----------
    path : Path
        For errors.
    file : binary file
        Stays open while members are read.

    Attributes
    ----------
    members : dict of str to ZipInfo
        Without folders.

    Raises
    ------
    ModelError
        The file is no zip, is damaged, or has members that are encrypted, of one name, or in a compression that is not read.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file_bytes = os.fstat(file.fileno()).st_size
        self._check_index(file)
        try:
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
        except Exception as error:  # damage may show as anything: BadZipFile, struct.error, UnicodeDecodeError …
            raise self._broken(error) from None
        self.members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.filename in self.members:
                raise ModelError(f"{path}: the zip has two members {info.filename!r}; which one is meant cannot be known")
            if not info.filename.endswith("/"):  # a folder
                self.members[info.filename] = info

    def _check_index(self, file: BinaryIO) -> None:
        """Refuse a list of members that would take far more memory than weights need; where it is damaged, zipfile says so."""
        file.seek(max(0, self._file_bytes - _END_BYTES - _COMMENT_BYTES - _LOCATOR_BYTES - _END_64_BYTES))
        tail = file.read()
        at, at_64 = tail.rfind(_END), tail.rfind(_END_64)
        sizes = []
        if at >= 0 and len(tail) >= at + _END_BYTES:
            sizes.append(int.from_bytes(tail[at + 12 : at + 16], "little"))
        if at_64 >= 0 and len(tail) >= at_64 + _END_64_BYTES:
            sizes = [int.from_bytes(tail[at_64 + 40 : at_64 + 48], "little"), *[s for s in sizes if s != 0xFFFFFFFF]]
        if max(sizes, default=0) > _MOST_INDEX_BYTES:
            raise ModelError(f"{self._path}: the zip's list of members takes {max(sizes)} bytes, expected at most {_MOST_INDEX_BYTES}")
        file.seek(0)

    def read(self, name: str, most: int) -> bytes:
        """All of a member, which must not be longer than ``most`` bytes."""
        info = self.member(name)
        if info.file_size > most:
            raise ModelError(f"{self._path}: the member {name!r} has {info.file_size} bytes, expected at most {most}")
        return self.take(name, info.file_size)

    def take(self, name: str, nbytes: int, what: str = "") -> bytes:
        """The first ``nbytes`` of a member; fewer are an error."""
        info = self.member(name)
        if nbytes > info.file_size:
            raise ModelError(f"{self._path}: the member {name!r} has {info.file_size} bytes, expected {nbytes}{what}")
        with self.open(name) as member:
            try:
                data = member.read(nbytes)
            except Exception as error:  # as above: zlib.error, BadZipFile, EOFError …
                raise self._broken(error, name) from None
        if len(data) != nbytes:
            raise ModelError(f"{self._path}: the member {name!r} ends after {len(data)} bytes, expected {nbytes}")
        return data

    def open(self, name: str) -> IO[bytes]:
        """A member to be read piece by piece."""
        info = self.member(name)
        if info.flag_bits & 1:
            raise ModelError(f"{self._path}: the member {name!r} is encrypted, which no program that saves weights does")
        if info.compress_size > self._file_bytes:
            raise ModelError(f"{self._path}: the member {name!r} claims {info.compress_size} bytes of a file of {self._file_bytes}")
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise ModelError(f"{self._path}: the member {name!r} is stored as it is, yet claims two sizes")
        try:
            return self._zip.open(info)
        except Exception as error:  # as above
            raise self._broken(error, name) from None

    def member(self, name: str) -> zipfile.ZipInfo:
        """What the zip's list says of a member."""
        info = self.members.get(name)
        if info is None:
            raise ModelError(f"{self._path}: the zip has no member {name!r}")
        return info

    def _broken(self, error: Exception, name: str = "") -> ModelError:
        where = f", member {name!r}" if name else ""
        reason = str(error) or type(error).__name__
        return ModelError(f"{self._path}{where}: the zip is truncated or broken ({reason}); copy or download it again")
