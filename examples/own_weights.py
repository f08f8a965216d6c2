"""Weights of your own: in each format that is read, loaded with names for the classes, and what is said where they do not fit.

The net is MobileNetV2 with three classes in place of ImageNet's 1000, as after a fine-tuning; its weights here are random, so the scores
mean nothing. PyTorch is not needed: the checkpoint is written below as `torch.save(net.state_dict(), "flowers.pth")` writes it, and read
without running any code that is in it.

Run it from anywhere: python examples/own_weights.py
"""

import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import gpucnn
from gpucnn import zoo

IMAGES = Path(__file__).resolve().parent / "images"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        show(Path(folder))


def show(folder: Path) -> None:
    net = zoo.create("mobilenet_v2", num_classes=3)
    state = net.state_dict()  # torchvision's names: a state dict from there fits as it is
    print(f"{len(state)} arrays, {net.num_parameters():,} parameters; the last is classifier.1.bias {state['classifier.1.bias'].shape}")

    save_file(state, folder / "flowers.safetensors")
    np.savez(folder / "flowers.npz", **state)
    save_as_pytorch_does(state, folder / "flowers.pth")
    (folder / "flowers.txt").write_text("daisy\nrose\ntulip\n", "utf-8")

    # How many classes there are is read off the weights; labels are a file with a name a line, a JSON list, or a list.
    found = {}
    for weights in (folder / "flowers.safetensors", folder / "flowers.npz", folder / "flowers.pth", state):
        with gpucnn.Classifier("mobilenet_v2", weights=weights, labels=folder / "flowers.txt") as classifier:
            (result,) = classifier.predict(IMAGES / "coffee.png")
            name = weights.name if isinstance(weights, Path) else "a state dict"
            found[name] = result.predictions
            print(f"{name:20} {', '.join(f'{p.label} {p.probability:.1%}' for p in result.predictions)}")
    print(f"the same bits from each: {len(set(found.values())) == 1}\n")

    # What does not fit is refused, with everything that is wrong in one message.
    without_bias = {name: array for name, array in state.items() if name != "classifier.1.bias"}
    for options in (
        {"source": "mobilenet_v2", "weights": without_bias},
        {"source": "resnet18", "weights": folder / "flowers.npz"},
        {"source": "mobilenet_v2", "weights": state, "labels": ["daisy", "rose"]},
        {"source": folder / "flowers.pth"},
    ):
        try:
            gpucnn.load(**options)
        except gpucnn.errors.ModelError as error:
            print(f"{type(error).__name__}: {str(error).replace(str(folder), 'FOLDER')}")


def save_as_pytorch_does(state, path: Path) -> None:
    """Write a zip of one file of numbers a tensor, and of a pickle that says which name has which numbers in which shape."""

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def integer(value):
        return b"J" + struct.pack("<i", value)

    def integers(values):
        return b"(" + b"".join(map(integer, values)) + b"t"

    ordered = b"ccollections\nOrderedDict\n)R"
    program = b"\x80\x02" + ordered + b"("
    with zipfile.ZipFile(path, "w") as archive:
        for key, (name, array) in enumerate(state.items()):
            steps = [stride // array.itemsize for stride in array.strides]
            storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu") + integer(array.size) + b"tQ"
            arguments = storage + integer(0) + integers(array.shape) + integers(steps) + b"\x89" + ordered
            program += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"
            archive.writestr(f"flowers/data/{key}", array.tobytes())
        archive.writestr("flowers/data.pkl", program + b"u.")
        archive.writestr("flowers/version", "3\n")


if __name__ == "__main__":
    main()
