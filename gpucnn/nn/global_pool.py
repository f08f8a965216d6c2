"""Pooling of the whole map."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = [
    "GlobalAvgPool1d", "GlobalAvgPool2d", "GlobalAvgPool3d", "GlobalLPPool1d", "GlobalLPPool2d", "GlobalLPPool3d",
    "GlobalMaxPool1d", "GlobalMaxPool2d", "GlobalMaxPool3d", "GlobalMinPool1d", "GlobalMinPool2d", "GlobalMinPool3d",
]  # fmt: skip


class GlobalAvgPool1d(Module):
    """Mean of each channel's row; see :func:`gpucnn.functional.global_avg_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAvgPool1d()(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, 1)."""
        return F.global_avg_pool1d(x)


class GlobalAvgPool2d(Module):
    """Mean of each channel's map; see :func:`gpucnn.functional.global_avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAvgPool2d()(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 1, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, 1, 1)."""
        return F.global_avg_pool2d(x)


class GlobalAvgPool3d(Module):
    """Mean of each channel's volume; see :func:`gpucnn.functional.global_avg_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAvgPool3d()(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 1, 1, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, 1, 1, 1)."""
        return F.global_avg_pool3d(x)


class GlobalLPPool1d(Module):
    """Lp norm of each channel's row; see :func:`gpucnn.functional.global_lp_pool1d`.

    Parameters
    ----------
    norm_type : float
        p, above 0 and finite.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalLPPool1d()(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 1)
    """

    def __init__(self, norm_type: float = 2.0) -> None:
        super().__init__()
        self.norm_type = norm_type

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, 1)."""
        return F.global_lp_pool1d(x, self.norm_type)


class GlobalLPPool2d(Module):
    """Lp norm of each channel's map; see :func:`gpucnn.functional.global_lp_pool2d`.

    Parameters
    ----------
    norm_type : float
        p, above 0 and finite.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalLPPool2d()(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 1, 1)
    """

    def __init__(self, norm_type: float = 2.0) -> None:
        super().__init__()
        self.norm_type = norm_type

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, 1, 1)."""
        return F.global_lp_pool2d(x, self.norm_type)


class GlobalLPPool3d(Module):
    """Lp norm of each channel's volume; see :func:`gpucnn.functional.global_lp_pool3d`.

    Parameters
    ----------
    norm_type : float
        p, above 0 and finite.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalLPPool3d()(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 1, 1, 1)
    """

    def __init__(self, norm_type: float = 2.0) -> None:
        super().__init__()
        self.norm_type = norm_type

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, 1, 1, 1)."""
        return F.global_lp_pool3d(x, self.norm_type)


class GlobalMaxPool1d(Module):
    """Maximum of each channel's row; see :func:`gpucnn.functional.global_max_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPool1d()(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, 1)."""
        return F.global_max_pool1d(x)


class GlobalMaxPool2d(Module):
    """Maximum of each channel's map; see :func:`gpucnn.functional.global_max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPool2d()(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 1, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, 1, 1)."""
        return F.global_max_pool2d(x)


class GlobalMaxPool3d(Module):
    """Maximum of each channel's volume; see :func:`gpucnn.functional.global_max_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPool3d()(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 1, 1, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, 1, 1, 1)."""
        return F.global_max_pool3d(x)


class GlobalMinPool1d(Module):
    """Minimum of each channel's row; see :func:`gpucnn.functional.global_min_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMinPool1d()(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, 1)."""
        return F.global_min_pool1d(x)


class GlobalMinPool2d(Module):
    """Minimum of each channel's map; see :func:`gpucnn.functional.global_min_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMinPool2d()(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 1, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, 1, 1)."""
        return F.global_min_pool2d(x)


class GlobalMinPool3d(Module):
    """Minimum of each channel's volume; see :func:`gpucnn.functional.global_min_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMinPool3d()(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 1, 1, 1)
    """

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, 1, 1, 1)."""
        return F.global_min_pool3d(x)
