"""The rooms: who may import whom, who may look outside, held by walking the syntax trees."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gpucnn

PACKAGE = Path(gpucnn.__file__).parent
ROOT = PACKAGE.parent

LEVELS = (
    {"errors", "data"},
    {"settings", "spec", "preprocess"},
    {"limits", "host_memory", "whole_file"},
    {"ops"},
    {"graph", "memory", "door"},
    {"presets", "record", "rows"},
    {"passes", "formats", "backends"},
    {"packing"},
    {"plan"},
    {"functional", "runner", "device", "describe", "tuner"},
    {"filters", "nn"},
    {"zoo"},
    {"engine", "scorer"},
    {"capacity"},
    {"model"},
    {"from_onnx"},
    {"hub", "images"},
    {"loader"},
    {"classify", "bench", "onnx_backend"},
    {"writers"},
    {"cli"},
    {"__init__", "__main__"},
)
"""Rooms from the bottom up: one may import from those below it, and of its own."""

LEVEL = {room: i for i, rooms in enumerate(LEVELS) for room in rooms}
SCRIPTS = {"data/make_efficientnet_lite0.py"}  # run by hand: stands above everything
MEETS_ONNX = {"onnx_backend.py"}  # subclasses onnx.backend.base, and is imported by nobody here
LAZY = {"PIL", "onnx", "rich", "safetensors", "threadpoolctl", "cupy"}
NEVER = ("onnx.reference", "onnx.backend", "onnxruntime", "torch", "torchvision", "tensorflow", "jax", "scipy")

FILES = sorted(PACKAGE.rglob("*.py"))
every_file = pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(PACKAGE).as_posix())


def parts(file: Path) -> list[str]:
    """Path of a module below the package: ``["ops", "conv"]``."""
    return list(file.relative_to(PACKAGE).with_suffix("").parts)


def room(file: Path) -> str:
    return parts(file)[0]


def is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def walk(node: ast.AST, inside_functions: bool = True) -> Iterator[ast.AST]:
    """All nodes that can run; without what only the type checker sees, and without functions where they are not asked for."""
    for child in ast.iter_child_nodes(node):
        if is_typing(child) or (not inside_functions and isinstance(child, (ast.FunctionDef, ast.Lambda))):
            continue
        yield child
        yield from walk(child, inside_functions)


def imports(file: Path, inside_functions: bool = True) -> Iterator[str]:
    """Absolute names of what a file imports: ``gpucnn.ops.conv``, ``numpy``."""
    package = ["gpucnn", *parts(file)[:-1]]
    for node in walk(ast.parse(file.read_text("utf-8")), inside_functions):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{name}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            text = ast.unparse(node.args[0])
            yield text.strip("'\"")


def own(file: Path) -> set[str]:
    """Rooms of the package that a file imports from."""
    found = {name.split(".")[1] for name in imports(file) if name.startswith("gpucnn.")}
    return {name if name in LEVEL else "__init__" for name in found}


def test_every_module_has_its_level():
    assert {room(f) for f in FILES} == set(LEVEL)


@every_file
def test_imports_only_go_down(file):
    name = file.relative_to(PACKAGE).as_posix()
    if name in SCRIPTS:
        return
    for seen in own(file) - {room(file)}:
        below = LEVEL[seen] < LEVEL[room(file)]
        version = seen == "__init__" and any(n == "gpucnn.__version__" for n in imports(file))
        assert below or version, f"{name} (level {LEVEL[room(file)]}) imports {seen} (level {LEVEL[seen]})"


@every_file
def test_the_cpu_never_sees_cuda_nor_cuda_the_cpu(file):
    path = parts(file)
    if path[:1] != ["backends"]:
        return
    other = {"cpu": "cuda", "cuda": "cpu"}.get(path[1])
    for name in imports(file):
        if other is not None:
            assert not name.startswith(f"gpucnn.backends.{other}")
        elif path[1] == "base":
            assert not name.startswith(("gpucnn.backends.cpu", "gpucnn.backends.cuda"))


@every_file
def test_ops_know_no_backend(file):
    if room(file) in ("ops", "graph", "memory", "passes", "spec"):
        assert not {"backends", "plan"} & own(file)
        assert not any("cupy" in name for name in imports(file))


@every_file
def test_no_other_framework_computes(file):
    for name in imports(file):
        if file.name not in MEETS_ONNX:
            assert not any(name == never or name.startswith(never + ".") for never in NEVER), f"{file.name} imports {name}"


@every_file
def test_heavy_packages_are_imported_where_they_are_used(file):
    if file.relative_to(PACKAGE).as_posix() in SCRIPTS | MEETS_ONNX:
        return
    for name in imports(file, inside_functions=False):
        assert name.split(".")[0] not in LAZY, f"{file.name} imports {name} when it is itself imported"


@every_file
def test_only_settings_reads_the_environment(file):
    if room(file) == "settings":
        return
    for node in walk(ast.parse(file.read_text("utf-8"))):
        text = ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Call)) else ""
        assert not re.search(r"\bos\.(environ|getenv|putenv)\b", text), f"{file.name}:{node.lineno}: {text}"
    assert not {"os.environ", "os.getenv"} & set(imports(file))


@every_file
def test_only_the_command_line_prints(file):
    if room(file) == "cli":
        return
    for node in walk(ast.parse(file.read_text("utf-8"))):
        assert not (isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write", "sys.stderr.write"))


def texts() -> Iterator[Path]:
    """Text files of the project."""
    kinds = {".py", ".md", ".toml", ".cu", ".cuh", ".json", ".txt", ".yml", ".yaml"}
    for folder in ("gpucnn", "tests", "examples", "kernels", ".ci"):
        found = (ROOT / folder).rglob("*") if (ROOT / folder).is_dir() else ()
        yield from (f for f in found if f.is_file() and (f.suffix in kinds or folder == ".ci") and "__pycache__" not in f.parts)
    yield from (f for f in ROOT.glob("*") if f.suffix in kinds)


def test_no_file_names_a_place_of_the_workshop():
    place = re.compile(r"(?<![\w.])/" + r"work\b")
    for file in texts():
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            assert not place.search(line), f"{file.relative_to(ROOT)}:{number}: {line.strip()}"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_little():
    loaded = set(run("import sys, gpucnn; print(*{m.split('.')[0] for m in sys.modules})").split())
    assert not loaded & {*LAZY, "scipy", "numpy", "hypothesis", "torch"}


def test_a_net_runs_without_the_heavy_packages():
    code = (
        "import sys; import numpy as np; from gpucnn import nn, compile\n"
        "y = compile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (1, 3, 8, 8))(np.zeros((5, 3, 8, 8), np.float32))\n"
        "assert y.shape == (5, 4, 6, 6); print(*{m.split('.')[0] for m in sys.modules})"
    )
    assert not set(run(code).split()) & (LAZY - {"threadpoolctl"} | {"scipy"})


def test_public_names():
    for name in gpucnn.__all__:
        assert getattr(gpucnn, name) is not None
    assert set(gpucnn.__all__) <= set(dir(gpucnn))
    with pytest.raises(AttributeError, match="has no attribute 'train'"):
        _ = gpucnn.train
