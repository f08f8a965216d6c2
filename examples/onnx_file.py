"""An ONNX file of your own: what is in it, how it runs, a classifier of it, and what is said where it cannot be run.

The file here is a small network for 28×28 grey pictures of clothes, trained on Fashion-MNIST. Like most files it says neither how pictures
are prepared nor what its classes are called, so both are given.

Run it from anywhere: python examples/onnx_file.py [FILE.onnx]
"""

import sys
from pathlib import Path

import numpy as np

import gpucnn
from gpucnn import Classifier, Preprocess
from gpucnn.errors import GpucnnError

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "fashion_mnist"
NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
RECORD = Preprocess(size=(28, 28), resize=28, mean=(0.2860,), std=(0.3530,), order="L")


def main(path):
    with gpucnn.load(path) as model:
        print(model.describe())  # what `gpucnn inspect FILE` prints
        sizes = {"n": 2}  # two pictures; 32 for any other size that the file leaves open
        x = {p.name: np.zeros([s if isinstance(s, int) else sizes.get(s, 32) for s in p.shape], p.dtype) for p in model.inputs}
        print({name: y.shape for name, y in model.run(x).items()})
        try:
            model.run({**x, model.inputs[0].name: np.zeros((2, 5), np.float32)})
        except GpucnnError as error:
            print(error)

    if path == DATA / "fashion_mnist_cnn.onnx":
        with np.load(DATA / "first_1000.npz") as data:
            pictures, truth = data["images"], data["labels"]
        with Classifier(path, preprocess=RECORD, labels=NAMES, top=1) as classifier:
            found = [result.predictions[0] for result in classifier.predict(list(pictures))]
        right = sum(p.index == t for p, t in zip(found, truth))
        print(f"first: {found[0].label} {found[0].probability:.0%}; {right} of {len(truth)} right")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist_cnn.onnx")
