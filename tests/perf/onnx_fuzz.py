"""Random ONNX nets beside ONNX Runtime: importer, passes and plans together.

    python tests/perf/onnx_fuzz.py [--from SEED] [--count N] [--most NODES] [--keep FOLDER]
    python tests/perf/onnx_fuzz.py FILE …                                                       # nets kept by an earlier run

Every net goes through gpucnn in a few batches and sizes, so that the plans for few and for many images are used, and through ONNX Runtime
with its optimisations and without; every seventh in float16. The truth is the net in float64 by gpucnn's references, which ONNX Runtime
must agree with; for every tenth net ONNX's own evaluator in float64 is asked too. A value passes that lies no further from it than four
times ONNX Runtime's furthest, a few float32 roundings of the largest, or what random errors as large as each op may make do to it. Rows
of a batch have to be bitwise those of other batches through the same plan, and values inside the net that are asked for what they are in
the truth. Every third net is also held to it as a GPU would store it, in 16 bits. What fails is made smaller, node by node, and kept.
Needs onnxruntime.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from random_nets import random_net, retyped  # noqa: E402
from shaken import by_references, shaken  # noqa: E402
from truth import AlwaysLanes, Planned  # noqa: E402

from gpucnn.errors import GpucnnError  # noqa: E402
from gpucnn.formats.onnx import read_onnx  # noqa: E402
from gpucnn.from_onnx import model_from_onnx  # noqa: E402
from gpucnn.graph import Graph  # noqa: E402
from gpucnn.passes import SIMPLIFY, lower_precision  # noqa: E402
from gpucnn.spec import spec_of  # noqa: E402

TIMES, ROUNDINGS, LARGEST = 4.0, 32.0, 5e4
HALF_EPS = float(np.finfo(np.float16).eps)
EPS, TINY = float(np.finfo(np.float32).eps), 1e-30
LANES = AlwaysLanes(lanes=2)
Feeds = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A net and what it is fed, one mapping for each batch and size; the batch that it fixes, if any; values to ask for by name."""

    model: onnx.ModelProto
    feeds: tuple[Feeds, ...]
    batch: int | None
    asked: tuple[tuple[str, ...], ...] = ()


class Skip(Exception):  # noqa: N818
    """Nothing can be said of this net."""


class Wrong(Exception):  # noqa: N818
    """What is wrong, of a kind that stays the same while a net is made smaller."""

    def __init__(self, kind: str, text: str, asked: tuple[str, ...] = ()) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.asked = kind, asked


# -- the others


def sessions(model: onnx.ModelProto) -> list[Any]:
    """With all optimisations, and without any."""
    made = []
    for level in (onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level, options.intra_op_num_threads = level, 1
        made.append(onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]))
    return made


def recorded(net: Any, feeds: Feeds) -> Graph:
    """Before any pass; sizes that are fed are constants."""
    graph = Graph()
    arrays = {port.name: feeds[port.name] for port in net.inputs}
    inputs = [graph.constant(a, k) if a.dtype == np.int64 else graph.input(k, spec_of(a)) for k, a in arrays.items()]
    graph.outputs = dict(zip((port.name for port in net.outputs), net.record(graph, *inputs)))
    return graph


@dataclass(frozen=True)
class Truth:
    """Values in float64, and how far random errors move each: by the net's references."""

    values: dict[str, Any]
    moved: dict[str, float]


def truth(net: Any, feeds: Feeds, layers: bool = False) -> Truth:
    """Of the outputs; with ``layers`` of all values that can be asked for."""
    graph = recorded(net, feeds)
    if layers:
        graph.outputs = {**graph.layers, **graph.outputs}
    return Truth(by_references(graph, feeds), shaken(graph, feeds))


def evaluated(model: onnx.ModelProto, feeds: Feeds) -> list[Any]:
    """By ONNX's evaluator, in float64."""
    wide = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in feeds.items()}
    return ReferenceEvaluator(retyped(model, TensorProto.DOUBLE)).run(None, wide)


# -- the check


def check(case: Case, seed: int = 0) -> Counter[str]:
    """Raise Wrong, or Skip."""
    notes: Counter[str] = Counter()
    try:
        theirs = sessions(case.model)
        answers = [[s.run(None, f) for s in theirs] for f in case.feeds]
    except Exception as error:
        raise Skip(f"ONNX Runtime: {str(error)[:160]}") from None
    if not all(np.isfinite(y).all() and np.abs(y).max(initial=0) < LARGEST for both in answers for ys in both for y in ys):
        raise Skip("not finite")
    rng = np.random.default_rng(seed)
    names, names_in = ([port.name for port in ports] for ports in (case.model.graph.output, case.model.graph.input))
    try:
        net = read_onnx(case.model)
        shapes = {k: v.shape for k, v in case.feeds[0].items()}
        opened = model_from_onnx(net, "net", shapes=shapes, device="cpu")
    except GpucnnError as error:
        raise Wrong(f"load {type(error).__name__}", str(error)) from error
    except Exception as error:
        raise Wrong(f"load crash {type(error).__name__}", str(error)) from error
    with np.errstate(all="ignore"), opened as model:
        notes[f"batching {model.batching}"] += 1
        for i, feeds in enumerate(case.feeds):
            exact = truth(net, feeds)
            ours = run(model, feeds)
            for k, name in enumerate(names):
                compare(f"output {name}, feed {i}", ours[name], exact, name, [ys[k] for ys in answers[i]])
            if seed % 10 == 0 and i == 0:
                notes += beside_evaluator(case, feeds, exact.values, names)
        layers(model, net, case, rng)
        in_lanes(net, case.feeds[-1], answers[-1], names)
        if seed % 3 == 0 and case.feeds[-1][names_in[0]].dtype != np.float16:
            notes += in_float16(net, case.feeds[-1])
        if model.batching != "whole":
            batches(model, case, theirs, names)
    return notes


def run(model: Any, feeds: Feeds, outputs: Any = None) -> dict[str, Any]:
    try:
        return model.run(feeds, outputs)
    except Exception as error:
        raise Wrong(f"run {type(error).__name__}", f"{ {k: v.shape for k, v in feeds.items()} }: {error}") from error


def compare(what: str, y: Any, true: Truth, name: str, others: list[Any]) -> None:
    exact = true.values[name]
    if y.shape != others[0].shape or y.shape != exact.shape:
        raise Wrong("shape", f"{what}: {y.shape}, {exact.shape} by the references, {others[0].shape} of ONNX Runtime")
    if y.dtype != others[0].dtype:
        raise Wrong("dtype", f"{what}: {y.dtype}, {others[0].dtype} of ONNX Runtime")
    if not all(np.isfinite(a).all() for a in others):
        return
    scale = float(np.abs(exact).max(initial=0))
    off, *far = (float(np.abs(a - exact).max(initial=0)) for a in (y, *others))
    floor = max(ROUNDINGS * EPS * scale, TIMES * true.moved[name]) + TINY
    if y.dtype == np.float16:  # computed in float32 here, step by step in float16 there
        floor, far = floor + HALF_EPS * scale, []
    if max(far, default=0.0) > max(1e-3 * scale, floor):
        raise Wrong("truth", f"{what}: ONNX Runtime is {far} off the references, gpucnn {off:.1e}, limit {floor:.1e}, largest {scale:.1e}")
    if not off <= max(TIMES * max(far, default=0.0), floor):
        raise Wrong("far", f"{what}: {off:.2e} off, ONNX Runtime {far}, limit {floor:.1e}, largest {scale:.1e}")


def beside_evaluator(case: Case, feeds: Feeds, exact: dict[str, Any], names: list[str]) -> Counter[str]:
    try:
        answers = evaluated(case.model, feeds)
    except Exception as error:
        return Counter({f"evaluator cannot: {type(error).__name__}": 1})
    for name, y in zip(names, answers):
        if y.shape != exact[name].shape or np.abs(y - exact[name]).max(initial=0) > 1e-6 * np.abs(exact[name]).max(initial=0) + 1e-12:
            return Counter({"evaluator says otherwise": 1})
    return Counter({"evaluator agrees": 1})


def layers(model: Any, net: Any, case: Case, rng: Any) -> None:
    """Some values inside the net, asked for together: few, and many."""
    feeds = {k: v[:1] for k, v in case.feeds[-1].items()} if model.batching == "single" else case.feeds[-1]
    true = truth(net, feeds, layers=True)
    names = [n for n in model.layers if n in true.values and true.values[n].dtype.kind == "f"]
    few = tuple(n for n in names if rng.random() < 3 / len(names))
    many = tuple(n for n in names if rng.random() < 0.3)
    for asked in case.asked or (few, many):
        asked = tuple(n for n in asked if n in names)
        if not asked:
            continue
        for name, y in run(model, feeds, asked).items():
            exact = true.values[name]
            if not np.isfinite(exact).all() or np.abs(exact).max(initial=0) > 1e30:
                continue
            if y.shape != exact.shape:
                raise Wrong("layer shape", f"{name}: {y.shape}, {exact.shape} by the references", asked)
            scale, off = (float(np.abs(a).max(initial=0)) for a in (exact, y - exact))
            limit = max(ROUNDINGS * EPS * scale, TIMES * true.moved[name]) + TINY
            if not off <= limit:
                raise Wrong("layer", f"{name} of {asked}: {off:.2e} off, limit {limit:.1e}, largest {scale:.1e}", asked)


def in_float16(net: Any, feeds: Feeds) -> Counter[str]:
    """The graph that a GPU would plan, by its references: where values are stored in 16 bits."""
    graph = recorded(net, feeds)
    exact, moved = by_references(graph, feeds), shaken(graph, feeds, dtype=np.float16)
    graph.prune()
    for one in (*SIMPLIFY, lower_precision):
        one(graph)
    known: dict[Any, Any] = {v: feeds[name] for name, v in graph.inputs.items()}
    for node in graph.nodes:
        arrays = [None if v is None else known.get(v, v.data) for v in node.inputs]
        known.update(zip(node.outputs, node.op.reference(np, *arrays)))
    for name, v in graph.outputs.items():
        y, scale = known.get(v, v.data), float(np.abs(exact[name]).max(initial=0))
        limit = TIMES * max(moved[name], ROUNDINGS * HALF_EPS * scale) + 1e-4
        if y.shape != exact[name].shape or y.dtype != graph.outputs[name].dtype:
            raise Wrong("float16 shape", f"{name}: {y.shape} {y.dtype}, {exact[name].shape} by the references")
        off = float(np.abs(y - exact[name]).max(initial=0))
        if not np.isfinite(y).all():
            return Counter({"float16 is not enough": 1})
        if not off <= limit:
            raise Wrong("float16", f"{name}: {off:.2e} off, limit {limit:.1e}, largest {scale:.1e}")
    return Counter({"float16 agrees": 1})


def in_lanes(net: Any, feeds: Feeds, answers: list[Any], names: list[str]) -> None:
    """Every step that can be split over two threads is, however small; memory is full of NaNs before."""
    true, graph = truth(net, feeds), recorded(net, feeds)
    ours = Planned(graph, backend=LANES).run({k: feeds[k] for k in graph.inputs})
    for k, name in enumerate(names):
        compare(f"output {name}, in lanes", ours[name], true, name, [ys[k] for ys in answers])


def batches(model: Any, case: Case, theirs: list[Any], names: list[str]) -> None:
    """The same images in batches of 1, 2, 3, 4, 5 and 6, in another order too: the same bits within a plan."""
    feeds = case.feeds[-1]
    if any(v.dtype == np.int64 for v in feeds.values()):
        return
    first = {k: np.concatenate([v, v[::-1]] * 6)[:6] + (np.arange(6).reshape(6, *(1,) * (v.ndim - 1)) / 7 if v.dtype.kind == "f" else 0)
             for k, v in feeds.items()}  # fmt: skip
    rows = {k: v.astype(feeds[k].dtype) for k, v in first.items()}
    made = {n: run(model, {k: v[:n] for k, v in rows.items()}) for n in (1, 3, 4, 6)}
    turned = run(model, {k: v[::-1] for k, v in rows.items()})
    for name in names:
        pairs = [("1 and 3", made[1][name], made[3][name][:1]), ("4 and 6", made[4][name], made[6][name][:4]),
                 ("6 and 6 turned", made[6][name], turned[name][::-1])]  # fmt: skip
        for what, a, b in pairs:
            if a.shape != b.shape:
                raise Wrong("batch shape", f"{name}, batches of {what}: {a.shape}, {b.shape}")
            if not np.array_equal(a, b, equal_nan=True):
                raise Wrong("bits", f"{name}, batches of {what}: {np.abs(a - b).max():.1e} apart, of {np.abs(a).max():.1e}")
    if case.batch is None or case.batch == 1:
        for n in (3, 6):
            part = {k: v[:n] for k, v in rows.items()}
            if case.batch is None:
                others = [s.run(None, part) for s in theirs]
            else:
                alone = [{k: v[i : i + 1] for k, v in part.items()} for i in range(n)]
                others = [[np.concatenate(ys) for ys in zip(*(s.run(None, one) for one in alone))] for s in theirs]
            if model.batching == "single":
                each = [truth(read_onnx(case.model), {k: v[i : i + 1] for k, v in part.items()}) for i in range(n)]
                exact = Truth({name: np.concatenate([t.values[name] for t in each]) for name in names},
                              {name: max(t.moved[name] for t in each) for name in names})  # fmt: skip
            else:
                exact = truth(read_onnx(case.model), part)
            for k, name in enumerate(names):
                compare(f"output {name}, batch of {n}", made[n][name], exact, name, [ys[k] for ys in others])


# -- making failures smaller


def shrink(case: Case, wrong: Wrong, limit: float = 120.0) -> tuple[Case, Wrong]:
    """The smallest net that was found to be wrong in the same way."""
    until = time.monotonic() + limit
    case = replace(case, asked=(wrong.asked,) if wrong.asked else (("none",),))
    progress = True
    while progress and time.monotonic() < until:
        progress = False
        for smaller in smaller_cases(case):
            if time.monotonic() > until:
                break
            try:
                check(smaller)
            except Wrong as again:
                if again.kind == wrong.kind:
                    case, wrong, progress = smaller, again, True
                    break
            except Exception:  # of a net that is none any more
                continue
    return case, wrong


def smaller_cases(case: Case) -> Iterator[Case]:
    graph = case.model.graph
    nodes = list(graph.node)
    if len(graph.output) > 1:
        for port in graph.output:
            yield rebuilt(case, nodes, [port.name])
    for node in nodes:  # another output, the earliest first
        for name in node.output[:1]:
            if name and [name] != [p.name for p in graph.output]:
                yield rebuilt(case, nodes, [name])
    outputs = [p.name for p in graph.output]
    constants = {t.name for t in graph.initializer} | {o for n in nodes if n.op_type == "Constant" for o in n.output}
    try:
        values = inside(case)
    except Exception:
        values = []
    for node in reversed(nodes):  # an input instead of what a node makes
        name = node.output[0] if node.output else ""
        if values and name in values[0] and name not in outputs and not set(node.input) <= constants:
            yield rebuilt(case, [n for n in nodes if n is not node], outputs, [v[name] for v in values], name)
    for node in nodes:  # nothing instead of a node
        for source in node.input[:2]:
            if source and source not in constants:
                kept = [renamed(n, node.output[0], source) for n in nodes if n is not node]
                yield rebuilt(case, kept, [source if o == node.output[0] else o for o in outputs])


def renamed(node: Any, old: str, new: str) -> Any:
    if old not in node.input:
        return node
    made = onnx.NodeProto()
    made.CopyFrom(node)
    for i, name in enumerate(node.input):
        if name == old:
            made.input[i] = new
    return made


def inside(case: Case) -> list[Feeds]:
    """Every float value, for each feed."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = [o for n in model.graph.node for o in n.output if o and n.op_type not in ("Constant", "Shape")]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names)
    session = sessions(model)[1]
    made = [dict(zip(names, session.run(None, f))) for f in case.feeds]
    return [{k: v for k, v in values.items() if v.dtype.kind == "f" and v.ndim} for values in made]


def rebuilt(case: Case, nodes: list[Any], outputs: list[str], arrays: list[Any] | None = None, name: str = "") -> Case:
    """With these nodes, as far as the outputs need them, and a value as a new input."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    graph = case.model.graph
    inputs = [p for p in graph.input if p.name in needed]
    feeds = [{k: v for k, v in f.items() if k in needed} for f in case.feeds]
    if arrays is not None and name in needed:
        shapes = [a.shape for a in arrays]
        dims: list[Any] = [sizes[0] if len(set(sizes)) == 1 else f"{name}_{i}" for i, sizes in enumerate(zip(*shapes))]
        if dims and case.batch is None:
            dims[0] = "batch"
        inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(arrays[0].dtype), dims))
        for f, a in zip(feeds, arrays):
            f[name] = a
    weights = [t for t in graph.initializer if t.name in needed]
    ports = [p for p in graph.output if p.name in outputs] if set(outputs) <= {p.name for p in graph.output} else [
        helper.make_tensor_value_info(o, graph.output[0].type.tensor_type.elem_type, None) for o in outputs
    ]  # fmt: skip
    made = helper.make_graph(kept[::-1], "small", inputs, ports, weights)
    model = helper.make_model(made, opset_imports=case.model.opset_import)
    model.ir_version = case.model.ir_version
    return Case(model, tuple(feeds), case.batch, case.asked)


# -- from the command line


def save(case: Case, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    onnx.save(case.model, path)
    np.savez(path.with_suffix(".npz"), **{f"{i}/{k}": v for i, f in enumerate(case.feeds) for k, v in f.items()})
    return path


def half(case: Case) -> Case:
    """The same net in float16."""
    feeds = tuple({k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in f.items()} for f in case.feeds)
    return Case(retyped(case.model, TensorProto.FLOAT16), feeds, case.batch)


def saved(path: Path) -> Case:
    model = onnx.load(path)
    feeds: dict[int, Feeds] = {}
    with np.load(path.with_suffix(".npz")) as arrays:
        for key in arrays:
            i, _, name = key.partition("/")
            feeds.setdefault(int(i), {})[name] = arrays[key]
    first = model.graph.input[0].type.tensor_type.shape.dim
    batch = first[0].dim_value if first and first[0].HasField("dim_value") else None
    return Case(model, tuple(feeds[i] for i in sorted(feeds)), batch)


def main() -> int:
    parser = argparse.ArgumentParser(description="Random ONNX nets beside ONNX Runtime.")
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--most", type=int, default=40, help="nodes of a net, about")
    parser.add_argument("--keep", type=Path, default=None, help="folder for nets that fail")
    args = parser.parse_args()
    onnxruntime.set_default_logger_severity(4)
    told: Counter[str] = Counter()
    if args.files:
        todo: Any = ((str(f), saved(f)) for f in args.files)
    else:
        todo = ((seed, None) for seed in range(args.first, args.first + args.count))
    failed = 0
    for seed, case in todo:
        if case is None:
            drawn = random_net(seed, args.most)
            case = Case(drawn.model, drawn.feeds, drawn.batch)
            if seed % 7 == 3:
                case = half(case)
        try:
            told += check(case, seed if isinstance(seed, int) else 0)
            told["passed"] += 1
        except Skip as skip:
            told[f"skipped, {str(skip)[:60]}"] += 1
        except Wrong as wrong:
            failed += 1
            told[f"WRONG {wrong.kind}"] += 1
            print(f"seed {seed}: {wrong}", flush=True)
            if args.keep is not None:
                small, less = shrink(case, wrong)
                path = save(small, args.keep, f"{seed}")
                print(f"  {path}: {less}\n" + onnx.printer.to_text(small.model)[:2500], flush=True)
    for note, count in sorted(told.items()):
        print(f"{count:6} {note}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
