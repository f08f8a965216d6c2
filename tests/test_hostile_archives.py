"""Zip files and NumPy archives that lie, and files that are none, each built here: refused with the reason, before memory is taken."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hostile import refused_cleanly
from test_torch_checkpoint import SIX, mapping, tensor, write_legacy, write_zip

from gpucnn.errors import LimitError, ModelError
from gpucnn.formats import archive, read_weights

# ---- zips that lie ----------------------------------------------------------------------------------------------------


def edited(path, edit):
    """The file with ``edit(bytearray)`` done to it."""
    data = bytearray(path.read_bytes())
    edit(data)
    path.write_bytes(bytes(data))
    return path


def central(data, member, offset):
    """Where a field of a member's entry in the list at the end is."""
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(member)] != member:
        at = data.index(b"PK\x01\x02", at + 4)
    return at + offset


def plain(tmp_path):
    return write_zip(tmp_path / "net.pth", mapping(weight=tensor()))


SIZES = {"larger": 1000, "a terabyte": 0xFFFFFFFE, "smaller": 3}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("fields", [(24,), (20,), (20, 24)], ids=["unpacked", "packed", "both"])
@pytest.mark.parametrize("member", [b"net/data/0", b"net/data.pkl"])
def test_members_that_lie_about_their_size(tmp_path, member, fields, size):
    def edit(data):
        for field in fields:
            at = central(data, member, field)
            data[at : at + 4] = struct.pack("<I", size)

    refused_cleanly(edited(plain(tmp_path), edit))


def test_members_that_say_one_thing_here_and_another_there(tmp_path):
    def other_name(data):
        at = data.index(b"net/data/0")
        data[at : at + 10] = b"net/data/9"

    refused_cleanly(edited(plain(tmp_path), other_name), "differ")

    def other_place(data):
        at = central(data, b"net/data/0", 42)
        data[at : at + 4] = struct.pack("<I", len(data) + 5)

    refused_cleanly(edited(plain(tmp_path), other_place))


def test_a_member_whose_bytes_changed(tmp_path):
    def edit(data):
        at = data.index(SIX.tobytes())
        data[at + 8] ^= 1

    refused_cleanly(edited(plain(tmp_path), edit), "CRC")


def test_two_members_of_one_name(tmp_path):
    path = tmp_path / "net.pth"
    plain(tmp_path)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("net/data/0", (2 * SIX).tobytes())
    refused_cleanly(path, "two members 'net/data/0'")


def test_encrypted_members(tmp_path):
    def edit(data):
        for field in (central(data, b"net/data/0", 8), data.index(b"net/data/0") - 24):
            data[field] |= 1

    refused_cleanly(edited(plain(tmp_path), edit), "encrypted")


@pytest.mark.parametrize("method", [9, 12, 14, 93, 99])
def test_compressions_that_nobody_uses(tmp_path, method):
    def edit(data):
        for field in (central(data, b"net/data/0", 10), data.index(b"net/data/0") - 22):
            data[field : field + 2] = struct.pack("<H", method)

    refused_cleanly(edited(plain(tmp_path), edit))


@pytest.mark.parametrize("suffix", ["npz", "pth"])
def test_a_long_list_of_members(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(archive, "_MOST_INDEX_BYTES", 2000)
    path = tmp_path / f"net.{suffix}"
    with zipfile.ZipFile(path, "w") as file:
        for i in range(100):
            file.writestr(f"{i}.npy", b"")
    refused_cleanly(path, "list of members takes", "expected at most 2000")


def test_a_list_of_members_in_the_wide_format(tmp_path):
    """ZIP64 keeps the length of the list elsewhere."""
    path = tmp_path / "net.npz"
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, 1 << 40, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 4, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(b"PK\x03\x04" + record + locator + end)
    refused_cleanly(path, f"takes {1 << 40} bytes")


def test_a_bomb_by_compression_is_weighed_by_what_it_declares(tmp_path, set_limits):
    path = tmp_path / "net.npz"
    np.savez_compressed(path, a=np.zeros(10**7, np.float32))
    assert path.stat().st_size < 100_000
    set_limits(max_weight_bytes=10**7)
    with pytest.raises(LimitError, match=r"net\.npz: unpacked, the arrays take \d+ bytes, the limit is 10000000"):
        read_weights(path)

    def understate(data):  # and where it declares less, no more than that is unpacked
        at = central(data, b"a.npy", 24)
        data[at : at + 4] = struct.pack("<I", 1000)

    refused_cleanly(edited(path, understate))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("make", ["zip", "legacy", "npz", "safetensors"])
def test_truncated(tmp_path, make, keep):
    from safetensors.numpy import save_file

    path = tmp_path / ("net.safetensors" if make == "safetensors" else "net.bin")
    match make:
        case "zip":
            plain(tmp_path).rename(path)
        case "legacy":
            write_legacy(path, mapping(weight=tensor()), ("0", SIX))
        case "npz":
            with open(path, "wb") as file:
                np.savez(file, a=SIX)
        case _:
            save_file({"a": SIX}, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    refused_cleanly(path)


# ---- npz --------------------------------------------------------------------------------------------------------------


def write_npz(path, *members):
    with zipfile.ZipFile(path, "w") as file:
        for member, data in members:
            file.writestr(member, data)
    return path


def npy(header, data=b"", version=b"\x01\x00"):
    text = header if isinstance(header, bytes) else header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\x01\x00" else "<I", len(text)) + text + data


def described(descr="'<f4'", shape="(6,)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


MEMBERS = {
    "objects": (npy(described("'|O'"), pickle.dumps([1])), "pickled objects are never read"),
    "fields": (npy(described("[('a', '<f4')]"), bytes(24)), "is not a number"),
    "text": (npy(described("'<U6'"), bytes(24)), "is not a number"),
    "complex numbers": (npy(described("'<c8'"), bytes(48)), "is not a number"),
    "times": (npy(described("'<M8[s]'"), bytes(48)), "is not a number"),
    "a terabyte": (npy(described(shape="(1000000000000,)"), bytes(24)), "the file holds 24"),
    "a shape that overflows": (npy(described(shape="(4611686018427387904, 4)"), bytes(24)), "more than memory has addresses"),
    "an empty shape that overflows": (npy(described(shape="(4611686018427387904, 0, 4)")), "more than memory has addresses"),
    "a negative size": (npy(described(shape="(-6,)"), bytes(24)), "none below 0"),
    "two negative sizes": (npy(described(shape="(-2, -3)"), bytes(24)), "none below 0"),
    "40 axes": (npy(described(shape=f"({'1, ' * 40})"), bytes(4)), "at most 32 sizes"),
    "true for a size": (npy(described(shape="(True, 6)"), bytes(24)), ""),
    "a long header": (npy(b" " * 60_000 + described().encode(), bytes(24)), "broken header"),
    "a longer one": (npy(b" " * 2_000_000 + described().encode(), bytes(24), b"\x02\x00"), "broken header"),
    "source": (npy("__import__('os').system('touch mark')"), "broken header"),
    "source in the dict": (npy(described(shape="(__import__('os').getpid(),)")), "broken header"),
    "deep source": (npy(described(shape="(" * 3000 + ")" * 3000)), "broken header"),
    "a power": (npy(described(shape="(9**9**9,)")), "broken header"),
    "no header": (b"\x93NUMPY", "does not begin as one"),
    "another version": (npy(described(), bytes(24), b"\x03\x00"), "is not one of numbers"),
    "nothing": (b"", "does not begin as one"),
    "more bytes than it says": (npy(described(), bytes(28)), "takes 24 bytes, the file holds 28"),
}


@pytest.mark.parametrize(("content", "reason"), MEMBERS.values(), ids=MEMBERS)
def test_arrays_that_lie(tmp_path, monkeypatch, content, reason):
    monkeypatch.chdir(tmp_path)
    refused_cleanly(write_npz(tmp_path / "a.npz", ("w.npy", content)), reason)
    assert not (tmp_path / "mark").exists()


def test_npz_of_other_members_and_twice_one(tmp_path):
    good = npy(described(), bytes(24))
    with pytest.warns(UserWarning, match="Duplicate"):
        write_npz(tmp_path / "a.npz", ("w.npy", good), ("w.npy", good))
    refused_cleanly(tmp_path / "a.npz", "two members 'w.npy'")
    refused_cleanly(write_npz(tmp_path / "b.npz", ("w.npy", good), ("readme.txt", b"hello")), "0 members 'data.pkl'")
    refused_cleanly(write_npz(tmp_path / "c.npz"))


# ---- files that are none ----------------------------------------------------------------------------------------------


def test_pipes_devices_and_links(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    refused_cleanly(tmp_path / "pipe.pth", "is not a regular file")
    (tmp_path / "zero.pth").symlink_to("/dev/zero")
    refused_cleanly(tmp_path / "zero.pth", "is not a regular file")
    (tmp_path / "loop.pth").symlink_to(tmp_path / "loop.pth")
    refused_cleanly(tmp_path / "loop.pth", "cannot be read")
    (tmp_path / "gone.pth").symlink_to(tmp_path / "nowhere")
    refused_cleanly(tmp_path / "gone.pth", "no such file")
    with pytest.raises(ModelError, match="null character"):
        read_weights(str(tmp_path / "a\0b"))
    with pytest.raises(ModelError, match="cannot be read: File name too long"):
        read_weights(tmp_path / ("a" * 300))


def test_a_link_to_weights_is_followed(tmp_path):
    """Caches of downloads are made of links."""
    np.savez(tmp_path / "blob", w=SIX)
    (tmp_path / "net.npz").symlink_to(tmp_path / "blob.npz")
    np.testing.assert_array_equal(read_weights(tmp_path / "net.npz")["w"], SIX)
