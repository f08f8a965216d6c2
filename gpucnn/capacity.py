"""Whether a plan's memory is there, asked before it is taken."""

from __future__ import annotations

from collections.abc import Callable

from .engine import LATENCY_BELOW, Way
from .errors import GpucnnError, LimitError
from .host_memory import size_text
from .plan import Plan

__all__ = ["check_room", "replicas_with_room"]


def replicas_with_room(way: Way, plan: Plan) -> int:
    """How many of a way's programs fit side by side; at least one. Bits do not depend on it."""
    if way.replicas == 1 or not plan.arena_bytes:
        return way.replicas
    return max(1, min(way.replicas, way.backend.free_memory() // plan.arena_bytes))


def check_room(model: str, way: Way, plan: Plan, splits: bool, smaller: Callable[[int], Plan]) -> None:
    """Raise where a plan needs more than is free.

    Parameters
    ----------
    model : str
        Its name, for the message.
    way : Way
    plan : Plan
    splits : bool
        Whether a batch goes through in parts.
    smaller : callable
        The plan for fewer images: to find out how many fit.

    Raises
    ------
    LimitError
        With what is needed, what is free, and a batch that fits.
    """
    free = way.backend.free_memory()
    if plan.arena_bytes > free:
        inputs = ", ".join(f"{name} {v.spec}" for name, v in plan.graph.inputs.items())
        raise LimitError(
            f"{model}: {inputs} needs {size_text(plan.arena_bytes)} on {way.backend.name}, {size_text(free)} are free; "
            f"{_advice(plan, free, splits, smaller)}"
        )


def _advice(plan: Plan, free: int, splits: bool, smaller: Callable[[int], Plan]) -> str:
    """The largest half, quarter and so on of the batch that fits."""
    batch = min((v.shape[0] for v in plan.graph.inputs.values() if v.shape), default=1) // 2
    while batch:
        try:
            fits = smaller(1 if splits else batch).arena_bytes <= free
        except GpucnnError:  # the net is made for a number of images
            break
        if fits and splits:  # more go through in parts, of a size that the caller's batch has no part in
            return f"a batch of {LATENCY_BELOW - 1} fits, which is computed image by image"
        if fits:
            return f"a batch of {batch} fits"
        batch = 0 if splits else batch // 2
    return "use smaller images, or free some memory"
