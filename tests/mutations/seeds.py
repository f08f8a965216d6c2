"""Small valid files of every format that gpucnn reads."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Seed", "seeds"]

DATA = Path(__file__).parents[1] / "data"
LARGEST_NET = 12_000  # bytes of a net of tests/data/onnx that is taken along


@dataclass(frozen=True)
class Seed:
    """Files that together are valid.

    Attributes
    ----------
    family : str
        How they are used.
    name : str
    files : mapping of str to bytes
        The first is what is opened, but for a folder.
    """

    family: str
    name: str
    files: Mapping[str, bytes]


def _drawn(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def _nets() -> Iterator[tuple[str, Any, dict[str, bytes]]]:
    from onnx import TensorProto, helper, numpy_helper
    from onnx.external_data_helper import set_external_data
    from onnx_graphs import graph, model

    image = {"x": ("float32", ("n", 3, 8, 8))}
    conv = model(
        [
            ("Conv", "x w b", "a", {"pads": [1, 1, 1, 1], "strides": [1, 1], "dilations": [1, 1], "kernel_shape": [3, 3], "group": 1}),
            ("BatchNormalization", "a s b m v", "c", {"epsilon": 1e-5}),
            ("Relu", "c", "d"),
            ("MaxPool", "d", "e", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
            ("AveragePool", "e", "f", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
            ("ConvTranspose", "f t", "g", {"strides": [2, 2], "output_padding": [1, 1], "auto_pad": "SAME_UPPER"}),
            ("GlobalAveragePool", "g", "h"),
            ("Flatten", "h", "i"),
            ("Gemm", "i k", "j", {"transB": 1, "alpha": 0.5}),
            ("Softmax", "j", "y", {"axis": 1}),
        ],
        image,
        constants={
            "w": _drawn(4, 3, 3, 3),
            "b": _drawn(4),
            "s": _drawn(4),
            "m": _drawn(4),
            "v": np.ones(4, np.float32),
            "t": _drawn(4, 2, 3, 3),
            "k": _drawn(5, 2),
        },
    )
    helper.set_model_props(
        conv,
        {
            "labels": "['a', 'b', 'c', 'd', 'e']",
            "mean": "[0.5, 0.5, 0.5]",
            "std": "[0.25, 0.25, 0.25]",
            "input_size": "[3, 8, 8]",
            "interpolation": "bicubic",
            "names": "{0: 'a', 1: 'b', 2: 'c', 3: 'd', 4: 'e'}",
            "imgsz": "[8, 8]",
            "crop_pct": "0.875",
        },
    )
    yield "conv", conv, {}
    ints = lambda *values: np.array(values, np.int64)  # noqa: E731
    yield (
        "shapes",
        model(
            [
                ("Shape", "x", "s"),
                ("Gather", "s zero", "n", {"axis": 0}),
                ("Unsqueeze", "n first", "n1"),
                ("Concat", "n1 rest", "target", {"axis": 0}),
                ("Reshape", "x target", "a"),
                ("Slice", "a from to axes steps", "b"),
                ("Pad", "b pads half", "c", {"mode": "constant"}),
                ("Transpose", "c", "d", {"perm": [0, 2, 1]}),
                ("Expand", "d wide", "e"),
                ("Tile", "e times", "f"),
                ("Split", "f parts", "g h", {"axis": 1}),
                ("Concat", "g h", "i", {"axis": 1}),
                ("ReduceMean", "i", "j", {"axes": [1], "keepdims": 0}),
                ("Cast", "j", "k", {"to": 1}),
                ("Clip", "k low high", "l"),
                ("ConstantOfShape", "two", "o"),
                ("Range", "zero five one", "r"),
                ("Cast", "r", "r2", {"to": 1}),
                ("CumSum", "l zero", "m"),
                ("TopK", "m one1", "t u", {"axis": 1}),
                ("Where", "yes t o", "y"),
            ],
            {"x": ("float32", (2, 3, 4, 4))},
            outputs=("y", "r2"),
            constants={
                "zero": np.int64(0),
                "one": np.int64(1),
                "five": np.int64(5),
                "first": ints(0),
                "rest": ints(3, 16),
                "from": ints(0, 2),
                "to": ints(2**62, -1),
                "axes": ints(1, 2),
                "steps": ints(1, 3),
                "pads": ints(0, 1, 0, 0, 0, 2),
                "half": np.float32(0.5),
                "wide": ints(1, 1, 4),
                "times": ints(1, 1, 2),
                "parts": ints(3, 4),
                "low": np.float32(-1),
                "high": np.float32(1),
                "two": ints(2, 2),
                "one1": ints(2),
                "yes": np.array([True, False]),
            },
        ),
        {},
    )
    yield (
        "resize",
        model(
            [
                ("Resize", "x none scales", "a", {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}),
                (
                    "Resize",
                    "a none none sizes",
                    "b",
                    {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
                ),
                ("DepthToSpace", "b", "c", {"blocksize": 2, "mode": "CRD"}),
                ("LRN", "c", "d", {"size": 3}),
                ("InstanceNormalization", "d s s", "e"),
                ("PRelu", "e s1", "f"),
                ("LpPool", "f", "g", {"kernel_shape": [2, 2], "p": 2}),
                ("HardSigmoid", "g", "h", {"alpha": 0.3}),
                ("Mul", "g h", "y"),
            ],
            {"x": ("float32", (1, 4, 3, 3))},
            constants={
                "scales": np.float32([1, 1, 2, 2]),
                "sizes": ints(1, 4, 4, 4),
                "s": np.ones(1, np.float32),
                "s1": np.ones((1, 1, 1), np.float32),
            },
        ),
        {},
    )
    quantised = model(
        [
            ("QuantizeLinear", "x s z", "a", {"axis": 1}),
            ("DequantizeLinear", "a s z", "b"),
            ("DequantizeLinear", "w s zw", "c", {"axis": 0}),
            ("Conv", "b c", "d"),
            (
                "If",
                "yes",
                "e",
                {
                    "then_branch": graph([("Relu", "d", "t")], outputs=("t",)),
                    "else_branch": graph([("Neg", "d", "f")], outputs=("f",)),
                },
            ),
            ("Twice", "e", "y", {"domain": "local"}),
        ],
        {"x": ("float32", (1, 2, 4, 4))},
        constants={"s": np.float32(0.1), "z": np.uint8(3), "zw": np.int8(0), "w": np.ones((2, 2, 1, 1), np.int8), "yes": np.array(True)},
    )
    body = [helper.make_node("Add", ["p", "p"], ["q"]), helper.make_node("Elu", ["q"], ["r"], alpha=2.0)]
    quantised.functions.append(helper.make_function("local", "Twice", ["p"], ["r"], body, [helper.make_opsetid("", 17)]))
    quantised.opset_import.append(helper.make_opsetid("local", 1))
    yield "branches", quantised, {}
    outside = model([("Conv", "x w", "y")], image)
    weight = numpy_helper.from_array(_drawn(2, 3, 1, 1), "w")
    data = bytes(weight.raw_data)
    set_external_data(weight, "net.bin", offset=0, length=len(data))
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    outside.graph.initializer.append(weight)
    yield "outside", outside, {"net.bin": data}


def _onnx() -> Iterator[Seed]:
    for name, net, more in _nets():
        for node in net.graph.node:  # an absent input has no name
            node.input[:] = ["" if i == "none" else i for i in node.input]
        yield Seed("onnx", name, {"net.onnx": net.SerializeToString(), **more})
    for file in sorted((DATA / "onnx").glob("*.onnx")):
        if file.stat().st_size <= LARGEST_NET:
            yield Seed("onnx", file.stem, {"net.onnx": file.read_bytes()})


def _weights() -> Iterator[Seed]:
    import safetensors.numpy

    arrays = {"conv.weight": _drawn(2, 1, 3, 3), "conv.bias": _drawn(2).astype(np.float16), "fc.weight": _drawn(3, 8)}
    plain = safetensors.numpy.save(arrays, {"format": "pt"})
    yield Seed("weights", "safetensors", {"net.safetensors": plain})
    bfloat16 = plain[8:].replace(b'"F16"', b'"BF16"', 1)
    length = int.from_bytes(plain[:8], "little") + 1
    yield Seed("weights", "safetensors bfloat16", {"net.safetensors": length.to_bytes(8, "little") + bfloat16})
    out = io.BytesIO()
    np.savez(out, **arrays)
    yield Seed("weights", "npz", {"net.npz": out.getvalue()})
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    yield Seed("weights", "npz compressed", {"net.npz": out.getvalue()})
    for name in ("zip", "views", "averaged", "bfloat16", "unsigned", "lightning"):
        file = next((DATA / "torch").glob(f"{name}.*"))
        yield Seed("weights", file.name, {"net.pth": file.read_bytes()})
    for name in ("legacy", "legacy_nested"):
        yield Seed("weights", name, {"net.legacy": (DATA / "torch" / f"{name}.pth").read_bytes()})


def _images() -> Iterator[Seed]:
    from PIL import Image

    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (9, 13, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    kinds: dict[str, tuple[Any, str, dict[str, Any]]] = {
        "a.jpg": (picture, "JPEG", {"exif": exif}),
        "progressive.jpg": (picture, "JPEG", {"progressive": True, "quality": 40}),
        "cmyk.jpg": (picture.convert("CMYK"), "JPEG", {}),
        "a.png": (picture, "PNG", {"exif": exif}),
        "palette.png": (picture.quantize(8), "PNG", {}),
        "grey16.png": (Image.fromarray(rng.integers(0, 65536, (7, 5), np.uint16)), "PNG", {}),
        "a.webp": (picture, "WEBP", {"exif": exif}),
        "lossless.webp": (picture, "WEBP", {"lossless": True}),
        "a.bmp": (picture, "BMP", {}),
        "palette.bmp": (picture.quantize(16), "BMP", {}),
        "a.gif": (picture, "GIF", {"save_all": True, "append_images": [picture.rotate(90)]}),
        "a.tif": (picture, "TIFF", {"exif": exif}),
        "lzw.tif": (picture, "TIFF", {"compression": "tiff_lzw"}),
        "deflate.tif": (picture, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "float.tif": (Image.fromarray(_drawn(5, 6)), "TIFF", {}),
        "a.ppm": (picture, "PPM", {}),
        "grey.pgm": (picture.convert("L"), "PPM", {}),
    }
    for name, (image, kind, options) in kinds.items():
        out = io.BytesIO()
        image.save(out, kind, **options)
        yield Seed("image", name, {name: out.getvalue()})


def _folders() -> Iterator[Seed]:
    import safetensors.numpy

    from gpucnn import zoo

    rng = np.random.default_rng(0)
    state = {name: (rng.standard_normal(shape) * 0.1).astype(np.float16) for name, shape in zoo.create("lenet5").state_shapes().items()}
    record = {"input_size": [1, 32, 32], "interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center", "mean": [0.5], "std": [0.25]}
    config = {
        "architecture": "lenet5",
        "num_classes": 10,
        "num_features": 84,
        "label_names": [f"class {i}" for i in range(10)],
        "pretrained_cfg": {"tag": "x", **record, "num_classes": 10},
        "activation": "softmax",
    }
    yield Seed("folder", "lenet5", {"config.json": json.dumps(config).encode(), "model.safetensors": safetensors.numpy.save(state)})


@lru_cache(maxsize=1)
def seeds() -> dict[str, tuple[Seed, ...]]:
    """All seeds, by family."""
    return {"onnx": tuple(_onnx()), "weights": tuple(_weights()), "image": tuple(_images()), "folder": tuple(_folders())}
