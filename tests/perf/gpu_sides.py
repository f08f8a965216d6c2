"""The sides of gpu.py's comparison, and what the device itself can do. What to measure, and when, is gpu.py's business.

``Ours`` is gpucnn, and holds all that these scripts know of its inside. PyTorch comes in these ways, all channels last, in inference mode:

eager       with cudnn.benchmark, replayed as a CUDA graph: gaps between launches taken out
folded      the same, batch norm folded into the convolutions
compiled    torch.compile(mode="max-autotune") with inductor's freezing, which folds by itself
"""

from __future__ import annotations

import copy
import gc
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

try:
    import torch
except ImportError:  # gpucnn alone then
    torch = None

LAYER_REPEATS = 20
HEAD_START = 1_000_000  # cycles that the device sleeps before a timed call of torch: the host enqueues all of it meanwhile
MOVES = ("cast", "reorder")  # ops that only bring values into another type or order
PRECISIONS = ("float16", "float32")

Call = Callable[[], Any]


def host_ms(call: Call) -> float:
    begin = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begin)


# ---------------------------------------------------------------- gpucnn


class Ours:
    """gpucnn: one bound program, its arrays resident on the device."""

    def __init__(self, name: str, state: dict[str, Any] | None, x: Any, device: str, precision: str) -> None:
        import gpucnn

        net = gpucnn.zoo.create(name)
        if state is not None:
            net.load_state_dict(state)
        self.cuda = device == "cuda"
        self.model = gpucnn.compile(net, x.shape, device=device, precision=precision)
        plan = self.model.plan(batch=len(x)) if self.cuda else self.model.plan()
        self.backend, self.program = plan.backend, plan.bind()
        ((_, self.target),) = self.program.inputs.items()
        assert self.target.shape == x.shape, f"the program takes {self.target.shape}, the bench has {x.shape}"
        with self.backend.session():
            self.x = self.backend.upload(x.astype(self.target.dtype))
            for _ in range(2):  # one by one, which loads the kernels, then captured as a CUDA graph
                self.refill()
                self.program.run()

    def refill(self) -> None:
        """The input once more: later values of the run lie where it was, and times would be those of garbage. Peers do as much."""
        self.backend.write(self.target, self.x)

    def ms(self, call: Call | None = None) -> float:
        """Device milliseconds of one run, or of another call, the host having a head start."""
        with self.backend.session():
            self.refill()
            return self.time(call or self.program.run)

    def time(self, call: Call) -> float:
        """Inside a session: the device's events, and what keeps it busy before, go to the stream that is current."""
        return 1e3 * float(self.backend.time(call)) if self.cuda else host_ms(call)

    def launched_ms(self) -> float:
        """Milliseconds of a run launched from Python, from an idle device on: gaps that wait for the host count, so no head start."""
        with self.backend.session():
            self.refill()
            driver, cuda = self.backend.driver, self.backend.xp.cuda
            begin, end = cuda.Event(), cuda.Event()
            driver.synchronize()
            begin.record(driver.stream)
            for _, call in self.program.calls:
                call()
            end.record(driver.stream)
            end.synchronize()
            return float(cuda.get_elapsed_time(begin, end))

    def output(self) -> Any:
        with self.backend.session():
            self.refill()
            self.program.run()
            ((_, result),) = self.program.outputs.items()
            return self.backend.read(result).astype(np.float32)

    def layers(self) -> list[dict[str, Any]]:
        """Each step: what it is, operations and bytes that it cannot do without, and its times."""
        from gpucnn.describe import impl_text

        rows: list[dict[str, Any]] = []
        for step, _ in self.program.calls:
            node = step.node
            held = [v.spec.nbytes if c is None else c.nbytes for c, v in zip(step.constants, node.inputs) if v is not None]
            row = {"name": node.name, "op": node.op.name, "impl": impl_text(step), "shape": list(node.outputs[0].shape)}
            row |= {"flops": int(node.op.flops(*node.specs)), "bytes": int(sum(held) + sum(v.spec.nbytes for v in node.outputs))}
            rows.append(row | {"ms": []})
        with self.backend.session():
            for _ in range(LAYER_REPEATS):
                self.refill()
                for row, (_, call) in zip(rows, self.program.calls):
                    row["ms"].append(round(self.time(call), 5))
        return rows

    def describe(self) -> dict[str, Any]:
        return {"device": self.model.device, "precision": self.model.precision, "slow_steps": len(self.program.plan.slow_steps)}

    def close(self) -> None:
        self.model.close()
        if self.cuda:
            import cupy

            cupy.get_default_memory_pool().free_all_blocks()


class Launched:
    """gpucnn's program once more, without its CUDA graph."""

    def __init__(self, ours: Ours) -> None:
        self.ours = ours

    def ms(self) -> float:
        return self.ours.launched_ms()


# ---------------------------------------------------------------- PyTorch


class Peer:
    """A way of running a network in PyTorch on ``x``; ``run`` gives a tensor."""

    def __init__(self, run: Call, x: Any) -> None:
        self.run, self.x, self.same = run, x, x.clone()

    def ms(self) -> float:
        with torch.inference_mode():
            self.x.copy_(self.same)  # as gpucnn's is: what was just written may still be in the device's cache
            return torch_ms(self.run)

    def output(self) -> Any:
        with torch.inference_mode():
            return self.run().float().cpu().numpy()


def torch_ms(call: Call) -> float:
    if not torch.cuda.is_available():
        return host_ms(call)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(HEAD_START)
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end))


def network(name: str, device: str) -> tuple[Any, dict[str, Any] | None]:
    """The network in torch with calm weights, and its state as gpucnn loads it."""
    if torch is None or (device == "cuda" and not torch.cuda.is_available()):
        return None, None
    from torch_nets import MODELS, initialise, state_of

    with torch.no_grad():
        net = MODELS[name]().to(device)
        initialise(net)
        return net, {k: v.cpu().numpy() for k, v in state_of(net).items()}


def folded(net: Any) -> Any:
    """A copy in which every batch norm that follows a convolution has become part of it."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    net = copy.deepcopy(net)
    for module in net.modules():
        children = list(module.named_children())
        for (first, conv), (second, norm) in pairwise(children):
            if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(conv, norm))
                setattr(module, second, torch.nn.Identity())
    return net


def graphed(net: Any, x: Any) -> Call:
    """The network on x, captured as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # cudnn.benchmark chooses here
            net(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = net(x)

    def run() -> Any:
        graph.replay()
        return y

    return run


def compiled(net: Any, x: Any) -> Call:
    """The network by torch.compile, autotuned and frozen."""
    import torch._inductor.config as inductor

    torch._dynamo.reset()
    inductor.freezing = True
    mode = "max-autotune" if x.is_cuda else "default"
    function = torch.compile(net, mode=mode, dynamic=False)
    for _ in range(3):  # compiles, warms up, captures
        function(x)
    return lambda: function(x)


def peer(kind: str, net: Any, x: Any, device: str, precision: str) -> Peer:
    """One of the ways, ready to be timed."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # float32 is IEEE on both sides
    dtype = getattr(torch, precision)
    net = folded(net) if kind == "folded" else copy.deepcopy(net)
    net = net.to(device, dtype, memory_format=torch.channels_last).eval()
    on_device = torch.from_numpy(x).to(device, dtype).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        if kind == "compiled":
            return Peer(compiled(net, on_device), on_device)
        return Peer(graphed(net, on_device) if device == "cuda" else lambda: net(on_device), on_device)


# ---------------------------------------------------------------- the device


def machine() -> dict[str, Any]:
    """The GPU that gpucnn takes first, with the versions that times depend on, in one line; and what nvidia-smi says of it."""
    from gpucnn.backends.cuda import probe

    gpus, version, _ = probe.find_gpus()
    if gpus:
        smi = nvidia_smi(gpus[0].name)
        name = f"{gpus[0].name}, driver {smi.get('driver_version') or 'for CUDA ' + probe.driver_cuda(version)}"
    else:
        smi, name = {}, "no GPU"
    versions = libraries()
    gpu = f"{name}, PyTorch {versions.get('torch', 'absent')}, CuPy {versions.get('cupy', 'absent')}"
    return {"gpu": gpu, "nvidia_smi": smi, "libraries": versions}


def nvidia_smi(name: str) -> dict[str, str]:
    """Of the first GPU of this name: nvidia-smi counts otherwise than CUDA does, and sees those that are hidden from CUDA."""
    fields = "name,driver_version,clocks.max.sm,clocks.max.memory,power.limit,memory.total"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return {}
    found = (dict(zip(fields.split(","), text.split(", "))) for text in said)
    return next((values for values in found if values["name"] == name), {})


def ceilings(device: str) -> dict[str, float]:
    """What the device reaches at best: bytes copied (read and written), and products of large matrices of random numbers."""
    if torch is None:
        return {}
    nbytes, n = (2**30, 8192) if device == "cuda" else (2**24, 256)
    source = torch.empty(nbytes, dtype=torch.uint8, device=device).random_(0, 255)
    target = torch.empty_like(source)
    found = {"copy_GBps": 2 * nbytes / best_ms(lambda: target.copy_(source)) / 1e6}
    torch.backends.cuda.matmul.allow_tf32 = False
    for precision in PRECISIONS:
        a, b = (torch.randn(n, n, device=device, dtype=getattr(torch, precision)) for _ in range(2))
        found[f"gemm_{precision}_TFLOPs"] = 2 * n**3 / best_ms(lambda a=a, b=b: a @ b) / 1e9
    return {k: round(v, 3) for k, v in found.items()}


def best_ms(call: Call) -> float:
    return median([torch_ms(call) for _ in range(23)][3:])


def libraries() -> dict[str, str]:
    import platform

    import gpucnn

    versions = {"python": platform.python_version(), "gpucnn": gpucnn.__version__, "numpy": np.__version__}
    if torch is not None:
        versions |= {"torch": torch.__version__, "cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}
    try:
        import cupy

        versions["cupy"] = cupy.__version__
    except ImportError:
        pass
    return versions


def is_sick() -> bool:
    """Whether an error has broken this process's hold of the device: then only a fresh process can go on."""
    gc.collect()
    if torch is None or not torch.cuda.is_available():
        return False
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:
        return True
    return False
