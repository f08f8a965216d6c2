"""Find similar images: what the network's last dense layer reads of each, compared by the angle between the vectors.

The collection is made on the fly from the three photographs of examples/images: of each a crop, a turned, a mirrored, a dark and a grey
version. Each photograph, as it is, asks for its neighbours; with an archive of your own give `features` a folder's paths
(`gpucnn.images.find`), keep the matrix with `numpy.save`, and a search is one matrix product.

Run it from anywhere: python examples/similar_images.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

import gpucnn

IMAGES = Path(__file__).resolve().parent / "images"


def versions(photograph):
    """Name and picture of each version of a photograph."""
    w, h = photograph.size
    yield "cropped", photograph.crop((w // 5, h // 5, w - w // 5, h - h // 5))
    yield "turned by 20°", photograph.rotate(20, Image.Resampling.BICUBIC)
    yield "mirrored", ImageOps.mirror(photograph)
    yield "dark", ImageEnhance.Brightness(photograph).enhance(0.4)
    yield "grey", ImageOps.grayscale(photograph)


def unit_vectors(classifier, items):
    """Features (n, features) float32, each divided by its length: the product of two is then the cosine of the angle between them."""
    found = list(classifier.features(items))
    for one in found:
        if one.error:
            raise SystemExit(f"{one.path}: {one.error}")
    vectors = np.stack([one.vector for one in found])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main() -> None:
    paths = sorted(path for path in IMAGES.iterdir() if path.suffix in (".png", ".jpg"))
    made = {f"{path.stem}, {name}": picture for path in paths for name, picture in versions(Image.open(path))}
    names = list(made)

    with gpucnn.Classifier("efficientnet_lite0") as classifier:
        collection = unit_vectors(classifier, made.values())
        asked = unit_vectors(classifier, paths)

    print(f"{len(names)} images, {collection.shape[1]} features each")
    for path, cosines in zip(paths, asked @ collection.T):
        print(f"\n{path.name}")
        for i in np.argsort(-cosines)[:6]:
            print(f"    {cosines[i]:.3f}  {names[i]}")


if __name__ == "__main__":
    main()
