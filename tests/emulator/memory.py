"""Loads, stores, atomics and asynchronous copies to C++. PTX ISA, 9.7.9 and 9.7.13."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arithmetic import FLOATS, PACKED
from .tree import SIZES, Addr, Instruction, Operand, Reg, Vec

if TYPE_CHECKING:
    from .translate import Handler, Translator

__all__ = ["TABLE"]

SPACES = ("global", "shared", "local", "const", "param")
HINTS = (
    *("nc", "volatile", "weak", "relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys", "v2", "v4", "v8"),
    *("ca", "cg", "cs", "lu", "cv", "wb", "wt", "L1", "L2"),
)
"""Modifiers that say how, not what: caches, order, vector length (the operand shows it)."""


def _space(ins: Instruction) -> str:
    return next((space for m in ins.mods if (space := m.split("::")[0]) in SPACES), "generic")


def _only_hints(t: Translator, ins: Instruction, *more: str) -> None:
    for mod in ins.mods:
        if mod.split("::")[0] not in (*SPACES, *HINTS, *SIZES, *more) or mod.endswith("cache_hint"):
            raise t.unsupported(ins)


def _items(operand: Operand) -> tuple[Operand, ...]:
    return operand.items if isinstance(operand, Vec) else (operand,)


def _pointer(t: Translator, ins: Instruction, operand: Operand, width: int, access: str) -> str:
    """Declares ``p``, checked."""
    space = _space(ins)
    code = f"char* p = {t.address(ins, operand, space, width)}; "
    return code if space == "param" else code + f"touch(self, p, {width}, {access}, {ins.site}); "


def _load(t: Translator, ins: Instruction) -> str:
    _only_hints(t, ins)
    kind = t.type_of(ins)
    to = _items(ins.operands[0])
    size = SIZES[kind] // 8
    kind = kind if kind[0] == "s" else f"b{SIZES[kind]}"
    code = _pointer(t, ins, ins.operands[1], size * len(to), "kRead")
    values = " ".join(f"{t.ctype(kind)} v{i} = load<{t.ctype(kind)}>(p + {i * size});" for i in range(len(to)))
    return f"{code}{values} " + " ".join(t.write(o, kind, f"v{i}") for i, o in enumerate(to))


def _store(t: Translator, ins: Instruction) -> str:
    _only_hints(t, ins)
    kind = f"b{SIZES[t.type_of(ins)]}"
    values = _items(ins.operands[1])
    size = SIZES[kind] // 8
    code = _pointer(t, ins, ins.operands[0], size * len(values), "kWrite")
    return code + " ".join(f"store<{t.ctype(kind)}>(p + {i * size}, {t.read(o, kind)});" for i, o in enumerate(values))


_CHANGE = {
    "add": "{old} + {0}",
    "min": "{old} < {0} ? {old} : {0}",
    "max": "{old} > {0} ? {old} : {0}",
    "exch": "{0}",
    "cas": "{old} == {0} ? {1} : {old}",
    "and": "{old} & {0}",
    "or": "{old} | {0}",
    "xor": "{old} ^ {0}",
    "inc": "{old} >= {0} ? 0 : {old} + 1",
    "dec": "{old} == 0 || {old} > {0} ? {0} : {old} - 1",
}


def _atomic(t: Translator, ins: Instruction) -> str:
    _only_hints(t, ins, "noftz", *_CHANGE)
    change = _CHANGE[next(m for m in ins.mods if m in _CHANGE)]
    kind = t.type_of(ins)
    memory, *values = ins.operands[1:] if ins.op == "atom" else ins.operands
    bits = f"b{SIZES[kind]}"
    word = t.ctype(bits)
    if kind in PACKED:
        low, high, pack = PACKED[kind]
        operand = t.read(values[0], bits)
        halves = [change.format(f"{half}({operand})", old=f"{half}(old)") for half in (low, high)]
        result = f"{pack}({', '.join(halves)})"
    else:
        operands = [t.read(v, kind) for v in values]
        result = change.format(*operands, old=t.from_bits("old", kind))
        result = t.to_bits(result, kind) if kind in FLOATS else f"({word})({result})"
    code = _pointer(t, ins, memory, SIZES[kind] // 8, "kAtomic")
    code += f"{word} before = update<{word}>(p, [&]({word} old) {{ return {result}; }}); "
    return code + (t.write(ins.operands[0], bits, "before") if ins.op == "atom" else "(void)before;")


def _copy(t: Translator, ins: Instruction) -> str:
    if ins.mods[0] != "async":
        raise t.unsupported(ins)
    t.need(ins, 80)
    if "commit_group" in ins.mods:
        return "copy_commit(self);"
    if "wait_group" in ins.mods:
        return f"copy_wait(self, {t.read(ins.operands[0], 'u32')});"
    if "wait_all" in ins.mods:
        return "copy_wait(self, ~0u);"
    _only_hints(t, ins, "async")
    if not {"ca", "cg"} & set(ins.mods):
        raise t.unsupported(ins)
    to, source, size, *rest = ins.operands
    if not isinstance(source, Addr):
        raise t.unsupported(ins)
    size_text = t.read(size, "u32")
    if rest and isinstance(rest[0], Reg) and rest[0].type == "pred":  # ignore-src
        valid = f"({t.read(rest[0], 'pred')} ? 0u : {size_text})"
    else:
        valid = t.read(rest[0], "u32") if rest else size_text
    destination = t.address(ins, to, "shared", f"{size_text}")
    return f"copy_async(self, {destination}, {t.address(ins, source, 'global', 0)}, {size_text}, {valid}, {ins.site});"


def _fence(t: Translator, ins: Instruction) -> str:
    return "__atomic_thread_fence(__ATOMIC_SEQ_CST);"


TABLE: dict[str, Handler] = {
    "ld": _load,
    "ldu": _load,
    "st": _store,
    "atom": _atomic,
    "red": _atomic,
    "cp": _copy,
    "membar": _fence,
    "fence": _fence,
}
