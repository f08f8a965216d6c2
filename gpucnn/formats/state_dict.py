"""Where the weights are in what a training program saved, and under which names: nesting and prefixes undone, and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = ["NESTS", "fit_prefix", "nested", "without_wrappers"]

T = TypeVar("T")

NESTS = (
    "state_dict_ema", "model_ema", "ema_state_dict", "params_ema", "state_dict", "model_state_dict", "model", "net", "network", "module",
    "params", "weights",
)  # fmt: skip
"""Where training programs keep the state dict. Weights averaged over the last steps come first: they are meant for inference."""

_WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel, DistributedDataParallel and AveragedModel, and torch.compile put before every name."""

_COUNTERS = ("n_averaged",)
"""What AveragedModel keeps beside the weights."""

_DEEPEST = 4  # {"checkpoint": {"model": {"state_dict": …}}} exists; a dict within itself must end too


def nested(tree: Any, is_weight: Callable[[Any], bool]) -> tuple[Any, tuple[str, ...]]:
    """Find the mapping that holds weights.

    Parameters
    ----------
    tree : object
        What was saved.
    is_weight : callable
        Whether a value is a weight.

    Returns
    -------
    object
        The mapping; ``tree`` or what is in it, if there is none.
    notes : tuple of str
        Where it was, and what else would have done.
    """
    found, notes = tree, []
    for _ in range(_DEEPEST):
        if not isinstance(found, dict):
            break
        there = [name for name in NESTS if isinstance(found.get(name), dict) and not is_weight(found[name])]
        if not there:
            break
        others = f" (not {', '.join(map(repr, there[1:]))})" if len(there) > 1 else ""
        notes.append(f"under {there[0]!r}{others}")
        found = found[there[0]]
    return found, tuple(notes)


def without_wrappers(state: Mapping[str, T]) -> tuple[dict[str, T], tuple[str, ...]]:
    """Take off what wrappers put before every name.

    Returns
    -------
    dict
    notes : tuple of str
        What was taken off.
    """
    named, notes = dict(state), []
    for prefix in _WRAPPERS * 2:  # either may be around the other
        plain = [name for name in named if name not in _COUNTERS]
        if plain and all(name.startswith(prefix) for name in plain):
            named = {name[len(prefix) :]: named[name] for name in plain}
            notes.append(f"prefix {prefix!r} taken off")
    return named, tuple(notes)


def fit_prefix(state: Mapping[str, T], known: str) -> tuple[Mapping[str, T], tuple[str, ...]]:
    """Take off a prefix that all names share, such as ``"model."``, where the net's own names then appear.

    Parameters
    ----------
    state : mapping of str to array
    known : str
        A name that the net has.

    Returns
    -------
    mapping
        As it was, where it has that name, or no prefix gives it.
    notes : tuple of str
    """
    if known in state:
        return state, ()
    for name in state:
        prefix = name.removesuffix(known)
        if prefix != name and prefix.endswith(".") and all(other.startswith(prefix) for other in state):
            return {other[len(prefix) :]: a for other, a in state.items()}, (f"prefix {prefix!r} taken off",)
    return state, ()
