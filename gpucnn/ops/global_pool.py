"""Pooling of the whole map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..spec import Array, Spec
from .base import Layout, Op, Validation, accumulator, require_float, require_rank
from .power import check_power, norm_of, unit_of
from .window import require_map, require_number

__all__ = ["GlobalAvgPool", "GlobalLpPool", "GlobalMaxPool", "GlobalMinPool"]


def _one_pixel(x: Spec) -> Spec:
    return Spec((*x.shape[:2], *(1,) * (x.ndim - 2)), x.dtype)


def _spatial(x: Array) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _infer_extreme(op: Op, x: Spec) -> tuple[Spec, ...]:
    require_rank(op.name, x, 3)
    require_number(op.name, x)
    require_map(op.name, x)
    return (_one_pixel(x),)


@dataclass(frozen=True)
class GlobalAvgPool(Op):
    """Mean of each channel's map: x (n, c, …) to (n, c, 1, …, 1). ONNX ``GlobalAveragePool``."""

    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    @property
    def name(self) -> str:
        """``global_avg_pool``."""
        return "global_avg_pool"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, 1, …, 1)."""
        require_rank(self.name, x, 3)
        require_float(self.name, x=x)
        require_map(self.name, x)
        return (_one_pixel(x),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The mean, in the accumulator type."""
        return (x.astype(accumulator(x.dtype)).mean(axis=_spatial(x), keepdims=True).astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """One addition per input element."""
        return x.size


@dataclass(frozen=True)
class GlobalMaxPool(Op):
    """Maximum of each channel's map: x (n, c, …) to (n, c, 1, …, 1); one NaN gives NaN. ONNX ``GlobalMaxPool``."""

    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "exact"

    @property
    def name(self) -> str:
        """``global_max_pool``."""
        return "global_max_pool"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, 1, …, 1)."""
        return _infer_extreme(self, x)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The maximum, which lets NaN through."""
        return (x.max(axis=_spatial(x), keepdims=True),)

    def flops(self, x: Spec) -> int:
        """One comparison per input element."""
        return x.size


@dataclass(frozen=True)
class GlobalMinPool(Op):
    """Minimum of each channel's map: x (n, c, …) to (n, c, 1, …, 1); one NaN gives NaN. No framework defines it."""

    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "exact"

    @property
    def name(self) -> str:
        """``global_min_pool``."""
        return "global_min_pool"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, 1, …, 1)."""
        return _infer_extreme(self, x)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The minimum, which lets NaN through."""
        return (x.min(axis=_spatial(x), keepdims=True),)

    def flops(self, x: Spec) -> int:
        """One comparison per input element."""
        return x.size


@dataclass(frozen=True)
class GlobalLpPool(Op):
    """Lp norm of each channel's map, ``(Σ |x|^p)^(1/p)``: x (n, c, …) to (n, c, 1, …, 1). ONNX ``GlobalLpPool``.

    Parameters
    ----------
    p : float
        Above 0 and finite.
    """

    p: float = 2.0
    layout: ClassVar[Layout] = "spatial"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        check_power(self.name, self.p)

    @property
    def name(self) -> str:
        """``global_lp_pool``."""
        return "global_lp_pool"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, 1, …, 1)."""
        require_rank(self.name, x, 3)
        require_float(self.name, x=x)
        require_map(self.name, x)
        return (_one_pixel(x),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """The largest, then the sum of powers of what share of it each value is: so nothing overflows."""
        wide = xp.abs(x.astype(accumulator(x.dtype)))
        largest = wide.max(axis=_spatial(x), keepdims=True)
        total = ((wide / unit_of(xp, largest)) ** self.p).sum(axis=_spatial(x), keepdims=True)
        return (norm_of(xp, largest, total, self.p).astype(x.dtype),)

    def flops(self, x: Spec) -> int:
        """A power and an addition per input element."""
        return 2 * x.size
