"""Several labels for one image: a sigmoid head of your own on the packaged network, and a threshold in place of the best few.

There are no trained multi-label weights to package, so a head is fitted here, in closed form. Views of the three photographs of
examples/images, alone and two side by side, go through the network once; `Classifier.features` gives what its last dense layer reads; a
ridge regression from that to +3 where a label is right and −3 where it is not is a dense layer of three outputs. Then it is shown what
was not in the fit: the whole photographs, a pair that it has not seen together, all three, and a plain blue.

It works so well because those are the same three photographs. A head that saw one rocket has learnt its sky as well; with some hundred
photographs of your own for each label the same lines make a head to rely on.

Run it from anywhere: python examples/multi_label.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import gpucnn
from gpucnn import data
from gpucnn.formats import read_weights

IMAGES = Path(__file__).resolve().parent / "images"
FILES = {"cat": "chelsea.png", "coffee": "coffee.png", "rocket": "rocket.jpg"}
PHOTOGRAPHS = {label: Image.open(IMAGES / name) for label, name in FILES.items()}
LABELS = list(PHOTOGRAPHS)
SIDE = 256


def view(label, rng):
    """A part of a photograph, a little turned, and mirrored half of the time."""
    photograph = PHOTOGRAPHS[label]
    size = int(min(photograph.size) * rng.uniform(0.6, 1))
    left, top = (int(rng.integers(0, whole - size + 1)) for whole in photograph.size)
    part = photograph.crop((left, top, left + size, top + size)).rotate(rng.uniform(-10, 10), Image.Resampling.BILINEAR)
    return ImageOps.mirror(part) if rng.random() < 0.5 else part


def beside(*pictures):
    """Pictures side by side in a square, each cut to its share."""
    square, width = Image.new("RGB", (SIDE, SIDE)), SIDE // len(pictures)
    for i, picture in enumerate(pictures):
        square.paste(ImageOps.fit(picture, (width, SIDE)), (i * width, 0))
    return square


def to_fit(rng, count=7):
    """Pictures, and which labels each has: one, two, or none (blurred colours)."""
    for labels in (*((label,) for label in LABELS), ("cat", "coffee"), ("rocket", "coffee"), ()):
        for _ in range(count):
            parts = [view(label, rng) for label in labels] or [Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))]
            yield beside(*parts[:: rng.choice([1, -1])]), [3.0 if label in labels else -3.0 for label in LABELS]


def fitted_head(features, targets, ridge=1.0):
    """Weight (labels, features) and bias (labels,) of the dense layer; in float64, by the smaller of the two systems of equations."""
    x, mean = features - features.mean(0), targets.mean(0)
    weight = np.linalg.solve(x @ x.T + ridge * np.eye(len(x)), targets - mean).T @ x
    return weight.astype(np.float32), (mean - weight @ features.mean(0)).astype(np.float32)


def main() -> None:
    pictures, targets = zip(*to_fit(np.random.default_rng(0)))
    with gpucnn.Classifier("efficientnet_lite0") as classifier:
        features = np.stack([found.vector for found in classifier.features(pictures)]).astype(np.float64)
    print(f"fitted a head of {len(LABELS)} labels to {features.shape[0]} pictures of {features.shape[1]} features each\n")

    state = read_weights(data.folder("efficientnet_lite0") / "model.safetensors")
    state["_fc.weight"], state["_fc.bias"] = fitted_head(features, np.array(targets))

    cat, coffee, rocket = PHOTOGRAPHS.values()
    shown = {
        "the cat": cat,
        "the coffee": coffee,
        "the rocket": rocket,
        "rocket and cat": beside(rocket, cat),  # not a pair of the fit
        "all three": beside(cat, coffee, rocket),
        "plain blue": Image.new("RGB", (SIDE, SIDE), (90, 130, 180)),
    }
    model = gpucnn.load("efficientnet_lite0", weights=state, labels=LABELS)  # it has as many outputs as the head has rows
    with model, gpucnn.Classifier(model, activation="sigmoid", threshold=0.5) as several, gpucnn.Classifier(model) as one:
        print(f"{'':15} {'sigmoid, what reaches 50 %':37} softmax, where labels share 100 %")
        for name, sigmoid, softmax in zip(shown, several.predict(shown.values()), one.predict(shown.values())):
            print(f"{name:15} {text(sigmoid) or '(no label)':37} {text(softmax)}")


def text(result):
    return ", ".join(f"{p.label} {p.probability:.0%}" for p in result.predictions)


if __name__ == "__main__":
    main()
