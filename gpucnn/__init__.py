"""gpucnn: the forward pass of convolutional networks, on hand-written CUDA kernels or on NumPy.

>>> import gpucnn
>>> model = gpucnn.load("efficientnet_lite0")
>>> model.outputs[0].shape
('n', 1000)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "Features",
    "Model",
    "Prediction",
    "Preprocess",
    "Result",
    "__version__",
    "compile",
    "devices",
    "errors",
    "filters",
    "functional",
    "load",
    "nn",
    "zoo",
]

if TYPE_CHECKING:
    from . import errors, filters, functional, nn, zoo
    from .classify import Classifier, Features, Prediction, Result
    from .device import devices
    from .loader import load
    from .model import Model, compile
    from .preprocess import Preprocess

# Names are looked up when they are first used, so that `import gpucnn` costs next to nothing.
_PLACES = {
    "Classifier": "classify",
    "Features": "classify",
    "Model": "model",
    "Prediction": "classify",
    "Preprocess": "preprocess",
    "Result": "classify",
    "compile": "model",
    "devices": "device",
    "errors": "",
    "filters": "",
    "functional": "",
    "load": "loader",
    "nn": "",
    "zoo": "",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'gpucnn' has no attribute {name!r}")
    place = _PLACES[name]
    found = getattr(import_module(f"gpucnn.{place}"), name) if place else import_module(f"gpucnn.{name}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
