"""bfloat16, which NumPy does not have: the upper half of a float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["widen_bfloat16"]


def widen_bfloat16(bits: npt.NDArray[np.uint16]) -> npt.NDArray[Any]:
    """The float32 values of bfloat16 bit patterns; exact.

    Examples
    --------
    >>> widen_bfloat16(np.array([0x3F80, 0xC040], np.uint16))
    array([ 1., -3.], dtype=float32)
    """
    wide = bits.astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)
