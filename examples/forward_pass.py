"""The forward pass, step by step, on a photograph: every step printed, and drawn on a contact sheet worth looking at.

From pixels through filters, stride, padding and pooling to a small net by hand, and then the same steps in a trained one, which says
what is to be seen. Run it from anywhere: python examples/forward_pass.py [PHOTO] [-o forward_pass.png]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
from contact_sheet import Panel, Row, sheet
from PIL import Image, ImageOps

import gpucnn
from gpucnn import filters
from gpucnn import functional as F
from gpucnn.images import decode
from gpucnn.preprocess import normalisation_table

PHOTO = Path(__file__).parent / "images" / "chelsea.png"
HEIGHT, WIDTH = 216, 324  # of the part of it that the first half works on

DIRECTIONS = {"upright": 0.0, "rising": math.pi / 4, "level": math.pi / 2, "falling": 3 * math.pi / 4}
"""Stripes of a direction, and theta: where the wave runs that crosses them."""


def read(path: Path) -> Any:
    """A photograph cut to 3:2, (216, 324, 3) uint8."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(ImageOps.fit(upright, (WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def batch(image: Any) -> Any:
    """(h, w) or (h, w, c) to a batch of one, (1, c, h, w) float32."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return np.ascontiguousarray(planes[None], np.float32)


def grey_of(photo: Any) -> Any:
    """The mean of the three channels, as a convolution of 1x1: (h, w) float32."""
    return F.conv2d(batch(photo), filters.stack([filters.box(1)], channels=3))[0, 0]


# -- the rows


def photograph(photo: Any) -> Row:
    names = ("Red", "Green", "Blue")
    return Row(
        "An image is an array",
        "Three numbers from 0 to 255 at each pixel. A network sees three maps; their mean is the grey image that the next rows work on.",
        (
            Panel("Photograph", "Pillow, cut to 3:2", photo, "photo"),
            *(Panel(name, f"photo[:, :, {c}]", photo[:, :, c], "unsigned", high=255) for c, name in enumerate(names)),
            Panel("Grey", "F.conv2d(x, filters.stack([box(1)], channels=3))", grey_of(photo), "unsigned", high=255),
        ),
    )


def filtered(grey: Any) -> Row:
    blur = filters.gaussian(13, 2.5)
    wave = filters.gabor(15, 3.0, 0.0, 7.0, psi=-math.pi / 2)
    return Row(
        "Convolution: a filter is laid over every pixel",
        "Multiply and add, without flipping the filter (small, at the right of each caption). Zeros around the image keep its size. "
        "Red is above zero, blue below, white is zero.",
        (
            Panel("Gaussian", "filters.apply(grey, gaussian(13, sigma=2.5))", filters.apply(grey, blur), "unsigned", 255, kernel=blur),
            *(
                Panel(title, f"filters.apply(grey, {call})", filters.apply(grey, kernel), "signed", kernel=kernel)
                for title, call, kernel in (
                    ("Sobel x: brighter to the right", 'sobel("x")', filters.sobel("x")),
                    ("Sobel y: brighter downwards", 'sobel("y")', filters.sobel("y")),
                    ("Laplacian", "laplacian()", filters.laplacian()),
                    ("Gabor", "gabor(15, 3, 0, 7, psi=-pi/2)", wave),
                )
            ),
        ),
    )


def strided(grey: Any) -> Row:
    kernel = filters.sobel("x")
    every = filters.apply(grey, kernel)
    valid = filters.apply(grey, kernel, padding="valid")
    high = float(np.percentile(np.abs(every), 99.5))  # one scale for all five
    corner = (slice(-18, None), slice(27))
    return Row(
        "Stride and padding: size = floor((n + 2p - k) / s) + 1",
        "Stride 2 keeps every second result. Padding counts as black, so a bright image gets an edge all around; without padding the "
        "map is two pixels smaller.",
        (
            Panel("Stride 2", 'apply(grey, sobel("x"), stride=2)', filters.apply(grey, kernel, stride=2), "signed", high),
            Panel("Stride 4", 'apply(grey, sobel("x"), stride=4)', filters.apply(grey, kernel, stride=4), "signed", high),
            Panel("Zero padding, lower left corner", 'apply(grey, sobel("x"), padding="same")[-18:, :27]', every[corner], "signed", high),
            Panel("No padding, the same corner", 'apply(grey, sobel("x"), padding="valid")[-18:, :27]', valid[corner], "signed", high),
            Panel("No padding", 'apply(grey, sobel("x"), padding="valid")', valid, "signed", high),
        ),
    )


def opponents(size: int = 9, sigma: float = 1.5) -> Any:
    """Red less green, and blue less the mean of both, blurred: (2, 3, size, size)."""
    bell = filters.gaussian(size, sigma)
    return np.float32([[1, -1, 0], [-0.5, -0.5, 1]])[:, :, None, None] * bell


def mixed() -> Any:
    """Six filters of length 1 that give 0 on flats: Sobel x and y, a narrow bell less a wide one, Gabor filters; (6, 1, 9, 9)."""
    bells = filters.gaussian(9, 0.8) - filters.gaussian(9, 2.0)
    waves = [filters.gabor(9, 1.8, DIRECTIONS[name], 5.0) for name in ("upright", "rising", "level")]
    return filters.stack([k / np.linalg.norm(k) for k in (filters.sobel("x"), filters.sobel("y"), bells, *(w - w.mean() for w in waves))])


def coloured(photo: Any) -> Row:
    x = batch(photo)
    apart = F.conv2d(x, np.tile(mixed(), (3, 1, 1, 1)), stride=3, groups=3)
    mean = F.conv2d(x, filters.stack([filters.sobel("x")], channels=3), padding="same")
    y = F.conv2d(x, opponents(), padding=4)
    return Row(
        "Colour: a filter has a weight for each channel, and sums over them",
        "With groups=3 every channel stays by itself (red, green, blue from top to bottom). A usual convolution gives one map a filter, "
        "whatever the number of channels: here of their mean, and of differences of colours.",
        (
            Panel(
                "Sobel, Gaussian and Gabor filters on each channel", "F.conv2d(x, w, stride=3, groups=3), w of Sobel x and y, a difference "
                "of Gaussians, three Gabor filters", apart, "signed", span=2, across=6,
            ),
            Panel("Sobel x on the mean", 'F.conv2d(x, stack([sobel("x")], 3), padding="same")', mean, "signed"),
            Panel("Red less green", "F.conv2d(x, w, padding=4), w = gaussian (1, -1, 0)", y[:, :1], "signed"),
            Panel("Blue less yellow", "F.conv2d(x, w, padding=4), w = gaussian (-.5, -.5, 1)", y[:, 1:], "signed"),
        ),
    )


def pooled(photo: Any, grey: Any) -> list[Row]:
    x, rgb = batch(grey), batch(photo)
    whole = F.cat([F.global_max_pool2d(rgb), F.global_avg_pool2d(rgb), F.global_min_pool2d(rgb)], 1)
    names = tuple(f"{kind} of {colour}" for kind in ("maximum", "average", "minimum") for colour in ("red", "green", "blue"))
    by_fractions = [F.fractional_max_pool2d(x, 2, output_size=(100, 150), seed=seed) for seed in (0, 1)]
    return [
        Row(
            "Pooling: one number for each window",
            "The brightest, the darkest, or the mean of 6x6 pixels. Max pooling thickens what is light, min pooling what is dark. "
            "Global pooling makes one number of a whole map.",
            (
                Panel("Maximum", "F.max_pool2d(grey, 6)", F.max_pool2d(x, 6), "unsigned", 255),
                Panel("Minimum", "F.min_pool2d(grey, 6)", F.min_pool2d(x, 6), "unsigned", 255),
                Panel("Average", "F.avg_pool2d(grey, 6)", F.avg_pool2d(x, 6), "unsigned", 255),
                Panel("Root of the sum of squares", "F.lp_pool2d(grey, 2, 6)", F.lp_pool2d(x, 2, 6), "unsigned", 6 * 255),
                Panel("Global pooling of the photograph", "F.global_max_pool2d(x), ..._avg_..., ..._min_...", whole, "bars", 255, names),
            ),
        ),
        Row(
            "Pooling to a size: adaptive and fractional",
            "Adaptive windows cover the map whatever its size, and share pixels where it does not divide. Fractional ones are all of one "
            "size, 2 or 3 pixels apart by a sequence that depends on the seed.",
            (
                Panel("Adaptive average", "F.adaptive_avg_pool2d(grey, (13, 19))", F.adaptive_avg_pool2d(x, (13, 19)), "unsigned", 255),
                Panel("Adaptive maximum", "F.adaptive_max_pool2d(grey, (13, 19))", F.adaptive_max_pool2d(x, (13, 19)), "unsigned", 255),
                Panel("Fractional maximum", "F.fractional_max_pool2d(grey, 2, (100, 150))", by_fractions[0], "unsigned", 255),
                Panel("The same with another seed", "F.fractional_max_pool2d(..., seed=1)", by_fractions[1], "unsigned", 255),
                Panel("How the two differ", "F.sub(y0, y1)", F.sub(*by_fractions), "signed"),
            ),
        ),
    ]


def bank() -> Any:
    """A bright line of each direction: Gabor filters that give nothing on flats and at most the brightness elsewhere, (4, 1, 15, 15)."""
    kernels = [filters.gabor(15, 3.0, theta, 7.0) for theta in DIRECTIONS.values()]
    return filters.stack([(k - k.mean()) / np.abs(k - k.mean()).sum() for k in kernels])


def dense(places: int) -> Any:
    """Weights of the dense layer: three times a direction's mean over all places, less those of the three others: (4, 4*places)."""
    return np.kron(4 * np.eye(4) - 1, np.full(places, 1 / places)).astype(np.float32)


def by_hand(grey: Any) -> list[Row]:
    names = tuple(DIRECTIONS)
    maps = F.conv2d(batch(grey), bank(), stride=2)
    positive = F.relu(maps)
    high = float(np.percentile(np.abs(maps), 99.5))
    strongest = F.max_pool2d(positive, 2)
    mean = F.adaptive_avg_pool2d(strongest, (4, 6))
    flat = F.flatten(mean, 1)
    scores = F.linear(flat, dense(24))
    return [
        Row(
            "A small net by hand: which way do the light lines run?",
            "Four filters stacked into one weight give four maps: upright, rising, level, falling. ReLU keeps what is like the filter, "
            "pooling what is strongest nearby, and then how much of it there is in each of 24 fields.",
            (
                Panel("The filters", "w = filters.stack([gabor(15, 3, theta, 7) ...])", bank().transpose(1, 0, 2, 3), "signed"),
                Panel("Convolution", "F.conv2d(grey, w, stride=2)", maps, "signed", high),
                Panel("ReLU", "F.relu(y)", positive, "unsigned", high),
                Panel("Max pooling", "F.max_pool2d(y, 2)", strongest, "unsigned", high),
                Panel("Adaptive average pooling", "F.adaptive_avg_pool2d(y, (4, 6))", mean, "unsigned"),
            ),
        ),
        Row(
            "... and the end of the net: flatten, dense layer, softmax",
            "The maps laid out one after another, row by row. The dense layer weighs each direction against all others, softmax makes "
            "shares of the scores that add up to 1.",
            (
                Panel("Flatten", "F.flatten(y, 1)", flat, "bars", labels=names, span=3, height=176),
                Panel("Dense layer", "F.linear(y, weight)", scores, "bars", labels=names, height=176),
                Panel("Softmax", "F.softmax(y, dim=1)", F.softmax(scores, 1), "bars", 1.0, labels=names, height=176),
            ),
        ),
    ]


BLOCKS = {"_blocks.2": None, "_blocks.4": 25, "_blocks.10": 42, "_blocks.15": 56}
"""Layers that are looked into, and how many of their maps are drawn."""


def trained(path: Path) -> list[Row]:
    with gpucnn.load("efficientnet_lite0", device="cpu") as model:
        pixels = decode(path, model.preprocess)
        x = F.lookup(pixels.transpose(2, 0, 1)[None], normalisation_table(model.preprocess))
        inside = model.run({"input": x}, outputs=["_conv_stem", *BLOCKS, "relu6_1", "output"])
    blocks = tuple(
        Panel(f"Block {name[8:]}", f'model.run({{"input": x}}, outputs=["{name}"])', inside[name], "signed", height=290, first=first)
        for name, first in BLOCKS.items()
    )
    features, scores = F.flatten(F.global_avg_pool2d(inside["relu6_1"]), 1), inside["output"]
    probabilities = F.softmax(scores, 1)
    best, places = F.topk(probabilities, 5)
    labels = tuple(model.labels[i] for i in places[0])
    return [
        Row(
            "A trained network: EfficientNet-Lite0, its first layer",
            "The same steps with 4.65 million weights. Nobody chose these 32 filters; training found edges, spots and differences of "
            "colours by itself, and left a few unused.",
            (
                Panel("Input", "gpucnn.images.decode(path, model.preprocess)", pixels, "photo"),
                Panel("First layer", 'model.run({"input": x}, outputs=["_conv_stem"])', inside["_conv_stem"], "signed", span=4, height=342),
            ),
        ),
        Row(
            "... deeper: ever more maps, ever smaller",
            "A map of the last block has 7x7 numbers, each of which sees the whole photograph. Global average pooling leaves one "
            "number of each of the last 1280 maps.",
            (
                *blocks,
                Panel("Features", "F.flatten(F.global_avg_pool2d(y), 1)", features, "unsigned", height=290),
            ),
        ),
        Row(
            "... and the answer",
            "A dense layer and softmax, as above, with 1000 classes.",
            (
                Panel("Scores", "model(x)", scores, "signed"),
                Panel("Probabilities", "F.softmax(scores, 1)", probabilities, "unsigned", 1.0),
                Panel("The five most probable", "F.topk(F.softmax(scores, 1), 5)", best, "bars", 1.0, labels=labels, span=3),
            ),
        ),
    ]


def steps(path: Path) -> list[Row]:
    """All rows of the sheet."""
    photo = read(path)
    grey = grey_of(photo)
    return [photograph(photo), filtered(grey), strided(grey), coloured(photo), *pooled(photo, grey), *by_hand(grey), *trained(path)]


def main() -> None:
    parser = argparse.ArgumentParser(description="The forward pass, step by step, on a photograph.")
    parser.add_argument("photo", nargs="?", type=Path, default=PHOTO)
    parser.add_argument("-o", "--output", type=Path, default=Path("forward_pass.png"))
    arguments = parser.parse_args()
    if arguments.output.suffix.lower() not in (".png", ".jpg", ".webp"):
        parser.error(f"the sheet is written as .png, .jpg or .webp, not {arguments.output.name}")
    if not arguments.output.parent.is_dir():
        parser.error(f"there is no folder {arguments.output.parent}")
    try:
        rows = steps(arguments.photo)
    except (OSError, gpucnn.errors.ImageError) as error:
        parser.error(f"{arguments.photo} is not read: {error}")
    for row in rows:
        print(row.title)
        for panel in row.panels:
            print(f"  {panel.title:34.34}  {panel.facts:44}  {panel.op}")
    subtitle = (
        f"{arguments.photo.name}, by gpucnn {gpucnn.__version__}. Above each picture its op, and the shape, type and range of what that "
        "gave; below it the values where its colours end, beyond which few lie."
    )
    image, _ = sheet("The forward pass of a convolutional network", subtitle, rows)
    image.save(arguments.output)
    print(f"{arguments.output}: {image.width}x{image.height} pixels")


if __name__ == "__main__":
    main()
