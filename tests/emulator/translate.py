"""One kernel of PTX to one file of C++.

A PTX register becomes a local variable that holds its bits; a branch becomes ``goto``; an instruction becomes a statement in
braces, built by the handler of its opcode. The handlers stand by family in arithmetic, moves, memory and collectives. An opcode
or a modifier that no handler knows raises :class:`~emulator.errors.UnsupportedPtxError` with the instruction's text: nothing is
skipped in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from . import arithmetic, collectives, memory, moves
from .errors import UnsupportedPtxError
from .ptx import Ptx
from .tree import (
    SIZES,
    Addr,
    Float,
    Function,
    Instruction,
    Int,
    Label,
    Not,
    Operand,
    Pair,
    Param,
    Reg,
    Special,
    Statement,
    Sym,
    Targets,
    Variable,
    Vec,
)

__all__ = ["Handler", "Translator", "translate"]

Handler = Callable[["Translator", Instruction], str]

TABLE: dict[str, Handler] = {**arithmetic.TABLE, **moves.TABLE, **memory.TABLE, **collectives.TABLE}

SPECIAL = {
    **{f"%tid.{c}": f"self.index.{c}" for c in "xyz"},
    **{f"%ntid.{c}": f"self.block->block_size.{c}" for c in "xyz"},
    **{f"%ctaid.{c}": f"self.block->block_index.{c}" for c in "xyz"},
    **{f"%nctaid.{c}": f"self.block->grid_size.{c}" for c in "xyz"},
    "%laneid": "self.lane",
    "%warpid": "self.warp",
    "%dynamic_smem_size": "self.block->dynamic_bytes",
    "%lanemask_eq": "(1u << self.lane)",
    "%lanemask_lt": "((1u << self.lane) - 1)",
    "%lanemask_le": "((2u << self.lane) - 1)",
    "%lanemask_gt": "~((2u << self.lane) - 1)",
    "%lanemask_ge": "~((1u << self.lane) - 1)",
    "%clock": "0u",
    "%clock64": "0ull",
    "%smid": "0u",
    "WARP_SZ": "32u",
}

GAP = 64
"""Bytes between two static shared arrays, so that running from one into the next is seen."""


@dataclass(frozen=True)
class SharedLayout:
    """Where the shared arrays of a kernel lie in the window of the emulator."""

    offsets: dict[str, int]
    static: tuple[tuple[str, int, int], ...]  # name, offset, bytes
    static_bytes: int  # as a GPU would count them
    dynamic_offset: int


def _align(offset: int, to: int) -> int:
    return -(-offset // to) * to


def _bytes(variable: Variable) -> int:
    return SIZES[variable.type] // 8 * (variable.count or 0)


def _layout(arrays: dict[str, Variable]) -> SharedLayout:
    offsets, static, end, counted = {}, [], 0, 0
    for name, variable in arrays.items():
        if variable.count is not None:
            offsets[name] = _align(end, max(16, variable.align))
            static.append((name, offsets[name], _bytes(variable)))
            end = offsets[name] + _bytes(variable) + GAP
            counted = _align(counted, variable.align) + _bytes(variable)
    dynamic = {name: variable for name, variable in arrays.items() if variable.count is None}
    dynamic_offset = _align(end, max([16, *(v.align for v in dynamic.values())]))
    return SharedLayout(offsets | dict.fromkeys(dynamic, dynamic_offset), tuple(static), counted, dynamic_offset)


class Translator:
    """Writes one function; handlers call back for operands."""

    def __init__(self, ptx: Ptx, function: Function, arch: int, shared: dict[str, int], called: Callable[[str], None]) -> None:
        self.ptx, self.function, self.arch, self.shared, self._called = ptx, function, arch, shared, called
        self._params = {p.name: i for i, p in enumerate((*function.returns, *function.params))}
        self._labels_seen: set[str] = set()
        self._tables = {s.name: s.labels for s in function.body if isinstance(s, Targets)}
        self._instructions = 0

    # ---- what handlers ask --------------------------------------------------------------------------------------------
    def unsupported(self, ins: Instruction) -> UnsupportedPtxError:
        return UnsupportedPtxError(f"{self.function.name}, {self.ptx.sites.texts[ins.site]}: the emulator does not know `{ins.text}`")

    def only(self, ins: Instruction, *known: str) -> None:
        """Refuse modifiers that the handler does not read."""
        if any(m not in known and m not in SIZES for m in ins.mods):
            raise self.unsupported(ins)

    def need(self, ins: Instruction, arch: int) -> None:
        """Refuse an instruction that the architecture lacks, as ptxas would."""
        if self.arch < arch:
            place = f"{self.function.name}, {self.ptx.sites.texts[ins.site]}"
            raise UnsupportedPtxError(f"{place}: sm_{self.arch} has no `{ins.text}` (sm_{arch} has)")

    def number(self, ins: Instruction) -> int:
        """Of an instruction that all lanes of a warp must execute together."""
        self._instructions += 1
        return self._instructions

    @staticmethod
    def type_of(ins: Instruction) -> str:
        """The last type among the modifiers."""
        return next((m for m in reversed(ins.mods) if m in SIZES), "b32")

    @staticmethod
    def ctype(kind: str) -> str:
        if kind == "pred":
            return "bool"
        return f"{'int' if kind[0] == 's' else 'uint'}{SIZES[kind]}_t"

    @staticmethod
    def from_bits(bits: str, kind: str) -> str:
        if kind in ("f16", "bf16"):
            return f"as_{kind}((uint16_t){bits})"
        if kind in ("f32", "f64"):
            return f"as_{kind}({bits})"
        return bits if kind == "pred" else f"({Translator.ctype(kind)}){bits}"

    @staticmethod
    def to_bits(value: str, kind: str) -> str:
        return f"of_{kind}({value})" if kind in ("f16", "bf16", "f32", "f64") else value

    def read(self, operand: Operand, kind: str) -> str:
        """C++ value of an operand taken as ``kind``."""
        match operand:
            case Not(inner):
                return f"!{self.read(inner, kind)}"
            case Reg():
                return self.from_bits(_name(operand.name), kind)
            case Int(value) if kind == "pred":
                return "true" if value else "false"
            case Int(value) if kind in ("f32", "f64", "f16", "bf16"):
                return f"({'double' if kind == 'f64' else 'float'})({value})"
            case Int(value):
                bits = SIZES[kind]
                return f"({self.ctype(kind)}){value & (1 << bits) - 1:#x}{'ull' if bits == 64 else 'u'}"
            case Float(bits, width):
                return self.from_bits(f"{bits:#x}{'ull' if width == 64 else 'u'}", kind)
            case Special(name) if name in SPECIAL:
                return self.from_bits(SPECIAL[name], kind)
            case Sym(name):
                return self.from_bits(self._symbol(name), kind)
        raise UnsupportedPtxError(f"{self.function.name}: operand {operand}")

    def _symbol(self, name: str) -> str:
        if name in self.shared:
            return f"{self.shared[name]}u"
        if name in self.function.arrays or name in self.ptx.variables:
            return f"(uint64_t){_name(name)}"
        if name in self._params:
            return f"(uint64_t)params[{self._params[name]}]"
        raise UnsupportedPtxError(f"{self.function.name}: {name!r} is neither a variable nor a parameter")

    def write(self, operand: Operand, kind: str, value: str) -> str:
        """C++ statement that puts a value of ``kind`` into a register."""
        if operand == Sym("_"):
            return f"(void)({value});"
        if not isinstance(operand, Reg):
            raise UnsupportedPtxError(f"{self.function.name}: {operand} as a destination")
        name = _name(operand.name)
        if operand.type == "pred":
            return f"{name} = (bool)({value});"
        bits = self.to_bits(value, kind) if kind in ("f16", "bf16", "f32", "f64") else f"({self.ctype(kind)})({value})"
        return f"{name} = ({self.ctype('b' + str(SIZES[operand.type]))}){bits};"

    def address(self, ins: Instruction, operand: Operand, space: str, width: int | str) -> str:
        """C++ pointer to what ``[base+offset]`` names, ``width`` bytes wide."""
        if not isinstance(operand, Addr):
            raise self.unsupported(ins)
        base, offset = operand
        if space == "param" and isinstance(base, Sym):
            return f"(char*)({self._symbol(base.name)} + {offset})"
        if space == "shared":
            return f"in_shared(self, (uint32_t){self.read(base, 'u64')} + {offset & 0xFFFFFFFF:#x}u, {width}, {ins.site})"
        return f"generic({self.read(base, 'u64')} + {offset}ll)"

    def jump(self, label: Operand, ins: Instruction) -> str:
        if not isinstance(label, Sym):
            raise self.unsupported(ins)
        poll = f"poll(self, {ins.site}); " if label.name in self._labels_seen else ""
        return f"{poll}goto {_name(label.name)};"

    def targets(self, table: str) -> tuple[str, ...]:
        return self._tables[table]

    def leave(self, ins: Instruction) -> str:
        if ins.op == "exit" and not self.function.entry:
            raise self.unsupported(ins)
        return f"{{ self.site = {ins.site}; return; }}"

    def call(self, name: str, ins: Instruction) -> str:
        if not self.ptx.has_function(name):
            raise self.unsupported(ins)
        self._called(name)
        return f"function_{_name(name)}"

    # ---- the whole function -------------------------------------------------------------------------------------------
    def translate(self) -> str:
        lines = [f"{_signature(self.function.name)} {{", "unsigned carry = 0; (void)carry;"]
        used = {o for statement in self.function.body if isinstance(statement, Instruction) for o in _registers(statement)}
        kinds: dict[str, list[str]] = {}
        for register in self.function.registers:
            if register in used:
                kind = "pred" if register.type == "pred" else f"b{SIZES[register.type]}"
                kinds.setdefault(self.ctype(kind), []).append(_name(register.name))
        lines += [f"{ctype} {', '.join(names)};" for ctype, names in kinds.items()]
        code, body, at = [], self.function.body, 0
        while at < len(body):
            if run := _run_of_multiplications(body, at):
                code.append(collectives.multiply(self, run).join("{}"))
            elif run := moves.call_sequence(self, body, at):
                code.append(moves.call_by_value(self, run).join("{}"))
            else:
                code.append(self._statement(body[at]))
            at += max(1, len(run))
        named = set(re.findall(r"\w+", "\n".join(code)))
        for name, array in self.function.arrays.items():
            if array.space != "shared" and _name(name) in named:
                lines.append(f"alignas({max(16, array.align)}) char {_name(name)}[{max(8, _bytes(array))}];")
        return "\n".join([*lines, *code, "}"])

    def _statement(self, statement: Statement) -> str:
        if isinstance(statement, Label):
            self._labels_seen.add(statement.name)
            return f"{_name(statement.name)}: ;"
        if isinstance(statement, Targets):
            return ""
        if statement.op not in TABLE:
            raise self.unsupported(statement)
        try:
            code = TABLE[statement.op](self, statement)
        except (ValueError, KeyError, IndexError, StopIteration) as error:  # operands of a form that the handler does not know
            raise self.unsupported(statement) from error
        guard = f"if ({'!' if statement.negated else ''}{_name(statement.guard.name)}) " if statement.guard else ""
        return f"{guard}{{ {code} }}"


def _run_of_multiplications(body: list[Statement], at: int) -> list[Instruction]:
    run: list[Instruction] = []
    for statement in body[at : at + 256]:
        if not isinstance(statement, Instruction) or statement.op != "mma" or statement.guard:
            break
        run.append(statement)
    return run


def _name(ptx: str) -> str:
    """A C++ name; the underscore at the end keeps clear of keywords and of the emulator's own names."""
    return re.sub(r"\W", "_", ptx.lstrip("%$")) + "_"


def _signature(ptx: str) -> str:
    return f"static void function_{_name(ptx)}(Thread& self, char* const* params)"


def _operands(operand: Operand) -> list[Operand]:
    match operand:
        case Vec(items):
            return [o for item in items for o in _operands(item)]
        case Pair(first, second):
            return [*_operands(first), *_operands(second)]
        case Not(inner):
            return _operands(inner)
        case Addr(base, _):
            return [base]
    return [operand]


def _leaves(ins: Instruction) -> list[Operand]:
    return [leaf for operand in ins.operands for leaf in _operands(operand)]


def _registers(ins: Instruction) -> list[Operand]:
    return [o for o in (*_leaves(ins), ins.guard) if isinstance(o, Reg)]


def _closure(ptx: Ptx, name: str) -> list[Function]:
    """A kernel and the device functions that it reaches, callees first."""
    found: dict[str, Function] = {}

    def visit(name: str) -> None:
        if name in found:
            return
        function = ptx.function(name)
        found[name] = function
        for statement in function.body:
            if isinstance(statement, Instruction) and statement.op == "call":
                for operand in statement.operands:
                    if isinstance(operand, Sym) and ptx.has_function(operand.name):
                        visit(operand.name)

    visit(name)
    return list(reversed(found.values()))


def _parameter(param: Param) -> dict[str, int | str]:
    kinds = {"f": "float", "u": "integer", "s": "integer", "b": "bytes" if param.length > 1 else "any"}
    kind = "pointer" if param.pointer else kinds[param.type[0]]
    return {"bytes": SIZES[param.type] // 8 * param.length, "kind": kind}


def _variable(variable: Variable) -> str:
    if any(v is None for v in variable.values):
        raise UnsupportedPtxError(f"variable {variable.name}: an initial value that is an address")
    bits = SIZES[variable.type]
    values = ", ".join(f"{v & (1 << bits) - 1:#x}" for v in variable.values if v is not None)
    ctype = f"uint{bits}_t"
    return f"alignas({max(16, variable.align)}) static {ctype} {_name(variable.name)}[{variable.count or 1}] = {{{values}}};"


def translate(ptx: Ptx, name: str, arch: int) -> str:
    """C++ of one kernel with all that it calls; its interface stands in ``emu_kernel`` and, as JSON, in ``emu_about``."""
    functions = _closure(ptx, name)
    symbols = {o.name for f in functions for s in f.body if isinstance(s, Instruction) for o in _leaves(s) if isinstance(o, Sym)}
    arrays = {n: v for f in functions for n, v in f.arrays.items() if v.space == "shared"}
    arrays |= {n: v for n, v in ptx.variables.items() if v.space == "shared" and n in symbols}
    shared = _layout(arrays)
    variables = [v for n, v in ptx.variables.items() if n in symbols and v.space != "shared"]
    called: list[str] = []
    bodies = [Translator(ptx, f, arch, shared.offsets, called.append).translate() for f in functions]
    kernel = functions[-1]
    about = {
        "parameters": [_parameter(p) for p in kernel.params],
        "max_threads": kernel.max_threads,
        "static_shared": shared.static_bytes,
    }
    listed = [f"{{{_text(n)}, {offset}, {size}, 1}}" for n, offset, size in shared.static]
    globals_ = [f"{{{_text(v.name)}, (uintptr_t){_name(v.name)}, {_bytes(v)}, {int(v.space == 'global')}}}" for v in variables]
    return "\n".join(
        [
            f"// {name}, translated from PTX for sm_{arch}",
            '#include "bits.h"',
            "using namespace emu;",
            *map(_variable, variables),
            *(f"{_signature(f.name)};" for f in functions),
            *bodies,
            f"static const char* const sites[] = {{{', '.join(map(_text, ptx.sites.texts))}}};",
            f"static const Array shared_arrays[] = {{{', '.join([*listed, '{}'])}}};",
            f"static const Array global_arrays[] = {{{', '.join([*globals_, '{}'])}}};",
            f'extern "C" const Kernel emu_kernel = {{function_{_name(name)}, sites, shared_arrays, {len(listed)}, '
            f"{shared.dynamic_offset}, global_arrays, {len(globals_)}}};",
            f'extern "C" const char emu_about[] = {_text(json.dumps(about))};',
            "",
        ]
    )


def _text(text: str) -> str:
    return json.dumps(text)
