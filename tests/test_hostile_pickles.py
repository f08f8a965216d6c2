"""Pickles that want to run something, or show what they do not have, each built here: refused with the reason, and nothing is run."""

from __future__ import annotations

import builtins
import io
import os
import pickle

import numpy as np
import pytest
from hostile import refused_cleanly
from test_torch_checkpoint import SIX, call, integer, mapping, name, program, tensor, text, write_legacy, write_zip

from gpucnn.errors import LimitError
from gpucnn.formats import read_weights
from gpucnn.formats.pickle_data import PickleError, read_pickle

# ---- pickles that want to run something -------------------------------------------------------------------------------


class Bomb:
    """Pickled, it asks for ``open(path, "w")`` when it is read."""

    def __init__(self, path, how):
        self.path, self.how = path, how

    def __reduce__(self):
        return self.how(str(self.path))


HOW = {
    "open": lambda path: (builtins.open, (path, "w")),
    "eval": lambda path: (eval, (f"open({path!r}, 'w')",)),
    "exec": lambda path: (exec, (f"open({path!r}, 'w')",)),
    "system": lambda path: (os.system, (f"touch '{path}'",)),
    "getattr": lambda path: (getattr, ("text", "upper")),
    "import": lambda path: (__import__, ("this",)),
    "mkdir": lambda path: (os.mkdir, (path,)),
}


def containers(tmp_path, body):
    """The pickle in a zip, in the legacy container, and alone."""
    yield write_zip(tmp_path / "zip.pth", body)
    yield write_legacy(tmp_path / "legacy.pth", body, ("0", SIX))
    (tmp_path / "plain.pth").write_bytes(program(body))
    yield tmp_path / "plain.pth"


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_nothing_runs(tmp_path, how, protocol):
    mark = tmp_path / "mark"
    raw = pickle.dumps({"weight": Bomb(mark, how)}, protocol)
    body = raw[2:-1] if protocol >= 2 else raw[:-1]
    for path in containers(tmp_path, body):
        refused_cleanly(path)
    if how is HOW["open"]:
        pickle.loads(raw)["weight"].close()  # the control: it is a bomb
        assert mark.exists()
        mark.unlink()
    assert not mark.exists()


SYSTEM = name("os", "system")
TOUCH = b"(" + text("touch mark") + b"t"
BODIES = {
    "reduce": SYSTEM + TOUCH + b"R",
    "reduce of a reduce": name("builtins", "getattr") + b"(" + name("os", "system") + text("x") + b"tR" + TOUCH + b"R",
    "inst": b"(" + text("touch mark") + b"ios\nsystem\n",
    "obj": b"(" + SYSTEM + text("touch mark") + b"o",
    "newobj": SYSTEM + TOUCH + b"\x81",
    "newobj_ex": SYSTEM + TOUCH + b"}\x92",
    "build with setstate": call(name("collections", "OrderedDict")) + b"}(" + text("__setstate__") + SYSTEM + b"ub",
    "stack global": text("os") + text("system") + b"\x93" + TOUCH + b"R",
    "dotted name": text("os") + text("path.join") + b"\x93" + TOUCH + b"R",
    "extension": b"\x82\x01",
    "persistent id": text("0") + b"Q",
    "text persistent id": b"P0\n",
    "tensor made by another": call(name("torch._tensor", "_rebuild_from_type_v2"), SYSTEM, name("torch", "Tensor"), TOUCH, b"N"),
    "tensor of another type": call(
        name("torch._tensor", "_rebuild_from_type_v2"), name("torch._utils", "_rebuild_tensor_v2"), SYSTEM, TOUCH, b"N"
    ),
    "known function, other arguments": call(name("torch._utils", "_rebuild_tensor_v2"), SYSTEM),
    "storage of another kind": b"(" + text("storage") + SYSTEM + text("0") + text("cpu") + integer(6) + b"tQ",
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_opcode_runs_anything(tmp_path, body, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "system", lambda *a: pytest.fail("it ran"))
    for path in containers(tmp_path, mapping(weight=tensor(), other=body)):
        refused_cleanly(path)
    assert not (tmp_path / "mark").exists()


def test_what_lies_beside_the_weights_is_never_made(tmp_path):
    """The arguments of a run are a class: its name stands for nothing, whatever is done with it."""
    namespace = name("argparse", "Namespace") + b")\x81}(" + text("lr") + integer(1) + b"ub"
    path = write_zip(tmp_path / "a.pth", mapping(model=mapping(weight=tensor()), args=namespace))
    assert list(read_weights(path)) == ["weight"]
    beside = mapping(weight=tensor(), args=namespace)
    refused_cleanly(write_zip(tmp_path / "b.pth", beside), "'args' is argparse.Namespace, expected a tensor")
    refused_cleanly(write_zip(tmp_path / "c.pth", namespace), "holds argparse.Namespace, expected a state dict")
    inside = name("argparse", "Namespace") + b"(" + SYSTEM + TOUCH + b"Rt\x81"
    refused_cleanly(write_zip(tmp_path / "d.pth", mapping(model=mapping(weight=tensor()), args=inside)), "'os.system'")


def test_pickles_that_take_time_or_memory():
    numbers = b"\x80\x02}(" + b"".join(b"\x8a\x09" + (i * (2**61 - 1)).to_bytes(9, "little") + b"N" for i in range(1, 1000)) + b"u."
    with pytest.raises(PickleError, match="int as key beyond 60 bits"):  # of one hash, so that each is compared with all
        read_pickle(io.BytesIO(numbers), {})
    with pytest.raises(PickleError, match="more than 2000000 opcodes"):
        read_pickle(io.BytesIO(b"\x80\x02" + b"}" * (3 << 20) + b"."), {})
    shared = b"\x80\x02)" + b"q\x00h\x00\x86" * 1000 + b"q\x01}(h\x01Nu."
    with pytest.raises(PickleError, match="tuple as key"):  # 2^1000 leaves to hash
        read_pickle(io.BytesIO(shared), {})


# ---- tensors that reach out -------------------------------------------------------------------------------------------

WINDOWS = {
    "offset": {"offset": 1},
    "negative offset": {"offset": -1},
    "stride": {"stride": (3, 2)},
    "negative stride": {"stride": (-3, 1)},
    "shape": {"shape": (2, 4), "stride": (4, 1)},
    "huge shape": {"shape": (1 << 61, 1 << 61), "stride": (0, 0)},
    "huge empty shape": {"shape": (1 << 61, 0, 1 << 61), "stride": (0, 0, 0)},
    "33 axes": {"shape": (1,) * 33, "stride": (1,) * 33},
    "shape and stride differ": {"shape": (2, 3), "stride": (1,)},
}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_windows_that_reach_out(tmp_path, window):
    body = mapping(weight=tensor(**window))
    refused_cleanly(write_zip(tmp_path / "a.pth", body))
    refused_cleanly(write_legacy(tmp_path / "b.pth", body, ("0", SIX)))


def test_one_number_shown_as_a_terabyte(tmp_path, set_limits):
    body = mapping(weight=tensor(shape=(1 << 20, 1 << 20), stride=(0, 0)))
    with pytest.raises(LimitError, match="the tensors take 4398046511104 bytes"):
        read_weights(write_zip(tmp_path / "a.pth", body))


def test_many_names_of_one_storage_count_each(tmp_path, set_limits):
    set_limits(max_weight_bytes=20 * 24)
    read_weights(write_zip(tmp_path / "a.pth", mapping(**{f"w{i}": tensor() for i in range(20)})))
    with pytest.raises(LimitError, match="the tensors take 504 bytes"):
        read_weights(write_zip(tmp_path / "b.pth", mapping(**{f"w{i}": tensor() for i in range(21)})))


def test_empty_tensors_with_absurd_strides_are_empty(tmp_path):
    body = mapping(weight=tensor(shape=(0, 3), stride=(1 << 60, 1 << 60)), one=tensor(shape=(1, 1), stride=(1 << 61, 1 << 61)))
    found = read_weights(write_zip(tmp_path / "a.pth", body))
    assert found["weight"].shape == (0, 3)
    np.testing.assert_array_equal(found["one"], [[0]])


LEGACY = {
    "shorter": (mapping(weight=tensor()), ("0", SIX[:4])),
    "another key": (mapping(weight=tensor()), ("1", SIX)),
    "twice, differently": (mapping(weight=tensor(), other=tensor(numel=5, shape=(5,), stride=(1,))), ("0", SIX)),
    "beyond the file": (mapping(weight=tensor(numel=1 << 40)), ("0", SIX)),
    "more than can be": (mapping(weight=tensor(numel=1 << 61)), ("0", SIX)),
}


@pytest.mark.parametrize(("body", "stored"), LEGACY.values(), ids=LEGACY)
def test_legacy_storages_that_do_not_fit(tmp_path, body, stored):
    refused_cleanly(write_legacy(tmp_path / "a.pth", body, stored))
