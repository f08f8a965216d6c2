"""The README's table of GPU times, made from the files that gpu.py wrote: never typed.

    python tests/perf/gpu_table.py                             print the table of tests/perf/results/gpu*.json
    python tests/perf/gpu_table.py --write                     put it into README.md, between its two marks
    python tests/perf/gpu_table.py --layers resnet50 [FILE …]  steps of a network by time, and how near each is to the device's limits
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "perf" / "results"
BEGIN, END = "<!-- GPU table: made by tests/perf/gpu_table.py -->", "<!-- end of GPU table -->"
NAMES = {"resnet50": "ResNet-50", "mobilenet_v2": "MobileNetV2", "vgg16": "VGG-16"}
PEERS = ("eager", "folded", "compiled")
NONE_YET = "No GPU has been measured yet; `tests/perf/gpu.sh` does it."

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables from the files of gpu.py.")
    parser.add_argument("files", type=Path, nargs="*", help="(tests/perf/results/gpu*.json)")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--layers", metavar="MODEL", help="show the steps of this network")
    args = parser.parse_args()
    documents = read(args.files or committed())
    if args.layers:
        for document in documents:
            rows = [r for r in document["rows"] if r["model"] == args.layers and r.get("layers")]
            print(*(layers_text(r, document["machines"][r["gpu"]]["ceilings"]) for r in rows), sep="\n\n")
    elif args.write:
        readme = ROOT / "README.md"
        readme.write_text(written(readme.read_text("utf-8"), table(documents)), "utf-8")
    else:
        print(table(documents))


def committed() -> list[Path]:
    return sorted(RESULTS.glob("gpu*.json"))


def read(files: list[Path]) -> list[Row]:
    return [json.loads(file.read_text("utf-8")) for file in files]


def written(readme: str, text: str) -> str:
    """The README with ``text`` between its marks."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"


def table(documents: list[Row]) -> str:
    """A table for each GPU and precision; the newest row of each network and batch counts."""
    cells: dict[tuple[str, str], dict[tuple[str, int], dict[str, Row]]] = {}
    for document in documents:
        for row in sorted(document["rows"], key=lambda r: r["when"]):
            if row["device"] != "cpu" and "gpucnn" in row.get("ms", {}):
                cells.setdefault((row["gpu"], row["precision"]), {}).setdefault((row["model"], row["batch"]), {})[row["kind"]] = row
    text = [one_table(*key, found) for key, found in cells.items()]
    return "\n\n".join(text) or NONE_YET


def one_table(gpu: str, precision: str, found: dict[tuple[str, int], dict[str, Row]]) -> str:
    commits = sorted({short(row["commit"]) for rows in found.values() for row in rows.values()})
    batches = sorted({batch for _, batch in found})
    models = [m for m in NAMES if any(m == model for model, _ in found)]
    lines = [
        f"{gpu}, {precision}, commit {', '.join(commits)}: images/s of gpucnn, and how many times as fast that is as PyTorch eager / with "
        "batch norm folded / compiled with `max-autotune`",
        "",
        f"| | {' | '.join(f'batch {batch}' for batch in batches)} |",
        "|---" * (len(batches) + 1) + "|",
    ]
    for model in models:
        lines.append(f"| {NAMES[model]} | {' | '.join(cell(found.get((model, batch), {}), batch) for batch in batches)} |")
    return "\n".join(lines)


def short(commit: str) -> str:
    """Enough of a commit, and whether files differed from it."""
    return commit[:8] + ("-dirty" if commit.endswith("-dirty") else "")


def cell(rows: dict[str, Row], batch: int) -> str:
    """Images per second, and the ratios; a dash where something was not measured."""
    if not rows:
        return "–"
    main = rows.get("eager") or next(iter(rows.values()))
    ratios = {side: values for row in rows.values() for side, values in row["ratios"].items()}
    beside = " / ".join(f"**{median(ratios[side]):.2f}**" if side in ratios else "–" for side in PEERS)
    return f"{1e3 * batch / main['ms']['gpucnn']:,.0f}; {beside}".replace(",", " ")


def layers_text(row: Row, ceilings: dict[str, float], most: int = 1000) -> str:
    """Steps by time, with the rates that they reach and the part of the device's limit that the nearer of the two is."""
    peak, copy = ceilings.get(f"gemm_{row['precision']}_TFLOPs", 0.0), ceilings.get("copy_GBps", 0.0)
    times = [median(layer["ms"]) for layer in row["layers"]]
    total = sum(times)
    head = f"{'ms':>9}{'%':>6}{'TFLOP/s':>9}{'GB/s':>8}{'of limit':>10}  step"
    title = f"{row['model']}, batch {row['batch']}, {row['precision']}: {len(times)} steps one by one take {total:.3f} ms"
    lines = [f"{title}, a run {row['ms']['gpucnn']:.3f} ms", head]
    for layer, ms in sorted(zip(row["layers"], times), key=lambda pair: -pair[1])[:most]:
        flops, moved = layer["flops"] / ms / 1e9, layer["bytes"] / ms / 1e6
        near = max(flops / peak if peak else 0.0, moved / copy if copy else 0.0)
        shape = "×".join(map(str, layer["shape"]))
        rates = f"{ms:>9.4f}{100 * ms / total:>6.1f}{flops:>9.2f}{moved:>8.1f}{near:>10.0%}"
        lines.append(f"{rates}  {layer['name']} {layer['op']} {shape} {layer['impl']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
