"""Timing: images per second of a model, and where the time goes."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from .describe import impl_text, table
from .errors import ModelError
from .runner import breakdown, profile
from .settings import settings
from .spec import Array, shape_text

if TYPE_CHECKING:
    from .model import Model

__all__ = ["run"]


def run(model: Model, batch: int, seconds: float = 5.0, layers: bool = False) -> str:
    """Time a model on random inputs.

    Parameters
    ----------
    model : Model
    batch : int
        Images per call; below four they go one by one through the latency plan. A net of one batch size is called with that.
    seconds : float
        For how long, at least three calls.
    layers : bool
        Also time each step of the throughput plan; on a CPU, on one core.

    Returns
    -------
    str
        Text for people.

    Raises
    ------
    ModelError
        Shapes depend on the values of inputs, which cannot be made up.
    """
    if model._by_value:
        fed = ", ".join(sorted(model._by_value))
        raise ModelError(f"{model.name}: its shapes depend on the values of {fed}, so there is nothing to time with made-up ones")
    feeds, batch = _feeds(model, batch)
    begin = time.perf_counter()
    model.run(feeds)
    first = time.perf_counter() - begin
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 3:
        begin = time.perf_counter()
        model.run(feeds)
        samples.append(time.perf_counter() - begin)
    middle = median(samples)
    where = f"{settings().threads} threads" if model.device == "cpu" else model.device_reason
    lines = [
        f"{model.name} on {model.device} ({where}) in {model.precision}, batch {batch}",
        f"{batch / middle:.1f} images/s: median {1e3 * middle:.2f} ms a call, best {1e3 * min(samples):.2f}, "
        f"worst {1e3 * max(samples):.2f} of {len(samples)} calls; the first took {1e3 * first:.0f} ms with planning",
    ]
    if layers:
        lines += ["", _layers(model, feeds, seconds)]
    return "\n".join(lines)


def _feeds(model: Model, batch: int) -> tuple[dict[str, Array], int]:
    """Random inputs of the declared sizes, with a batch of that size where the net takes it; and how many images they are."""
    rng, door = np.random.default_rng(0), model._door
    fixed = door.batch if model.batching == "whole" else ""
    feeds = {}
    for name, spec in door.specs.items():
        shape = (batch, *spec.shape[1:]) if isinstance(fixed, str) and spec.ndim else spec.shape
        if spec.dtype.kind == "f":
            feeds[name] = np.asarray(rng.standard_normal(shape), spec.dtype)
        else:  # small, because they may be places to look at
            feeds[name] = rng.integers(0, 256 if spec.dtype == np.uint8 else 2, shape).astype(spec.dtype)
    return feeds, batch if isinstance(fixed, str) else fixed or 1


def _layers(model: Model, feeds: dict[str, Array], seconds: float) -> str:
    """Table of the throughput plan's steps: median milliseconds, share, and GFLOP/s."""
    whole = model.batching == "whole"
    shapes = {name: a.shape for name, a in feeds.items()}
    plan = model._runner(shapes, None, 0, False, feeds).plan if whole else model.plan(next(iter(shapes.values()))[0])
    program = plan.bind()
    for name, target in program.inputs.items():
        a = feeds[name]
        plan.backend.write(target, a if whole else np.stack([a[i % len(a)] for i in range(len(target))]))
    with plan.backend.session():
        once = sum(profile(program, 1)[0])
        repeats = max(3, min(50, int(seconds / max(once, 1e-6))))
        times = profile(program, repeats)
        kinds = breakdown(program, repeats) if plan.backend.name == "cpu" else {}
    medians = [median(row[i] for row in times) for i in range(len(program.calls))]
    total = sum(medians)
    rows = []
    for (step, _), t in zip(program.calls, medians):
        rate = step.node.op.flops(*step.node.specs) / t / 1e9
        out = shape_text(step.node.outputs[0].shape)
        rows.append((step.node.name, step.node.op.name, out, impl_text(step), f"{1e3 * t:.3f}", f"{100 * t / total:.1f}", f"{rate:.1f}"))
    by_impl: dict[str, float] = {}
    for (step, _), t in zip(program.calls, medians):
        by_impl[impl_text(step)] = by_impl.get(impl_text(step), 0.0) + t
    sums = [(name, f"{1e3 * t:.3f}", f"{100 * t / total:.1f}") for name, t in sorted(by_impl.items(), key=lambda item: -item[1])]
    what = "the whole batch" if whole else f"{next(iter(program.inputs.values())).shape[0]} images"
    one_core = " on one core" if plan.backend.name == "cpu" and not whole else ""
    where = sorted(kinds.items(), key=lambda item: -item[1][1])
    spent = sum(t for _, t in kinds.values()) or 1.0
    parts = [(kind, str(count), f"{1e3 * t:.3f}", f"{100 * t / spent:.1f}") for kind, (count, t) in where]
    return "\n".join(
        [
            f"one program of {what}{one_core}, step by step, {1e3 * total:.2f} ms:",
            table(rows, ("layer", "op", "output", "implementation", "ms", "%", "GFLOP/s")),
            "",
            table(sums, ("implementation", "ms", "%")),
            *(["", "its calls of NumPy, one by one:", table(parts, ("kind", "calls", "ms", "%"))] if parts else []),
        ]
    )
