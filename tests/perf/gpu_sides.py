"""The sides of gpu.py's comparison, and what the device itself can do. What to measure, and when, is gpu.py's business.

``Ours`` is gpucnn, and holds all that these scripts know of its inside. PyTorch comes in these ways, all channels last, in inference mode:

eager       with cudnn.benchmark, replayed as a CUDA graph: gaps between launches taken out
folded      the same, batch norm folded into the convolutions
compiled    torch.compile(mode="max-autotune") with inductor's freezing, which folds by itself
"""

from __future__ import annotations

import copy
import gc
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
        """The input once more: later values of the run lie where it was, and times would be those of garbage."""
        self.backend.write(self.target, self.x)

    def ms(self, call: Call | None = None) -> float:
        """Device milliseconds of one run, or of another call."""
        with self.backend.session():
            self.refill()
            return self.time(call or self.program.run)

    def time(self, call: Call) -> float:
        return 1e3 * float(self.backend.time(call)) if self.cuda else host_ms(call)

    def output(self) -> Any:
        with self.backend.session():
            self.refill()
            self.program.run()
            ((_, result),) = self.program.outputs.items()
            return self.backend.read(result).astype(np.float32)

    def step_by_step(self) -> None:
        """One run launched from Python, with the gaps that a CUDA graph takes out."""
        for _, call in self.program.calls:
            call()

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
        return self.ours.ms(self.ours.step_by_step)


# ---------------------------------------------------------------- PyTorch


class Peer:
    """A way of running a network in PyTorch; ``run`` gives a tensor."""

    def __init__(self, run: Call) -> None:
        self.run = run

    def ms(self) -> float:
        with torch.inference_mode():
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
    if torch is None:
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
            return Peer(compiled(net, on_device))
        return Peer(graphed(net, on_device) if device == "cuda" else lambda: net(on_device))


# ---------------------------------------------------------------- the device


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
