"""Names, order and defaults of parameters are PyTorch's, where it has the function or the layer; each exception has its reason here.

``data/torch_signatures.json`` is what PyTorch says of itself (``perf/torch_names.py``).
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from gpucnn import functional, nn

TORCH = json.loads((Path(__file__).parent / "data" / "torch_signatures.json").read_text())

RENAMED = {"input": "x", "self": "x", "tensor": "x", "input1": "x1", "input2": "x2", "other": "y", "mat2": "y", "exponent": "y"}
"""Arrays are called x and y here, as in every room."""

OF_NO_USE = {
    "training": "inference knows no other mode",
    "momentum": "of running statistics, while they run",
    "track_running_stats": "without it a norm has the statistics of its batch, which is training",
    "scale_grad_by_freq": "there are no gradients",
    "sparse": "as scale_grad_by_freq",
    "sparse_grad": "as scale_grad_by_freq",
    "padding_idx": "as scale_grad_by_freq",
    "max_norm": "changes the weight",
    "norm_type": "goes with max_norm",
    "inplace": "what shares memory is decided by the plan",
    "out": "as inplace",
    "device": "weights are on the host until a model is made of them",
    "dtype": "cast is a function of its own",
    "out_dtype": "as dtype",
    "stable": "it always is",
    "_stacklevel": "not meant for callers",
    "padding_mode": "of a transposed convolution PyTorch, too, has zeros alone",
    "min_value": "PyTorch's former name of min_val",
    "max_value": "as min_value",
}
"""Parameters of PyTorch that need not be here."""

EXCEPTIONS: dict[str, str] = {
    "Parameter": "made from a shape and starting values, so that a large net costs nothing until its weights are loaded",
    "ModuleList": "takes its layers one by one, as Sequential does",
    "prod": "PyTorch's function has dim; the override that stands in for it is that of another form",
    "permute": "PyTorch's function says dims; the override that stands in for it says dim",
    "max_pool3d": "PyTorch's function has the order of max_pool2d; the override that stands in for it has another",
    "logsumexp": "PyTorch's function says dim; the override that stands in for it says names",
    "topk": "PyTorch's function has largest; the override that stands in for it says descending",
    "scatter": "the override that stands in for it has three forms in one; src may be a number here, and reduce is scatter_reduce's",
    "fractional_max_pool2d": "_random_samples is spelt samples, which are an argument like others here",
    "fractional_max_pool3d": "as fractional_max_pool2d",
    "FractionalMaxPool2d": "as fractional_max_pool2d",
    "FractionalMaxPool3d": "as fractional_max_pool2d",
}
"""Functions and layers that are not compared."""

OTHER_DEFAULTS: dict[tuple[str, str], str] = {
    ("glu", "dim"): "the channels, which convolutional networks halve; the docstring says so",
    ("GLU", "dim"): "as glu",
    ("norm", "p"): "'fro' and 2 are the same number of a vector",
    ("pad", "value"): "None stands for 0",
    ("one_hot", "num_classes"): "the largest class that happens to be there would make the shape depend on values",
    ("softmax", "dim"): "an axis that is guessed is an axis that is wrong",
    ("softmin", "dim"): "as softmax",
    ("log_softmax", "dim"): "as softmax",
    ("Softmax", "dim"): "as softmax",
    ("Softmin", "dim"): "as softmax",
    ("LogSoftmax", "dim"): "as softmax",
    ("where", "x"): "places of what is true are another function",
    ("where", "y"): "as x",
}
"""By function and parameter."""


def value(text: str | None) -> Any:
    """A default as a value, where it is one that can be read."""
    try:
        return None if text is None else ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def compared() -> list[Any]:
    tables = ((functional, TORCH["functions"]), (nn, TORCH["layers"]))
    return [
        pytest.param(name, getattr(room, name), theirs, id=f"{room.__name__.split('.')[-1]}.{name}")
        for room, table in tables
        for name, theirs in table.items()
        if name not in EXCEPTIONS
    ]


@pytest.mark.parametrize(("name", "ours", "theirs"), compared())
def test_parameters_are_pytorchs(name, ours, theirs):
    mine = inspect.signature(ours).parameters
    wanted = {RENAMED.get(n, n): default for n, default in theirs.items()}
    shared = [n for n in wanted if n in mine]
    assert not {n for n in wanted if n not in mine} - set(OF_NO_USE)
    assert [n for n in mine if n in wanted] == shared, "another order"
    # What stands behind a parameter that we have not, or before one of our own, must not be taken by its place.
    places = [n for n, p in mine.items() if p.kind is not p.KEYWORD_ONLY]
    least = min((i for i, n in enumerate(wanted) if n not in mine), default=len(wanted))
    assert places[:least] == list(wanted)[: min(least, len(places))]
    assert not set(places[least:]) & set(wanted)
    for n in shared:
        if (name, n) not in OTHER_DEFAULTS:
            default = mine[n].default
            assert (None if default is inspect.Parameter.empty else default) == value(wanted[n])
            assert (default is inspect.Parameter.empty) == (wanted[n] is None)


def test_exceptions_are_needed():
    names = {p.values[0] for p in compared()} | set(EXCEPTIONS)
    assert {name for name, _ in OTHER_DEFAULTS} <= names
    assert set(EXCEPTIONS) <= {*TORCH["functions"], *TORCH["layers"]}
