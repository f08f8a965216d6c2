"""Every public docstring says what comes in and goes out, what goes wrong, where it is from, and has an example.

That the examples run is shown by ``pytest --doctest-modules gpucnn``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import gpucnn
from gpucnn import functional, nn, zoo

SECTIONS = ("Parameters", "Returns", "Yields", "Raises", "Notes", "Attributes", "Examples")
SOURCE = re.compile(r"PyTorch|ONNX|NumPy|Caffe|TensorFlow|arXiv|\b(19|20)\d\d\b")
"""A function of the field, or a paper."""

HAS_SHAPE = re.compile(r"\(.*\)|any shape|shape of|\bscalar\b|same shape|int|float|number|str|bool|sequence|array|\{")


def public(module: ModuleType, kind: Callable[[Any], bool]) -> list[Any]:
    """What a package of ours offers: functions or classes defined in it, without an underscore."""
    room = module.__name__.removeprefix("gpucnn.")
    return [
        pytest.param(thing, id=f"{room}.{name}")
        for name, thing in sorted(vars(module).items())
        if kind(thing) and not name.startswith("_") and thing.__module__.startswith(module.__name__)
    ]


def sections(thing: Any) -> dict[str, str]:
    """Text of a numpydoc docstring by section; what stands before the first is ``""``."""
    found, name = {"": ""}, ""
    lines = (inspect.getdoc(thing) or "").splitlines()
    for line, under in zip(lines, [*lines[1:], ""]):
        if line in SECTIONS and re.fullmatch(r"-+", under):
            name = line
            found[name] = ""
        elif not (name and re.fullmatch(r"-+", line)):
            found[name] += line + "\n"
    return found


def described(text: str) -> dict[str, str]:
    """Name to type line of a Parameters section; ``a, b : int`` describes both."""
    heads = re.findall(r"^(\S.*?)\s*:\s*(.+)$", text, flags=re.M)
    bare = re.findall(r"^(\*?\w+)$", text, flags=re.M)
    return {**{n.strip(): kind for names, kind in heads for n in names.split(",")}, **dict.fromkeys(bare, "")}


def signature(thing: Any) -> list[str]:
    """Names of the parameters, stars included."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(thing).parameters.values()
    return [stars.get(p.kind, "") + p.name for p in found]


@pytest.mark.parametrize("function", public(functional, inspect.isfunction))
def test_functions(function):
    text = sections(function)
    assert text[""].strip().endswith(".") or ":" in text[""]
    assert not {"Parameters", "Returns", "Raises", "Notes", "Examples"} - set(text)
    parameters = described(text["Parameters"])
    assert sorted(parameters) == sorted(signature(function))
    assert all(HAS_SHAPE.search(kind) for kind in parameters.values())
    assert "array" in text["Returns"]
    assert re.search(r"^ShapeError$|^\w+Error$", text["Raises"], flags=re.M)
    assert SOURCE.search(text["Notes"]), "where it is from: PyTorch's or ONNX's name, or a paper"
    assert f"{function.__name__}(" in text["Examples"], "an example that calls it"
    assert ">>> " in text["Examples"]


@pytest.mark.parametrize("layer", public(nn, inspect.isclass))
def test_layers(layer):
    text = sections(layer)
    wanted = signature(layer) if layer not in (nn.Module,) else []
    assert sorted(described(text.get("Parameters", ""))) == sorted(wanted)
    assert ">>> " in text.get("Examples", "")
    if layer.__module__.split(".")[2] == "module":
        return
    pointed = re.findall(r":func:`gpucnn\.functional\.(\w+)`", inspect.getdoc(layer))
    assert pointed, "a layer points to its function, which has shapes, dtypes, errors and source"
    assert all(callable(getattr(functional, name)) for name in pointed)


@pytest.mark.parametrize("function", [*public(zoo, inspect.isfunction), *(
    pytest.param(getattr(gpucnn, name), id=name) for name in gpucnn.__all__ if inspect.isfunction(getattr(gpucnn, name))
)])  # fmt: skip
def test_doors(function):
    text = sections(function)
    assert list(described(text.get("Parameters", ""))) == signature(function)
    assert {"Returns", "Examples"} <= set(text)
    assert not signature(function) or "Raises" in text
    assert ">>> " in text["Examples"]


@pytest.mark.parametrize("kind", [
    pytest.param(getattr(gpucnn, name), id=name) for name in gpucnn.__all__ if inspect.isclass(getattr(gpucnn, name))
])  # fmt: skip
def test_classes(kind):
    assert "Examples" in sections(kind)
    methods = [f for name, f in vars(kind).items() if inspect.isfunction(f) and not name.startswith("_")]
    for method in methods:
        assert inspect.getdoc(method), method
