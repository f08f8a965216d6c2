"""Every network of torchvision's that the zoo has, beside torchvision's own, with the same random weights.

    python tests/perf/zoo.py [--only 'regnet*']   run them, write tests/perf/results/zoo.json, print the table
    python tests/perf/zoo.py --write              put the summary of that file into README.md, between its two marks; needs nothing
    python tests/perf/zoo.py --states             write tests/data/torchvision_states.json

Needs torch 2.13 (its CPU build is enough) and torchvision 0.28 (installed with --no-deps). With --only the other rows of the file stay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "perf" / "results" / "zoo.json"
STATES = ROOT / "tests" / "data" / "torchvision_states.json"
BEGIN, END = "<!-- zoo: made by tests/perf/zoo.py -->", "<!-- end of zoo -->"
ERROR = 1e-4  # largest relative error that a network may have
SEED = 20240229
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # classifiers that only training has
SOFT = 0.03  # weights before a norm, as a part of Kaiming's: variances become small, so that a wrong epsilon shows

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description="The zoo beside torchvision.")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names of networks, as for the shell")
    parser.add_argument("--write", action="store_true", help="put the summary into README.md")
    parser.add_argument("--states", action="store_true", help="write the names and shapes that the tests hold the zoo to")
    args = parser.parse_args()
    if args.write:
        readme = ROOT / "README.md"
        readme.write_text(written(readme.read_text("utf-8"), summary(json.loads(RESULTS.read_text("utf-8")))), "utf-8")
        return 0
    names = [name for name in common() if fnmatchcase(name, args.only)]
    if args.states:
        rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(state(name))}" for name in names)
        STATES.write_text(f"{{\n{rows}\n}}\n", "utf-8")
        return 0
    return run(names)


# -- torchvision


@cache
def torchvision() -> Any:
    """The models; its import wants two operators declared that its compiled part, which is not needed here, brings."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    models.gpucnn_keeps = library  # declarations last as long as this object
    return models


def common() -> list[str]:
    """Networks of the zoo that torchvision has too."""
    from gpucnn import zoo

    return [name for name in zoo.ENTRIES if hasattr(torchvision(), name)]


def theirs(name: str) -> Any:
    """torchvision's network, for inference."""
    kind = getattr(torchvision(), name)
    slow = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return kind(**slow).eval()


def tensors(net: Any) -> dict[str, Any]:
    """The state that matters for inference."""
    own = net.state_dict()
    return {k: v for k, v in own.items() if not k.startswith(AUXILIARY) and not k.endswith("num_batches_tracked")}


def digest(shapes: dict[str, tuple[int, ...]]) -> str:
    """SHA-256 of the lines ``name 64,3,7,7``, sorted."""
    lines = sorted(f"{name} {','.join(map(str, shape))}\n" for name, shape in shapes.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def state(name: str) -> Row:
    """Names and shapes of a network, and how photographs are prepared for its first weights."""
    print(name, file=sys.stderr)
    net = theirs(name)
    shapes = {k: tuple(v.shape) for k, v in tensors(net).items()}
    parameters = sum(p.numel() for k, p in net.named_parameters() if not k.startswith(AUXILIARY))
    weights = next(iter(torchvision().get_model_weights(name)))
    how = weights.transforms()
    mean, std = list(how.mean), list(how.std)
    if name in ("googlenet", "inception_v3"):  # transform_input, which goes with these weights, makes of those values these
        mean = std = [0.5] * 3
    return {
        "parameters": parameters,
        "entries": len(shapes),
        "sha256": digest(shapes),
        "some": {k: list(shapes[k]) for k in (list(shapes)[len(shapes) // 2], list(shapes)[-1])},
        "weights": weights.name,
        "crop": how.crop_size[0],
        "resize": how.resize_size[0],
        "interpolation": how.interpolation.value,
        "mean": mean,
        "std": std,
    }


def fill(net: Any, x: Any) -> None:
    """Random weights: Kaiming's, smaller before a norm; batch norms get the statistics of ``x``, layer scales about 0.1."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    modules = list(net.modules())
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    normed = bool(norms) or any(isinstance(m, nn.LayerNorm) for m in modules)
    for module in modules:
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            soft = normed and isinstance(module, nn.Conv2d) and (module.bias is None or module.kernel_size != (1, 1))
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
            if soft:
                with torch.no_grad():
                    for p in module.parameters():
                        p.mul_(SOFT)
        elif isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.3, 0.3)
        elif hasattr(module, "layer_scale"):
            nn.init.uniform_(module.layer_scale, 0.05, 0.15)
    for module in modules:
        if hasattr(module, "bn3"):  # what a block adds is small beside what it is given, as training leaves it: else rounding grows 4-fold
            nn.init.uniform_(module.bn3.weight, 0.1, 0.2)  # every 50 blocks, in PyTorch as here (both held to float64)
    for norm in norms:
        norm.momentum = 1.0  # the running statistics become those of the pass
        norm.train()
    if norms:
        net(x)
    net.eval()


# -- side by side


def run(names: list[str]) -> int:
    """Compare networks; returns how many are not as they should be."""
    import numpy
    import torch
    from cpu import machine

    import gpucnn

    versions = {"gpucnn": gpucnn.__version__, "numpy": numpy.__version__, "torch": torch.__version__, "torchvision": version("torchvision")}
    warnings.simplefilter("ignore")
    made = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"rows": {}}
    print(HEAD)
    wrong = 0
    for name in names:
        row = compare(name)
        print(line(name, row), flush=True)
        wrong += not good(row)
        made["rows"][name] = row
        made = {"machine": machine(), "libraries": versions, "rows": {n: made["rows"][n] for n in common() if n in made["rows"]}}
        RESULTS.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    print(summary(made))
    return min(wrong, 1)


def compare(name: str) -> Row:
    """Build both, give both the same weights and image, and hold them side by side."""
    import numpy as np
    import torch
    from torch_nets import images

    import gpucnn
    from gpucnn import zoo

    side = zoo.ENTRIES[name].preprocess.size[0]
    with torch.inference_mode():
        reference = theirs(name)
        fill(reference, images(2, SEED, side))
        x = images(1, SEED + 1, side)
        start = time.perf_counter()
        expected = reference(x).numpy()
        torch_s = time.perf_counter() - start
    given = {k: v.numpy() for k, v in tensors(reference).items()}
    parameters = sum(p.numel() for k, p in reference.named_parameters() if not k.startswith(AUXILIARY))
    # As in a file: with what training leaves in it too.
    everything = {k: v.numpy() for k, v in reference.state_dict().items()}

    ours = zoo.create(name)
    same = ours.state_shapes() == {k: a.shape for k, a in given.items()}
    ours.load_state_dict(everything, assign=True)
    start = time.perf_counter()
    model = gpucnn.compile(ours, (1, 3, side, side), device="cpu")
    plan = model.plan(1, throughput=False)
    plan_s = time.perf_counter() - start
    scores = model(x.numpy())
    start = time.perf_counter()
    scores = model(x.numpy())
    run_s = time.perf_counter() - start
    steps, slow = len(plan.steps), sorted({step.node.op.name for step in plan.slow_steps})
    model.close()
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "size": side,
        "parameters": parameters,
        "same_parameters": ours.num_parameters() == parameters == zoo.ENTRIES[name].parameters,
        "same_state": same,
        "same_top1": int(scores.argmax()) == int(expected.argmax()),
        "error": float(np.abs(scores - expected).max() / np.abs(expected).max()),
        "spread": float(expected.std() / np.abs(expected).max()),
        "seconds": {"torch": torch_s, "gpucnn": run_s, "plan": plan_s},
        "steps": steps,
        "by_reference": slow,
    }


def good(row: Row) -> bool:
    return bool(row["same_parameters"] and row["same_state"] and row["same_top1"] and row["error"] < ERROR)


# -- text

HEAD = f"{'net':<20}{'side':>5}{'parameters':>13}{'state':>7}{'top-1':>7}{'error':>10}{'steps':>7}{'plan s':>8}{'run s':>8}{'torch s':>8}"


def line(name: str, row: Row) -> str:
    marks = ["same" if row[k] else "OTHER" for k in ("same_state", "same_top1")]
    seconds = row["seconds"]
    slow = f"  reference: {', '.join(row['by_reference'])}" if row["by_reference"] else ""
    return (
        f"{name:<20}{row['size']:>5}{row['parameters']:>13,}{marks[0]:>7}{marks[1]:>7}{row['error']:>10.1e}{row['steps']:>7}"
        f"{seconds['plan']:>8.1f}{seconds['gpucnn']:>8.2f}{seconds['torch']:>8.2f}{slow}"
    )


def summary(made: Row) -> str:
    """One sentence for the README."""
    rows = made["rows"]
    fine = [name for name, row in rows.items() if good(row)]
    worst = max(rows, key=lambda name: rows[name]["error"])
    errors = [row["error"] for row in rows.values()]
    return (
        f"Beside torchvision's own with the same random weights, at each one's own size of image in float32: {len(fine)} of {len(rows)} "
        f"have the same parameters, names and best class;\nthe largest error of a score, relative to the largest score, is "
        f"{rows[worst]['error']:.1e} ({worst}), the median {median(errors):.1e} "
        f"(`python tests/perf/zoo.py`, torchvision {made['libraries']['torchvision'].split('+')[0]}; all in `tests/perf/results/zoo.json`)."
    )


def written(readme: str, text: str) -> str:
    """The README with ``text`` between its marks."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    sys.exit(main())
