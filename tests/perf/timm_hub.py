"""Folders as timm writes them for the Hugging Face hub, and their scores beside timm's.

    python tests/perf/timm_hub.py [NAME …] [--write]
    python tests/perf/timm_hub.py --states

For every name of timm's that `gpucnn.zoo.timm` knows: timm's network with random weights and statistics is saved by timm's own
``save_for_hf``, loaded by ``gpucnn.load``, and both are given the same random images. The errors, gpucnn's and timm's own, are the
largest difference from timm's network in float64, by the largest score. ``--write`` puts the table into
``tests/perf/results/timm_hub.json``; ``--states`` writes timm's names and shapes of parameters, of one network of each spelling, to
``tests/data/timm_states.json``. Needs torch, timm, huggingface_hub and safetensors.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "perf"), str(ROOT)]

from zoo import torchvision  # noqa: E402

import gpucnn  # noqa: E402
from gpucnn.zoo.timm import TWINS  # noqa: E402

SPELT = (
    "resnet18", "vgg11", "vgg11_bn", "mobilenetv2_100", "mobilenetv3_small_100", "efficientnet_b0", "tf_efficientnet_lite0", "mnasnet_050",
    "regnetx_008", "regnety_004", "convnext_tiny",
)  # fmt: skip
STATES = ROOT / "tests" / "data" / "timm_states.json"
RESULT = ROOT / "tests" / "perf" / "results" / "timm_hub.json"


def theirs(name: str) -> Any:
    """timm's network with random weights, of which no score is lost in rounding."""
    import timm
    import torch

    torch.manual_seed(0)
    net = timm.create_model(name, pretrained=False).eval()
    with torch.no_grad():
        for part, module in net.named_modules():
            if hasattr(module, "running_var"):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.3, 0.9)  # larger ones, and 50 residual blocks have scores that are rounding alone
                module.bias.normal_(0, 0.1)
            del part
        for parameter_name, parameter in net.named_parameters():
            if parameter_name.endswith("gamma"):
                parameter.uniform_(0.1, 1)
    return net


def beside(name: str) -> dict[str, Any]:
    """One row: the errors of both against each other."""
    import torch
    from timm.models._hub import save_for_hf

    net = theirs(name)
    folder = Path(tempfile.mkdtemp()) / "net"
    try:
        save_for_hf(net, folder, safe_serialization=True)
        try:
            gpucnn.load(folder, device="cpu").close()
            own, refused = None, ""
        except gpucnn.errors.ModelError as error:  # a record that is not done here, such as squashing, says so
            own, refused = gpucnn.zoo.entry(TWINS[name].name).preprocess, str(error).split(": ", 1)[1]
        with gpucnn.load(folder, device="cpu", preprocess=own) as model:
            record, (h, w) = model.preprocess, model.preprocess.size
            x = np.random.default_rng(0).standard_normal((2, 3, h, w)).astype(np.float32)
            with torch.no_grad():
                single = net(torch.from_numpy(x)).numpy()
                right = net.double()(torch.from_numpy(x).double()).numpy()
            ours = model(x)
            said = model.weights.split("(", 1)[-1].rstrip(")") if "(" in model.weights else ""
    finally:
        shutil.rmtree(folder.parent)
    from timm.data import create_transform, resolve_data_config

    transform = create_transform(**resolve_data_config({}, model=net))
    resize = None if refused else transform.transforms[0].size
    return {
        "name": name,
        "zoo": TWINS[name].name,
        "error": float(np.abs(ours - right).max() / np.abs(right).max()),
        "timm_error": float(np.abs(single - right).max() / np.abs(right).max()),
        "spread": float(right.std() / np.abs(right).max()),
        "same_best": bool((ours.argmax(1) == right.argmax(1)).all()),
        "resize": [record.resize, max(resize) if isinstance(resize, (list, tuple)) else resize],
        "refused": refused,
        "interpolation": [record.interpolation, str(transform.transforms[0].interpolation).rsplit(".", 1)[-1].lower()],
        "said": said,
    }


def write_states() -> None:
    """One network of each spelling and kind of block, a line each."""
    import timm
    import torch

    lines = []
    for name in SPELT:
        with torch.device("meta"):
            net = timm.create_model(name, pretrained=False)
        names = [[key, list(t.shape)] for key, t in net.state_dict().items() if not key.endswith("num_batches_tracked")]
        lines.append(f' "{name}": {json.dumps(names, separators=(",", ":"))}')
    STATES.write_text("{\n" + ",\n".join(lines) + "\n}\n")


BEGIN, END = "<!-- timm: made by tests/perf/timm_hub.py -->\n", "<!-- end of timm -->"


def write(rows: list[dict[str, Any]]) -> None:
    """Into the results, and the README."""
    import timm

    RESULT.write_text(json.dumps({"timm": timm.__version__, "rows": rows}, indent=1) + "\n")
    worst = max(rows, key=lambda row: row["error"])
    ours, their = (float(np.median([row[key] for row in rows])) for key in ("error", "timm_error"))
    best, sizes = sum(row["same_best"] for row in rows), sum(row["resize"][0] == row["resize"][1] for row in rows)
    refused = [row["name"] for row in rows if row["refused"]]
    left = f"; photographs for {', '.join(refused)} are squashed by timm, which is refused" if refused else ""
    names = ", ".join(row["name"] for row in rows)
    text = (
        f"{len(rows)} of timm's networks are the zoo's: {names}. Saved by timm {timm.__version__} with random "
        f"weights and loaded here, {best} have the same best class; the largest error of a score against timm's network in float64, "
        f"relative to the largest score, is {worst['error']:.1e} ({worst['name']}; timm's own in float32 {worst['timm_error']:.1e}), the "
        f"median {ours:.1e} (timm's {their:.1e}); {sizes} resize a photograph's short side to the same length{left} "
        "(`python tests/perf/timm_hub.py`).\n"
    )
    readme = ROOT / "README.md"
    before, rest = readme.read_text("utf-8").split(BEGIN)
    readme.write_text(before + BEGIN + text + END + rest.split(END, 1)[1], "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--states", action="store_true")
    args = parser.parse_args()
    torchvision()
    if args.states:
        write_states()
        return
    rows = []
    for name in args.names or TWINS:
        rows.append(beside(name))
        print(json.dumps(rows[-1]), flush=True)
    if args.write:
        write(rows)


if __name__ == "__main__":
    main()
