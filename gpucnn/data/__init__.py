"""What is packed with gpucnn: model folders, the ImageNet labels, and three photographs for ``gpucnn demo``.

======================== ==================================================================================
efficientnet_lite0/      the default model: config.json, model.safetensors, NOTICE (made by the module beside)
imagenet_labels.json     the 1000 classes of ImageNet-1k, in the order of the scores; ``"labels": "imagenet-1k"``
photos/                  chelsea.jpg (a cat), coffee.jpg, rocket.jpg, NOTICE
======================== ==================================================================================
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["folder"]


def folder(name: str = "") -> Path:
    """Path of a packed folder or file; without a name, of the folder that holds them all."""
    return Path(__file__).parent / name
