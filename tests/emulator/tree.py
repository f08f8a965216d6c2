"""What a PTX module is made of: operands, instructions, variables and functions, as plain data.

::

    Function ── params, returns, arrays (local, param, shared of its body), max_threads
             ├─ registers        every register of the body, those of inner scopes renamed apart
             └─ body             Label | Targets | Instruction
                                                   └─ operands: Reg  Special  Sym  Int  Float  Addr  Vec  Pair  Not
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "SIZES",
    "Addr",
    "Float",
    "Function",
    "Instruction",
    "Int",
    "Label",
    "Not",
    "Operand",
    "Pair",
    "Param",
    "Reg",
    "Special",
    "Statement",
    "Sym",
    "Targets",
    "Variable",
    "Vec",
]

SIZES = {
    "pred": 1,
    **dict.fromkeys(("u8", "s8", "b8"), 8),
    **dict.fromkeys(("u16", "s16", "b16", "f16", "bf16"), 16),
    **dict.fromkeys(("u32", "s32", "b32", "f32", "f16x2", "bf16x2", "tf32"), 32),
    **dict.fromkeys(("u64", "s64", "b64", "f64", "f32x2"), 64),
}
"""Bits of every type."""


class Reg(NamedTuple):
    """A declared register; the name is unique in its function."""

    name: str
    type: str


class Special(NamedTuple):
    """A predefined register, such as ``%tid.x``."""

    name: str


class Sym(NamedTuple):
    """A variable, parameter, function, or label."""

    name: str


class Int(NamedTuple):
    """An integer literal."""

    value: int


class Float(NamedTuple):
    """A floating-point literal by its bits: ``0f…`` has 32, ``0d…`` 64."""

    bits: int
    width: int


class Addr(NamedTuple):
    """``[base+offset]``."""

    base: Reg | Sym | Int
    offset: int


class Vec(NamedTuple):
    """``{a, b, …}``, and the lists in parentheses of a call."""

    items: tuple[Operand, ...]


class Pair(NamedTuple):
    """``p|q``: two results."""

    first: Operand
    second: Operand


class Not(NamedTuple):
    """``!p``."""

    operand: Operand


Operand = Reg | Special | Sym | Int | Float | Addr | Vec | Pair | Not


class Label(NamedTuple):
    """A place to jump to; the name is unique in its function."""

    name: str


class Targets(NamedTuple):
    """A ``.branchtargets`` table for ``brx.idx``."""

    name: str
    labels: tuple[str, ...]


class Instruction(NamedTuple):
    """One instruction: ``@guard op.mods operands`` at source line ``site``."""

    op: str
    mods: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Reg | None
    negated: bool
    site: int
    text: str


class Param(NamedTuple):
    """A parameter: its PTX type, and how many elements it has (structs arrive as ``b8`` arrays)."""

    name: str
    type: str
    length: int
    pointer: bool


Statement = Label | Targets | Instruction


@dataclass(frozen=True)
class Variable:
    """A variable. ``count`` is None for ``extern`` arrays without a size; ``values`` holds bits, None for symbols."""

    name: str
    space: str
    type: str
    align: int
    count: int | None
    values: tuple[int | None, ...] = ()


@dataclass
class Function:
    """A kernel (``entry``) or a device function with its body."""

    name: str
    entry: bool
    params: tuple[Param, ...]
    returns: tuple[Param, ...]
    max_threads: int
    arrays: dict[str, Variable] = field(default_factory=dict)
    registers: list[Reg] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)
