"""timm's names: which of its architectures are the zoo's, and how their state dicts are spelt.

A twin is the same network: the same parameters, padding and activations. Where it normalises with another epsilon than torchvision's
network of the zoo, the table says so. Not here are those that only look alike: most of ``tf_…``, which pad as TensorFlow does, and
``efficientnet_lite…`` without ``tf_``, which do not; and ``regnetx_004``, ``regnety_008``
and ``regnety_080`` without ``_tv``, which have other widths.

Source: the names are those of timm 1.0; ``tests/perf/timm_hub.py`` holds every twin's scores to timm's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from ..spec import Array

__all__ = ["TWINS", "Twin", "in_our_names", "is_spelt", "twin_of"]


@dataclass(frozen=True)
class Twin:
    """A network of the zoo under timm's name.

    Parameters
    ----------
    name : str
        The zoo's.
    spelling : str
        Which rule turns its names of parameters into the zoo's.
    eps : float, optional
        Of its batch norms, where the zoo's network has another.
    """

    name: str
    spelling: str = "same"
    eps: float | None = None


_SAME = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d",
    "wide_resnet50_2", "wide_resnet101_2", "densenet121", "densenet161", "densenet169", "densenet201", "inception_v3",
)  # fmt: skip
_VGG = ("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn")
_REGNET_SIZES = {
    "004": "400mf", "008": "800mf", "016": "1_6gf", "032": "3_2gf", "080": "8gf", "160": "16gf", "320": "32gf", "1280": "128gf",
}  # fmt: skip

TWINS: dict[str, Twin] = {
    **{name: Twin(name) for name in _SAME},
    **{name: Twin(name, "vgg") for name in _VGG},
    "mobilenetv2_100": Twin("mobilenet_v2", "blocks"),
    "mobilenetv3_large_100": Twin("mobilenet_v3_large", "blocks", 1e-5),
    "mobilenetv3_small_100": Twin("mobilenet_v3_small", "blocks", 1e-5),
    **{f"efficientnet_b{i}": Twin(f"efficientnet_b{i}", "blocks", 1e-5) for i in range(8)},
    **{f"tf_efficientnet_lite{i}": Twin(f"efficientnet_lite{i}", "blocks") for i in range(5)},
    "mnasnet_050": Twin("mnasnet0_5", "blocks"),
    "mnasnet_075": Twin("mnasnet0_75", "blocks"),
    "mnasnet_100": Twin("mnasnet1_0", "blocks"),
    **{f"regnetx_{size}": Twin(f"regnet_x_{ours}", "regnet") for size, ours in _REGNET_SIZES.items() if size not in ("004", "1280")},
    **{f"regnety_{size}": Twin(f"regnet_y_{ours}", "regnet") for size, ours in _REGNET_SIZES.items() if size not in ("008", "080")},
    "regnetx_004_tv": Twin("regnet_x_400mf", "regnet"),
    "regnety_008_tv": Twin("regnet_y_800mf", "regnet"),
    "regnety_080_tv": Twin("regnet_y_8gf", "regnet"),
    **{f"convnext_{size}": Twin(f"convnext_{size}", "convnext") for size in ("tiny", "small", "base", "large")},
}
"""By timm's name, without the tag of the weights (``resnet50.a1_in1k``)."""


def twin_of(name: str) -> Twin | None:
    """The twin that a name of timm's stands for; a tag behind a dot does not matter."""
    return TWINS.get(name.split(".", 1)[0])


def is_spelt(twin: Twin, state: Mapping[str, Array]) -> bool:
    """Whether a state dict has names that timm gives, and the zoo does not."""
    return _MARKS[twin.spelling] in state


def in_our_names(twin: Twin, state: Mapping[str, Array], own: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """A state dict of timm's under the zoo's names.

    Parameters
    ----------
    twin : Twin
    state : mapping of str to array
    own : mapping of str to tuple of int
        Names and shapes of the zoo's network, in its order.

    Returns
    -------
    dict of str to array

    Raises
    ------
    ModelError
        A parameter is named as timm does, but is not one that the network has.
    """
    given = {name: a for name, a in state.items() if not name.endswith("num_batches_tracked")}
    names = _SPELLINGS[twin.spelling](list(given), list(own))
    out = {}
    for name, a in given.items():
        ours = names.get(name)
        if ours is None:
            raise ModelError(f"timm's {twin.name} has no parameter {name!r}")
        shape = own.get(ours)
        # Linear layers and scales that timm keeps as convolutions, and the other way round: the same numbers in the same order.
        fits = shape is not None and shape != np.shape(a) and _squeezed(shape) == _squeezed(np.shape(a))
        whole = ours == "classifier.0.weight" and twin.spelling == "vgg" and shape is not None and np.ndim(a) == 4
        out[ours] = np.reshape(a, shape) if shape is not None and (fits or (whole and np.size(a) == np.prod(shape))) else a
    return out


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _by_rules(*rules: tuple[str, str | Callable[[re.Match[str]], str]]) -> Callable[[list[str], list[str]], dict[str, str]]:
    """Names by the first pattern that fits the whole of one."""

    def rename(theirs: list[str], ours: list[str]) -> dict[str, str]:
        out = {}
        for name in theirs:
            for pattern, new in rules:
                if found := re.fullmatch(pattern, name):
                    out[name] = found.expand(new) if isinstance(new, str) else new(found)
                    break
        return out

    return rename


_REGNET_PARTS = {
    "conv1.conv": "f.a.0", "conv1.bn": "f.a.1", "conv2.conv": "f.b.0", "conv2.bn": "f.b.1", "se.fc1": "f.se.fc1", "se.fc2": "f.se.fc2",
    "conv3.conv": "f.c.0", "conv3.bn": "f.c.1", "downsample.conv": "proj.0", "downsample.bn": "proj.1",
}  # fmt: skip


def _regnet_block(m: re.Match[str]) -> str:
    stage, block, part, leaf = m.groups()
    return f"trunk_output.block{stage}.block{stage}-{int(block) - 1}.{_REGNET_PARTS[part]}.{leaf}"


_CONVNEXT_PARTS = {"conv_dw": "block.0", "norm": "block.2", "mlp.fc1": "block.3", "mlp.fc2": "block.5"}


def _convnext_block(m: re.Match[str]) -> str:
    stage, block, part, leaf = m.groups()
    return f"features.{2 * int(stage) + 1}.{block}.{_CONVNEXT_PARTS[part]}.{leaf}"


def _by_order(theirs: list[str], ours: list[str]) -> dict[str, str]:
    """Names of the nets that are built of blocks: both have the same layers, and names that tell their order."""
    blocks = {name.rsplit(".", 2)[0] for name in theirs if name.endswith((".conv_pwl.weight", ".conv_exp.weight"))}

    def place(module: str) -> tuple[int, int, int, int]:
        part = module.split(".")
        if part[0] != "blocks":
            return (_AROUND.index(part[0]), 0, 0, 0)
        order = _EXPANDED if ".".join(part[:3]) in blocks else _DEPTHWISE
        return (_AROUND.index("blocks"), int(part[1]), int(part[2]), order.index(".".join(part[3:])))

    known = [name for name in theirs if _BLOCKS_NAME.fullmatch(name)]
    modules = sorted({name.rsplit(".", 1)[0] for name in known}, key=place)
    twins = dict(zip(modules, dict.fromkeys(name.rsplit(".", 1)[0] for name in ours)))
    return {name: f"{twins[m]}.{leaf}" for name in known for m, leaf in [name.rsplit(".", 1)] if m in twins}


_AROUND = ("conv_stem", "bn1", "blocks", "conv_head", "bn2", "classifier")
_EXPANDED = ("conv_pw", "conv_exp", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3")
_DEPTHWISE = ("conv", "conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2")
_BLOCKS_NAME = re.compile(
    r"(conv_stem|bn1|conv_head|bn2|classifier|blocks\.\d{1,3}\.\d{1,3}\.(conv(_pw|_exp|_dw|_pwl)?|bn[123]|se\.conv_(reduce|expand)))"
    r"\.(weight|bias|running_mean|running_var)"
)

_SPELLINGS: dict[str, Callable[[list[str], list[str]], dict[str, str]]] = {
    "same": lambda theirs, ours: {name: name for name in theirs},
    "vgg": _by_rules(
        (r"pre_logits\.fc1\.(\w+)", r"classifier.0.\1"),
        (r"pre_logits\.fc2\.(\w+)", r"classifier.3.\1"),
        (r"head\.fc\.(\w+)", r"classifier.6.\1"),
        (r"(features\..*)", r"\1"),
    ),
    "blocks": _by_order,
    "regnet": _by_rules(
        (r"stem\.conv\.(\w+)", r"stem.0.\1"),
        (r"stem\.bn\.(\w+)", r"stem.1.\1"),
        (rf"s(\d)\.b(\d{{1,3}})\.({'|'.join(map(re.escape, _REGNET_PARTS))})\.(\w+)", _regnet_block),
        (r"head\.fc\.(\w+)", r"fc.\1"),
    ),
    "convnext": _by_rules(
        (r"stem\.([01])\.(\w+)", r"features.0.\1.\2"),
        (r"stages\.(\d)\.downsample\.([01])\.(\w+)", lambda m: f"features.{2 * int(m[1])}.{m[2]}.{m[3]}"),
        (r"stages\.(\d)\.blocks\.(\d{1,3})\.gamma", lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}.layer_scale"),
        (rf"stages\.(\d)\.blocks\.(\d{{1,3}})\.({'|'.join(map(re.escape, _CONVNEXT_PARTS))})\.(\w+)", _convnext_block),
        (r"head\.norm\.(\w+)", r"classifier.0.\1"),
        (r"head\.fc\.(\w+)", r"classifier.2.\1"),
    ),
}

_MARKS = {
    "same": "", "vgg": "pre_logits.fc1.weight", "blocks": "conv_stem.weight", "regnet": "stem.conv.weight", "convnext": "head.fc.weight",
}  # fmt: skip
"""A name that tells timm's spelling from the zoo's own."""
