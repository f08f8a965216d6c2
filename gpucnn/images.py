"""Photographs: ``find`` lists them, ``decode`` makes the bytes that a model's preprocessing record asks for."""

from __future__ import annotations

import fnmatch
import io
import logging
import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from .errors import ImageError
from .preprocess import Preprocess
from .settings import settings

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["SUFFIXES", "Source", "decode", "find"]

log = logging.getLogger("gpucnn")

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, npt.NDArray[Any], "Image.Image"]
"""What ``decode`` takes: a path, an encoded file's bytes, an array of pixels or a Pillow image."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pnm")
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # no decoder outside this list ever sees a byte
_ACCEPTED = "JPEG, PNG, WebP, BMP, GIF, TIFF or PPM"
_ORIENTATION = 0x0112
_CHECK_EVERY = 64  # files between two looks at whether their folder is still there


# ---------------------------------------------------------------- finding


def find(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """List the images under ``paths``, one at a time, in an order that repeats.

    Parameters
    ----------
    paths : iterable of path-like
        A file is listed whatever its suffix. A folder is searched with all its subfolders for the usual image
        suffixes in any letter case: sorted, files before subfolders, hidden ones left out, each real folder once
        however many symlinks lead to it. A name that does not exist and holds ``*``, ``?`` or ``[`` is a glob, where
        ``**`` is any depth of folders; one that ends in ``*`` lists image suffixes only. A name that does not exist
        is listed as it is, so that it becomes an error row.

    Yields
    ------
    str
        A path that ``decode`` takes.

    Raises
    ------
    ImageError
        A folder cannot be read, or vanishes while its files are being listed.
    """
    for path in (os.fspath(path) for path in paths):
        if os.path.isdir(path):
            yield from _images_under(path)
        elif os.path.lexists(path) or not is_glob(path):
            yield path
        else:
            empty = True
            for match in _expand(path):
                empty = False
                yield match
            if empty:
                log.warning("%s: nothing matches", path)


def is_glob(path: str) -> bool:
    """Whether a name holds one of the characters ``*``, ``?`` and ``[``."""
    return any(c in path for c in "*?[")


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _images_under(root: str) -> Iterator[str]:
    for folder, names in _walk(root):
        for i, name in enumerate(filter(_is_image, names)):
            if i % _CHECK_EVERY == _CHECK_EVERY - 1 and not os.path.isdir(folder):
                raise ImageError(f"{folder}: the folder vanished while its files were being read")
            yield os.path.join(folder, name)


def _listing(folder: str) -> list[tuple[str, bool]]:
    """Return the names in a folder and whether each is a folder itself; sorted, hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))


def _walk(root: str) -> Iterator[tuple[str, list[str]]]:
    """Each folder under ``root``, itself first, with the names of its files."""
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            state = os.stat(folder)
            if state.st_ino and (state.st_dev, state.st_ino) in seen:  # a symlink led back here
                continue
            seen.add((state.st_dev, state.st_ino))
            listing = _listing(folder)
        except OSError as error:
            if folder == root or not os.path.isdir(root):
                raise ImageError(f"{folder}: the folder cannot be read: {error.strerror or error}") from error
            log.warning("%s: skipped, the folder cannot be read: %s", folder, error.strerror or error)
            continue
        yield folder, [name for name, is_folder in listing if not is_folder]
        waiting.extend(os.path.join(folder, name) for name, is_folder in reversed(listing) if is_folder)


def _expand(pattern: str) -> Iterator[str]:
    drive, rest = os.path.splitdrive(pattern)
    parts = re.split(r"[\\/]+" if os.sep == "\\" else "/+", rest)
    base = drive
    if parts[0] == "":
        base, parts = drive + os.sep, parts[1:]
    parts = [part for i, part in enumerate(parts) if part and parts[i : i + 2] != ["**", "**"]]
    if parts[-1:] == ["**"]:
        parts.append("*")
    return _match(base, parts, walk_folders="**" not in parts)


def _match(base: str, parts: list[str], walk_folders: bool) -> Iterator[str]:
    part, rest = parts[0], parts[1:]
    if part == "**":
        for folder, _ in _walk(base or os.curdir):
            yield from _match(folder if base else os.path.relpath(folder), rest, walk_folders)
        return
    if not is_glob(part):
        found = [part] if os.path.lexists(os.path.join(base, part)) else []
    else:
        try:
            names = sorted(os.listdir(base or os.curdir))
        except OSError:  # not a folder, or not ours to read: nothing in it matches
            return
        found = [name for name in names if part.startswith(".") or not name.startswith(".")]
        found = [name for name in found if fnmatch.fnmatch(name, part)]
    for name in found:
        path = os.path.normpath(name) if base in ("", os.curdir) else os.path.join(base, name)
        is_folder = os.path.isdir(path)
        if rest:
            if is_folder:
                yield from _match(path, rest, walk_folders)
        elif is_folder:
            if walk_folders:
                yield from _images_under(path)
        elif _is_image(name) or not part.endswith("*"):
            yield path


# ---------------------------------------------------------------- decoding


def decode(source: Source, record: Preprocess) -> npt.NDArray[np.uint8]:
    """Decode one image, turn it upright, resize its short side and cut its centre.

    Parameters
    ----------
    source : path-like, bytes, array or Pillow image
        A regular file or its bytes: JPEG, PNG, WebP, BMP, GIF, TIFF or PPM, of animations the first frame.
        An array: uint8, (h, w), (h, w, 1), (h, w, 3) RGB or (h, w, 4) RGBA.
    record : Preprocess
        Size, filter and channel order of the result.

    Returns
    -------
    array, (size_h, size_w, channels), uint8
        C-contiguous, not normalised; the caller's own.

    Raises
    ------
    ImageError
        Whatever is wrong with the source, with the reason in one line and without its name.

    Notes
    -----
    In this order: EXIF orientation (ignored where broken); 16-bit values shifted to 8; transparency over black;
    conversion to RGB or grey; Pillow's ``resize`` to ``(round(w·s), round(h·s))``, ``s = resize / min(w, h)``; the
    centre crop.
    """
    with _opened(source) as image:
        return _prepare(image, record)


@contextmanager
def _pillows_word() -> Iterator[None]:
    """Around calls of Pillow and the system alone: decoders raise whatever they like, and our own mistakes must not pass for that."""
    try:
        yield
    except Exception as error:
        raise ImageError(_reason(error)) from None


@contextmanager
def _opened(source: Source) -> Iterator[Image.Image]:
    """Give an image whose size is known and allowed; its pixels may not be read yet."""
    from PIL import Image

    if isinstance(source, np.ndarray):
        yield _from_array(source)
    elif isinstance(source, Image.Image):
        _check_size(source.size)
        with _LOADING, _pillows_word():  # a lazily opened image that was given twice may be read by two threads
            source.load()
        yield source
    elif isinstance(source, (bytes, bytearray, memoryview)):
        if not len(source):
            raise ImageError("there are no bytes in it")
        with _pillows_word():
            image = Image.open(io.BytesIO(source), formats=_FORMATS)
        with image:
            _check_size(image.size)
            yield image
    elif isinstance(source, (str, os.PathLike)):
        with _pillows_word():
            state = os.stat(source)
        _check_file(state)
        with _pillows_word():
            file = open(source, "rb")  # noqa: SIM115
        with file:
            with _pillows_word():
                image = Image.open(file, formats=_FORMATS)
            with image:
                _check_size(image.size)
                yield image
    else:
        raise ImageError(
            f"expected a path, the bytes of a file, a NumPy array or a Pillow image, got {type(source).__name__}"
        )


_LOADING = threading.Lock()


def _check_file(state: os.stat_result) -> None:
    """Refuse, before it is opened, what is not a file: opening a FIFO would wait for ever."""
    if stat.S_ISDIR(state.st_mode):
        raise ImageError("it is a folder: gpucnn.images.find lists the images in it")
    if not stat.S_ISREG(state.st_mode):
        raise ImageError("it is not a regular file")
    if not state.st_size:
        raise ImageError("the file is empty")


def _check_size(size: tuple[int, int]) -> None:
    w, h = size
    limit = settings().max_image_pixels
    if not w or not h:
        raise ImageError(f"it has no pixels (width {w}, height {h})")
    if w * h > limit:
        raise ImageError(f"{w}×{h} is {w * h} pixels, the limit is {limit}: GPUCNN_MAX_IMAGE_PIXELS raises it")


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    from PIL import Image

    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        shape = "×".join(map(str, array.shape)) or "scalar"
        raise ImageError(f"expected a uint8 array (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), got {shape} {array.dtype}")
    _check_size((array.shape[1], array.shape[0]))
    return Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _prepare(image: Image.Image, record: Preprocess) -> npt.NDArray[np.uint8]:
    from PIL import Image

    with _pillows_word():
        image.load()
    turn = _turn(image)  # after load, which turns TIFF files by itself and takes their mark away
    image = _eight_bit(image)
    with _pillows_word():
        image = _opaque(image, "L" if record.order == "L" else "RGB")
        if turn is not None:
            image = image.transpose(turn)

    w, h = image.size
    crop_h, crop_w = record.size
    scale = record.resize / min(w, h)
    new_w, new_h = round(w * scale), round(h * scale)
    left, top = (new_w - crop_w) // 2, (new_h - crop_h) // 2
    method = Image.Resampling[record.interpolation.upper()]
    if new_w * new_h <= settings().max_image_pixels:
        with _pillows_word():
            image = image.resize((new_w, new_h), method).crop((left, top, left + crop_w, top + crop_h))
    else:  # so long and narrow that the resized image would burst: resize only what the crop will keep
        box = (left * w / new_w, top * h / new_h, (left + crop_w) * w / new_w, (top + crop_h) * h / new_h)
        with _pillows_word():
            image = image.resize((crop_w, crop_h), method, box=box)

    pixels: npt.NDArray[np.uint8] = np.array(image, dtype=np.uint8)
    if record.order == "L":
        return pixels[:, :, None]
    return np.ascontiguousarray(pixels[:, :, ::-1]) if record.order == "BGR" else pixels


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what turns an image upright by its EXIF mark, or None."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        mark = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow's word on broken EXIF, which then says nothing
        return None
    return turns.get(mark) if isinstance(mark, int) else None


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring grey images of 16 and 32 bits per pixel to 8.

    Values of a mode without a set range are scaled by the smallest of the usual ranges that holds their largest:
    1 (float only), 255, 65535, 2³¹ − 1.
    """
    from PIL import Image

    if image.mode not in ("I", "F") and not image.mode.startswith("I;"):
        return image
    values = np.asarray(image)
    if image.mode.startswith("I;") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        values = np.clip(values, 0, 65535) >> 8
    elif image.mode == "I":
        top = int(values.max())
        values = np.maximum(values, 0) >> (0 if top < 256 else 8 if top < 65536 else 23)
    else:
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        top = values.max()
        values = np.clip(values * (255.0 if top <= 1 else 1.0 if top < 256 else 255 / 65535), 0, 255)
    return Image.fromarray(values.astype(np.uint8))


def _opaque(image: Image.Image, mode: str) -> Image.Image:
    """Lay an image over black where it is transparent and convert it to ``mode``, RGB or L."""
    from PIL import Image

    if image.has_transparency_data:
        layer = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        image = Image.new("RGB", layer.size)
        image.paste(layer, mask=layer.getchannel("A"))
    return image if image.mode == mode else image.convert(mode)


def _reason(error: Exception) -> str:
    """Return one short line for people, without the file's name."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"not an image, or damaged at its beginning (expected {_ACCEPTED})"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return (
            f"too many pixels: the limits are GPUCNN_MAX_IMAGE_PIXELS ({settings().max_image_pixels}) "
            f"and Pillow's own, PIL.Image.MAX_IMAGE_PIXELS ({Image.MAX_IMAGE_PIXELS})"
        )
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it"
    if isinstance(error, OSError) and error.errno is not None:
        if isinstance(error, PermissionError):
            return "no permission to read it"
        return "no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    return f"it cannot be decoded: {text[:200]}"
