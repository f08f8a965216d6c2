"""Arithmetic, logic and bit instructions to C++ expressions. PTX ISA, 9.7.1 to 9.7.8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tree import SIZES, Instruction, Int

if TYPE_CHECKING:
    from .translate import Handler, Translator

__all__ = ["TABLE"]

FLOATS = ("f32", "f64", "f16", "bf16")
SINGLE = ("f32", "f32x2")
PACKED = {
    "f16x2": ("low_f16", "high_f16", "pack_f16"),
    "bf16x2": ("low_bf16", "high_bf16", "pack_bf16"),
    "f32x2": ("low_f32", "high_f32", "pack_f32"),
}
"""Two numbers in one register: the functions that take out each half and put both together."""

_FLOAT = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "fma": "fma({0}, {1}, {2})",
    "mad": "fma({0}, {1}, {2})",
    "min": "minimum({0}, {1})",
    "max": "maximum({0}, {1})",
    "neg": "-({0})",
    "abs": "fabs({0})",
    "rcp": "1 / {0}",
    "sqrt": "sqrt({0})",
    "rsqrt": "1 / sqrt({0})",
    "ex2": "exp2({0})",
    "lg2": "log2({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "tanh": "tanh({0})",
}
"""The approximate instructions are computed exactly: a kernel sees less error here than on a GPU."""

_DIRECTED = {"rm": "round_down", "rp": "round_up", "rz": "round_to_zero"}
_IN_DOUBLE = {"add": "(double){0} + {1}", "sub": "(double){0} - {1}", "mul": "(double){0} * {1}", "fma": "(double){0} * {1} + {2}"}


def _float_expression(t: Translator, ins: Instruction, values: list[str], kind: str) -> str:
    """The result of a floating-point instruction on operands that are float (double for f64)."""
    mods = ins.mods
    if "ftz" in mods and kind in SINGLE:
        values = [f"flush({v})" for v in values]
    directed = next((m for m in mods if m in _DIRECTED), None)
    if directed:
        if kind not in SINGLE or ins.op not in _IN_DOUBLE:
            raise t.unsupported(ins)
        result = f"{_DIRECTED[directed]}({_IN_DOUBLE[ins.op].format(*values)})"
    elif ins.op in ("min", "max"):
        name = {"min": "minimum", "max": "maximum"}[ins.op]
        name = f"nan_{name}" if "NaN" in mods else name
        result = values[0]
        for value in values[1:]:
            result = f"{name}({result}, {value})"
    elif ins.op == "fma" and kind in ("f16", "bf16", "f16x2", "bf16x2"):  # exact product and sum, rounded once
        result = _IN_DOUBLE["fma"].format(*values)
    else:
        result = _FLOAT[ins.op].format(*values)
    if "sat" in mods:
        result = f"saturate({result})"
    if "relu" in mods:
        result = f"maximum((float)({result}), 0.f)"
    if "ftz" in mods and kind in SINGLE:
        result = f"flush({result})"
    return result


def _float(t: Translator, ins: Instruction, kind: str) -> str:
    t.only(ins, "rn", "rm", "rp", "rz", "ftz", "sat", "approx", "full", "relu", "NaN")
    if kind in PACKED:
        low, high, pack = PACKED[kind]
        bits = f"b{SIZES[kind]}"
        words = [t.read(o, bits) for o in ins.operands[1:]]
        halves = [_float_expression(t, ins, [f"{half}({w})" for w in words], kind) for half in (low, high)]
        return t.write(ins.operands[0], bits, f"{pack}({', '.join(halves)})")
    values = [t.read(o, kind) for o in ins.operands[1:]]
    return t.write(ins.operands[0], kind, _float_expression(t, ins, values, kind))


_INTEGER = {
    "add": "({u}){0} + ({u}){1}",
    "sub": "({u}){0} - ({u}){1}",
    "neg": "({u})0 - ({u}){0}",
    "div": "quotient<{c}>({0}, {1})",
    "rem": "remainder<{c}>({0}, {1})",
    "min": "{0} < {1} ? {0} : {1}",
    "max": "{0} > {1} ? {0} : {1}",
    "abs": "{0} < 0 ? ({u})0 - ({u}){0} : ({u}){0}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "xor": "{0} ^ {1}",
    "not": "~{0}",
    "cnot": "{0} == 0 ? 1 : 0",
    "sad": "({u})({0} > {1} ? ({u}){0} - ({u}){1} : ({u}){1} - ({u}){0}) + ({u}){2}",
}
_PREDICATE = {"and": "{0} & {1}", "or": "{0} | {1}", "xor": "{0} ^ {1}", "not": "!{0}"}


def _integer(t: Translator, ins: Instruction, kind: str) -> str:
    t.only(ins, "relu") if ins.op in ("min", "max") and "relu" in ins.mods else t.only(ins)
    values = [t.read(o, kind) for o in ins.operands[1:]]
    result = _INTEGER[ins.op].format(*values, u=t.ctype("u" + kind[1:]), c=t.ctype(kind))
    if "relu" in ins.mods:
        result = f"({result}) > 0 ? ({result}) : 0"
    return t.write(ins.operands[0], kind, result)


def _simple(t: Translator, ins: Instruction) -> str:
    kind = t.type_of(ins)
    if kind in FLOATS or kind in PACKED:
        return _float(t, ins, kind)
    if kind == "pred":
        return t.write(ins.operands[0], kind, _PREDICATE[ins.op].format(*(t.read(o, kind) for o in ins.operands[1:])))
    if {"cc", "sat"} & set(ins.mods) or ins.op in ("addc", "subc"):
        return _with_carry(t, ins, kind)
    return _integer(t, ins, kind)


def _with_carry(t: Translator, ins: Instruction, kind: str) -> str:
    t.only(ins, "cc")
    if kind[1:] not in ("32", "64"):
        raise t.unsupported(ins)
    a, b = (f"(unsigned __int128){t.read(o, 'u' + kind[1:])}" for o in ins.operands[1:])
    carried = ins.op in ("addc", "subc")
    sign = "+" if ins.op.startswith("add") else "-"
    code = f"unsigned __int128 sum = {a} {sign} {b}{f' {sign} carry' if carried else ''}; "
    code += t.write(ins.operands[0], "u" + kind[1:], f"({t.ctype('u' + kind[1:])})sum")
    return code + (f" carry = sum >> {kind[1:]} & 1;" if "cc" in ins.mods else "")


def _product(t: Translator, ins: Instruction) -> str:
    kind = t.type_of(ins)
    if kind in FLOATS or kind in PACKED:
        return _float(t, ins, kind)
    t.only(ins, "lo", "hi", "wide")
    bits = int(kind[1:])
    a, b = (t.read(o, kind) for o in ins.operands[1:3])
    wide = f"{kind[0]}{2 * bits}"
    wide_ctype = t.ctype(wide) if bits < 64 else ("__int128" if kind[0] == "s" else "unsigned __int128")
    unsigned = t.ctype(f"u{bits}")
    if "wide" in ins.mods:
        result = f"({wide_ctype}){a} * ({wide_ctype}){b}"
        if ins.op == "mad":
            result = f"({t.ctype('u' + wide[1:])})({result}) + ({t.ctype('u' + wide[1:])}){t.read(ins.operands[3], wide)}"
        return t.write(ins.operands[0], wide, result)
    if "hi" in ins.mods:
        result = f"({unsigned})((({wide_ctype}){a} * ({wide_ctype}){b}) >> {bits})"
    else:
        result = f"({unsigned})((uint64_t){a} * (uint64_t){b})"
    if ins.op == "mad":
        result += f" + ({unsigned}){t.read(ins.operands[3], kind)}"
    return t.write(ins.operands[0], kind, result)


def _shift(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = t.type_of(ins)
    if ins.op == "shl":
        kind = "u" + kind[1:]
    name = {"shl": "shift_left", "shr": "shift_right"}[ins.op]
    return t.write(ins.operands[0], kind, f"{name}<{t.ctype(kind)}>({t.read(ins.operands[1], kind)}, {t.read(ins.operands[2], 'u32')})")


def _funnel(t: Translator, ins: Instruction) -> str:
    t.only(ins, "l", "r", "wrap", "clamp")
    low, high, n = (t.read(o, "b32") for o in ins.operands[1:])
    n = f"({n} & 31)" if "wrap" in ins.mods else f"({n} > 32 ? 32 : {n})"
    return t.write(ins.operands[0], "b32", f"{'funnel_left' if 'l' in ins.mods else 'funnel_right'}({low}, {high}, {n})")


def _logic3(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    table = ins.operands[4]
    if not isinstance(table, Int):
        raise t.unsupported(ins)
    a, b, c = (t.read(o, "b32") for o in ins.operands[1:4])
    return t.write(ins.operands[0], "b32", f"logic3({a}, {b}, {c}, {table.value})")


def _permute(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    return t.write(ins.operands[0], "b32", f"permute({', '.join(t.read(o, 'b32') for o in ins.operands[1:])})")


def _extract(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = t.type_of(ins)
    a, position, length = t.read(ins.operands[1], kind), *(t.read(o, "u32") for o in ins.operands[2:])
    return t.write(ins.operands[0], kind, f"extract_field<{t.ctype(kind)}>({a}, {position}, {length})")


def _insert(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = t.type_of(ins)
    field, base = (t.read(o, kind) for o in ins.operands[1:3])
    position, length = (t.read(o, "u32") for o in ins.operands[3:])
    return t.write(ins.operands[0], kind, f"insert_field<{t.ctype(kind)}>({field}, {base}, {position}, {length})")


_COUNT = {
    "popc": "__builtin_popcountll({0})",
    "clz": "({0} ? __builtin_clzll({0}) - {spare} : {bits})",
    "bfind": "highest_bit<{c}>({0})",
}


def _count(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = t.type_of(ins)
    bits = int(kind[1:])
    value = _COUNT[ins.op].format(t.read(ins.operands[1], kind), bits=bits, spare=64 - bits, c=t.ctype(kind))
    return t.write(ins.operands[0], "u32", value)


def _reverse(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = t.type_of(ins)
    return t.write(ins.operands[0], kind, f"reverse_bits<{t.ctype(kind)}>({t.read(ins.operands[1], kind)})")


def _dot4(t: Translator, ins: Instruction) -> str:
    a, b = ({"s32": "int8_t", "u32": "uint8_t"}[m] for m in ins.mods)
    return t.write(ins.operands[0], "u32", f"dot4<{a}, {b}>({', '.join(t.read(o, 'u32') for o in ins.operands[1:])})")


def _copy_sign(t: Translator, ins: Instruction) -> str:
    t.only(ins)
    kind = t.type_of(ins)
    return t.write(ins.operands[0], kind, f"copysign({t.read(ins.operands[2], kind)}, {t.read(ins.operands[1], kind)})")


_TEST = {
    "finite": "__builtin_isfinite({0})",
    "infinite": "__builtin_isinf({0})",
    "number": "!__builtin_isnan({0})",
    "notanumber": "__builtin_isnan({0})",
    "normal": "__builtin_isnormal({0})",
    "subnormal": "is_subnormal({0})",
}


def _test(t: Translator, ins: Instruction) -> str:
    return t.write(ins.operands[0], "pred", _TEST[ins.mods[0]].format(t.read(ins.operands[1], t.type_of(ins))))


TABLE: dict[str, Handler] = {
    **dict.fromkeys(("add", "sub", "addc", "subc", "div", "rem", "min", "max", "neg", "abs", "sad"), _simple),
    **dict.fromkeys(("and", "or", "xor", "not", "cnot"), _simple),
    **dict.fromkeys(("fma", "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh"), _simple),
    **dict.fromkeys(("mul", "mad"), _product),
    **dict.fromkeys(("shl", "shr"), _shift),
    **dict.fromkeys(("popc", "clz", "bfind"), _count),
    "shf": _funnel,
    "lop3": _logic3,
    "prmt": _permute,
    "bfe": _extract,
    "bfi": _insert,
    "brev": _reverse,
    "dp4a": _dot4,
    "copysign": _copy_sign,
    "testp": _test,
}
