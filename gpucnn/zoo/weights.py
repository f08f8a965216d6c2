"""Trained weights on their way into an architecture: read, and put under its own names."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..errors import ModelError
from ..spec import Array
from .entries import ENTRIES
from .timm import TWINS, Twin, in_our_names, is_spelt

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
    eps : float or None
        Of the batch norms that they were trained with, where the zoo's network has another.
    """

    source: str
    state: Mapping[str, Array]
    notes: tuple[str, ...]
    owned: bool
    eps: float | None = None

    def __str__(self) -> str:
        return f"{self.source} ({'; '.join(self.notes)})" if self.notes else self.source


def weights_for(name: str, weights: str | os.PathLike[str] | Mapping[str, Array]) -> Weights:
    """Weights from a file, or a state dict, under an architecture's names.

    Parameters
    ----------
    name : str
        One of the zoo's.
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
    >>> str(weights_for("lenet5", {"module.output.weight": 0, "module.output.bias": 0}))
    "the given weights (prefix 'module.' taken off)"
    """
    from ..formats import read_state
    from ..formats.state_dict import fit_prefix, without_wrappers

    state: Mapping[str, Array]
    if isinstance(weights, Mapping):
        if odd := [key for key in weights if not isinstance(key, str)]:
            raise ModelError(f"the given weights: a name must be text, got {odd[0]!r}")
        source, (state, notes) = "the given weights", without_wrappers(weights)
    elif isinstance(weights, (str, os.PathLike)):
        source, (state, notes) = os.fspath(weights), read_state(weights)
    else:
        raise ModelError(f"weights must be a path or a mapping of names to arrays, got {type(weights).__name__}")
    state, prefix = fit_prefix(state, ENTRIES[name].head)
    notes += prefix
    state, eps, spelt = _in_our_names(name, state)
    notes += spelt
    for note in notes:
        _log.info("%s: %s", source, note)
    return Weights(str(source), state, notes, not isinstance(weights, Mapping), eps)


def _in_our_names(name: str, state: Mapping[str, Array]) -> tuple[Mapping[str, Array], float | None, tuple[str, ...]]:
    """The state dict, and what it says of batch norms, if timm's networks of the same kind spell it so."""
    for theirs, twin in TWINS.items():
        if twin.name == name and is_spelt(twin, state):
            own = ENTRIES[name].build(num_classes=_classes(twin, state), in_channels=ENTRIES[name].in_channels).state_shapes()
            return in_our_names(twin, state, own), twin.eps, (f"timm's names, as of {theirs}",)
    return state, None, ()


def _classes(twin: Twin, state: Mapping[str, Array]) -> int:
    head = next((state[name] for name in ("classifier.weight", "head.fc.weight") if name in state), None)
    return int(np.shape(head)[0]) if head is not None and np.ndim(head) in (2, 4) and np.shape(head)[0] else ENTRIES[twin.name].num_classes
