"""Trained weights on their way into an architecture: read, and put under its own names."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import ModelError
from ..spec import Array
from .entries import Entry

__all__ = ["Weights", "weights_for"]

_log = logging.getLogger("gpucnn")


class Weights(NamedTuple):
    """A state dict under an architecture's names.

    Attributes
    ----------
    source : str
        Where it comes from, for errors.
    state : mapping of str to array
    notes : tuple of str
        What was undone to get at it, for people.
    owned : bool
        Whether nobody else has the arrays, so that they may be kept as they are.
    """

    source: str
    state: Mapping[str, Array]
    notes: tuple[str, ...]
    owned: bool

    def __str__(self) -> str:
        return f"{self.source} ({'; '.join(self.notes)})" if self.notes else self.source


def weights_for(entry: Entry, weights: str | os.PathLike[str] | Mapping[str, Array]) -> Weights:
    """Weights from a file, or a state dict, under an architecture's names.

    Parameters
    ----------
    entry : Entry
    weights : path or mapping of str to array

    Returns
    -------
    Weights
        For `create`; as text it says what was undone.

    Raises
    ------
    ModelError
        The file cannot be read.

    Examples
    --------
    >>> from gpucnn.zoo import entry
    >>> str(weights_for(entry("lenet5"), {"module.output.weight": 0, "module.output.bias": 0}))
    "the given weights (prefix 'module.' taken off)"
    """
    from ..formats import read_state
    from ..formats.state_dict import fit_prefix, without_wrappers

    state: Mapping[str, Array]
    if isinstance(weights, Mapping):
        for name in weights:
            if not isinstance(name, str):
                raise ModelError(f"the given weights: a name must be text, got {name!r}")
        source, (state, notes) = "the given weights", without_wrappers(weights)
    elif isinstance(weights, (str, os.PathLike)):
        source, (state, notes) = os.fspath(weights), read_state(weights)
    else:
        raise ModelError(f"weights must be a path or a mapping of names to arrays, got {type(weights).__name__}")
    state, prefix = fit_prefix(state, entry.head)
    for note in (*notes, *prefix):
        _log.info("%s: %s", source, note)
    return Weights(str(source), state, (*notes, *prefix), not isinstance(weights, Mapping))
