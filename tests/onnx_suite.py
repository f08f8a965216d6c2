"""The backend suite of the installed ``onnx``: which of its cases gpucnn has to pass, and how one is run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

LISTED = frozenset(
    """
    Conv ConvTranspose MaxPool MaxUnpool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool
    BatchNormalization InstanceNormalization GroupNormalization LayerNormalization LRN LpNormalization MeanVarianceNormalization
    Gemm MatMul Einsum
    Relu LeakyRelu PRelu Elu Selu Celu Gelu Mish HardSigmoid HardSwish Softplus Softsign Sigmoid Tanh ThresholdedRelu Swish Erf Shrink
    Clip Softmax LogSoftmax Hardmax
    Add Sub Mul Div Pow Mod Min Max Mean Sum Sqrt Exp Log Abs Neg Floor Ceil Round Sign Reciprocal
    Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh
    Where Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Xor
    ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare
    ArgMax ArgMin TopK CumSum
    Concat Split Slice Gather GatherElements GatherND ScatterND Reshape Flatten Transpose Squeeze Unsqueeze Expand Tile Pad
    Resize Upsample DepthToSpace SpaceToDepth
    Shape Size ConstantOfShape Constant Range NonZero OneHot Cast CastLike Identity Dropout
    """.split()  # noqa: SIM905  # a list of names, to be read
)
"""Operators of the node cases that have to pass."""

ELEMENTS = (onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL, onnx.TensorProto.UINT8)

EXCLUDED = {
    "test_batchnorm_epsilon_training_mode": "training",
    "test_batchnorm_example_training_mode": "training",
    "test_training_dropout": "training: drops at random",
    "test_training_dropout_default": "training: drops at random",
    "test_training_dropout_default_mask": "training: drops at random",
    "test_training_dropout_mask": "training: drops at random",
}
"""Cases that have no meaning for a forward pass, by their exact names."""

KINDS = {
    "node": "one operator",
    "simple": "simple graphs",
    "pytorch-converted": "layers from PyTorch",
    "pytorch-operator": "operators from PyTorch",
}


@dataclass(frozen=True, eq=False)
class Case:
    """A case, as the suite's loader gives it: with its model in memory, or in a folder."""

    kind: str
    test: Any

    @property
    def name(self) -> str:
        """Unique in its kind."""
        return str(self.test.name)

    def model(self) -> Any:
        """The ``ModelProto``."""
        return self.test.model or onnx.load(Path(self.test.model_dir) / "model.onnx")

    def data(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """Inputs and expected outputs of each data set."""
        for inputs, outputs in self.test.data_sets or ():
            yield [_array(x) for x in inputs], [_array(y) for y in outputs]
        if self.test.data_sets is None:
            for folder in sorted(Path(self.test.model_dir).glob("test_data_set_*")):
                yield [_tensor(f) for f in _numbered(folder, "input")], [_tensor(f) for f in _numbered(folder, "output")]


def _array(value: Any) -> np.ndarray[Any, Any]:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _numbered(folder: Path, what: str) -> list[Path]:
    return sorted(folder.glob(f"{what}_*.pb"), key=lambda f: int(f.stem.split("_")[1]))


def _tensor(file: Path) -> np.ndarray[Any, Any]:
    return numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes()))


def _fits(model: Any) -> bool:
    """Whether all inputs and outputs are tensors of the types that count."""
    ports = (*model.graph.input, *model.graph.output)
    return all(p.type.WhichOneof("value") == "tensor_type" and p.type.tensor_type.elem_type in ELEMENTS for p in ports)


@lru_cache
def _loaded(kind: str) -> tuple[Any, ...]:
    """The cases of a kind, by name. Making them divides by zero here and there, on purpose."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return tuple(sorted(load_model_tests(kind=kind), key=lambda t: str(t.name)))


@lru_cache(maxsize=1)
def suite() -> dict[str, int]:
    """How many cases the suite has, by kind."""
    return {kind: len(_loaded(kind)) for kind in KINDS}


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Every case whose operators are listed and whose types count; those of operators written out as functions, too."""
    found = []
    for kind in KINDS:
        for t in _loaded(kind):
            case = Case(kind, t)
            model = case.model()
            if _fits(model) and {n.op_type for n in model.graph.node} <= LISTED:
                found.append(case)
    return tuple(found)


def is_expanded(case: Case) -> bool:
    """Whether an operator is written out as the function of others that defines it."""
    return "_expanded" in case.name


def compare(got: Any, expected: Any, rtol: float, atol: float) -> None:
    """Assert that arrays agree in number, shape, dtype and, within the suite's own tolerance, in value."""
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected):
        assert isinstance(ours, np.ndarray)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def light_nets() -> dict[str, Path]:
    """The nine nets whose weights are made by the graph itself."""
    return {f.stem.removeprefix("light_"): f for f in sorted(LIGHT.glob("light_*.onnx"))}


def light_data(file: Path) -> tuple[list[Any], list[Any]]:
    """Inputs as the suite's runner makes them, and the outputs that lie beside the net."""
    graph = onnx.load(file).graph
    constants = {t.name for t in graph.initializer}
    feeds = []
    for port in graph.input:
        if port.name not in constants:
            shape = tuple(d.dim_value if d.HasField("dim_value") else 1 for d in port.type.tensor_type.shape.dim)
            count = int(np.prod(shape))
            feeds.append((np.arange(count).reshape(shape) / count).astype(np.float32))
    outputs = [_tensor(file.with_name(f"{file.stem}_output_{i}.pb")) for i in range(len(graph.output))]
    return feeds, outputs
