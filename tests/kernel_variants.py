"""Every set of macros under which a kernel is launched: what has to compile for every GPU, without spills.

``KERNELS`` has one row for each ``extern "C"`` function: its axes, and where not all combinations are launched, a predicate. An axis is
a list of macros that go together (all macros of a tile, a dtype with its width); a set of macros takes one entry of each axis. Axes come
from the tables of ``gpucnn/backends/cuda``, so that a new tile appears here by itself. The emulator's driver refuses to compile a set
that is not here, and ``kernel_budgets.py`` compiles all that are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product

from emulator.module import SHARED_LIMIT

from gpucnn.backends.cuda import depthwise, global_pool, pool
from gpucnn.backends.cuda.conv import ASYNC_COPIES, MMA_TILES, NARROW_SIMT_TILES, NARROW_TILES, PIPELINES, SIMT_TILES, SYNC_TILES
from gpucnn.backends.cuda.driver import Limits
from gpucnn.backends.cuda.source import kernel_folder
from gpucnn.backends.cuda.stem import STEM_TILES, ConvStemMma, ConvStemSimt

__all__ = ["KERNELS", "Macros", "Row", "assert_listed", "covering", "entries_of", "functions_of", "limits_of", "sets_of", "spelled"]

Macros = Mapping[str, int]
Axis = list[dict[str, int]]


def limits_of(arch: int, multiprocessors: int = 4) -> Limits:
    """What impls are told of a GPU of this architecture."""
    return Limits(arch, multiprocessors, SHARED_LIMIT[arch] << 10)


def one_of(name: str, *values: int) -> Axis:
    """An axis of one macro."""
    return [{name: value} for value in values]


def elements(*halves: int) -> Axis:
    """HALF with VEC: accesses of 16 bytes, and every half of that down to one element."""
    return [{"HALF": half, "VEC": vec} for half in halves for vec in (8, 4, 2, 1) if vec <= (8 if half else 4)]


@dataclass(frozen=True)
class Row:
    """How one function is launched.

    axes : one entry of each makes a set
    launched : whether a set is launched on an architecture (80 is sm_80)
    stack : bytes of local memory that a thread may have; no bytes are spilled in any case
    """

    axes: tuple[Axis, ...]
    launched: Callable[[Macros, int], bool] = lambda macros, arch: True
    stack: int = 0


def mma_launched(m: Macros, arch: int) -> bool:
    """As in ``ConvIgemmMma``: a pipeline that follows from tile and architecture; few tiles where x is copied by few bytes."""
    limits = limits_of(arch)
    names = NARROW_TILES if m["VEC"] < 8 else MMA_TILES if arch >= ASYNC_COPIES else SYNC_TILES
    tile = next(tile for tile in MMA_TILES.values() if asdict(tile).items() <= m.items())
    return tile in [MMA_TILES[name] for name in names] and tile.pipeline(limits) == (m["BK"], m["STAGES"])


def simt_launched(m: Macros, arch: int) -> bool:
    """Few tiles where x is copied by less than 16 bytes."""
    names = SIMT_TILES if m["VEC"] == 4 else NARROW_SIMT_TILES
    return any(asdict(SIMT_TILES[name]).items() <= m.items() for name in names)


def depthwise_launched(m: Macros, arch: int) -> bool:
    """The kernel's size is fixed where accesses are wide; several results a thread only then."""
    return m["VEC"] * (2 if m["HALF"] else 4) >= depthwise.FIXED_BYTES if m["R"] else m["TW"] == 1


def stem_axis(impl: type[ConvStemMma | ConvStemSimt]) -> Axis:
    """Tiles, each with what follows from it."""
    return [{**asdict(tile), **impl()._block(tile)[1]} for tile in STEM_TILES.values()]


MMA_AXIS: Axis = [{**asdict(tile), "BK": bk, "STAGES": stages} for tile in MMA_TILES.values() for bk, stages in PIPELINES]
DEPTHWISE_SIZES: Axis = [{"R": r, "S": s, "STRIDE": stride} for r, s in (*depthwise.SIZES, (0, 0)) for stride in ((1, 2) if r else (0,))]
UNSIZED_POOL = Row((elements(0, 1), [{"R": 0, "S": 0}], one_of("THREADS", pool.THREADS)))
GLOBAL_POOL = Row((elements(0, 1), one_of("LANES", global_pool.LANES), one_of("STRANDS", global_pool.STRANDS)))
POOL = Row((elements(0, 1), [{"R": r, "S": s} for r, s in (*pool.SIZES, (0, 0))], one_of("THREADS", pool.THREADS)))
ROW_LANES: Axis = [{"LANES": 32, "ACROSS": 0}, {"LANES": 256, "ACROSS": 0}, {"LANES": 32, "ACROSS": 1}]
ITEM_BYTES = (1, 2, 4, 8, 16)

KERNELS: dict[tuple[str, str], Row] = {
    ("conv_igemm_mma.cu", "conv_igemm_mma"): Row((one_of("HALF", 1), MMA_AXIS, one_of("VEC", 8, 4, 2, 1)), mma_launched),
    ("conv_igemm_simt.cu", "conv_igemm_simt"): Row(([asdict(tile) for tile in SIMT_TILES.values()], elements(0)), simt_launched),
    ("conv_depthwise.cu", "conv_depthwise"): Row(
        (elements(0, 1), DEPTHWISE_SIZES, one_of("TW", depthwise.COLUMNS, 1), one_of("THREADS", depthwise.THREADS)), depthwise_launched
    ),
    ("conv_stem_mma.cu", "conv_stem_mma"): Row((one_of("HALF", 1), one_of("LOOKUP", 0, 1), stem_axis(ConvStemMma))),
    ("conv_stem_simt.cu", "conv_stem_simt"): Row((one_of("HALF", 0), one_of("LOOKUP", 0, 1), stem_axis(ConvStemSimt))),
    ("linear_epilogue.cu", "linear_epilogue"): Row((one_of("HALF", 0, 1), one_of("VEC", 4, 1))),
    ("pool.cu", "max_pool"): POOL,
    ("pool.cu", "min_pool"): POOL,
    ("pool.cu", "max_pool_places"): POOL,
    ("pool.cu", "avg_pool"): POOL,
    ("pool.cu", "lp_pool"): UNSIZED_POOL,
    ("pool.cu", "adaptive_avg_pool"): UNSIZED_POOL,
    ("pool.cu", "adaptive_max_pool"): UNSIZED_POOL,
    ("pool.cu", "adaptive_max_pool_places"): UNSIZED_POOL,
    ("pool_global.cu", "global_avg_pool"): GLOBAL_POOL,
    ("pool_global.cu", "global_max_pool"): GLOBAL_POOL,
    ("pool_global.cu", "global_min_pool"): GLOBAL_POOL,
    ("pool_global.cu", "global_lp_pool"): GLOBAL_POOL,
    ("cast.cu", "cast"): Row((one_of("FROM_HALF", 0, 1), one_of("HALF", 0, 1), one_of("VEC", 4, 2, 1))),
    ("elementwise.cu", "activation"): Row((elements(0, 1),)),
    ("elementwise.cu", "unary"): Row((elements(0, 1),), stack=32),  # digits of an angle beyond 105615, in sine, cosine and tangent
    ("elementwise.cu", "binary"): Row((elements(0, 1),)),
    ("elementwise.cu", "batch_norm"): Row((elements(0, 1),)),
    ("copy.cu", "copy"): Row((one_of("HALF", 0), one_of("SIZE", *ITEM_BYTES))),
    ("copy.cu", "pad"): Row((one_of("HALF", 0), one_of("SIZE", *ITEM_BYTES))),
    ("copy.cu", "pad_mapped"): Row((one_of("HALF", 0), one_of("SIZE", *ITEM_BYTES))),
    ("copy.cu", "transpose"): Row((one_of("HALF", 0), one_of("SIZE", *ITEM_BYTES[:-1]))),  # single elements, never widened
    ("norm_rows.cu", "norm_rows"): Row((one_of("HALF", 0, 1), ROW_LANES, one_of("FLAT", 0, 1))),
    ("norm_neighbours.cu", "norm_neighbours"): Row((one_of("HALF", 0, 1),)),
    ("softmax.cu", "softmax"): Row((one_of("HALF", 0, 1), one_of("LANES", 1, 32, 256))),
    ("softmax.cu", "log_softmax"): Row((one_of("HALF", 0, 1), one_of("LANES", 1, 32, 256))),
    ("spin.cu", "spin"): Row(()),
    ("topk.cu", "topk"): Row((one_of("HALF", 0, 1), one_of("THREADS", 32, 256))),
    ("lookup.cu", "lookup_flat"): Row((elements(0, 1),)),
    ("lookup.cu", "lookup"): Row((one_of("HALF", 0, 1), one_of("VEC", 1))),
}


def spelled(macros: Macros) -> str:
    """``"HALF=1 VEC=8"``: the name of a set."""
    return " ".join(f"{name}={value}" for name, value in sorted(macros.items()))


def _choices(row: Row, arch: int) -> Iterator[tuple[dict[str, int], ...]]:
    """Of every launched set, the entry of each axis."""
    for choice in product(*row.axes):
        if row.launched({k: v for entry in choice for k, v in entry.items()}, arch):
            yield choice


def sets_of(file: str, function: str, arch: int) -> dict[str, Macros]:
    """All sets under which a function is launched on an architecture, by name."""
    every = ({k: v for entry in choice for k, v in entry.items()} for choice in _choices(KERNELS[file, function], arch))
    return {spelled(macros): macros for macros in every}


def entries_of(file: str, function: str, arch: int) -> list[dict[str, int]]:
    """The entries of all axes, as far as some launched set has them."""
    found = {spelled(entry): entry for choice in _choices(KERNELS[file, function], arch) for entry in choice}
    return list(found.values())


def covering(file: str, function: str, arch: int) -> dict[str, Macros]:
    """Few of those sets that still have every entry of every axis: always the set next that has most of the missing ones."""
    choices = list(_choices(KERNELS[file, function], arch))
    missing = {(i, spelled(entry)) for choice in choices for i, entry in enumerate(choice)}
    found: dict[str, Macros] = {}
    while missing or (choices and not found):
        news = [missing & {(i, spelled(entry)) for i, entry in enumerate(choice)} for choice in choices]
        best = max(range(len(choices)), key=lambda at: len(news[at]))  # the first of equals
        missing -= news[best]
        macros = {k: v for entry in choices[best] for k, v in entry.items()}
        found[spelled(macros)] = macros
    return found


def functions_of(file: str) -> list[str]:
    """The ``extern "C"`` functions that a kernel file defines."""
    text = (kernel_folder() / file).read_text("utf-8")
    return re.findall(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s+)?(\w+)\s*\(', text)


def assert_listed(file: str, function: str, macros: Macros, arch: int) -> None:
    """Fail where a kernel is about to be launched under macros that the table does not have."""
    assert (file, function) in KERNELS, f"tests/kernel_variants.py has no row for {function} of {file}: add one"
    assert spelled(macros) in sets_of(file, function, arch), (
        f"tests/kernel_variants.py: the row of {function} in {file} has no set {spelled(macros)} for sm_{arch}: extend its axes"
    )
