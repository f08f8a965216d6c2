"""Write ``tests/data/torch_signatures.json``: parameters of PyTorch's functions and layers that have a name of ours. By hand, with torch.

    python tests/perf/torch_names.py

Functions written in C++ have no signature that Python can read; for those stands the one of ``torch.overrides``, which may lack parameters
at the end.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch

from gpucnn import functional, nn

TARGET = Path(__file__).parent.parent / "data" / "torch_signatures.json"


def parameters(function: Any) -> dict[str, str | None] | None:
    """Name to default, as text; None where there is none."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        return None
    return {p.name: None if p.default is p.empty else repr(p.default) for p in found}


def main() -> None:
    testing = torch.overrides.get_testing_overrides()
    functions = {}
    for name, ours in sorted(vars(functional).items()):
        theirs = getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
        if inspect.isfunction(ours) and not name.startswith("_") and theirs is not None:
            signature = parameters(theirs) or parameters(testing.get(theirs))
            if signature:
                functions[name] = signature
    layers = {}
    for name, ours in sorted(vars(nn).items()):
        theirs = getattr(torch.nn, name, None)
        if inspect.isclass(ours) and theirs is not None:
            signature = parameters(theirs)
            if signature:
                layers[name] = signature
    TARGET.write_text(json.dumps({"torch": torch.__version__, "functions": functions, "layers": layers}, indent=1) + "\n")
    print(f"{len(functions)} functions, {len(layers)} layers")


if __name__ == "__main__":
    main()
