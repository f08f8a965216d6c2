"""The plan of a model as text, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .ops import Reorder
from .plan import REFERENCE, Step
from .spec import shape_text

if TYPE_CHECKING:
    from .model import Model

__all__ = ["describe_model", "impl_text", "table"]


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> str:
    """Return columns aligned by spaces; a column of numbers to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    right = [all(row[i].replace(".", "").replace(",", "").isdigit() for row in rows) for i in range(len(header))]
    lines = []
    for row in (header, tuple("─" * w for w in widths), *rows):
        cells = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def impl_text(step: Step) -> str:
    """Return the impl's name, and what else costs time: the reference is called what it is, packing at run time is said."""
    if step.impl is REFERENCE:
        return "reference (slow)"
    return f"{step.impl.name} (packs at every run)" if step.repacks else step.impl.name


def describe_model(model: Model) -> str:
    """Return the table of steps, and below it counts and memory."""
    plan = model.plan()
    rows = []
    for step in plan.steps:
        out = step.node.outputs[0]
        epilogue = getattr(step.node.op, "epilogue", None)
        fused = f"+{epilogue}" if epilogue else ""
        added = "+residual" if sum(v is not None for i, v in enumerate(step.node.inputs) if i in step.node.op.maps) > 1 else ""
        rows.append((step.node.name, step.node.op.name + added + fused, shape_text(out.shape), impl_text(step)))
    batch = next(iter(plan.graph.inputs.values())).shape[0]
    recorded = len(model._trace({k: s.shape for k, s in model._door.specs.items()}).nodes)
    weights = sum(c.nbytes for step in plan.steps for c in step.constants if c is not None)
    notes = ", ".join(f"{count} {what}" for what, count in plan.graph.notes.items()) or "nothing"
    slow = len(plan.slow_steps)
    reorders = sum(isinstance(step.node.op, Reorder) for step in plan.steps)
    ports = "\n".join(
        f"{kind:8}{p.name}: {'×'.join(map(str, p.shape))} {p.dtype}"
        for kind, ports in (("input", model.inputs), ("output", model.outputs))
        for p in ports
    )
    return "\n".join(
        [
            f"{model.name} on {model.device} in {model.precision}; weights: {model.weights or 'none'}",
            ports,
            "",
            table(rows, ("layer", "op", "output", "implementation")),
            "",
            f"{recorded} nodes recorded, {len(plan.steps)} steps run, {reorders} reorders left"
            + (f", {slow} by reference (slow)" if slow else ""),
            f"passes: {notes}",
            f"weights {weights / 2**20:.1f} MiB, arena {plan.arena_bytes / 2**20:.1f} MiB for {batch} images",
        ]
    )
