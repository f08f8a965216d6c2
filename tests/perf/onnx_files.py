"""ONNX files beside ONNX Runtime: random and real inputs, batches of 1, 3 and 16, and how far both lie from float64.

    python tests/perf/onnx_files.py FILE … [--photographs examples/images] [--write]

A file passes where no score of gpucnn's lies further from the float64 reference than four times ONNX Runtime's furthest, or a few float32
roundings of the largest score. With --write the rows go to tests/perf/results/onnx_files.json, and into README.md between its two
marks. Needs onnxruntime.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import gpucnn
from gpucnn.formats.onnx import read_onnx
from gpucnn.graph import Graph
from gpucnn.images import decode
from gpucnn.ops import Reorder
from gpucnn.preprocess import Preprocess
from gpucnn.presets import preset_for
from gpucnn.spec import Spec

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "perf" / "results" / "onnx_files.json"
BEGIN, END = "<!-- ONNX files: made by tests/perf/onnx_files.py -->", "<!-- end of ONNX files -->"
TIMES, ROUNDINGS = 4.0, 16.0
BATCHES = (1, 3, 16)

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description="ONNX files beside ONNX Runtime.")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--photographs", type=Path, default=ROOT / "examples" / "images")
    parser.add_argument("--write", action="store_true", help="into results/onnx_files.json and README.md")
    args = parser.parse_args()
    rows = [compare(file, args.photographs) for file in args.files]
    print(table(rows))
    if args.write:
        document = {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__, "rows": rows}
        RESULTS.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        readme = ROOT / "README.md"
        before, rest = readme.read_text("utf-8").split(BEGIN)
        readme.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{rest.split(END)[1]}", "utf-8")
    return 0 if all(row["passes"] for row in rows) else 1


def compare(file: Path, photographs: Path) -> Row:
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    worst: Row = {"ours": 0.0, "theirs": 0.0, "between": 0.0}
    passes = same_best = True
    with gpucnn.load(file, device="cpu") as model:
        (port,) = model.inputs
        example = model.plan(1, throughput=False).graph.inputs[port.name].shape
        for kind, x in inputs(port, example, photographs):
            expected = reference(file, x)
            limit = 0.0
            results = []
            for n in BATCHES:
                for at in range(0, len(x), n):
                    part = x[at : at + n]
                    results.append((at, model(part), session.run(None, {port.name: part})[0]))
            scale = float(np.abs(expected).max())
            errors = [(off(a, expected, at), off(b, expected, at), float(np.abs(a - b).max())) for at, a, b in results]
            ours, theirs, between = (max(e[i] for e in errors) / scale for i in range(3))
            limit = max(TIMES * theirs, ROUNDINGS * float(np.finfo(np.float32).eps))
            passes &= ours <= limit
            same_best &= all(bool((a.argmax(1) == b.argmax(1)).all()) for _, a, b in results)
            worst = {k: max(worst[k], v) for k, v in zip(worst, (ours, theirs, between))}
            print(f"{file.name} {kind}: off float64 by {ours:.1e}, ONNX Runtime by {theirs:.1e}, limit {limit:.1e}", file=sys.stderr)
        plan = model.plan()
        left = {type(step.node.op).__name__ for step in plan.steps}
        return {
            "file": file.name,
            "opset": read_onnx(file).opsets[""],
            "nodes": model.nodes,
            "steps": len(plan.steps),
            "reorders": sum(isinstance(step.node.op, Reorder) for step in plan.steps),
            "clutter": sorted(left & {"Pad", "Cast", "Transpose", "Expand", "Gather"}),
            "reference": len(plan.slow_steps),
            "batching": model.batching,
            **worst,
            "same_best": same_best,
            "passes": bool(passes),
        }


def off(y: Any, expected: Any, at: int) -> float:
    return float(np.abs(y - expected[at : at + len(y)]).max())


def inputs(port: Any, shape: tuple[int, ...], photographs: Path) -> list[tuple[str, Any]]:
    """Sixteen random images, and photographs, repeated and shifted, prepared by the preset."""
    rng = np.random.default_rng(16)
    preset = preset_for(port, shape)
    assert preset is not None
    record: Preprocess = preset[0]
    files = sorted(f for f in photographs.iterdir() if f.suffix in (".png", ".jpg"))
    decoded = [decode(f, record) for f in files]
    real = np.stack([np.roll(decoded[i % len(decoded)], 7 * i, 1) for i in range(16)])
    normal = ((real / record.divisor - np.array(record.mean)) / np.array(record.std)).transpose(0, 3, 1, 2).astype(np.float32)
    return [("random", rng.standard_normal((16, *shape[1:])).astype(np.float32)), ("photographs", normal)]


def reference(file: Path, x: Any) -> Any:
    """The net's references in float64, image by image."""
    net, rows = read_onnx(file), []
    for i in range(len(x)):
        graph = Graph()
        value = graph.input("x", Spec((1, *x.shape[1:]), x.dtype))
        (y,) = net.record(graph, value)
        known = {value: x[i : i + 1].astype(np.float64)}
        for node in graph.nodes:
            arrays = [None if v is None else known[v] if v in known else wide(v.data) for v in node.inputs]
            known.update(zip(node.outputs, node.op.reference(np, *arrays)))
        rows.append(known[y])
    return np.concatenate(rows)


def wide(constant: Any) -> Any:
    return constant.astype(np.float64) if constant.dtype.kind == "f" else constant


def table(rows: list[Row]) -> str:
    lines = [
        "| file | nodes | steps | reorders | Pad, Cast, Transpose … left | off float64, of the largest score "
        "| ONNX Runtime | same best class |",
        "|---|--:|--:|--:|---|--:|--:|---|",
    ]
    for r in rows:
        left = ", ".join(r["clutter"]) or "none"
        lines.append(
            f"| {r['file']} (opset {r['opset']}) | {r['nodes']} | {r['steps']} | {r['reorders']} | {left} | {r['ours']:.1e} "
            f"| {r['theirs']:.1e} | {'yes' if r['same_best'] else 'no'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
