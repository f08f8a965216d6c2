"""Random ONNX nets, for tests of the importer, the passes and the plans as a whole."""

from .nets import Net, random_net
from .typed import retyped

__all__ = ["Net", "random_net", "retyped"]
