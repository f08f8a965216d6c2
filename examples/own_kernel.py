"""Write a CUDA kernel of your own, check it without a GPU, put it into a net, and time it where there is one.

The kernel is own_kernel.cu beside this file. It needs a checkout (the emulator is part of the tests), g++ and NVIDIA's compiler:

    python -m pip install -e '.[test]' && python examples/own_kernel.py
"""

import sys
from pathlib import Path

import numpy as np

import gpucnn
from gpucnn import functional as F
from gpucnn import plan
from gpucnn.backends.base import Impl
from gpucnn.backends.cuda.backend import CudaBackend, launch
from gpucnn.graph import Graph
from gpucnn.ops import MaxPool
from gpucnn.spec import Spec

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from emulated import EmulatorDriver  # noqa: E402 - the tests' folder is on the path only now
from emulator import KernelError, UnavailableError  # noqa: E402

KERNEL = HERE / "own_kernel.cu"


class MaxPool2x2(Impl):
    """What the plan has to know of the kernel: when it can be used, and how it is launched."""

    name = "max_pool_2x2 (mine)"
    numerics = "exact"

    def __init__(self, **macros: int) -> None:
        self.macros = macros

    def supports(self, op, x):
        """Say so from the op and the shape alone, never from the batch: else bits could depend on it."""
        vec = 16 // x.dtype.itemsize
        plain = op == MaxPool((2, 2), (2, 2)) and x.dtype in (np.float32, np.float16)
        return plain and x.ndim == 4 and x.shape[1] % vec == 0 and x.shape[2] % 2 == x.shape[3] % 2 == 0

    def bind(self, backend, op, inputs, outputs, workspace):
        """Everything is computed once, here; what is returned only launches."""
        x, y = inputs[0], outputs[0]
        n, c, p, q = y.shape
        vec = 16 // x.dtype.itemsize
        items = n * p * q * c // vec
        kernel = backend.kernel(KERNEL, "max_pool_2x2", HALF=int(x.dtype == np.float16), VEC=vec, **self.macros)
        args = (x, y, np.int32(items), np.int32(c // vec), np.int32(q))
        return launch(kernel, (-(-items // 256), 1, 1), (256, 1, 1), args)


def pooled(backend, impl, x):
    """Plan a net of one pooling with the impl, run it, and say which impl ran."""
    backend.IMPLS = {**backend.IMPLS, MaxPool: (impl, *backend.IMPLS[MaxPool])}
    graph = Graph()
    graph.outputs = {"y": F.max_pool2d(graph.input("x", Spec(x.shape, x.dtype), "channels_last"), 2)}
    program = plan.compile(graph, backend).bind()
    with backend.session():
        backend.write(program.inputs["x"], x)
        program.run()
        return program, backend.read(program.outputs["y"])


def main() -> None:
    x = np.random.default_rng(0).standard_normal((3, 24, 6, 10)).astype(np.float32)
    x[0, 0, 0, 0] = np.nan
    expected = F.max_pool2d(x, 2)  # on the CPU

    # Check: the real source, compiled by NVIDIA's compiler, executed thread by thread on the CPU.
    program, y = pooled(CudaBackend(EmulatorDriver(80, check=True)), MaxPool2x2(), x)
    np.testing.assert_array_equal(y, expected)
    print(f"float32: {program.plan.steps[0].impl.name} equals the reference in all {y.size} places")
    half = x.astype(np.float16)
    np.testing.assert_array_equal(pooled(CudaBackend(EmulatorDriver(80, check=True)), MaxPool2x2(), half)[1], F.max_pool2d(half, 2))
    print("float16: likewise")

    # And what a mistake looks like: the kernel without its check for the last items writes beyond y, where x lies in the same arena.
    try:
        pooled(CudaBackend(EmulatorDriver(80, check=True)), MaxPool2x2(FORGET_THE_END=1), x)
    except KernelError as error:
        print(f"planted bug: {error}")

    # Time, where there is a GPU: device time of a map that is larger than its caches, beside the library's own kernel.
    gpu = next(d for d in gpucnn.devices() if d.name.startswith("cuda"))
    if not gpu.usable:
        print(f"not timed: {gpu.description}: {gpu.reason}")
        return
    from gpucnn.backends.cuda.cupy_driver import CupyDriver

    large = np.zeros((64, 64, 224, 224), np.float16)
    for impl in (MaxPool2x2(), *CudaBackend(CupyDriver()).IMPLS[MaxPool]):
        backend = CudaBackend(CupyDriver())
        program, _ = pooled(backend, impl, large)
        (_, call), = program.calls
        with backend.session():
            seconds = sorted(backend.time(call) for _ in range(20))[10]
        print(f"{impl.name}: {1e6 * seconds:.0f} µs, {1.25 * large.nbytes / seconds / 1e9:.0f} GB/s")


if __name__ == "__main__":
    try:
        main()
    except UnavailableError as error:
        raise SystemExit(f"{error}; the top of own_kernel.py says what it needs") from None
