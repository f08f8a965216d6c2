"""``find`` and ``decode``: every mode of image, every way to be broken."""

from __future__ import annotations

import io
import os
import struct
import sys
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpucnn import images
from gpucnn.errors import ImageError
from gpucnn.preprocess import Preprocess
from gpucnn.settings import Settings, settings

RECORD = Preprocess(size=(24, 20), resize=28, interpolation="bicubic")
GREY = Preprocess(size=(24, 20), resize=28, interpolation="bicubic", mean=(0.5,), std=(0.5,), order="L")


def photo(w=53, h=37, seed=0):
    """Smooth colour noise, as an RGB image."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(small).resize((w, h), Image.Resampling.BICUBIC)


def encoded(image, suffix, **options):
    buffer = io.BytesIO()
    image.save(buffer, suffix, **options)
    return buffer.getvalue()


def by_the_letter(image, record):
    """What preprocess.Preprocess says, written out; its own arithmetic for the crop."""
    w, h = image.size
    s = record.resize / min(w, h)
    resized = np.asarray(image.resize((round(w * s), round(h * s)), Image.Resampling[record.interpolation.upper()]))
    (ch, cw), (rh, rw) = record.size, resized.shape[:2]
    top, left = (rh - ch) // 2, (rw - cw) // 2
    crop = resized[top : top + ch, left : left + cw]
    return crop[:, :, None] if crop.ndim == 2 else crop


def limited(monkeypatch, pixels):
    monkeypatch.setattr(images, "settings", lambda: Settings(**{**settings().__dict__, "max_image_pixels": pixels}))


# ---------------------------------------------------------------- decode: right


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(53, 37), (37, 53), (28, 28), (500, 101), (7, 5), (1, 1), (1, 9), (24, 20)])
def test_decode_follows_the_record_to_the_letter(size, interpolation):
    record = Preprocess(size=(24, 20), resize=28, interpolation=interpolation)
    image = photo(*size)
    got = images.decode(encoded(image, "PNG"), record)
    assert got.dtype == np.uint8
    assert got.shape == (24, 20, 3)
    assert got.flags.c_contiguous
    assert got.flags.writeable
    np.testing.assert_array_equal(got, by_the_letter(image, record))


def test_sources_of_every_kind_agree(tmp_path):
    image = photo()
    path = tmp_path / "a.png"
    image.save(path)
    want = by_the_letter(image, RECORD)
    pixels = np.asarray(image)
    strided = np.repeat(pixels, 2, axis=1)[:, ::2]
    flipped = np.ascontiguousarray(pixels[:, ::-1])[:, ::-1]
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    data = path.read_bytes()
    sources = [path, str(path), data, bytearray(data), memoryview(data), image, Image.open(path), pixels]
    sources += [np.asfortranarray(pixels), strided, flipped, opaque]
    for source in sources:
        np.testing.assert_array_equal(images.decode(source, RECORD), want)


@pytest.mark.parametrize("suffix", ["PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_lossless_formats(suffix):
    image = photo().quantize(32).convert("RGB")
    options = {"lossless": True, "exact": True} if suffix == "WEBP" else {}
    got = images.decode(encoded(image, suffix, **options), RECORD)
    if suffix == "GIF":  # its palette is made anew
        assert np.abs(got.astype(int) - by_the_letter(image, RECORD)).max() <= 2
    else:
        np.testing.assert_array_equal(got, by_the_letter(image, RECORD))


def test_jpeg_is_decoded_at_full_size():
    data = encoded(photo(400, 300), "JPEG", quality=90)
    np.testing.assert_array_equal(images.decode(data, RECORD), by_the_letter(Image.open(io.BytesIO(data)), RECORD))


def test_channel_orders():
    image = photo()
    rgb = images.decode(image, RECORD)
    bgr = images.decode(image, Preprocess(size=(24, 20), resize=28, interpolation="bicubic", order="BGR"))
    assert bgr.flags.c_contiguous
    np.testing.assert_array_equal(bgr[..., ::-1], rgb)
    grey = images.decode(image, GREY)
    assert grey.shape == (24, 20, 1)
    np.testing.assert_array_equal(grey, by_the_letter(image.convert("L"), GREY))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(suffix, turn):
    upright = Image.new("RGB", (40, 60), (10, 10, 10))
    upright.paste((250, 10, 10), (0, 0, 20, 20))  # red in the top left corner
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the Transpose method that undoes each turn
    stored = upright.transpose(Image.Transpose(back[turn])) if turn > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"quality": 95, "subsampling": 0} if suffix == "JPEG" else {"lossless": True} if suffix == "WEBP" else {}
    data = encoded(stored, suffix, exif=exif, **options)
    got = images.decode(data, Preprocess(size=(20, 20), resize=20, interpolation="nearest")).astype(int)
    want = by_the_letter(upright, Preprocess(size=(20, 20), resize=20, interpolation="nearest"))
    assert np.abs(got - want).max() <= (40 if suffix == "JPEG" else 0)


def test_turned_tiff_with_several_frames():
    upright = photo(40, 60)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    data = encoded(stored, "TIFF", exif=exif, save_all=True, append_images=[Image.new("RGB", (60, 40))])
    np.testing.assert_array_equal(images.decode(data, RECORD), by_the_letter(upright, RECORD))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",  # 65535 entries, none there
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\xff\xff\x7f\x08\0\0\0",  # orientation: 2 GB of text
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",  # orientation 99
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x07\0\x04\0\0\0\x06\0\0\0\0\0\0\0",  # orientation as raw bytes
        b"Exif\0\0" + b"\xff" * 50,
        b"Exif\0\0",
        b"nonsense",
    ],
)
def test_broken_exif_is_ignored(exif):
    image = photo()
    data = encoded(image, "JPEG", quality=95)
    marked = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(images.decode(marked, RECORD), images.decode(data, RECORD))


def over_black(pixels, alpha):
    """MULDIV255 of Pillow: round(v·a/255) by shifts."""
    t = pixels.astype(int) * alpha.astype(int)[:, :, None] + 128
    return Image.fromarray((((t >> 8) + t) >> 8).astype(np.uint8))


def test_transparency_lies_over_black():
    image = photo()
    pixels = np.asarray(image)
    alpha = np.asarray(photo(seed=1).convert("L"))
    rgba = np.dstack([pixels, alpha])
    want = by_the_letter(over_black(pixels, alpha), RECORD)
    np.testing.assert_array_equal(images.decode(encoded(Image.fromarray(rgba), "PNG"), RECORD), want)
    np.testing.assert_array_equal(images.decode(rgba, RECORD), want)
    grey = image.convert("L")
    la = Image.merge("LA", (grey, Image.fromarray(alpha)))
    want = by_the_letter(over_black(np.dstack([np.asarray(grey)] * 3), alpha), RECORD)
    np.testing.assert_array_equal(images.decode(la, RECORD), want)
    np.testing.assert_array_equal(images.decode(la, GREY), want[:, :, :1])
    np.testing.assert_array_equal(images.decode(Image.fromarray(rgba).convert("RGBa"), RECORD).shape, (24, 20, 3))


@pytest.mark.parametrize("mode", ["P", "PA", "RGB", "L", "1"])
def test_a_transparent_colour_is_black(mode, tmp_path):
    image = Image.new("RGB", (40, 40), (255, 255, 255))
    image.paste((255, 0, 0), (0, 0, 40, 20))
    if mode == "PA":
        data = Image.frombytes("PA", (40, 40), b"\0\xff" * 800 + b"\1\0" * 800)  # index and alpha in turn
        data.putpalette([255, 0, 0, 255, 255, 255])
    elif mode == "P":
        palette = Image.new("P", (40, 40), 1)
        palette.putpalette([255, 0, 0, 255, 255, 255])
        palette.paste(0, (0, 0, 40, 20))
        data = encoded(palette, "PNG", transparency=1)
    elif mode == "RGB":
        data = encoded(image, "PNG", transparency=(255, 255, 255))
    else:
        data = encoded(image.convert(mode), "PNG", transparency=255)
    got = images.decode(data, Preprocess(size=(40, 40), resize=40, interpolation="nearest"))
    assert not got[20:].any()
    if mode in ("P", "PA", "RGB"):
        assert (got[:20] == (255, 0, 0)).all()


def test_grey_palette_cmyk_and_bits():
    image = photo()
    for mode in ("L", "P", "CMYK", "YCbCr", "HSV", "1"):
        converted = image.convert(mode)
        np.testing.assert_array_equal(images.decode(converted, RECORD), by_the_letter(converted.convert("RGB"), RECORD))
    data = encoded(image.convert("CMYK"), "JPEG", quality=95)
    got = images.decode(data, RECORD).astype(int)
    assert np.abs(got - by_the_letter(image, RECORD)).mean() < 12
    np.testing.assert_array_equal(
        images.decode(encoded(image.convert("1"), "PNG"), GREY), by_the_letter(image.convert("1").convert("L"), GREY)
    )


def test_sixteen_bits_are_shifted_to_eight():
    high = np.asarray(photo().convert("L")).astype(np.uint16)
    deep = (high << 8) | 77
    want = by_the_letter(Image.fromarray(high.astype(np.uint8)), GREY)
    image = Image.fromarray(deep)  # I;16 or I by the version of Pillow
    assert image.mode.startswith("I")
    pgm = b"P5 53 37 65535\n" + deep.astype(">u2").tobytes()
    for data in (image, encoded(image, "PNG"), encoded(image, "TIFF"), pgm):
        np.testing.assert_array_equal(images.decode(data, GREY), want)
        np.testing.assert_array_equal(images.decode(data, RECORD), np.repeat(want, 3, axis=2))
    swapped = Image.frombytes("I;16B", image.size, deep.astype(">u2").tobytes())
    np.testing.assert_array_equal(images.decode(swapped, GREY), want)


def test_a_dark_sixteen_bit_file_stays_dark():
    dark = Image.fromarray(np.full((30, 30), 200, np.uint16))
    assert not images.decode(encoded(dark, "PNG"), GREY).any()


def test_wide_integers_and_floats_fill_eight_bits():
    grey = np.asarray(photo().convert("L"))
    want = by_the_letter(Image.fromarray(grey), GREY)
    for values in (grey.astype(np.int32), grey.astype(np.int32) << 8, grey.astype(np.int32) << 23):
        np.testing.assert_array_equal(images.decode(Image.fromarray(values), GREY), want)
    for values in (grey.astype(np.float32), grey.astype(np.float32) / 255, grey.astype(np.float32) * 257):
        got = images.decode(Image.fromarray(values), GREY).astype(int)
        assert np.abs(got - want).max() <= 1
    odd = grey.astype(np.float32)
    odd[0, :4] = (np.nan, np.inf, -np.inf, -5)
    assert images.decode(Image.fromarray(odd), GREY).shape == (24, 20, 1)
    assert images.decode(Image.fromarray(np.full((9, 9), -7, np.int32)), GREY).max() == 0


def test_rgb_of_sixteen_bits():
    raw = b"".join(
        b"\0" + struct.pack(">30H", *np.repeat([0x1234, 0x5678, 0x9ABC], 10).reshape(3, 10).T.ravel())
        for _ in range(10)
    )
    data = png(10, 10, 16, 2, raw)
    got = images.decode(data, RECORD)
    assert (got == (0x12, 0x56, 0x9A)).all()


def test_first_frame_of_animations():
    first, second = photo(seed=1), photo(seed=2)
    want = by_the_letter(first, RECORD).astype(int)
    for suffix, slack in (("PNG", 0), ("WEBP", 0), ("TIFF", 0), ("GIF", 60)):
        options = {"lossless": True} if suffix == "WEBP" else {}
        data = encoded(first, suffix, save_all=True, append_images=[second], **options)
        assert np.abs(images.decode(data, RECORD) - want).max() <= slack


def test_the_callers_image_is_left_alone():
    image = photo().convert("P")
    before = (image.mode, image.size, image.tobytes(), dict(image.info))
    array = np.asarray(photo()).copy()
    array.setflags(write=False)
    images.decode(image, RECORD)
    images.decode(array, RECORD)
    assert (image.mode, image.size, image.tobytes(), dict(image.info)) == before
    full = np.zeros((24, 24, 3), np.uint8)
    got = images.decode(full, Preprocess(size=(24, 24), resize=24))
    got[:] = 1
    assert not full.any()


def test_long_and_narrow_is_decoded_within_the_limit():
    column = np.random.default_rng(0).integers(0, 256, (200_000, 1, 3), np.uint8)  # resized whole: 28 × 5,600,000
    got = images.decode(column, RECORD)
    row = images.decode(np.ascontiguousarray(column.transpose(1, 0, 2)), RECORD)
    want = by_the_letter(Image.fromarray(column[99_900:100_100]), RECORD)  # the centre is all that the crop keeps
    assert np.abs(got.astype(int) - want).max() <= 1
    assert row.shape == (24, 20, 3)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_the_narrow_way_equals_the_plain_way(monkeypatch, interpolation):
    record = Preprocess(size=(24, 20), resize=28, interpolation=interpolation)
    for size in ((31, 200), (300, 17), (64, 64), (9, 333)):
        image = photo(*size)
        want = by_the_letter(image, record)
        with monkeypatch.context() as patch:
            w, h = size
            s = 28 / min(size)
            limited(patch, max(w * h, round(w * s) * round(h * s) - 1))
            got = images.decode(image, record)
        assert np.abs(got.astype(int) - want).max() <= (0 if interpolation == "nearest" else 1)


# ---------------------------------------------------------------- decode: wrong


def png(w, h, depth, colour, raw, *chunks):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def refused(source, record=RECORD):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ImageError) as caught:
            images.decode(source, record)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert len(text) < 300
    return text


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_truncated_files(suffix):
    data = encoded(photo(200, 150), suffix)
    for part in (0.02, 0.3, 0.9):
        assert refused(data[: int(len(data) * part)])


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_flipped_bits_give_an_image_or_our_error(suffix):
    data = encoded(photo(60, 50), suffix)
    random = np.random.default_rng(5)
    for _ in range(60):
        bad = bytearray(data)
        for at in random.integers(0, min(len(bad), 400), 4):
            bad[at] = random.integers(256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with suppress(ImageError):
                assert images.decode(bytes(bad), RECORD).shape == (24, 20, 3)


def test_not_images():
    assert "JPEG, PNG, WebP" in refused(b"plain text")
    assert "no bytes" in refused(b"")
    assert "damaged" in refused(b"\xff\xd8\xff")
    for other in (
        b"8BPS\0\1" + bytes(60),
        b"SIMPLE  =                    T" + bytes(2880),
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
    ):
        assert "JPEG, PNG, WebP" in refused(other)


def test_formats_off_the_list_are_not_opened():
    for suffix in ("ICO", "TGA", "PCX", "SGI", "DDS"):
        assert "JPEG, PNG, WebP" in refused(encoded(photo(32, 32).convert("RGB"), suffix))


def test_too_many_pixels_are_refused_from_the_header(monkeypatch):
    bomb = png(50_000, 50_000, 8, 2, b"")  # 7.5 GB of pixels in under 100 bytes
    assert "GPUCNN_MAX_IMAGE_PIXELS" in refused(bomb)
    middling = png(12_000, 10_000, 8, 2, b"")  # between once and twice Pillow's limit, where it only warns
    assert "120000000 pixels, the limit is" in refused(middling)
    assert "120000000 pixels" in refused(np.broadcast_to(np.uint8(0), (12_000, 10_000)))
    limited(monkeypatch, 100)
    assert "GPUCNN_MAX_IMAGE_PIXELS" in refused(photo(11, 10))
    assert images.decode(encoded(photo(9, 10), "GIF"), Preprocess(size=(4, 4), resize=4)).shape == (4, 4, 3)


def test_a_warning_made_an_error_stays_ours():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="GPUCNN_MAX_IMAGE_PIXELS"):
            images.decode(png(12_000, 10_000, 8, 2, b""), RECORD)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((), np.uint8),
        np.zeros((4, 4), bool),
        np.array([["a"]], dtype=object),
    ],
)
def test_arrays_of_other_kinds(array):
    text = refused(array)
    assert "uint8 array (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)" in text
    assert str(array.dtype) in text


def test_nothing_to_see():
    assert "no pixels" in refused(np.zeros((0, 4, 3), np.uint8))
    assert "no pixels" in refused(np.zeros((4, 0), np.uint8))
    assert "no pixels" in refused(Image.new("RGB", (0, 5)))
    assert "NoneType" in refused(None)
    assert "int" in refused(7)


def test_files_that_cannot_be_read(tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert refused(empty) == "the file is empty"
    assert refused(tmp_path / "gone.jpg") == "no such file"
    assert "folder" in refused(tmp_path)
    assert refused("nul\0byte.jpg")
    assert refused(str(tmp_path / ("x" * 5000)))
    assert "not a regular file" in refused(os.devnull) or sys.platform == "win32"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a regular file" in refused(tmp_path / "pipe.jpg")  # opening it would wait for ever


def test_no_permission(monkeypatch, tmp_path):
    path = tmp_path / "a.png"
    photo().save(path)

    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", denied)
    assert refused(path) == "no permission to read it"


def test_no_memory(monkeypatch):
    def full(*_args, **_options):
        raise MemoryError

    image = photo()
    monkeypatch.setattr(Image.Image, "resize", full)
    assert "memory" in refused(image)


def test_a_suffix_means_nothing_when_decoding(tmp_path):
    path = tmp_path / "picture.txt"
    path.write_bytes(encoded(photo(), "PNG"))
    np.testing.assert_array_equal(images.decode(path, RECORD), by_the_letter(photo(), RECORD))


# ---------------------------------------------------------------- find


@pytest.fixture
def tree(tmp_path, monkeypatch):
    names = (
        "b.jpg a.JPG c.Jpeg notes.txt ._a.jpg .hidden.png d.png.bak sub/z.PNG sub/y.webp sub/deep/x.TIF sub/deep/w.pgm "
        ".git/v.jpg other/u.gif"
    )
    for name in names.split():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return "root"


def found(*paths):
    return [path.replace(os.sep, "/") for path in images.find(paths)]


def test_find_folder(tree):
    want = ["a.JPG", "b.jpg", "c.Jpeg", "other/u.gif", "sub/y.webp", "sub/z.PNG", "sub/deep/w.pgm", "sub/deep/x.TIF"]
    assert found(tree) == [f"root/{name}" for name in want]
    assert found(Path(tree)) == found("root/") == found(tree)
    assert [os.path.relpath(p, tree) for p in images.find([os.path.abspath(tree)])] == [
        os.path.normpath(p) for p in want
    ]


def test_find_takes_named_files_whatever_they_are(tree):
    assert found("root/notes.txt", "root/missing.jpg", "root/.hidden.png") == [
        "root/notes.txt",
        "root/missing.jpg",
        "root/.hidden.png",
    ]


@pytest.mark.parametrize(
    ("pattern", "want"),
    [
        ("root/*.jpg", ["root/b.jpg"]),
        ("root/?.[Jj]*", ["root/a.JPG", "root/b.jpg", "root/c.Jpeg"]),
        ("root/*.txt", ["root/notes.txt"]),
        ("root/sub/*", ["root/sub/deep/w.pgm", "root/sub/deep/x.TIF", "root/sub/y.webp", "root/sub/z.PNG"]),
        ("*/sub/*.PNG", ["root/sub/z.PNG"]),
        ("**/*.webp", ["root/sub/y.webp"]),
        ("root/**/*.webp", ["root/sub/y.webp"]),
        ("root/**/b.jpg", ["root/b.jpg"]),
        ("root/**/deep/*.pgm", ["root/sub/deep/w.pgm"]),
        ("root/sub/**", ["root/sub/y.webp", "root/sub/z.PNG", "root/sub/deep/w.pgm", "root/sub/deep/x.TIF"]),
        ("root/**/**/*.gif", ["root/other/u.gif"]),
        ("./root/oth*", ["root/other/u.gif"]),
        ("root/.hid*.png", ["root/.hidden.png"]),
        ("root/*.nothing", []),
        ("nowhere/*.jpg", []),
        ("root/b.jpg/*", []),
    ],
)
def test_find_globs(tree, pattern, want):
    if os.path.normcase("A") == "a":  # where case does not count, fnmatch finds more
        pytest.skip("file names without case")
    assert found(pattern) == want
    assert [os.path.relpath(p) for p in images.find([os.path.abspath(pattern)])] == [os.path.normpath(p) for p in want]


def test_a_file_with_glob_characters_in_its_name(tree):
    name = "root/[b].jpg"
    Path(name).touch()
    assert found(name) == [name]


def test_find_is_lazy(tree):
    endless = iter(lambda: tree, None)
    first = images.find(endless)
    assert [next(first) for _ in range(20)][8:16] == list(images.find([tree]))


def test_find_follows_links_once(tree):
    try:
        os.symlink(os.path.abspath(tree), "root/sub/loop", target_is_directory=True)
        os.symlink(os.path.abspath("root/sub"), "root/again", target_is_directory=True)
        os.symlink("nowhere", "root/broken.jpg")
    except OSError:
        pytest.skip("no symlinks here")
    got = found(tree)
    assert len({os.path.realpath(path) for path in got}) == len(got) == 9
    assert "root/broken.jpg" in got  # a row that says so
    assert "root/again/y.webp" in got
    assert found("root/**/*.webp") == ["root/again/y.webp"]
    assert refused("root/broken.jpg") == "no such file"


def test_a_folder_that_vanishes_stops_the_listing(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    for i in range(300):
        (folder / f"{i:03}.jpg").touch()
    listing = images.find([folder])
    next(listing)
    folder.rename(tmp_path / "gone")
    with pytest.raises(ImageError, match="vanished"):
        list(listing)


def test_an_unreadable_folder(tree, monkeypatch, caplog):
    listing = images._listing

    def denied(folder):
        if folder.endswith(("sub", "closed")):
            raise PermissionError(13, "Permission denied", folder)
        return listing(folder)

    monkeypatch.setattr(images, "_listing", denied)
    assert len(found(tree)) == 4
    assert "Permission denied" in caplog.text
    os.mkdir("closed")
    with pytest.raises(ImageError, match=r"closed.*Permission denied"):
        found("closed")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are always Unicode here")
def test_names_that_are_not_utf8(tmp_path):
    data = encoded(photo(), "PNG")
    name = os.fsencode(tmp_path) + b"/bad\xff.png"
    with open(name, "wb") as file:
        file.write(data)
    (path,) = images.find([tmp_path])
    np.testing.assert_array_equal(images.decode(path, RECORD), images.decode(data, RECORD))
