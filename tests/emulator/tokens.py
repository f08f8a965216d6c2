"""The text of PTX cut into tokens, and its source lines numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .errors import UnsupportedPtxError

__all__ = ["FILE", "Sites", "Token", "tokenize"]

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<line>\.(?:loc|file|version|target|address_size)\b[^\n]*)
      | (?P<section>\.section[^{]*\{[^}]*\})
      | (?P<string>"[^"]*")
      | (?P<float>0[fF][0-9a-fA-F]{8}\b|0[dD][0-9a-fA-F]{16}\b)
      | (?P<int>-?0[xX][0-9a-fA-F]+U?|-?\d+U?)
      | (?P<word>[%$A-Za-z_][\w$]*(?:(?:\.|::)[\w$]+)*)
      | (?P<dot>\.[A-Za-z_]\w*)
      | (?P<mark>[{}()\[\],;:<>=+@!|])""",
    re.X | re.S,
)


class Token(NamedTuple):
    """One word of PTX and where it begins."""

    kind: str
    text: str
    start: int


def tokenize(text: str) -> Iterator[Token]:
    """Cut PTX into tokens; white space, comments and debug sections are dropped."""
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise UnsupportedPtxError(f"PTX that cannot be read: {text[at : at + 60]!r}")
        kind = match.lastgroup or ""
        if kind not in ("space", "section"):
            yield Token(kind, match[0], at)
        at = match.end()


_LOC = re.compile(r"\.loc\s+(\d+)\s+(\d+)\s+(\d+)(?:.*inlined_at\s+(\d+)\s+(\d+)\s+(\d+))?")
FILE = re.compile(r'\.file\s+(\d+)\s+"([^"]*)"')
"""A ``.file`` line: number and path."""


class Sites:
    """Source lines, numbered; an inlined line names its callers: ``mma.cuh:12 < conv.cu:40``."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.texts: list[str] = ["?"]
        self._numbers: dict[str, int] = {}
        self._callers: dict[tuple[str, ...], tuple[str, ...]] = {}

    def number(self, line: str) -> int | None:
        """Of a ``.loc`` line; None for a line without a source (line 0)."""
        match = _LOC.match(line)
        if not match or match[2] == "0":
            return None
        first = match.groups()[:3]
        if match[4]:
            self._callers[first] = match.groups()[3:]
        here: tuple[str, ...] | None = first
        chain: list[str] = []
        while here and len(chain) < 8:
            chain.append(f"{self.files.get(here[0], '?').rsplit('/', 1)[-1]}:{here[1]}")
            here = self._callers.get(here)
        text = " < ".join(chain)
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]
