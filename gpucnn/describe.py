"""The plan of a model as text, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .door import width_of
from .ops import BatchNorm, Reorder
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


_BATCHES = {
    "any": "",
    "single": "takes one image, and is run image by image\n",
    "whole": "a batch is run as a whole, and planned anew for each size\n",
}

_ALONE = "photographs are scored one by one\n"


def _scores_alone(model: Model) -> bool:
    """Whether a classifier's images must be given to it singly."""
    classifier = len(model.inputs) == len(model.outputs) == 1 and width_of(model.outputs[0].shape) is not None
    return classifier and model.batching == "whole" and model._takes_one


def impl_text(step: Step) -> str:
    """Return the impl's name, and what else costs time: the reference is called what it is, packing at run time is said."""
    if step.impl is REFERENCE:
        return "reference (slow)"
    return f"{step.impl.name} (packs at every run)" if step.repacks else step.impl.name


def describe_model(model: Model) -> str:
    """Return the table of steps, and below it counts and memory."""
    head = f"{model.name} on {model.device} in {model.precision}; weights: {model.weights or 'none'}"
    ports = "\n".join(
        f"{kind:8}{p.name}: {'×'.join(map(str, p.shape)) or 'scalar'} {p.dtype}"
        for kind, ports in (("input", model.inputs), ("output", model.outputs))
        for p in ports
    )
    if model._by_value:
        fed = ", ".join(sorted(model._by_value))
        nodes = f"{model.nodes} nodes in the file; " if model.nodes is not None else ""
        return f"{head}\n{ports}\n\n{nodes}its shapes depend on the values of {fed}: there is a plan for each, made when it is called"
    plan = model.plan()
    rows = []
    for step in plan.steps:
        out = step.node.outputs[0]
        epilogue = getattr(step.node.op, "epilogue", None)
        fused = f"+{epilogue}" if epilogue else ""
        if isinstance(step.node.op, BatchNorm) and step.node.op.activation is not None:
            fused = f"+{step.node.op.activation.name}"
        added = "+residual" if sum(v is not None for i, v in enumerate(step.node.inputs) if i in step.node.op.maps) > 1 else ""
        rows.append((step.node.name, step.node.op.name + added + fused, shape_text(out.shape), impl_text(step)))
    sizes = ", ".join("×".join(map(str, v.shape)) or "a scalar" for v in plan.graph.inputs.values()) or "no inputs"
    recorded = len(model._trace({k: s.shape for k, s in model._door.specs.items()}).nodes)
    weights = sum(c.nbytes for step in plan.steps for c in step.constants if c is not None)
    notes = ", ".join(f"{count} {what}" for what, count in plan.graph.notes.items()) or "nothing"
    slow = len(plan.slow_steps)
    reorders = sum(isinstance(step.node.op, Reorder) for step in plan.steps)
    in_file = f"{model.nodes} nodes in the file, " if model.nodes is not None else ""
    return "\n".join(
        [
            head,
            ports,
            _BATCHES[model.batching] + (_ALONE if _scores_alone(model) else ""),
            table(rows, ("layer", "op", "output", "implementation")),
            "",
            f"{in_file}{recorded} nodes recorded, {len(plan.steps)} steps run, {reorders} reorders left"
            + (f", {slow} by reference (slow)" if slow else ""),
            f"passes: {notes}",
            f"weights {weights / 2**20:.1f} MiB, arena {plan.arena_bytes / 2**20:.1f} MiB for {sizes}",
        ]
    )
