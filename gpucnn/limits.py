"""The limits that guard memory, each checked before anything is allocated, all raised by a setting."""

from __future__ import annotations

from .errors import LimitError
from .settings import settings

__all__ = ["check_limit"]

_SETTINGS = {
    "file bytes": "max_file_bytes",
    "nodes": "max_nodes",
    "operations": "max_folding",
    "elements": "max_elements",
    "weight bytes": "max_weight_bytes",
}


def check_limit(kind: str, amount: int, what: str) -> None:
    """Raise if there is more of something than its setting allows.

    Parameters
    ----------
    kind : {"file bytes", "nodes", "operations", "elements", "weight bytes"}
    amount : int
    what : str
        Begins the message, and says where how much of what was met: ``"net.npz: the file has 900 bytes"``.

    Raises
    ------
    LimitError
        With the limit, and the variable that raises it.

    Examples
    --------
    >>> check_limit("nodes", 10**9, "net.onnx: the graph has 1000000000 nodes")
    Traceback (most recent call last):
    gpucnn.errors.LimitError: net.onnx: the graph has 1000000000 nodes, the limit is 20000; set GPUCNN_MAX_NODES to raise it
    """
    field = _SETTINGS[kind]
    limit = getattr(settings(), field)
    if amount > limit:
        raise LimitError(f"{what}, the limit is {limit}; set GPUCNN_{field.upper()} to raise it")
