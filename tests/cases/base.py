"""What a case is, and how its numbers are drawn."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpucnn.ops import Op
from gpucnn.spec import Spec

SEED = int(os.environ.get("GPUCNN_TEST_SEED") or int.from_bytes(os.urandom(4), "little"))
"""Of all cases of this run; a failure says it, and ``GPUCNN_TEST_SEED=<it>`` repeats the run."""

FEWEST = 8

_FILLS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "wide": lambda rng, shape: rng.standard_normal(shape) * 100,
    "positive": lambda rng, shape: rng.uniform(0.5, 1.5, shape),
    "offset": lambda rng, shape: rng.standard_normal(shape) + 100,
    "below": lambda rng, shape: rng.standard_normal(shape) - 200,
    "ties": lambda rng, shape: rng.integers(1, 4, shape),
    # Halfway between float16 neighbours, below the normal ones, and around the largest.
    "halves": lambda rng, shape: rng.choice([1 + 2**-11, 1 + 3 * 2**-11, 2**-25, 3 * 2**-25, 65519.0, 65520.0, -1e6, 1e-3], shape),
    "huge": lambda rng, shape: rng.standard_normal(shape) * 1e37,
    "zero": lambda rng, shape: np.zeros(shape),
    "zeros": lambda rng, shape: rng.choice([-1, -0.0, 0.0, 1], shape),
    "nan": lambda rng, shape: np.full(shape, np.nan),
    "lowest": lambda rng, shape: np.full(shape, -np.inf),
    "special": lambda rng, shape: rng.choice([np.nan, np.inf, -np.inf, *rng.standard_normal(60)], shape),
    # Squares and cubes of these leave float32.
    "far": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-18, 31, shape),
    "unit": lambda rng, shape: rng.random(shape),
    "infinite": lambda rng, shape: rng.choice([np.inf, *rng.standard_normal(60)], shape),
}


@dataclass(frozen=True)
class Draw:
    """An array to be drawn: its shape, its dtype, and a key of ``_FILLS``; integers cover their type, or lie in a range."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    fill: str = "normal"
    within: tuple[int, int] | None = None

    def array(self, rng: np.random.Generator) -> np.ndarray:
        dtype = np.dtype(self.dtype)
        if dtype.kind == "b":
            return rng.integers(0, 2, self.shape).astype(bool)
        if dtype.kind in "iu":
            low, high = self.within or ((0, 256) if dtype == np.uint8 else (-99, 100))
            return rng.integers(low, high, self.shape, dtype)
        with np.errstate(over="ignore"):  # "halves" reach beyond float16
            return np.asarray(_FILLS[self.fill](rng, self.shape)).astype(dtype)


@dataclass(frozen=True)
class Case:
    """An op and its inputs; ``flows`` are the positions that arrive at run time, the others are constants of a net."""

    id: str
    op: Op
    inputs: tuple[Draw | None, ...]
    flows: tuple[int, ...] = (0,)

    def arrays(self, seed: int = SEED) -> tuple[Any, ...]:
        """The same for the same seed; a test that wants particular numbers gives one of its own."""
        rng = np.random.default_rng((seed, zlib.crc32(f"{self.op.name}/{self.id}".encode())))
        return tuple(None if draw is None else draw.array(rng) for draw in self.inputs)

    @property
    def specs(self) -> tuple[Spec | None, ...]:
        return tuple(None if d is None else Spec(d.shape, np.dtype(d.dtype)) for d in self.inputs)


def halved(case: Case) -> Case:
    """The case in float16."""
    inputs = tuple(replace(d, dtype="float16") if d is not None and d.dtype == "float32" else d for d in case.inputs)
    return replace(case, id=f"{case.id}, float16", inputs=inputs)


def of(id: str, op: Op, *inputs: Any, dtype: str = "float32", fill: str = "normal") -> Case:
    """A case whose inputs all arrive at run time, given as shapes or as Draws."""
    draws = tuple(d if isinstance(d, Draw) else Draw(d, dtype, fill) for d in inputs)
    return Case(id, op, draws, tuple(range(len(draws))))


def each(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def pads_of(value: Any, axes: int) -> Any:
    return value if isinstance(value, str) else tuple((p, p) if isinstance(p, int) else p for p in each(value, axes))
