"""PyTorch checkpoints, assembled here byte by byte: no test needs PyTorch."""

from __future__ import annotations

import contextlib
import io
import logging
import pickle
import struct
import zipfile

import numpy as np
import pytest

from gpucnn.errors import LimitError, ModelError
from gpucnn.formats import read_weights
from gpucnn.formats.pickle_data import PickleError, read_pickle

# ---- a little assembler of pickles -----------------------------------------------------------------------------------


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value):
    return b"J" + struct.pack("<i", value) if -(2**31) <= value < 2**31 else b"\x8a\x09" + value.to_bytes(9, "little")


def items(*parts):
    return b"(" + b"".join(parts) + b"t"


def integers(values):
    return items(*map(integer, values))


def mapping(**parts):
    return b"}(" + b"".join(text(key) + value for key, value in parts.items()) + b"u"


def call(function, *arguments):
    return function + items(*arguments) + b"R"


def storage(key, kind, numel):
    return items(text("storage"), name("torch", kind), text(key), text("cpu"), integer(numel)) + b"Q"


def tensor(key="0", kind="FloatStorage", numel=6, offset=0, shape=(2, 3), stride=(3, 1)):
    hooks = call(name("collections", "OrderedDict"))
    function = name("torch._utils", "_rebuild_tensor_v2")
    return call(function, storage(key, kind, numel), integer(offset), integers(shape), integers(stride), b"\x89", hooks)


def program(body):
    return b"\x80\x02" + body + b"."


SIX = np.arange(6, dtype=np.float32)


def write_zip(path, body, members=None, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("net/data.pkl", program(body))
        archive.writestr("net/version", "3\n")
        for member, data in ({"data/0": SIX.tobytes()} if members is None else members).items():
            archive.writestr(f"net/{member}", data)
    return path


def legacy_storage(key, kind, numel):
    return items(text("storage"), name("torch", kind), text(key), text("cpu"), integer(numel), b"N") + b"Q"


def write_legacy(path, body, *storages, little=True):
    head = program(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19") + program(integer(1001))
    head += program(mapping(little_endian=b"\x88" if little else b"\x89"))
    keys = b"](" + b"".join(text(key) for key, _ in storages) + b"e"
    data = b"".join(struct.pack("<q", array.size) + array.tobytes() for _, array in storages)
    path.write_bytes(head + program(body) + program(keys) + data)
    return path


def refused(path, *parts):
    with pytest.raises(ModelError) as caught:
        read_weights(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


# ---- what must be read -----------------------------------------------------------------------------------------------


def test_zip_checkpoint(tmp_path):
    body = mapping(weight=tensor(), turned=tensor(shape=(3, 2), stride=(1, 3)), last=tensor(offset=5, shape=(), stride=()))
    state = read_weights(write_zip(tmp_path / "net.pth", body))
    assert list(state) == ["weight", "turned", "last"]
    np.testing.assert_array_equal(state["weight"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(state["turned"], SIX.reshape(2, 3).T)
    assert state["turned"].flags.c_contiguous
    assert state["last"].shape == ()
    assert state["last"] == 5


def test_empty_tensor(tmp_path):
    body = mapping(a=tensor(numel=0, shape=(0, 3), stride=(3, 1)))
    assert read_weights(write_zip(tmp_path / "net.pth", body, {"data/0": b""}))["a"].shape == (0, 3)


def test_zip_checkpoint_of_a_big_endian_machine(tmp_path):
    members = {"data/0": SIX.astype(">f4").tobytes(), "byteorder": "big"}
    state = read_weights(write_zip(tmp_path / "net.pth", mapping(w=tensor()), members))
    np.testing.assert_array_equal(state["w"], SIX.reshape(2, 3))
    assert state["w"].dtype.isnative


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("HalfStorage", "f2"),
        ("DoubleStorage", "f8"),
        ("LongStorage", "i8"),
        ("ByteStorage", "u1"),
        ("BoolStorage", "?"),
    ],
)
def test_storage_kinds(tmp_path, kind, dtype):
    stored = np.array([0, 1, 1, 0, 1, 0], dtype)
    state = read_weights(write_zip(tmp_path / "a.pt", mapping(w=tensor(kind=kind)), {"data/0": stored.tobytes()}))
    np.testing.assert_array_equal(state["w"], stored.reshape(2, 3))
    assert state["w"].dtype == dtype


def test_bfloat16_becomes_float32(tmp_path):
    bits = (SIX.view(np.uint32) >> 16).astype("<u2")
    body = mapping(w=tensor(kind="BFloat16Storage"), scalar=tensor(kind="BFloat16Storage", offset=3, shape=(), stride=()))
    state = read_weights(write_zip(tmp_path / "a.pt", body, {"data/0": bits.tobytes()}))
    np.testing.assert_array_equal(state["w"], SIX.reshape(2, 3))
    assert state["w"].dtype == np.float32
    assert isinstance(state["scalar"], np.ndarray)


@pytest.mark.parametrize("little", [True, False])
def test_legacy_checkpoint_is_little_endian_on_all_machines(tmp_path, little):
    body = mapping(a=tensor("x"), b=tensor("y", numel=2, shape=(2,), stride=(1,)))
    path = write_legacy(tmp_path / "old.pth", body, ("x", SIX), ("y", np.array([7, 8], "<f4")), little=little)
    state = read_weights(path)
    np.testing.assert_array_equal(state["a"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(state["b"], [7, 8])


def test_legacy_storage_with_a_view_field(tmp_path):
    plain, viewed = storage("0", "FloatStorage", 6), legacy_storage("0", "FloatStorage", 6)
    path = write_legacy(tmp_path / "old.pth", mapping(a=tensor().replace(plain, viewed)), ("0", SIX))
    np.testing.assert_array_equal(read_weights(path)["a"], SIX.reshape(2, 3))


def test_nesting_prefix_and_parameters_are_undone_and_logged(tmp_path, caplog):
    parameter = call(name("torch._utils", "_rebuild_parameter"), tensor(), b"\x88", b"}")
    inner = b"".join(text(f"module.{key}") + value for key, value in [("w", parameter), ("v", tensor())])
    body = mapping(epoch=integer(3), model=mapping(state_dict=b"}(" + inner + b"u"))
    with caplog.at_level(logging.INFO, "gpucnn"):
        assert list(read_weights(write_zip(tmp_path / "net.pth", body))) == ["w", "v"]
    assert "'state_dict'" in caplog.text
    assert "'module.'" in caplog.text


def test_state_dict_beside_other_tensors(tmp_path):
    body = mapping(best_accuracy=tensor(offset=5, shape=(), stride=()), state_dict=mapping(w=tensor()))
    assert list(read_weights(write_zip(tmp_path / "net.pth", body))) == ["w"]


def test_only_storages_of_the_state_dict_are_read(tmp_path):
    body = mapping(state_dict=mapping(w=tensor()), optimizer=mapping(momentum=tensor("missing")))
    assert list(read_weights(write_zip(tmp_path / "net.pth", body))) == ["w"]


def test_attributes_of_an_ordered_dict_are_skipped(tmp_path):
    ordered = call(name("collections", "OrderedDict")) + b"(" + text("w") + tensor() + b"u"
    body = ordered + mapping(_metadata=mapping(version=integer(1))) + b"b"
    assert list(read_weights(write_zip(tmp_path / "net.pth", body))) == ["w"]


# ---- what must be refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_code_is_named_and_never_run(tmp_path, write):
    marker = tmp_path / "ran"
    body = mapping(w=call(name("os", "system"), text(f"touch {marker}")))
    refused(write(tmp_path / "bad.pth", body), "'os.system'", "never runs", "torch.save(net.state_dict()")
    assert not marker.exists()


def test_a_pickled_module_is_named(tmp_path):
    body = name("torchvision.models.resnet", "ResNet") + b")\x81"
    refused(write_zip(tmp_path / "net.pth", body), "'torchvision.models.resnet.ResNet'")


@pytest.mark.parametrize(
    "window",
    [
        {"offset": 1},
        {"shape": (3, 3)},
        {"stride": (4, 1)},
        {"offset": 7, "shape": (0,), "stride": (1,)},
        {"offset": -1},
        {"stride": (-3, 1)},
        {"shape": (2**62, 3)},
        {"shape": (2, 3, 1)},
    ],
)
def test_windows_outside_the_storage(tmp_path, window):
    refused(write_zip(tmp_path / "net.pth", mapping(weight=tensor(**window))))


def test_windows_outside_name_the_tensor(tmp_path):
    path = write_zip(tmp_path / "net.pth", mapping(weight=tensor(offset=1)))
    refused(path, "'weight'", "offset 1", "(2, 3)", "storage of 6 elements")


def test_storage_shorter_than_declared(tmp_path):
    refused(write_zip(tmp_path / "net.pth", mapping(w=tensor(numel=7))), "24 bytes, expected 28")


def test_missing_storage(tmp_path):
    refused(write_zip(tmp_path / "net.pth", mapping(w=tensor("9"))), "no member 'net/data/9'")


def test_compressed_members_could_be_bombs(tmp_path):
    path = write_zip(tmp_path / "net.pth", mapping(w=tensor()), compression=zipfile.ZIP_DEFLATED)
    refused(path, "is compressed")


def test_one_element_shown_as_a_terabyte(tmp_path):
    path = write_zip(tmp_path / "net.pth", mapping(w=tensor(shape=(2**20, 2**20), stride=(0, 0))))
    with pytest.raises(LimitError, match="GPUCNN_MAX_WEIGHT_BYTES"):
        read_weights(path)


def test_torchscript_gets_its_export_line(tmp_path):
    path = write_zip(tmp_path / "net.pt", mapping(w=tensor()), {"code/__torch__.py": "", "constants.pkl": ""})
    refused(path, "TorchScript", "torch.onnx.export")


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_truncated_and_flipped(tmp_path, write):
    whole = tmp_path / "whole.pth"
    if write is write_zip:
        write(whole, mapping(w=tensor()))
    else:
        write(whole, mapping(w=tensor()), ("0", SIX))
    data, path = whole.read_bytes(), tmp_path / "broken.pth"
    for cut in range(0, len(data), 7):
        path.write_bytes(data[:cut])
        refused(path)
    for i in range(0, len(data), 3):
        path.write_bytes(data[:i] + bytes([data[i] ^ 0xFF]) + data[i + 1 :])
        with contextlib.suppress(ModelError, LimitError):
            read_weights(path)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"]",
        b"N",
        b"}",
        b"e",
        b"(",
        b"q\x00",
        b"h\x07",
        b"\x8a\xff\x00",
        integer(1) + b"b",
        mapping(a=integer(1)),
        items(integer(1)) + b"Q",
        call(integer(3)),
        call(name("torch", "FloatStorage"), integer(9)),
        call(name("collections", "OrderedDict"), integer(1)),
        call(name("collections", "OrderedDict"), b"](" + items(integer(1), integer(2)) + b"e"),
        call(name("torch._utils", "_rebuild_tensor_v2"), integer(1), integer(1), integer(1), integer(1)),
        b"}" + b"]" + integer(1) + b"s",
        b"I99999999999\n",
        b"B" + struct.pack("<I", 2**32 - 1),
        b"r" + struct.pack("<I", 2**32 - 1),
    ],
)
def test_broken_pickles(tmp_path, body):
    refused(write_zip(tmp_path / "net.pth", body))


def test_shared_parts_do_not_explode(tmp_path):
    """A tuple of the same tuple twice, 60 times over: 2⁶⁰ leaves for whoever hashes or prints it."""
    nest = b")" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60))
    for body in (
        b"}" + nest + b"Ns",
        nest + b"Q",
        nest,
        call(name("collections", "OrderedDict"), nest),
        nest + nest + b"\x93",
    ):
        refused(write_zip(tmp_path / "net.pth", body))


def test_state_dict_within_itself_ends(tmp_path):
    refused(write_zip(tmp_path / "net.pth", b"}q\x00" + text("model") + b"h\x00s"), "'model'")


def test_read_pickle_agrees_with_pickle():
    value = {"a": [1, -2, 3.5, 10**30, None, True], "b": ("x", b"y", (), ("é" * 300,)), "c": {}, "d": {1: False}}
    for protocol in (2, 3, 4):
        if protocol == 2:
            value["b"] = ("x", (), ("é" * 300,))  # protocol 2 writes bytes as a call of _codecs.encode
        assert read_pickle(io.BytesIO(pickle.dumps(value, protocol)), {}) == value


def test_read_pickle_leaves_the_stream_after_the_pickle():
    stream = io.BytesIO(pickle.dumps(1, 2) + pickle.dumps([2], 2))
    assert [read_pickle(stream, {}), read_pickle(stream, {})] == [1, [2]]
    with pytest.raises(PickleError, match="truncated"):
        read_pickle(stream, {})
