"""Make tests/data/onnx: little networks exported by PyTorch's two exporters and rewritten by other tools, and ONNX Runtime's answers.

    python tests/data/make_onnx_nets.py [--only 'split*'] [--folder ELSEWHERE]

Needs torch 2.13 (CPU), torchvision (--no-deps), onnx, onnxscript, onnxruntime, onnxslim and onnxconverter-common. With --only the files of
other networks stay.

``answers.npz`` has the inputs (``in …``) and ONNX Runtime's outputs (``FILE CASE OUTPUT``) for three images at once. ``files.json`` says
of each file who made it, which inputs it takes, and for each output how far another float32 computation may be from that: ``allowed``,
which is 1 + TIMES times the distance from float64 (by PyTorch) of the worst of ONNX Runtime's with and without its optimisations, at one
and three images.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
import torch_small_nets as nets
from torch import nn

DATA = Path(__file__).resolve().parent
sys.path.append(str(DATA.parent / "perf"))

from onnx_nets import fill, quiet  # noqa: E402
from torch_nets import images  # noqa: E402

SEED, N, TIMES = 20240229, 3, 8
Shapes = tuple[tuple[int, ...], ...]


class Net(NamedTuple):
    """A network, the shapes of its inputs without the batch, the opsets of either exporter, and whether its sizes stay free."""

    make: Callable[[], nn.Module]
    script: tuple[int, ...]
    dynamo: tuple[int, ...]
    shapes: Shapes = ((3, 32, 32),)
    others: tuple[Shapes, ...] = ()  # further sizes, where height and width stay free
    inputs: tuple[str, ...] = ("input",)
    outputs: tuple[str, ...] = ("output",)


NETS = {
    "se": Net(nets.SE, (9, 17), (18,)),
    "by_hand": Net(nets.ByHand, (11,), (20,)),
    "activations": Net(nets.Activations, (12,), (18, 20)),
    "norms": Net(nets.Norms, (11,), (18, 21)),
    "convnext": Net(nets.ConvNeXt, (11,), (20,)),
    "shuffle": Net(nets.Shuffle, (11,), (18,)),
    "split": Net(nets.Split, (11,), (20,)),
    "pools": Net(nets.Pools, (10,), (18,), ((3, 33, 38),)),
    "sizes": Net(nets.Sizes, (11,), (20,), ((3, 16, 24),), (((3, 8, 16),), ((3, 20, 12),))),
    "flattened": Net(nets.Flattened, (9,), (20,)),
    "pixels": Net(nets.Pixels, (11,), (18,), ((3, 16, 16),)),
    "standardised": Net(nets.Standardised, (11, 17), (20,)),
    "same": Net(nets.Same, (17,), (18,), ((3, 32, 37),), (((3, 41, 24),), ((3, 30, 30),))),
    "unet": Net(nets.UNet, (11,), (20,), ((3, 17, 22),), (((3, 16, 16),), ((3, 13, 11),))),
    "attention": Net(nets.Attention, (14,), (18,)),
    "borders": Net(nets.Borders, (17,), (20,)),
    "detector": Net(nets.Detector, (11,), (18,), ((3, 32, 48),), (((3, 64, 32),),), outputs=("boxes", "scores", "classes")),
    "two_inputs": Net(nets.TwoInputs, (11, 17), (20,), ((3, 32, 32), (5,)), inputs=("image", "vector"), outputs=("scores", "features")),
    "camera": Net(nets.Camera, (13,), (18,), ((32, 32, 3),)),
    "signal": Net(nets.Signal, (11, 17), (20,), ((2, 64),)),
    "volume": Net(nets.Volume, (13,), (18,), ((1, 6, 12, 12),)),
    "branch": Net(nets.Branch, (16,), (), others=(((3, 16, 20),),)),
}


class Made(NamedTuple):
    """A file to be, and who made it."""

    name: str
    model: onnx.ModelProto
    by: str
    batches: tuple[int, ...] = (1, N)
    torch: Callable[..., Any] | None = None  # float64's answers; without, the file itself in float64
    every_size: bool = True


def main() -> None:
    parser = argparse.ArgumentParser(description="Make tests/data/onnx.")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names of networks, as for the shell")
    parser.add_argument("--folder", type=Path, default=DATA / "onnx", help="where to (tests/data/onnx)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    table, arrays = args.folder / "files.json", args.folder / "answers.npz"
    files: dict[str, Any] = json.loads(table.read_text("utf-8")) if table.exists() else {}
    answers: dict[str, Any] = dict(np.load(arrays)) if arrays.exists() else {}
    for name, net in NETS.items():
        if not fnmatchcase(name, args.only):
            continue
        for file in [f for f in files if f.split(".")[0] == name]:
            (args.folder / file).unlink(missing_ok=True)
            del files[file]
            answers = {k: a for k, a in answers.items() if not k.startswith(f"{file} ")}
        module = filled(net)
        for made in everything(name, net, module):
            files[made.name] = keep(made, net, args.folder, answers)
            print(made.name, (args.folder / made.name).stat().st_size, files[made.name]["cases"], flush=True)
    order = [f for name in NETS for f in files if f.split(".")[0] == name]
    table.write_text("{\n" + ",\n".join(f" {json.dumps(f)}: {json.dumps(files[f], ensure_ascii=False)}" for f in order) + "\n}\n", "utf-8")
    used = {key for row in files.values() for case in row["cases"] for key in case["inputs"].values()}
    np.savez_compressed(arrays, **{k: a for k, a in answers.items() if not k.startswith("in ") or k in used})


# -- inputs and weights


def inputs(shapes: Shapes, n: int = N, seed: int = SEED) -> list[np.ndarray]:
    """Pictures where the shape is one's, bytes where channels are last, else noise."""
    made = []
    for shape in shapes:
        if len(shape) == 3 and shape[0] == 3:
            x = images(n, seed, 64)[:, :, : shape[1], : shape[2]].numpy()
        else:
            x = np.random.RandomState(seed).standard_normal((n, *shape)).astype(np.float32)
        x = np.round(x * 32) / 32  # few bits, so that they pack well
        made.append((x * 50 + 120).clip(0, 255).astype(np.uint8) if shape[-1] == 3 else np.ascontiguousarray(x))
    return made


def filled(net: Net) -> nn.Module:
    torch.manual_seed(SEED)
    module = net.make().eval()
    x = [torch.from_numpy(a) for a in inputs(net.shapes, 4, SEED - 1)]
    fill(module, *x)
    return module


# -- files


def everything(name: str, net: Net, module: nn.Module) -> Iterator[Made]:
    """The network by every tool that is to write it."""

    def true(*x: np.ndarray) -> list[np.ndarray]:
        return answered(module.double(), *x)

    def single(opset: int, dynamo: bool, **more: Any) -> onnx.ModelProto:
        return exported(net, module.float(), opset, dynamo, **more)

    by = f"torch {torch.__version__.split('+')[0]}"
    plain = None
    for opset in net.script:
        plain = single(opset, False)
        yield Made(f"{name}.script{opset}.onnx", plain, f"{by}, TorchScript, opset {opset}", torch=true)
    for opset in net.dynamo:
        yield Made(f"{name}.dynamo{opset}.onnx", single(opset, True), f"{by}, dynamo, opset {opset}", torch=true)
    if name in ("se", "shuffle"):  # as PyTorch leaves it before it simplifies
        kept = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False, "keep_initializers_as_inputs": True}
        yield Made(f"{name}.unfolded.onnx", single(13, False, **kept), f"{by}, TorchScript, opset 13, nothing folded", torch=true)
    if name in ("se", "flattened", "shuffle"):
        dynamo = name == "shuffle"
        made = single(18, dynamo, fixed=True)
        yield Made(f"{name}.fixed.onnx", made, f"{by}, {'dynamo' if dynamo else 'TorchScript'}, opset 18, batch 1", (1,), true)
    if name in ("sizes", "shuffle"):
        import onnxslim

        slim = onnxslim.slim(single(17, False))
        yield Made(f"{name}.slim.onnx", slim, f"onnxslim {version('onnxslim')}, of TorchScript's", torch=true)
    if name == "same":
        floored = nets.Floored().eval()
        floored.load_state_dict(module.float().state_dict())
        made = exported(net, floored, 18, True)
        yield Made(f"{name}.truncated.onnx", made, f"{by}, dynamo, opset 18, negative numbers divided", every_size=False)
    if name in ("se", "pools"):
        yield Made(f"{name}.runtime.onnx", runtime_written(single(17, False)), f"onnxruntime {version('onnxruntime')}, basic", torch=true)
    if name in ("se", "convnext"):
        from onnxconverter_common import float16

        for tag, keep_io in (("half", False), ("half_inside", True)):
            made = float16.convert_float_to_float16(single(17, False), keep_io_types=keep_io)
            yield Made(f"{name}.{tag}.onnx", made, f"onnxconverter-common {version('onnxconverter-common')}, float16")
    if name in ("se", "shuffle"):
        tag = "int8" if name == "se" else "uint8"
        made = quantised(single(19, False), net, tag == "int8")
        yield Made(f"{name}.{tag}.onnx", made, f"onnxruntime {version('onnxruntime')}, quantize_static, QDQ, {tag}")


def exported(net: Net, module: nn.Module, opset: int, dynamo: bool, fixed: bool = False, **more: Any) -> onnx.ModelProto:
    """By one of PyTorch's exporters, without what it says of this machine's files."""
    shapes = net.shapes
    x = tuple(torch.from_numpy(a) for a in inputs(shapes, 1 if fixed else N))
    axes = [{0: "n", **({2: "h", 3: "w"} if net.others and len(shape) == 3 else {})} for shape in shapes]
    free = {} if fixed else {**dict(zip(net.inputs, axes)), **{name: {0: "n"} for name in net.outputs}}
    given: nn.Module = torch.jit.script(module) if net.make is nets.Branch else module
    with tempfile.TemporaryDirectory() as folder, quiet(), torch.no_grad():
        file = str(Path(folder) / "net.onnx")
        common: dict[str, Any] = {"input_names": list(net.inputs), "output_names": list(net.outputs), "opset_version": opset, **more}
        if dynamo:
            dims = None if fixed else tuple(dict.fromkeys(a, torch.export.Dim.DYNAMIC) for a in axes)
            torch.onnx.export(given, x, file, dynamo=True, dynamic_shapes=dims, external_data=False, verbose=False, **common)
        else:
            torch.onnx.export(given, x, file, dynamo=False, dynamic_axes=free, **common)
        model = onnx.load(file)
    model.graph.ClearField("value_info")  # half of the file, and nothing that does not follow
    forget(model.graph)
    for function in model.functions:
        forget(function)
    if net.make is not nets.SE:
        rename(model.graph)
    return model


def forget(graph: Any) -> None:
    """Drop stack traces and the like."""
    for thing in (graph, *graph.node, *getattr(graph, "input", ()), *getattr(graph, "output", ())):
        if not isinstance(thing, str):
            thing.ClearField("metadata_props")
            thing.ClearField("doc_string")
    for node in graph.node:
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    forget(inner)


def rename(graph: Any) -> None:
    """Short names for nodes and for what is passed between them: the long ones are a third of such a little file."""
    kept = {port.name for port in (*graph.input, *graph.output, *graph.initializer)}
    short = {name: f"v{i}" for i, name in enumerate(n for node in graph.node for n in node.output if n and n not in kept)}
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # branches see the names outside
    for i, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{i}"
        for names in (node.input, node.output):
            names[:] = [short.get(name, name) for name in names]


def runtime_written(model: onnx.ModelProto) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "net.onnx")
        onnxruntime.InferenceSession(model.SerializeToString(), options)
        return onnx.load(options.optimized_model_filepath)


def quantised(model: onnx.ModelProto, net: Net, signed: bool) -> onnx.ModelProto:
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = [dict(zip(net.inputs, inputs(net.shapes, 8, SEED + 1)))]

        def get_next(self) -> Any:
            return self.rest.pop() if self.rest else None

    kind = q.QuantType.QInt8 if signed else q.QuantType.QUInt8
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        onnx.save(model, before)
        q.quantize_static(
            before, after, Reader(), quant_format=q.QuantFormat.QDQ, per_channel=signed, activation_type=kind, weight_type=kind,
            extra_options={"ActivationSymmetric": signed, "WeightSymmetric": signed},
        )  # fmt: skip
        return onnx.load(after)


# -- answers


def keep(made: Made, net: Net, folder: Path, answers: dict[str, Any]) -> dict[str, Any]:
    """Write the file, and ONNX Runtime's answers; return what files.json says."""
    onnx.checker.check_model(made.model)
    (folder / made.name).write_bytes(made.model.SerializeToString())
    names = [o.name for o in made.model.graph.output]
    half = {i.name for i in made.model.graph.input if i.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16}
    cases = []
    for shapes in (net.shapes, *net.others) if made.every_size else (net.shapes,):
        given = [a.astype(np.float16) if name in half else a for name, a in zip(net.inputs, inputs(shapes))]
        keys = {}
        for name, a in zip(net.inputs, given):
            keys[name] = f"in {a.dtype} {'×'.join(map(str, a.shape))}"
            answers[keys[name]] = a
        n = max(made.batches)
        case = answers_of(made, given, n)
        label = "×".join(map(str, shapes[0]))
        for name, y in zip(names, case["outputs"]):
            answers[f"{made.name} {label} {name}"] = y
        cases.append({"case": label, "inputs": keys, "allowed": dict(zip(names, case["allowed"]))})
    return {"by": made.by, "batches": list(made.batches), "cases": cases}


def answers_of(made: Made, given: list[np.ndarray], n: int) -> dict[str, Any]:
    x = [a[:n] for a in given]
    plain, fast, one = (runtime(made.model, v, level) for v, level in ((x, False), (x, True), ([a[:1] for a in x], False)))
    true = made.torch(*x) if made.torch else in_float64(made.model, x)
    whole = made.name.split(".")[-2] in ("int8", "uint8")  # ONNX Runtime's optimisations compute these in integers
    allowed = []
    for i, t in enumerate(true):
        if t.dtype.kind != "f":
            assert all((y == t[: len(y)]).all() for y in (plain[i], fast[i], one[i])), f"{made.name}: {t} {plain[i]}"
            allowed.append(0.0)
            continue
        runs = [plain[i], one[i]] if whole else [plain[i], one[i], fast[i]]
        worst = max(float(np.abs(y - t[: len(y)]).max()) for y in runs)
        worst = max(worst, float(np.finfo(plain[i].dtype).eps / 2 * np.abs(t).max()))
        allowed.append((1 + TIMES) * worst)
        apart = float(np.abs(t[0] - t[1]).max()) if len(t) > 1 else float(np.ptp(t))
        assert apart > 20 * allowed[-1], f"{made.name}: output {i} says little: {apart} between images, {allowed[-1]} allowed"
    return {"outputs": plain, "allowed": allowed}


def runtime(model: onnx.ModelProto, x: list[np.ndarray], optimised: bool) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([i.name for i in session.get_inputs()], x)))


def answered(module: nn.Module, *x: np.ndarray) -> list[np.ndarray]:
    """PyTorch's answers, floats in the module's precision."""
    precision = next(module.parameters()).dtype
    with torch.inference_mode():
        y = module(*(torch.from_numpy(a).to(precision if a.dtype.kind == "f" else None) for a in x))
    return [a.numpy() for a in (y if isinstance(y, tuple) else (y,))]


def in_float64(model: onnx.ModelProto, x: list[np.ndarray]) -> list[np.ndarray]:
    """The file itself, as ONNX's own evaluator computes it where every float is a float64."""
    from onnx import TensorProto, numpy_helper
    from onnx.reference import ReferenceEvaluator

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    wide = onnx.ModelProto.FromString(model.SerializeToString())
    wide.graph.ClearField("value_info")
    for tensor in wide.graph.initializer:
        if tensor.data_type in floats:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for port in (*wide.graph.input, *wide.graph.output):
        if port.type.tensor_type.elem_type in floats:
            port.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in wide.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i in floats:
                attribute.i = TensorProto.DOUBLE
            if attribute.HasField("t") and attribute.t.data_type in floats:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float64)))
    feeds = {i.name: a.astype(np.float64) if a.dtype.kind == "f" else a for i, a in zip(wide.graph.input, x)}
    return ReferenceEvaluator(wide).run(None, feeds)


if __name__ == "__main__":
    main()
