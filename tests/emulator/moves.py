"""Moves, conversions, comparisons, selections and control flow to C++. PTX ISA, 9.7.3, 9.7.9 and 9.7.12."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .arithmetic import FLOATS, PACKED
from .tree import SIZES, Addr, Instruction, Operand, Pair, Reg, Statement, Sym, Vec

if TYPE_CHECKING:
    from .translate import Handler, Translator

__all__ = ["TABLE"]


def _move(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = t.type_of(ins)
    to, value = ins.operands
    if isinstance(to, Vec):
        width = SIZES[kind] // len(to.items)
        parts = " ".join(t.write(item, f"b{width}", f"whole >> {i * width}") for i, item in enumerate(to.items))
        return f"{t.ctype(kind)} whole = {t.read(value, kind)}; {parts}"
    if isinstance(value, Vec):
        width = SIZES[kind] // len(value.items)
        whole = t.ctype(f"b{SIZES[kind]}")
        shifted = [f"({whole}){t.read(item, f'b{width}')} << {i * width}" for i, item in enumerate(value.items)]
        return t.write(to, f"b{SIZES[kind]}", " | ".join(shifted))
    kind = kind if kind == "pred" else f"b{SIZES[kind]}"
    return t.write(to, kind, t.read(value, kind))


_ROUND = {"rzi": "trunc", "rni": "nearbyint", "rmi": "floor", "rpi": "ceil"}
_DIRECTED = {"rm": "round_down", "rp": "round_up", "rz": "round_to_zero"}


def _convert(t: Translator, ins: Instruction) -> str:
    t.only(ins, *_ROUND, *_DIRECTED, "rn", "rna", "ftz", "sat", "relu")
    to, source = [m for m in ins.mods if m in SIZES]
    if to in PACKED:
        return _convert_pair(t, ins, to, source)
    if to == "tf32":
        value = t.read(ins.operands[1], "f32")
        return t.write(ins.operands[0], "b32", f"of_tf32({value})" if "rna" in ins.mods else f"of_f32({value}) & 0xffffe000u")
    value = t.read(ins.operands[1], source)
    if "ftz" in ins.mods and source == "f32":
        value = f"flush({value})"
    rounding = next((m for m in ins.mods if m in _ROUND), None)
    if rounding:
        value = f"{_ROUND[rounding]}({value})"
    if source in FLOATS and to not in FLOATS:
        result = f"to_integer<{t.ctype(to)}>({value})"
    elif to in FLOATS:
        result = _to_float(t, ins, to, source, value)
    elif "sat" in ins.mods:
        result = f"clamp_integer<{t.ctype(to)}>({value})"
    else:
        result = value
    return t.write(ins.operands[0], to, result)


def _to_float(t: Translator, ins: Instruction, to: str, source: str, value: str) -> str:
    directed = next((m for m in ins.mods if m in _DIRECTED), None)
    if directed:  # only to float32, whose value double holds exactly
        if to != "f32" or source in ("s64", "u64"):
            raise t.unsupported(ins)
        result = f"{_DIRECTED[directed]}((double)({value}))"
    elif to == "f16" and source == "f64":
        result = value
    else:
        result = f"({'double' if to == 'f64' else 'float'})({value})"
    if "sat" in ins.mods:
        result = f"saturate({result})"
    if "relu" in ins.mods:
        result = f"maximum({result}, 0.f)"
    return f"flush({result})" if "ftz" in ins.mods and to == "f32" else result


def _convert_pair(t: Translator, ins: Instruction, to: str, source: str) -> str:
    if source != "f32" or len(ins.operands) != 3 or set(ins.mods) & {*_DIRECTED, "sat"}:
        raise t.unsupported(ins)
    high, low = (t.read(o, "f32") for o in ins.operands[1:])
    if "relu" in ins.mods:
        high, low = f"maximum({high}, 0.f)", f"maximum({low}, 0.f)"
    return t.write(ins.operands[0], "b32", f"{PACKED[to][2]}({low}, {high})")


def _convert_address(t: Translator, ins: Instruction) -> str:
    space = next(m for m in ins.mods if m not in ("to", "u64", "u32")).split("::")[0]
    to, value = ins.operands
    address = t.read(value, "u64")
    if space == "shared":
        base = "(uint64_t)self.block->shared"
        return t.write(to, "u64", f"{address} - {base}" if "to" in ins.mods else f"{base} + (uint32_t){address}")
    return t.write(to, "u64", address)


_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
_JOIN = {"and": "&&", "or": "||", "xor": "!="}


def _comparison(t: Translator, ins: Instruction, how: str, a: str, b: str, floating: bool) -> str:
    """C++ of one PTX comparison: false for NaN, or true with the suffix u."""
    if how == "nan":
        return f"unordered({a}, {b})"
    if how == "num":
        return f"!unordered({a}, {b})"
    if floating and how.endswith("u") and how[:-1] in _COMPARE:
        return f"(unordered({a}, {b}) || {a} {_COMPARE[how[:-1]]} {b})"
    if how not in _COMPARE:
        raise t.unsupported(ins)
    if floating and how == "ne":
        return f"(!unordered({a}, {b}) && {a} != {b})"
    return f"({a} {_COMPARE[how]} {b})"


def _compare(t: Translator, ins: Instruction, kind: str, half: str = "") -> str:
    a, b = (f"{half}({t.read(o, 'b32')})" if half else t.read(o, kind) for o in ins.operands[1:3])
    if "ftz" in ins.mods and kind == "f32":
        a, b = f"flush({a})", f"flush({b})"
    return _comparison(t, ins, ins.mods[0], a, b, bool(half) or kind in FLOATS)


def _set_predicate(t: Translator, ins: Instruction) -> str:
    t.only(ins, ins.mods[0], "ftz", *_JOIN)
    kind = t.type_of(ins)
    to = ins.operands[0]
    join = next((m for m in ins.mods[1:] if m in _JOIN), None)
    third = f" {_JOIN[join]} {t.read(ins.operands[3], 'pred')}" if join else ""
    if kind in PACKED:
        low, high, _ = PACKED[kind]
        results = [_compare(t, ins, kind, low), _compare(t, ins, kind, high)]
    else:
        result = _compare(t, ins, kind)
        results = [result, f"!{result}"]
    if not isinstance(to, Pair):
        return t.write(to, "pred", f"{results[0]}{third}")
    code = f"bool first = {results[0]}{third}, second = {results[1]}{third}; "
    return code + t.write(to.first, "pred", "first") + " " + t.write(to.second, "pred", "second")


def _set(t: Translator, ins: Instruction) -> str:
    t.only(ins, ins.mods[0], "ftz", *_JOIN)
    to, source = [m for m in ins.mods if m in SIZES]
    join = next((m for m in ins.mods[1:] if m in _JOIN), None)
    third = f" {_JOIN[join]} {t.read(ins.operands[3], 'pred')}" if join else ""
    if source in PACKED:
        low, high, pack = PACKED[source]
        if to not in PACKED:
            raise t.unsupported(ins)
        halves = [f"({_compare(t, ins, source, half)}{third}) ? 1.f : 0.f" for half in (low, high)]
        return t.write(ins.operands[0], "b32", f"{pack}({', '.join(halves)})")
    yes, no = ("1.f", "0.f") if to in FLOATS else ("-1", "0")
    return t.write(ins.operands[0], to, f"({_compare(t, ins, source)}{third}) ? {yes} : {no}")


def _select(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = f"b{SIZES[t.type_of(ins)]}"
    a, b = (t.read(o, kind) for o in ins.operands[1:3])
    return t.write(ins.operands[0], kind, f"{t.read(ins.operands[3], 'pred')} ? {a} : {b}")


def _select_by_sign(t: Translator, ins: Instruction) -> str:
    kind, by = [m for m in ins.mods if m in SIZES]
    bits = f"b{SIZES[kind]}"
    a, b = (t.read(o, bits) for o in ins.operands[1:3])
    return t.write(ins.operands[0], bits, f"{t.read(ins.operands[3], by)} >= 0 ? {a} : {b}")


def _branch(t: Translator, ins: Instruction) -> str:
    t.only(ins, "uni")
    return t.jump(ins.operands[0], ins)


def _branch_by_index(t: Translator, ins: Instruction) -> str:
    t.only(ins, "idx", "uni")
    table = ins.operands[1]
    labels = t.targets(table.name) if isinstance(table, Sym) else ()
    cases = " ".join(f"case {i}: {t.jump(Sym(label), ins)}" for i, label in enumerate(labels))
    return f"switch ({t.read(ins.operands[0], 'u32')}) {{ {cases} }}"


def _return(t: Translator, ins: Instruction) -> str:
    t.only(ins, "uni")
    return t.leave(ins)


def _trap(t: Translator, ins: Instruction) -> str:
    return f'fail(self, {ins.site}, "trap: the kernel stopped itself");'


def _nothing(t: Translator, ins: Instruction) -> str:
    return ";"


def _call(t: Translator, ins: Instruction) -> str:
    t.only(ins, "uni")
    lists: list[tuple[Operand, ...]] = [o.items for o in ins.operands if isinstance(o, Vec)]
    names = [o.name for o in ins.operands if isinstance(o, Sym)]
    if len(names) != 1:
        raise t.unsupported(ins)
    if names[0] == "__assertfail":
        return f'fail(self, {ins.site}, "assertion failed");'
    function = t.call(names[0], ins)
    arguments = [f"(char*){t.read(o, 'u64')}" for items in lists for o in items]
    return f"char* const arguments[] = {{{', '.join([*arguments, 'nullptr'])}}}; {function}(self, arguments);"


def call_sequence(t: Translator, body: Sequence[Statement], at: int) -> list[Instruction]:
    """The stores, the call and the load from ``at`` on, where they hand over single values and take one back; else nothing.

    A kernel's epilogue is unrolled over dozens of results, each with a call or two: through memory of their own, as ``_call`` has it,
    they would be most of what g++ has to do.
    """
    stored: list[str] = []
    run: list[Instruction] = []
    for statement in body[at : at + 16]:
        if not isinstance(statement, Instruction) or statement.guard:
            return []
        run.append(statement)
        if statement.op == "call":
            break
        name = _whole_param(t, statement, 0)
        if statement.op != "st" or not name or name in stored or isinstance(statement.operands[1], Vec):
            return []
        stored.append(name)
    after = body[at + len(run)] if at + len(run) < len(body) else None
    match run[-1].operands:
        case (Vec((Sym(result),)), Sym(name), Vec(items)) if run[-1].op == "call" and t.ptx.has_function(name):
            if [o.name if isinstance(o, Sym) else "" for o in items] != stored:
                return []
            if isinstance(after, Instruction) and after.op == "ld" and not after.guard and isinstance(after.operands[0], Reg):
                return [*run, after] if _whole_param(t, after, 1) == result else []
    return []


def _whole_param(t: Translator, ins: Instruction, operand: int) -> str:
    """Name of the ``.param`` variable that the instruction reads or writes as a whole, as one value; empty if it does not."""
    place = ins.operands[operand] if len(ins.operands) > operand else None
    if "param" not in ins.mods or not isinstance(place, Addr) or not isinstance(place.base, Sym) or place.offset:
        return ""
    variable = t.function.arrays.get(place.base.name)
    alone = variable is not None and variable.count == 1 and SIZES[variable.type] == SIZES[t.type_of(ins)]
    return place.base.name if alone else ""


def call_by_value(t: Translator, run: Sequence[Instruction]) -> str:
    """What ``call_sequence`` found as one call of ``called``."""
    *stores, call, load = run
    t.only(call, "uni")
    name = next(o.name for o in call.operands if isinstance(o, Sym))
    kinds = [f"b{SIZES[t.type_of(ins)]}" for ins in (load, *stores)]
    values = "".join(f", ({t.ctype(kind)}){t.read(ins.operands[1], kind)}" for ins, kind in zip(stores, kinds[1:]))
    return t.write(load.operands[0], kinds[0], f"called<{t.call(name, call)}, {t.ctype(kinds[0])}>(self{values})")


TABLE: dict[str, Handler] = {
    "mov": _move,
    "cvt": _convert,
    "cvta": _convert_address,
    "setp": _set_predicate,
    "set": _set,
    "selp": _select,
    "slct": _select_by_sign,
    "bra": _branch,
    "brx": _branch_by_index,
    "ret": _return,
    "exit": _return,
    "call": _call,
    "trap": _trap,
    "brkpt": _nothing,
    "nanosleep": _nothing,
    "prefetch": _nothing,
    "prefetchu": _nothing,
    "discard": _nothing,
    "griddepcontrol": _nothing,
}
