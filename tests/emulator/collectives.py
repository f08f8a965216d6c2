"""Barriers, shuffles, votes and matrix instructions to calls of the runtime. PTX ISA, 9.7.9, 9.7.13 and 9.7.14."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .tree import Instruction, Operand, Pair, Reg, Vec

if TYPE_CHECKING:
    from .translate import Handler, Translator

__all__ = ["TABLE", "multiply"]


def _barrier(t: Translator, ins: Instruction) -> str:
    t.only(ins, "warp", "cta", "sync", "arrive", "red", "popc", "and", "or", "aligned")
    if "warp" in ins.mods:
        return f"sync_warp(self, {t.read(ins.operands[0], 'u32')}, {ins.site});"
    if "red" in ins.mods:
        return _barrier_tally(t, ins)
    number, *count = (t.read(o, "u32") for o in ins.operands)
    if "arrive" in ins.mods:
        return f"barrier_arrive(self, {number}, {count[0]}, {ins.site});"
    return f"barrier(self, {number}, {count[0] if count else 0}, {t.number(ins)}, {ins.site});"


def _barrier_tally(t: Translator, ins: Instruction) -> str:
    to, number, *count, predicate = ins.operands
    threads = t.read(count[0], "u32") if count else "0"
    call = f"barrier_tally(self, {t.read(number, 'u32')}, {threads}, {t.read(predicate, 'pred')}, {t.number(ins)}, {ins.site})"
    if "popc" in ins.mods:
        return t.write(to, "u32", f"{call}.count")
    return t.write(to, "pred", f"{call}.{'all' if 'and' in ins.mods else 'any'}")


_SHUFFLE = {"idx": "kIndex", "up": "kUp", "down": "kDown", "bfly": "kButterfly"}


def _shuffle(t: Translator, ins: Instruction) -> str:
    t.only(ins, "sync", *_SHUFFLE)
    to, value, b, c, mask = ins.operands
    first, second = (to.first, to.second) if isinstance(to, Pair) else (to, None)
    arguments = [t.read(mask, "u32"), t.read(value, "b32"), _SHUFFLE[ins.mods[1]], t.read(b, "u32"), t.read(c, "u32")]
    code = f"bool valid; uint32_t got = shuffle(self, {', '.join(arguments)}, valid, {ins.site}); "
    code += t.write(first, "b32", "got")
    return code + (" " + t.write(second, "pred", "valid") if second else "")


_VOTE = {"ballot": "kBallot", "any": "kAny", "all": "kAll", "uni": "kUniform"}


def _vote(t: Translator, ins: Instruction) -> str:
    t.only(ins, "sync", *_VOTE)
    to, predicate, mask = ins.operands
    call = f"vote(self, {t.read(mask, 'u32')}, {t.read(predicate, 'pred')}, {_VOTE[ins.mods[1]]}, {ins.site})"
    return t.write(to, t.type_of(ins), call)


_REDUCE = {"add": "kAdd", "min": "kMin", "max": "kMax", "and": "kAnd", "or": "kOr", "xor": "kXor"}


def _reduce(t: Translator, ins: Instruction) -> str:
    t.need(ins, 80)
    t.only(ins, "sync", *_REDUCE)
    to, value, mask = ins.operands
    signed = "true" if t.type_of(ins) == "s32" else "false"
    return t.write(to, "u32", f"reduce(self, {t.read(mask, 'u32')}, {t.read(value, 'u32')}, {_REDUCE[ins.mods[1]]}, {signed}, {ins.site})")


def _active(t: Translator, ins: Instruction) -> str:
    return t.write(ins.operands[0], "b32", "active_mask(self)")


def _load_matrices(t: Translator, ins: Instruction) -> str:
    t.only(ins, "sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared", "shared::cta")
    to, source = ins.operands
    items = to.items if isinstance(to, Vec) else (to,)
    # Lanes beyond the rows give an address too, which the hardware does not read.
    row = f"self.lane < {8 * len(items)} ? {t.address(ins, source, 'shared', 16)} : nullptr"
    transposed = "true" if "trans" in ins.mods else "false"
    code = f"uint32_t got[{len(items)}]; load_matrices(self, {row}, {len(items)}, {transposed}, got, {t.number(ins)}, {ins.site}); "
    return code + " ".join(t.write(o, "b32", f"got[{i}]") for i, o in enumerate(items))


_SHAPES = {
    ("m16n8k16", "f16"): ("kF16K16", 80),
    ("m16n8k16", "bf16"): ("kBF16K16", 80),
    ("m16n8k8", "f16"): ("kF16K8", 75),
    ("m16n8k8", "bf16"): ("kBF16K8", 80),
    ("m16n8k8", "tf32"): ("kTF32K8", 80),
}
"""Shape and type of the factors: name in the runtime, first architecture. Accumulators are float32."""


def multiply(t: Translator, run: Sequence[Instruction]) -> str:
    """A run of ``mma.sync`` without anything between, as one meeting of the warp.

    Each thread lays the registers of the whole run into one array of fragments; the runtime works through the list in order.
    """
    slots: dict[Operand, int] = {}
    entries = []
    written: dict[Reg, int] = {}
    for ins in run:
        kind = _kind(t, ins)
        d, a, b, c = (o.items if isinstance(o, Vec) else () for o in ins.operands)
        rows = [[slots.setdefault(o, len(slots)) for o in group] for group in (d, a, b, c)]
        entries.append(f"{{{kind}, " + ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows) + "}")
        written.update((o, slots[o]) for o in d if isinstance(o, Reg))
    first = run[0]
    code = f"static const Mma list[] = {{{', '.join(entries)}}}; "
    code += f"uint32_t fragments[] = {{{', '.join(t.read(o, 'b32') for o in slots)}}}; "
    code += f"multiply(self, list, {len(run)}, fragments, {t.number(first)}, {first.site}); "
    return code + " ".join(t.write(o, "b32", f"fragments[{slot}]") for o, slot in written.items())


def _kind(t: Translator, ins: Instruction) -> str:
    match ins.mods:
        case ("sync", "aligned", shape, "row", "col", "f32", a, b, "f32") if a == b and (shape, a) in _SHAPES:
            name, arch = _SHAPES[shape, a]
            t.need(ins, arch)
            return name
    raise t.unsupported(ins)


def _multiply_one(t: Translator, ins: Instruction) -> str:
    return multiply(t, [ins])


TABLE: dict[str, Handler] = {
    "bar": _barrier,
    "barrier": _barrier,
    "shfl": _shuffle,
    "vote": _vote,
    "redux": _reduce,
    "activemask": _active,
    "ldmatrix": _load_matrices,
    "mma": _multiply_one,
}
