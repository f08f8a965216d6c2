"""``Classifier`` names photographs: items in, results out in their order, in memory that does not grow with them.

::

    items ─ pulled one by one ─▶ threads: decode ─▶ batches ─▶ scorer ─▶ top-k ─▶ results in input order
            (in the caller's thread)  the next batch's, while the network runs this one
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import GpucnnError, ImageError, ModelError
from .images import Source, decode
from .preprocess import Preprocess
from .settings import settings

if TYPE_CHECKING:
    from .model import Model

__all__ = ["Classifier", "Prediction", "Result"]

log = logging.getLogger("gpucnn")

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
        In 0…1; a float32 value.
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
        Most probable first; equal ones by index. Empty where there is an error.
    error : str or None
        Why the item has no predictions, in one line.
    """

    path: str | None
    predictions: tuple[Prediction, ...] = ()
    error: str | None = None


class Classifier:
    """Classify images with a model, many at a time.

    Parameters
    ----------
    model : str, path-like or Model
        A zoo name, a file, a folder, or a model that is loaded already (and stays the caller's to close).
    weights, device, precision
        As ``gpucnn.load``; they belong to a model that is still to be loaded.
    labels, preprocess
        As ``gpucnn.load``; for a model that is loaded already, in place of its own.
    batch_size : int or "auto"
        Images that go through the network together. It changes speed and memory, never a bit of the scores.
    top : int
        Predictions for each image; clipped to the number of classes.
    workers : int, optional
        Threads that decode; ``GPUCNN_THREADS``, else all cores.

    Attributes
    ----------
    model : Model
    labels : tuple of str or None
    batch_size, top, workers : int
        What is used.

    Raises
    ------
    ModelError, DeviceError
        As ``gpucnn.load``; and where the model does not say how to prepare photographs, or has not as many labels as classes.

    Examples
    --------
    >>> with Classifier() as classifier:  # doctest: +SKIP
    ...     for result in classifier.predict(["cat.jpg"]):
    ...         print(result.path, result.predictions[0].label)
    cat.jpg Egyptian cat
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
        top: int = 5,
        workers: int | None = None,
    ) -> None:
        top = _at_least_one("top", top)
        self.workers = settings().threads if workers is None else _at_least_one("workers", workers)
        if batch_size != "auto":
            _at_least_one("batch_size", batch_size, " or 'auto'")

        self._owns_model = isinstance(model, (str, os.PathLike))
        if isinstance(model, (str, os.PathLike)):
            from .loader import load

            self.model = load(model, weights=weights, labels=labels, preprocess=preprocess, device=device, precision=precision)
        else:
            given = ["weights"] if weights is not None else []
            given += [name for name, value in (("device", device), ("precision", precision)) if value != "auto"]
            if given:
                raise ModelError(f"Classifier: the model is loaded already: give {', '.join(given)} to gpucnn.load")
            self.model = model

        record = preprocess or self.model.preprocess
        if record is None:
            raise ModelError(
                f"{self.model.name}: the model does not say how photographs become its input; "
                "give preprocess=Preprocess(size=…, mean=…, std=…)"
            )
        self._record: Preprocess = record
        self._scorer = self.model.scorer() if record is self.model.preprocess else self.model.scorer(record)
        self.top = min(top, self._scorer.classes)
        self.labels: tuple[str, ...] | None = self.model.labels
        if labels is not None and not self._owns_model:
            from .loader import read_labels

            self.labels = read_labels(labels, 0)[0]
        if self.labels is not None and len(self.labels) != self._scorer.classes:
            raise ModelError(
                f"{self.model.name}: {self._scorer.classes} classes, but {len(self.labels)} labels "
                f"({self.model.labels_source}): give one name for each class, in the order of the outputs"
            )
        if batch_size == "auto":
            batch_size = self._scorer.batch * -(-_AUTO_BATCH // self._scorer.batch)
        self.batch_size = int(batch_size)
        log.info("batches of %d images, %d decoding threads", self.batch_size, self.workers)

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
        with closing(self.batches(items)) as batches:
            for batch in batches:
                yield from batch

    def batches(self, items: Iterable[Source]) -> Generator[tuple[Result, ...], None, None]:
        """Classify as ``predict`` does, and give the results as each batch of them is ready."""
        source: Iterator[Any] = iter([items] if _is_one_item(items) else items)
        ahead = 2 * self.batch_size + self.workers
        pending: deque[tuple[str | None, Future[npt.NDArray[np.uint8] | str]]] = deque()
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
                yield self._classified([(path, future.result()) for path, future in batch])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        if failure is not None:
            raise failure

    def _classified(self, batch: Sequence[tuple[str | None, npt.NDArray[np.uint8] | str]]) -> tuple[Result, ...]:
        pixels = [image for _, image in batch if not isinstance(image, str)]
        rows = iter(self._predictions(self._scorer(np.stack(pixels))) if pixels else ())
        results = []
        for path, image in batch:
            row = image if isinstance(image, str) else next(rows)
            results.append(Result(path, error=row) if isinstance(row, str) else Result(path, row))
        return tuple(results)

    def _predictions(self, scores: npt.NDArray[np.float32]) -> Iterator[tuple[Prediction, ...] | str]:
        """Give the best classes of each row of scores (n, classes), or why there are none."""
        names = self.labels
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.top]  # stable: equal scores by index
        for row, classes in zip(scores, best.tolist()):
            if np.isfinite(row).all():
                yield tuple(Prediction(k, names[k] if names else None, float(row[k])) for k in classes)
            else:
                yield "the network's scores are not finite (NaN or infinity)"

    def close(self) -> None:
        """Let go of memory and threads, and close the model if this classifier loaded it."""
        self._scorer.close()
        if self._owns_model:
            self.model.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _decoded(item: Source, record: Preprocess) -> npt.NDArray[np.uint8] | str:
    try:
        return decode(item, record)
    except ImageError as error:
        return str(error)


def _at_least_one(name: str, value: Any, otherwise: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise GpucnnError(f"Classifier: {name} must be a whole number of at least 1{otherwise}, got {value!r}")
    return int(value)


def _is_one_item(items: object) -> bool:
    """Whether somebody gave one image where a series is expected; a string would be read letter by letter."""
    if isinstance(items, np.ndarray):
        return items.ndim < 4
    return isinstance(items, (str, bytes, bytearray, memoryview, os.PathLike)) or not hasattr(items, "__iter__")
