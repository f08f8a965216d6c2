"""The contracts of HOW: ``Backend``, ``Impl``, and the reference as the impl of last resort."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..ops import Op
from ..spec import Array, Spec

__all__ = ["Backend", "Bound", "Call", "Impl", "InOrder", "Packed", "Reference", "Tenant", "in_order"]

Call = Callable[[], None]
"""A step of a plan: all it needs is bound, and it allocates nothing."""


class InOrder:
    """Calls one after the other, as one.

    Attributes
    ----------
    calls : tuple of Call
    """

    __slots__ = ("calls",)

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = tuple(calls)

    def __call__(self) -> None:
        """Make them."""
        for call in self.calls:
            call()


def in_order(calls: Sequence[Call]) -> Call:
    """One call for all."""
    return calls[0] if len(calls) == 1 else InOrder(calls)


@dataclass(frozen=True)
class Packed:
    """A packed constant whose array no longer tells the shape that it came from.

    Attributes
    ----------
    array : array
        What a kernel reads.
    shape : tuple of int
        Of the constant, in logical order.
    """

    array: Array
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return int(self.array.nbytes)


class Impl:
    """One way of doing one op on one backend; an instance per tuning variant.

    Attributes
    ----------
    name : str
        For people and for the tuner, e.g. ``"conv_im2col"``.
    numerics : str
        The class that fixes the bits: method and order of summation. Time may choose only within a class.
    variant : str
        What tells it from its variants, such as the size of its blocks; empty for a method that has one.
    packs : tuple of int
        Positions of the inputs that ``pack`` changes. Where one of them is no constant, the plan packs at every run.
    """

    name: str = ""
    numerics: str = ""
    variant: str = ""
    packs: tuple[int, ...] = ()

    def supports(self, op: Any, *specs: Any, **_: Any) -> bool:
        """Whether this impl computes ``op`` for such inputs. Never depends on the batch size, or bits would."""
        raise NotImplementedError

    def suits(self, op: Any, *specs: Any, **_: Any) -> bool:
        """Whether it is a good guess for such inputs, beside what comes after it in its list. Never depends on the batch size either."""
        return True

    def variants(self) -> Sequence[Impl]:
        """The same method with other block sizes, to be chosen by time: they pack alike, and give the same bits unless BLAS differs."""
        return ()

    def workspace(self, op: Any, *specs: Any, **_: Any) -> int:
        """Scratch bytes that one lane of a bound call needs."""
        return 0

    def pack(self, op: Any, *constants: Any) -> tuple[Any, ...]:
        """Constants as ``bind`` wants them; what is not constant comes, and stays, None. Once, at load."""
        return constants

    def bind(
        self, backend: Any, op: Any, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """A call that computes ``outputs`` from ``inputs``; None where nothing is to be done.

        Parameters
        ----------
        backend : Backend
        op : Op
        inputs : sequence of array
            In logical order, strides as planned; packed where constant; None where absent.
        outputs : sequence of array
            To be written; may be slices of larger buffers.
        workspace : sequence of array
            Flat uint8 scratch, one per lane of the backend.
        """
        raise NotImplementedError


class Reference(Impl):
    """The op's own reference: accepts everything, and is slow."""

    name = "reference"
    numerics = "reference"

    def supports(self, op: Op, *specs: Any, **_: Any) -> bool:
        """Anything that the op's ``infer`` takes."""
        return True

    def bind(
        self, backend: Backend, op: Op, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Sequence[Any]
    ) -> Call | None:
        """Compute into fresh arrays and copy them where they belong."""

        def call() -> None:
            for out, result in zip(outputs, op.reference(backend.xp, *inputs)):
                out[...] = result

        return call


class Bound(NamedTuple):
    """A step of a program.

    Attributes
    ----------
    call : Call
    only_launches : bool
        Whether it does nothing but launch.
    turn : int
        Steps of one turn may run side by side, and in any order.
    """

    call: Call
    only_launches: bool
    turn: int


class Tenant(Protocol):
    """A program on an arena of the backend's."""

    def release(self) -> None:
        """Let go of the arena; the program cannot run afterwards."""
        ...


class Backend(Protocol):
    """A device: its memory, and its impls by op, best guess first; the reference stands behind every list.

    Attributes
    ----------
    name : str
        ``"cpu"`` or ``"cuda"``.
    xp : module
        NumPy or CuPy.
    IMPLS : dict of type to tuple of Impl
    lanes : int
        Independent workers inside one program; each gets its own workspace.
    """

    name: str
    xp: Any
    IMPLS: dict[type[Op], tuple[Impl, ...]]
    lanes: int

    def allocate(self, nbytes: int) -> Array:
        """Uninitialised flat uint8 memory, aligned for the widest access."""
        ...

    def arena(self, nbytes: int) -> Array:
        """Memory of a program: its own, or one that all programs of the backend share."""
        ...

    def house(self, tenant: Tenant) -> None:
        """Remember who lives on an arena that is shared; it is released when that has to grow."""
        ...

    def arena_limit(self) -> int | None:
        """Most bytes that an arena may take before the batch is made smaller for it; None where that is never done."""
        ...

    def free_memory(self) -> int:
        """Bytes that an arena could take now."""
        ...

    def sequence(self, steps: Sequence[Bound]) -> Call:
        """One call for all steps."""
        ...

    def time(self, call: Call) -> float:
        """Seconds that the device takes for a call."""
        ...

    def close(self) -> None:
        """Let go of threads and device."""
        ...

    def view(self, memory: Array, offset: int, spec: Spec, strides: tuple[int, ...]) -> Array:
        """An array inside ``memory``: ``offset`` in bytes, ``strides`` in elements."""
        ...

    def upload(self, array: np.ndarray[Any, Any]) -> Array:
        """A constant on the device."""
        ...

    def adopt(self, array: Any) -> Array:
        """A caller's array as ``write`` takes it: on the host, or on this device."""
        ...

    def result(self, spec: Spec, inputs: Iterable[Array]) -> Array:
        """Uninitialised memory for ``read``, on the side where the inputs are; the caller's."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """While open, programs of this backend may be bound and run."""
        ...

    def write(self, target: Array, source: Array) -> None:
        """Copy a caller's array into the device's memory."""
        ...

    def read(self, source: Array, out: Any = None) -> Any:
        """A NumPy copy, C-contiguous in logical order, that belongs to the caller: fresh, or in ``out``, made by ``result``."""
        ...
