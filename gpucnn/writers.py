"""Rows of results as text, CSV or JSON lines, and the file that they go to."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any, Protocol

from .classify import Prediction, Result
from .errors import GpucnnError

__all__ = ["FORMATS", "CsvRows", "Format", "JsonlRows", "OutputFile", "TextRows"]


class Format(Protocol):
    """How results become rows."""

    def header(self) -> str:
        """Return what stands before the first row."""

    def rows(self, results: Iterable[Result]) -> str:
        """Return the rows of some results, each ended by a line feed."""


_NO_LABEL = "(no label)"  # in place of predictions where none reaches the threshold: that is no error
_WIDEST = 60  # characters; a longer cell does not move the columns of the other rows


class TextRows:
    """One line for people: the path, then each label with its probability; columns widen as they need.

    Parameters
    ----------
    top : int
        Predictions in a row at most.
    value : {"probability", "score"}
        What a prediction's number is: per cent of the one, the number itself of the other.
    """

    def __init__(self, top: int, value: str = "probability") -> None:
        self._widths = [0] * (top + 1)
        self._form = ".1%" if value == "probability" else ".4g"

    def header(self) -> str:
        """Return nothing."""
        return ""

    def rows(self, results: Iterable[Result]) -> str:
        """Return one line for each result."""
        table = []
        for result in results:
            path = _one_line(result.path if result.path is not None else "-")
            if result.error is None:
                table.append([path, *(map(self._cell, result.predictions) if result.predictions else [_NO_LABEL])])
                needed = (min(len(cell), _WIDEST) for cell in table[-1])
                self._widths = [max(pair) for pair in zip_longest(self._widths, needed, fillvalue=0)]  # rows differ in length
            else:
                table.append([f"{path}: error: {_one_line(result.error)}"])
        return "".join(self._line(cells) for cells in table)

    def _line(self, cells: list[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, self._widths)).rstrip() + "\n"

    def _cell(self, prediction: Prediction) -> str:
        label = f"class {prediction.index}" if prediction.label is None else _one_line(prediction.label)
        return f"{label} {prediction.probability:{self._form}}"


class CsvRows:
    """CSV with a header; a cell that a spreadsheet would run as a formula is quoted by an apostrophe.

    Every record has columns for ``top`` predictions; those that an image lacks are empty, and so is ``error`` where there was none.

    Parameters
    ----------
    top : int
        Predictions in a row at most.
    value : {"probability", "score"}
        Name of the number's columns.
    """

    def __init__(self, top: int, value: str = "probability") -> None:
        self._top, self._value = top, value

    def header(self) -> str:
        """Return the names of the columns."""
        columns = [f"{name}_{k}" for k in range(1, self._top + 1) for name in ("index", "label", self._value)]
        return self._text([["path", "error", *columns]])

    def rows(self, results: Iterable[Result]) -> str:
        """Return one record for each result."""
        table = []
        for result in results:
            cells: list[Any] = [_inert(result.path or ""), _inert(result.error or "")]
            for p in result.predictions:
                cells += [p.index, _inert(p.label or ""), _shortest(p.probability)]
            table.append(cells + [""] * (2 + 3 * self._top - len(cells)))
        return self._text(table)

    @staticmethod
    def _text(table: list[list[Any]]) -> str:
        lines = []
        for cells in table:
            line = io.StringIO()
            csv.writer(line, lineterminator="\r\n").writerow(cells)  # cells with one of these two are quoted
            lines.append(line.getvalue()[:-2] + "\n")
        return "".join(lines)


class JsonlRows:
    """One JSON object in a line, in ASCII so that every encoding of the output takes it.

    Parameters
    ----------
    top : int
        Not used; all formats are made alike.
    value : {"probability", "score"}
        Name of the number.
    """

    def __init__(self, top: int, value: str = "probability") -> None:
        del top
        self._value = value

    def header(self) -> str:
        """Return nothing."""
        return ""

    def rows(self, results: Iterable[Result]) -> str:
        """Return one line for each result."""
        return "".join(json.dumps(self._record(result)) + "\n" for result in results)

    def _record(self, result: Result) -> dict[str, Any]:
        if result.error is not None:
            return {"path": result.path, "error": result.error}
        predictions = [
            {"index": p.index, "label": p.label, self._value: _shortest(p.probability)} for p in result.predictions
        ]
        return {"path": result.path, "predictions": predictions}


FORMATS: dict[str, Callable[..., Format]] = {"text": TextRows, "csv": CsvRows, "jsonl": JsonlRows}


def _shortest(probability: float) -> float:
    """Return the float with few digits that is the same float32."""
    return float(f"{probability:.9g}")


def _one_line(text: str) -> str:
    """Escape what would break a line or a terminal: control characters, odd blanks, bytes that are not UTF-8."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _inert(text: str) -> str:
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


class OutputFile:
    """A file of rows that is whole under its name, or has whole rows under ``NAME.partial``.

    Parameters
    ----------
    path : str
        Where the rows shall be at the end, UTF-8. A file that is there stays until then.

    Raises
    ------
    GpucnnError
        Where it cannot be written.
    """

    def __init__(self, path: str) -> None:
        if os.path.exists(path) and not os.path.isfile(path):
            raise GpucnnError(f"{path}: cannot be written: it is not a regular file")
        self.path = os.path.realpath(path)  # through a symlink, to what it points at
        self.partial = self.path + ".partial"
        try:
            self._file = open(self.partial, "wb", buffering=0)  # noqa: SIM115 - closed by finish or leave
        except OSError as error:
            raise GpucnnError(f"{path}: cannot be written: {error.strerror or error}") from error
        self._whole = 0

    def write(self, text: str) -> None:
        """Write whole rows through to the system."""
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        size = len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise GpucnnError(f"{self.partial}: cannot be written: {error.strerror or error}") from error
        self._whole += size

    def finish(self) -> None:
        """Close the file and give it its name."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self.partial, self.path)
        except OSError as error:
            raise GpucnnError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def leave(self) -> None:
        """Close the file under its partial name, cut after its last whole row; without rows, remove it."""
        if self._file.closed:
            return
        self._file.truncate(self._whole)
        self._file.close()
        if not self._whole:
            os.remove(self.partial)
