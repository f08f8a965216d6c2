"""Run by test_opens.py in a process of its own: use hostile files while Python's audit hook writes down what is opened and started.

    python audited.py FOLDER CONTROL

Prints a JSON list of [event, argument] for each event outside of what every run needs; ``CONTROL`` names a trespass that is to be seen.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import socket
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import graph, model
from PIL import Image

import gpucnn
from gpucnn.errors import GpucnnError
from gpucnn.formats import read_weights

WATCHED = (
    "open",
    "os.",
    "shutil.",
    "socket.",
    "subprocess.",
    "ctypes.",
    "urllib.",
    "http.",
    "ftplib.",
    "smtplib.",
    "webbrowser.",
    "exec",
    "compile",
    "import",
    "marshal.",
    "pickle.",
    "mmap.",
    "tempfile.",
    "glob.",
    "pty.",
    "signal.",
    "code.",
    "cpython.run_",
)
HARMLESS = ("os.fwalk", "os.putenv", "os.unsetenv")
LIBRARIES = tuple({sysconfig.get_paths()[k] for k in ("stdlib", "platstdlib", "purelib", "platlib")} | {str(Path(gpucnn.__file__).parent)})
SYSTEM = ("/proc/meminfo", "/proc/self/cgroup", "/proc/self/statm", "/sys/fs/cgroup/", "/proc/self/task")
"""How much memory is free, asked before a plan allocates."""


class Bomb:
    """Pickled, it runs a command."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


def outside(net: Any, place: str, **more: str) -> Any:
    """The initializer of a net moved into another file."""
    tensor = net.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": place, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return net


def conv() -> Any:
    return model([("Conv", "x w", "y")], {"x": ("float32", (1, 3, 4, 4))}, constants={"w": np.ones((2, 3, 1, 1), np.float32)})


def hostile(folder: Path) -> list[Path]:
    """Files and folders that want something that is none of their business."""
    files: list[Path] = []

    def put(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        files.append(folder / name)

    secret = folder.parent / "secret.bin"
    secret.write_bytes(np.ones((2, 3, 1, 1), np.float32).tobytes())
    (folder / "link.bin").symlink_to(secret)
    os.link(secret, folder / "hard.bin")
    (folder / "way").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.bin")
    places = (
        "../secret.bin",
        "a/../../secret.bin",
        str(secret),
        "link.bin",
        "hard.bin",
        "way/secret.bin",
        "pipe.bin",
        "/dev/zero",
        "/etc/passwd",
        "..",
        ".",
        "",
        "~/x",
        "file:///etc/passwd",
        "http://localhost/w.bin",
        "//localhost/share/w.bin",
        "\\\\localhost\\share\\w.bin",
        "C:\\w.bin",
        "..\\secret.bin",
        "secret.bin\0",
        "none.bin",
    )
    for i, place in enumerate(places):
        put(f"outside{i}.onnx", outside(conv(), place).SerializeToString())
    put("key.onnx", outside(conv(), "none.bin", __class__="x").SerializeToString())
    put("length.onnx", outside(conv(), "hard.bin", offset="-1", length="99999999999").SerializeToString())
    inside = numpy_helper.from_array(np.ones(3, np.float32), "c")
    inside.ClearField("raw_data")
    inside.data_location = TensorProto.EXTERNAL
    inside.external_data.add(key="location", value="../secret.bin")
    constant = model([("Add", "x c", "y")], {"x": ("float32", (1, 3))})
    constant.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=inside))
    put("attribute.onnx", constant.SerializeToString())
    branch = graph([("Add", "x c", "t")], outputs=("t",))
    branch.initializer.append(inside)
    put(
        "branch.onnx",
        model(
            [("If", "b", "y", {"then_branch": branch, "else_branch": branch})], {"x": ("float32", (1, 3)), "b": ("bool", ())}
        ).SerializeToString(),
    )
    function = model([("F", "x", "y", {"domain": "local"})], {"x": ("float32", (1, 3))})
    body = [helper.make_node("Constant", [], ["c"], value=inside), helper.make_node("Add", ["x", "c"], ["y"])]
    function.functions.append(helper.make_function("local", "F", ["x"], ["y"], body, [helper.make_opsetid("", 17)]))
    put("function.onnx", function.SerializeToString())
    odd = model([("GlobalAveragePool", "x", "a"), ("Flatten", "a", "y")], {"x": ("float32", (1, 3, 4, 4))})
    command = f"__import__('os').system('touch {folder.parent}/ran')"
    helper.set_model_props(odd, {"labels": command, "names": command, "mean": command, "pretrained_cfg": command})
    put("metadata.onnx", odd.SerializeToString())
    calls = (
        (os.system, (f"touch {folder.parent}/ran",)),
        (open, (f"{folder.parent}/ran", "w")),
        (__import__, ("antigravity",)),
        (socket.create_connection, (("127.0.0.1", 9),)),
        (exec, ("import subprocess; subprocess.run(['true'])",)),
        (np.load, (str(secret),)),
    )
    for i, call in enumerate(calls):
        data = pickle.dumps({"weight": Bomb(call)}, 2)
        put(f"plain{i}.pth", data)
        with zipfile.ZipFile(folder / f"zip{i}.pth", "w") as archive:
            archive.writestr("a/data.pkl", data)
        legacy = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + data + pickle.dumps([], 2)
        put(f"legacy{i}.pth", legacy)
        np.savez(folder / f"objects{i}.npz", w=np.array([Bomb(call)], object))
        files += [folder / f"zip{i}.pth", folder / f"objects{i}.npz"]
    with zipfile.ZipFile(folder / "slip.npz", "w") as archive:
        archive.writestr("../../slip.npy", b"")
    put("weights.safetensors", b"\x02\0\0\0\0\0\0\0{}")
    hub = folder / "hub"
    hub.mkdir()
    (hub / "config.json").write_text(json.dumps({"architecture": "../../../etc/passwd", "labels": "/etc/passwd"}))
    (hub / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    return [*files, folder / "slip.npz", hub]


def use(path: Path) -> str:
    """What a caller would do; the kind of the outcome."""
    try:
        if path.suffix in (".onnx", ""):
            with gpucnn.load(path, device="cpu") as net:
                net.run({port.name: np.ones([s if isinstance(s, int) else 1 for s in port.shape], port.dtype) for port in net.inputs})
        else:
            read_weights(path)
            gpucnn.load("lenet5", weights=path, device="cpu")
    except GpucnnError as error:
        return type(error).__name__
    return "answer"


def good(folder: Path) -> list[Path]:
    """One of each kind that is sound: what is imported late is then there."""
    folder.mkdir()
    net = outside(conv(), "w.bin")
    (folder / "w.bin").write_bytes(np.ones((2, 3, 1, 1), np.float32).tobytes())
    (folder / "net.onnx").write_bytes(net.SerializeToString())
    from safetensors.numpy import save_file

    state = {name: np.zeros(shape, np.float32) for name, shape in gpucnn.zoo.create("lenet5").state_shapes().items()}
    save_file(state, folder / "net.safetensors")
    np.savez(folder / "net.npz", **state)
    hub = folder / "hub"
    hub.mkdir()
    (hub / "config.json").write_text(json.dumps({"architecture": "lenet5"}))
    save_file(state, hub / "model.safetensors")
    torch = Path(__file__).parent / "data" / "torch"
    return [
        folder / "net.onnx",
        folder / "net.safetensors",
        folder / "net.npz",
        hub,
        torch / "zip.pth",
        torch / "legacy.pth",
        torch / "script.pt",
    ]


def tolerated(event: str, args: tuple[Any, ...], folder: Path) -> bool:
    """What is in the folder, and the libraries' own files."""
    if event == "open":
        path = args[0]
        if isinstance(path, int):
            return True  # of a file that is open
        text = os.path.abspath(os.fsdecode(path))
        reads = args[1] is None or (isinstance(args[1], str) and not set(args[1]) & set("wax+"))
        if not reads or (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return False
        own = os.path.realpath(os.path.dirname(text)).startswith(str(folder)) and not os.path.islink(text)
        return own or text.startswith((*LIBRARIES, *SYSTEM))
    if event in ("os.listdir", "os.scandir"):
        return os.path.abspath(os.fsdecode(args[0] or ".")).startswith((*LIBRARIES, *SYSTEM))
    if event == "import":
        return True  # of names that gpucnn's own code has; what is opened for it is looked at
    if event in ("compile", "exec"):
        source = args[-1] if event == "compile" else getattr(args[0], "co_filename", "")
        # NumPy and Python's own parser compile a literal without running it.
        return str(source).startswith((*LIBRARIES, "<frozen")) or (event == "compile" and source in ("<unknown>", "<string>"))
    return event.startswith(("marshal.", "mmap.")) or event in HARMLESS


CONTROLS = {
    "open": lambda folder: open(folder.parent / "secret.bin").close(),
    "os.open": lambda folder: os.close(os.open(folder.parent / "secret.bin", os.O_RDONLY)),
    "write": lambda folder: (folder / "new").write_text("x"),
    "link": lambda folder: open(folder / "link.bin").close(),
    "system": lambda folder: os.system("true"),
    "socket": lambda folder: socket.socket().close(),
    "exec": lambda folder: exec("1"),
    "list": lambda folder: os.listdir(folder.parent),
    "pickle": lambda folder: pickle.loads(pickle.dumps(Bomb((os.getpid, ())))),
}


def main() -> None:
    base, control = Path(sys.argv[1]).resolve(), sys.argv[2]
    logging.disable(logging.CRITICAL)
    folder = base / "hostile"
    folder.mkdir()
    files = hostile(folder)
    sound = good(base / "good")
    kinds = [use(path) for path in sound]
    gpucnn.load(sound[0], device="cpu").run({"x": np.ones((1, 3, 4, 4), np.float32)})
    Image.init()
    for path in files:  # once unwatched, so that errors' own imports are there
        use(path)
    seen: list[list[str]] = []
    watching = True

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal watching
        if watching and event.startswith(WATCHED):
            watching = False
            if not tolerated(event, args, folder):
                seen.append([event, repr(args)[:300]])
            watching = True

    sys.addaudithook(hook)
    outcomes = {path.name: use(path) for path in files}
    if control:
        CONTROLS[control](folder)
    watching = False
    print(json.dumps({"sound": kinds, "outcomes": outcomes, "seen": seen}))


if __name__ == "__main__":
    main()
