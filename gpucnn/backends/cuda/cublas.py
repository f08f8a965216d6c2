"""cuBLAS through a handle of our own.

CuPy's calls set the stream at every product and refuse to be captured into a CUDA graph. A handle whose stream and workspace are set
once can be.
"""

from __future__ import annotations

import ctypes
from typing import Any

from ...errors import DeviceError
from .probe import find_library

__all__ = ["WORKSPACE", "Cublas", "load_cublas"]

WORKSPACE = 32 << 20
"""Bytes that cuBLAS gets once (what NVIDIA recommends for sm_90), so that it never allocates."""

_N, _T = 0, 1  # cublasOperation_t
_FLOAT, _HALF = 0, 2  # cudaDataType_t
_COMPUTE_32F = 68  # cublasComputeType_t: float32 sums, no TF32
_DEFAULT_ALGORITHM = -1
_NO_REDUCED_PRECISION = 16  # cublasMath_t: partial sums stay float32 as well

_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cublasCreate_v2": (ctypes.POINTER(ctypes.c_void_p),),
    "cublasDestroy_v2": (ctypes.c_void_p,),
    "cublasSetStream_v2": (ctypes.c_void_p, ctypes.c_void_p),
    "cublasSetWorkspace_v2": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t),
    "cublasSetMathMode": (ctypes.c_void_p, ctypes.c_int),
    "cublasGemmEx": (
        ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
        ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
        ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int,
    ),
}  # fmt: skip


def load_cublas(cuda: int) -> Any:
    """Load cuBLAS of CUDA 12 or 13; DeviceError where there is none."""
    return ctypes.CDLL(find_library("cublas", cuda))


class Cublas:
    """A handle on one stream.

    Parameters
    ----------
    library : ctypes library
        Of cuBLAS 12 or 13.
    stream : int
        The stream's address.
    workspace : int
        Address of ``WORKSPACE`` bytes on the device, aligned to 256.
    """

    def __init__(self, library: Any, stream: int, workspace: int) -> None:
        self._library = library
        for name, signature in _SIGNATURES.items():
            getattr(library, name).argtypes = signature
            getattr(library, name).restype = ctypes.c_int
        self._handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        self._call("cublasSetStream_v2", self._handle, stream)
        self._call("cublasSetWorkspace_v2", self._handle, workspace, WORKSPACE)
        self._call("cublasSetMathMode", self._handle, _NO_REDUCED_PRECISION)
        self._one, self._zero = ctypes.c_float(1.0), ctypes.c_float(0.0)

    def gemm(self, a: int, a_row: int, b: int, b_row: int, out: int, out_row: int, m: int, k: int, c: int, half: bool) -> None:
        """``out (m, k) = a (m, c) · b (k, c)ᵀ``, all row-major, from addresses and elements between rows; float32 sums and result.

        To cuBLAS, which counts columns first, a row-major matrix is its own transpose: it computes outᵀ (k, m) = b · aᵀ.
        """
        kind = _HALF if half else _FLOAT
        self._call(
            "cublasGemmEx", self._handle, _T, _N, k, m, c, ctypes.addressof(self._one),
            b, kind, b_row, a, kind, a_row, ctypes.addressof(self._zero), out, _FLOAT, out_row, _COMPUTE_32F, _DEFAULT_ALGORITHM,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the handle."""
        if self._handle:
            self._library.cublasDestroy_v2(self._handle)
            self._handle = ctypes.c_void_p()

    def _call(self, name: str, *args: Any) -> None:
        status = getattr(self._library, name)(*args)
        if status:
            raise DeviceError(f"{name} gives error {status} (cublasStatus_t)")
