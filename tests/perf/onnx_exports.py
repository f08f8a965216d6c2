"""What PyTorch's two exporters make of torchvision's and timm's architectures, run by gpucnn and by ONNX Runtime.

    python tests/perf/onnx_exports.py FOLDER [--only 'res*'] [--exporters script17]   export what FOLDER lacks, run all, print the table
    python tests/perf/onnx_exports.py FOLDER --export                                 export only; FOLDER/INDEX.md lists the files
    python tests/perf/onnx_exports.py --write                                         sixteen rows into README.md, all into results/

Exporting needs torch, torchvision (--no-deps), timm, onnx and onnxscript; running onnxruntime; --write nothing. Results are in
tests/perf/results/onnx_exports.json; rows of other networks and exporters stay.

Beside every network's files lies NAME.npz: three images, what the network in float64 makes of them (by PyTorch, from the same float32
weights), and what PyTorch makes of them in float32. ``limit`` says what error is allowed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "perf" / "results" / "onnx_exports.json"
BEGIN, END = "<!-- ONNX exports: made by tests/perf/onnx_exports.py -->", "<!-- end of ONNX exports -->"
BATCHES = (1, 3)
LIBRARIES = ("numpy", "onnx", "onnxruntime", "onnxscript", "timm", "torch", "torchvision")
TIMES, FEW = 4, 8
EPS = float(np.finfo(np.float32).eps)

SIXTEEN = (
    "resnet50", "mobilenet_v3_large", "efficientnet_b0", "densenet121", "shufflenet_v2_x1_0", "googlenet", "regnet_y_400mf",
    "convnext_tiny", "lraspp_mobilenet_v3_large", "tf_mixnet_s", "repvgg_a0", "resnest14d", "hrnet_w18_small", "convnextv2_atto",
    "eca_nfnet_l0", "coatnet_nano_rw_224",
)  # fmt: skip
"""Those that README.md shows: as unlike one another as may be."""

Row = dict[str, Any]


def main() -> int:
    args = arguments()
    if args.write:
        readme, made = ROOT / "README.md", json.loads(RESULTS.read_text("utf-8"))
        readme.write_text(written(readme.read_text("utf-8"), f"{summary(made)}\n\n{table(made, SIXTEEN)}"), "utf-8")
        RESULTS.with_suffix(".md").write_text(f"{summary(made)}\n\n{table(made, tuple(made['rows']))}\n", "utf-8")
        return 0
    from onnx_nets import EXPORTERS, NETS

    names = [name for name in NETS if fnmatchcase(name, args.only)]
    exporters = args.exporters.split(",") if args.exporters else list(EXPORTERS)
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_files(name, exporters, args.folder)
    index(args.folder)
    return 0 if args.export else run(args.folder, names, exporters)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Exports of PyTorch's networks, by gpucnn and by ONNX Runtime.")
    parser.add_argument("folder", type=Path, nargs="?", help="where the ONNX files are, or will be (3 files a network, 6 GB in all)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names of networks, as for the shell")
    parser.add_argument("--exporters", default="", metavar="NAMES", help="comma-separated: script11, script17, dynamo18 (all)")
    parser.add_argument("--export", action="store_true", help="export and stop")
    parser.add_argument("--write", action="store_true", help="put the last run into README.md and results/onnx_exports.md")
    args = parser.parse_args()
    if args.folder is None and not args.write:
        parser.error("FOLDER is missing")
    return args


# -- files


def write_files(name: str, exporters: list[str], folder: Path) -> None:
    """The network's files that the folder does not have yet; all from one set of weights, so NAME.npz decides."""
    import torch
    from onnx_nets import EXPORTERS, NETS, SEED, build, export, exporters_for, images

    answers = folder / f"{name}.npz"
    missing = [e for e in exporters_for(name) if e in exporters]
    missing = [e for e in missing if not answers.exists() or not (folder / f"{name}.{e}.onnx").exists()]
    if not missing:
        return
    net, x = build(name), images(max(BATCHES), SEED + 1, NETS[name].side)
    made = {e: folder / f"{name}.{e}.onnx" for e in missing}
    for e, file in made.items():
        start = time.perf_counter()
        export(net, x, EXPORTERS[e], file, NETS[name].any_size)
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    with torch.inference_mode():
        single = net(x).numpy()
        true = net.double()(x.double()).numpy()
    np.savez(answers, x=x.numpy(), true=true, torch=single)


def index(folder: Path) -> None:
    """INDEX.md: each file's opset, exporter, number of nodes and operators."""
    import onnx

    lines = ["| file | exporter | opset | nodes | constants among them | operators |", "|---|---|---|---|---|---|"]
    for file in sorted(folder.glob("*.onnx")):
        model = onnx.load(str(file), load_external_data=False)
        found = operators(model)
        opsets = ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import)
        kinds = ", ".join(f"{kind} {n}" for kind, n in found.most_common())
        made_by = f"{model.producer_name} {model.producer_version}"
        lines.append(f"| {file.name} | {made_by} | {opsets} | {found.total()} | {found['Constant']} | {kinds} |")
    (folder / "INDEX.md").write_text("\n".join(lines) + "\n", "utf-8")


def operators(model: Any) -> Counter[str]:
    """How many nodes of each operator, those inside branches and functions too."""
    found: Counter[str] = Counter()

    def count(nodes: Any) -> None:
        for node in nodes:
            found[node.op_type] += 1
            for attribute in node.attribute:
                for graph in (attribute.g, *attribute.graphs):
                    count(graph.node)

    count(model.graph.node)
    for function in model.functions:
        count(function.node)
    return found


# -- side by side


def run(folder: Path, names: list[str], exporters: list[str]) -> int:
    """Compare; returns 1 if anything is not as it should be."""
    from cpu import machine
    from onnx_nets import EXPORTERS, NETS, exporters_for

    import gpucnn

    made = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"rows": {}}
    libraries = {"gpucnn": gpucnn.__version__, **{name: installed(name) for name in LIBRARIES}}
    wrong = 0
    print(HEAD)
    for name in names:
        for exporter in (e for e in exporters_for(name) if e in exporters):
            row = compare(folder, name, exporter)
            row["shows"], row["source"] = NETS[name].shows, NETS[name].source
            made["rows"].setdefault(name, {})[exporter] = row
            print(line(name, exporter, row), flush=True)
            wrong += not good(row)
        rows = {n: {e: made["rows"][n][e] for e in EXPORTERS if e in made["rows"][n]} for n in NETS if n in made["rows"]}
        made = {"machine": machine(), "libraries": libraries, "rows": rows}
        RESULTS.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    print(summary(made))
    return min(wrong, 1)


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def compare(folder: Path, name: str, exporter: str) -> Row:
    """One file by both, each at its batches, with what is left of the graph."""
    import onnx

    file, answers = folder / f"{name}.{exporter}.onnx", np.load(folder / f"{name}.npz")
    x, true, torch = answers["x"], answers["true"], answers["torch"]
    model = onnx.load(str(file))
    found = operators(model)
    row: Row = {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "size": list(x.shape[2:]),
        "opset": next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")),
        "nodes": found.total() - found["Constant"],
        "operators": dict(found.most_common()),
        "spread": float(np.abs(true[0] - true[1]).mean() / np.abs(true).max()),
    }
    del model
    theirs = runtime(file, x)
    try:
        ours, left = gpucnn_side(file, x)
    except Exception as error:  # a table with holes says more than none
        return row | {"failed": f"{type(error).__name__}: {error}"}
    row |= left
    for n in BATCHES:
        t = true[:n]
        allowed = limit(distance(theirs[n], t), distance(torch[:n], t))
        row[f"batch {n}"] = {
            "error": distance(ours[n], t),
            "onnxruntime": distance(theirs[n], t),
            "torch": distance(torch[:n], t),
            "allowed": allowed,
            "same_top1": same_best(ours[n], theirs[n], t, allowed),
        }
    return row


def runtime(file: Path, x: Any) -> dict[int, Any]:
    """ONNX Runtime's answers, with all its optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return {n: session.run(None, {"input": x[:n]})[0] for n in BATCHES}


def gpucnn_side(file: Path, x: Any) -> tuple[dict[int, Any], Row]:
    """gpucnn's answers, and the plan for one image."""
    import gpucnn

    start = time.perf_counter()
    model = gpucnn.load(str(file), device="cpu")
    ours = {}
    for n in BATCHES:
        ours[n] = model(x[:n])
        if n == BATCHES[0]:
            first_s = time.perf_counter() - start
    plan = model.plan(1, throughput=False)
    kinds = Counter(type(step.node.op).__name__ for step in plan.steps)
    slow = sorted({step.node.op.name for step in plan.slow_steps})
    model.close()
    left = {"steps": len(plan.steps), "reorders": kinds["Reorder"], "by_reference": slow, "left": dict(kinds.most_common())}
    return ours, {**left, "seconds_to_first": first_s}


def distance(y: Any, true: Any) -> float:
    """Largest error of an element, relative to the largest element."""
    if y.shape != true.shape or not np.isfinite(y).all():
        return float("inf")
    return float(np.abs(y - true).max() / np.abs(true).max())


def limit(*others: float) -> float:
    """How far gpucnn may be from float64: a small multiple of what the worse of other float32 computations is, and a few roundings."""
    return TIMES * max(others) + FEW * EPS


def same_best(ours: Any, theirs: Any, true: Any, allowed: float) -> bool:
    """Is the best class the same, wherever the first two are further apart than errors allow?"""
    second, first = np.moveaxis(np.sort(true, axis=1), 1, 0)[-2:]
    clear = first - second > 2 * allowed * np.abs(true).max()
    return bool(((ours.argmax(1) == theirs.argmax(1)) | ~clear).all())


def good(row: Row) -> bool:
    return "failed" not in row and all(r["same_top1"] and r["error"] <= r["allowed"] for r in (row[f"batch {n}"] for n in BATCHES))


# -- text

HEAD = f"{'net':<28}{'exporter':<10}{'nodes':>7}{'steps':>7}{'Reorders':>10}{'error':>10}{'ORT':>10}{'allowed':>10}  by reference"


def line(name: str, exporter: str, row: Row) -> str:
    start = f"{name:<28}{exporter:<10}{row['nodes']:>7}"
    if "failed" in row:
        return f"{start}  FAILED  {row['failed']}"
    worst = max((row[f"batch {n}"] for n in BATCHES), key=lambda r: r["error"] / r["allowed"])
    errors = f"{worst['error']:>10.1e}{worst['onnxruntime']:>10.1e}{worst['allowed']:>10.1e}"
    return f"{start}{row['steps']:>7}{row['reorders']:>10}{errors}  {', '.join(row['by_reference'])}{'' if good(row) else '  WRONG'}"


def summary(made: Row) -> str:
    every = [row for by in made["rows"].values() for row in by.values()]
    fine = [row for row in every if good(row)]
    middle = {side: median(error(row, side) for row in fine) if fine else 0.0 for side in ("error", "onnxruntime")}
    torch, runtime = made["libraries"]["torch"].split("+")[0], made["libraries"]["onnxruntime"]
    return (
        f"{len(made['rows'])} architectures of torchvision's and timm's with random weights, exported by both exporters of PyTorch "
        f"{torch}: {len(fine)} of {len(every)} files equal\nONNX Runtime {runtime} at batch 1 and 3, that is, are no further from the "
        f"network in float64 than {TIMES} times the worse of ONNX Runtime and\nPyTorch, and {FEW} roundings; the median error is "
        f"{middle['error']:.1e} of the largest score, ONNX Runtime's {middle['onnxruntime']:.1e}\n(`python tests/perf/onnx_exports.py "
        "FOLDER`; all in `tests/perf/results/onnx_exports.md`). Nodes in the file (without constants) → steps of the\nplan, of them "
        "Reorders; the largest error:"
    )


def table(made: Row, names: tuple[str, ...]) -> str:
    """Nodes before, steps after, of each exporter, and the larger error of the two batches."""
    rows = {name: made["rows"][name] for name in names if name in made["rows"]}
    exporters = list(dict.fromkeys(e for row in rows.values() for e in row))
    lines = [f"| | shows | {' | '.join(exporters)} | error |", "|---" * (len(exporters) + 3) + "|"]
    for name, by in rows.items():
        cells = [cell(by[e]) if e in by else "–" for e in exporters]
        known = [row for row in by.values() if "failed" not in row]
        errors = f"{max(error(row) for row in known):.1e}" if known else "–"
        lines.append(f"| {name} | {next(iter(by.values()))['shows']} | {' | '.join(cells)} | {errors} |")
    return "\n".join(lines)


def cell(row: Row) -> str:
    if "failed" in row:
        return f"{row['nodes']} → –"
    slow = f" (reference: {', '.join(row['by_reference'])})" if row["by_reference"] else ""
    return f"{row['nodes']} → {row['steps']}, {row['reorders']}{slow}{'' if good(row) else ' **wrong**'}"


def error(row: Row, side: str = "error") -> float:
    return max(row[f"batch {n}"][side] for n in BATCHES)


def written(readme: str, text: str) -> str:
    """The README with ``text`` between its marks."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    sys.exit(main())
