"""``Classifier`` names photographs: items in, results out in their order, in memory that does not grow with them.

::

    items ─ pulled one by one ─▶ threads: decode ─▶ batches ─▶ scorer ─▶ best, above the threshold ─▶ results in input order
            (in the caller's thread)  the next batch's, while the network runs this one
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import GpucnnError, ImageError, ModelError
from .images import Source, decode
from .preprocess import Preprocess
from .presets import preset_for
from .scorer import check_activation, require_classifier
from .settings import settings

if TYPE_CHECKING:
    from .model import Model
    from .scorer import FeatureExtractor

__all__ = ["Classifier", "Features", "Prediction", "Result"]

log = logging.getLogger("gpucnn")

_TOP = 5  # predictions where nobody says how many
_AUTO_BATCH = 16  # images; "auto" takes the least multiple of what fills the device once that reaches it


@dataclass(frozen=True)
class Prediction:
    """One class of one image.

    Parameters
    ----------
    index : int
        Place in the model's output.
    label : str or None
        Its name, where the model has labels.
    probability : float
        In 0…1; a float32 value. With ``activation="none"`` the network's own value, whatever it stands for.

    Examples
    --------
    >>> Prediction(967, "espresso", 0.9508)
    Prediction(index=967, label='espresso', probability=0.9508)
    """

    index: int
    label: str | None
    probability: float


@dataclass(frozen=True)
class Result:
    """What came of one item.

    Parameters
    ----------
    path : str or None
        The item, where it was a path.
    predictions : tuple of Prediction
        Most probable first; equal ones by index. Empty where there is an error, or where nothing reaches the threshold.
    error : str or None
        Why the item has no predictions, in one line.

    Examples
    --------
    >>> Result("tree.jpg", error="tree.jpg: not an image").predictions
    ()
    """

    path: str | None
    predictions: tuple[Prediction, ...] = ()
    error: str | None = None


@dataclass(frozen=True, eq=False)
class Features:
    """What the last dense layer reads of one item.

    Parameters
    ----------
    path : str or None
        The item, where it was a path.
    vector : array, (features,), float32, or None
        The caller's own. None where there is an error.
    error : str or None
        Why the item has none, in one line.

    Examples
    --------
    >>> import numpy as np
    >>> Features("tree.jpg", np.zeros(1280, np.float32)).vector.shape
    (1280,)
    """

    path: str | None
    vector: npt.NDArray[np.float32] | None = None
    error: str | None = None


Row = TypeVar("Row", Result, Features)

Pixels = npt.NDArray[np.uint8]


class Classifier:
    """Classify images with a model, many at a time.

    Parameters
    ----------
    model : str, path-like or Model
        A zoo name, a file, a folder, or a model that is loaded already (and stays the caller's to close).
    weights, device, precision, shapes
        As ``gpucnn.load``; they belong to a model that is still to be loaded.
    labels, preprocess
        As ``gpucnn.load``; for a model that is loaded already, in place of its own.
    batch_size : int or "auto"
        Images that go through the network together. It changes speed and memory, never a bit of the scores.
    top : int, optional
        Predictions for each image at most; clipped to the number of classes. If not given, 5; but all of them where a threshold chooses
        among labels that do not exclude each other, which is without softmax.
    workers : int, optional
        Threads that decode; ``GPUCNN_THREADS``, else all cores.
    activation : {"auto", "softmax", "sigmoid", "none"}
        What makes probabilities of the network's values: ``"softmax"`` where an image has one label, ``"sigmoid"`` where it may have
        several, or none. ``"none"`` hands the values on as they are. ``"auto"`` is what the model's record says, else what the network
        ends in, else softmax; sigmoid for a network of one output.
    threshold : float, optional
        Only predictions at or above it are given, perhaps none: in 0…1, compared as float32; any number with ``activation="none"``.

    Attributes
    ----------
    model : Model
    labels : tuple of str or None
    batch_size, top, workers : int
        What is used.
    activation : {"softmax", "sigmoid", "none"}
        What is used.
    threshold : float or None
    one_by_one : bool
        Whether images go through the net one after another, because those of a batch cannot be shown not to mix.

    Raises
    ------
    GpucnnError
        A number or a name is none of those above.
    ModelError, DeviceError
        As ``gpucnn.load``; and where the model does not say how to prepare photographs, has not as many labels as classes, or ends in
        another activation than was asked for.

    Notes
    -----
    A network of one output is a two-class classifier: with p the sigmoid of the output, the probability of the positive class. With one
    label, or none, a result holds p under index 0; with two labels, the negative class and the positive, it holds 1 − p under index 0
    and p under index 1.

    Examples
    --------
    >>> with Classifier() as classifier:  # doctest: +SKIP
    ...     for result in classifier.predict(["cat.jpg"]):
    ...         print(result.path, result.predictions[0].label)
    cat.jpg Egyptian cat

    A network whose labels do not exclude each other, here the mean of red, green and blue:

    >>> from gpucnn import compile, nn
    >>> net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> options = {"preprocess": Preprocess((8, 8), 8), "labels": ["red", "green", "blue"]}
    >>> yellow = np.full((8, 8, 3), (255, 255, 0), np.uint8)
    >>> with compile(net, (1, 3, 8, 8), device="cpu") as model:
    ...     with Classifier(model, activation="sigmoid", threshold=0.5, **options) as classifier:
    ...         [[p.label for p in result.predictions] for result in classifier.predict([yellow, 0 * yellow])]
    [['green', 'red'], []]
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Model = "efficientnet_lite0",
        *,
        weights: Any = None,
        labels: Any = None,
        preprocess: Preprocess | None = None,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | str = "auto",
        top: int | None = None,
        workers: int | None = None,
        activation: str = "auto",
        threshold: float | None = None,
        shapes: Any = None,
    ) -> None:
        if top is not None:
            _at_least_one("top", top)
        check_activation(activation)
        self.threshold = None if threshold is None else _checked_threshold(threshold, activation)
        self.workers = settings().threads if workers is None else _at_least_one("workers", workers)
        if batch_size != "auto":
            _at_least_one("batch_size", batch_size, " or 'auto'")

        self._owns_model = isinstance(model, (str, os.PathLike))
        if isinstance(model, (str, os.PathLike)):
            from .loader import load

            options = {"device": device, "precision": precision, "shapes": shapes}
            self.model = load(model, weights=weights, labels=labels, preprocess=preprocess, **options)
        else:
            given = [name for name, value in (("weights", weights), ("shapes", shapes)) if value is not None]
            given += [name for name, value in (("device", device), ("precision", precision)) if value != "auto"]
            if given:
                raise ModelError(f"Classifier: the model is loaded already: give {', '.join(given)} to gpucnn.load")
            self.model = model

        self._record: Preprocess = preprocess or self.model.preprocess or _assumed(self.model)
        self._scorer = self.model.scorer(self._record, activation)
        self._extractor: FeatureExtractor | None = None
        self._lock = threading.Lock()
        self.activation: str = self._scorer.activation
        self.one_by_one: bool = self._scorer.one_by_one
        self.labels: tuple[str, ...] | None = self.model.labels
        source = self.model.labels_source
        if labels is not None and not self._owns_model:
            from .loader import read_labels

            self.labels, source = read_labels(labels, 0)
        classes = self._classes(source)
        several = self.threshold is not None and self.activation != "softmax"
        self.top = min(classes if several else _TOP, classes) if top is None else min(int(top), classes)
        if batch_size == "auto":
            batch_size = self._scorer.batch * -(-_AUTO_BATCH // self._scorer.batch)
        self.batch_size = int(batch_size)
        log.info("batches of %d images, %d decoding threads", self.batch_size, self.workers)

    def _classes(self, labels_source: str) -> int:
        """How many classes a result tells apart: the outputs, or two where one output has two labels."""
        classes, count = self._scorer.classes, len(self.labels or ())
        self._both = classes == 1 and count == 2
        if self._both and self.activation != "sigmoid":
            raise ModelError(
                f"{self.model.name}: one output tells two classes apart by activation='sigmoid' only; "
                f"for activation={self.activation!r} give one label"
            )
        if self.labels is not None and count != classes and not self._both:
            more = ", or two: of the negative and the positive class" if classes == 1 else ""
            raise ModelError(
                f"{self.model.name}: {classes} class{'es' * (classes != 1)}, but {count} labels ({labels_source}): "
                f"give one name for each class, in the order of the outputs{more}"
            )
        return 2 if self._both else classes

    def predict(self, items: Iterable[Source]) -> Generator[Result, None, None]:
        """Classify items one by one, lazily: one result for each, in their order.

        Parameters
        ----------
        items : iterable of path-like, bytes, array or Pillow image
            What ``gpucnn.images.decode`` takes; may be endless. It is read in the caller's thread, at most two
            batches and one image for each worker ahead. ``gpucnn.images.find`` makes paths of folders and globs.

        Yields
        ------
        Result
            A bad item is a result with an error.

        Raises
        ------
        Exception
            Whatever the iteration of ``items`` raises, after the results of the items before.
        """
        return _one_by_one(self.batches(items))

    def batches(self, items: Iterable[Source]) -> Generator[tuple[Result, ...], None, None]:
        """Classify as ``predict`` does, and give the results as each batch of them is ready."""
        return self._in_batches(items, lambda pixels: self._predictions(self._scorer(pixels)), Result)

    def features(self, items: Iterable[Source]) -> Generator[Features, None, None]:
        """Describe items by what the network's last dense layer reads, for similarity search or a classifier of one's own.

        Parameters
        ----------
        items : iterable of path-like, bytes, array or Pillow image
            As ``predict`` takes them, and read as lazily.

        Returns
        -------
        generator of Features
            One for each item, in their order; a bad item has an error. Every ``vector`` has as many values as the layer reads (1280 for
            EfficientNet-Lite), and like scores its bits do not depend on the batch or on what else is in it.

        Raises
        ------
        ModelError
            The network does not end in a dense layer, or a convolution of kernel 1×1.
        Exception
            Whatever the iteration of ``items`` raises, after the results of the items before.

        Notes
        -----
        The values are not normalised: cosine similarity divides by the lengths, ``a @ b / (norm(a) * norm(b))``.

        Examples
        --------
        >>> from gpucnn import compile, nn
        >>> net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))
        >>> with compile(net, (1, 3, 8, 8), device="cpu") as model:
        ...     with Classifier(model, preprocess=Preprocess((8, 8), 8, mean=(0, 0, 0), std=(1, 1, 1))) as classifier:
        ...         [f.vector.tolist() for f in classifier.features([np.full((8, 8, 3), (255, 0, 0), np.uint8)])]
        [[1.0, 0.0, 0.0]]
        """
        with self._lock:
            if self._extractor is None:
                self._extractor = self.model.feature_extractor(self._record)
        extractor = self._extractor
        return _one_by_one(self._in_batches(items, lambda pixels: _vectors(extractor(pixels)), Features))

    def _in_batches(
        self, items: Iterable[Source], run: Callable[[Pixels], Iterable[Any]], row: type[Row]
    ) -> Generator[tuple[Row, ...], None, None]:
        """Decode, ``run`` batch after batch, and give what came of each item: what ``run`` made of it, or a string why not."""
        source: Iterator[Any] = iter([items] if _is_one_item(items) else items)
        ahead = 2 * self.batch_size + self.workers
        pending: deque[tuple[str | None, Future[Pixels | str]]] = deque()
        failure: Exception | None = None
        exhausted = False
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="gpucnn-decode")
        try:
            while True:
                while not exhausted and len(pending) < ahead:
                    try:
                        item = next(source)
                    except StopIteration:
                        exhausted = True
                    except Exception as error:  # raised again below, after the results that came before it
                        failure, exhausted = error, True
                    else:
                        path = os.fspath(item) if isinstance(item, (str, os.PathLike)) else None
                        if isinstance(item, np.ndarray):  # whoever made it may fill it with the next frame
                            item = item.copy()
                        pending.append((path, pool.submit(_decoded, item, self._record)))
                        del item
                if not pending:
                    break
                batch = [pending.popleft() for _ in range(min(self.batch_size, len(pending)))]
                yield _rows([(path, future.result()) for path, future in batch], run, row)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        if failure is not None:
            raise failure

    def _predictions(self, scores: npt.NDArray[np.float32]) -> Iterator[tuple[Prediction, ...] | str]:
        """Give the best classes of each row of scores (n, classes), or why there are none."""
        if self._both:
            scores = np.concatenate([1 - scores, scores], axis=1)
        names = self.labels
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.top]  # stable: equal scores by index
        counts = [self.top] * len(scores)
        if self.threshold is not None:
            counts = np.count_nonzero(np.take_along_axis(scores, best, 1) >= np.float32(self.threshold), axis=1).tolist()
        for row, classes, count in zip(scores, best.tolist(), counts):
            if np.isfinite(row).all():
                yield tuple(Prediction(k, names[k] if names else None, float(row[k])) for k in classes[:count])
            else:
                yield "the network's scores are not finite (NaN or infinity)"

    def close(self) -> None:
        """Let go of memory and threads, and close the model if this classifier loaded it."""
        self._scorer.close()
        if self._extractor is not None:
            self._extractor.close()
        if self._owns_model:
            self.model.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _one_by_one(batches: Generator[tuple[Row, ...], None, None]) -> Generator[Row, None, None]:
    with closing(batches):
        for batch in batches:
            yield from batch


def _rows(
    batch: Sequence[tuple[str | None, Pixels | str]], run: Callable[[Pixels], Iterable[Any]], row: type[Row]
) -> tuple[Row, ...]:
    pixels = [image for _, image in batch if not isinstance(image, str)]
    found = iter(run(np.stack(pixels)) if pixels else ())
    made = ((path, image if isinstance(image, str) else next(found)) for path, image in batch)
    return tuple(row(path, error=what) if isinstance(what, str) else row(path, what) for path, what in made)


def _vectors(features: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32] | str]:
    """Each row as an array of its own, which does not keep the others in memory; or why not."""
    for vector in features:
        yield vector.copy() if np.isfinite(vector).all() else "the network's features are not finite (NaN or infinity)"


def _decoded(item: Source, record: Preprocess) -> Pixels | str:
    try:
        return decode(item, record)
    except ImageError as error:
        return str(error)


def _assumed(model: Model) -> Preprocess:
    """The preset for an ONNX file that has no record of its own, with a warning; other models have to say."""
    if model.nodes:
        require_classifier(model)  # what to do about photographs is no question otherwise
    preset = preset_for(model.inputs[0], next(iter(model._door.specs.values())).shape) if model.nodes and len(model.inputs) == 1 else None
    if preset is None:
        raise ModelError(
            f"{model.name}: the model does not say how photographs become its input; give preprocess=Preprocess(size=…, mean=…, std=…)"
        )
    record, said = preset
    advice = "if that is wrong, pass preprocess=, or write mean, std and crop_pct into the file's metadata"
    log.warning("%s does not say how photographs are prepared; assumed: %s; %s", model.name, said, advice)
    return record


def _checked_threshold(threshold: Any, activation: str) -> float:
    number = isinstance(threshold, (int, float, np.integer, np.floating)) and not isinstance(threshold, bool)
    if not number or not abs(threshold) <= np.finfo(np.float32).max:
        raise GpucnnError(f"Classifier: threshold must be a number, got {threshold!r}")
    if activation != "none" and not 0 <= threshold <= 1:
        raise GpucnnError(
            f"Classifier: threshold must lie in 0…1, where probabilities do (50 % is 0.5), got {threshold!r}; "
            "only with activation='none' it may be any number"
        )
    return float(threshold)


def _at_least_one(name: str, value: Any, otherwise: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise GpucnnError(f"Classifier: {name} must be a whole number of at least 1{otherwise}, got {value!r}")
    return int(value)


def _is_one_item(items: object) -> bool:
    """Whether somebody gave one image where a series is expected; a string would be read letter by letter."""
    if isinstance(items, np.ndarray):
        return items.ndim < 4
    return isinstance(items, (str, bytes, bytearray, memoryview, os.PathLike)) or not hasattr(items, "__iter__")
