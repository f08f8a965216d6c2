"""A short run of every kernel family, for compute-sanitizer: each impl on small op cases, then small nets through the whole library.

    compute-sanitizer --tool memcheck python tests/perf/sanitize.py [--device cuda|cpu] [--cases 2] [--seconds 50]

Every impl gets its first case before any gets a second, so that a run that ends early has seen all families. Results are held to the
references as in the tests, without pytest. CuPy's pool is off: memcheck sees the true end of each array's memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from cases import CASES, Case, halved  # noqa: E402
from close import assert_close  # noqa: E402
from harness import Harness  # noqa: E402

import gpucnn  # noqa: E402
from gpucnn import nn  # noqa: E402

FEWEST_ELEMENTS = 40  # a case with fewer results leaves most threads of a block idle


def main() -> None:
    parser = argparse.ArgumentParser(description="Run every kernel family once, for compute-sanitizer.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--cases", type=int, default=2, help="for each impl and dtype (2)")
    parser.add_argument("--seconds", type=float, default=50, help="begin nothing new after this long (50)")
    args = parser.parse_args()
    end = time.monotonic() + args.seconds
    backend = the_backend(args.device)
    planned = sorted(every_case(backend, args.cases), key=lambda item: item[0])
    nets = [(name, net, shape, precision) for precision in precisions(args.device) for name, (net, shape) in NETS.items()]

    def case_job(case: Case, impl: Any) -> tuple[str, str, Any]:
        return impl.name, f"{impl.name}, {case.op.name} {case.id}", lambda: run_case(case, impl, backend)

    def net_job(name: str, net: Any, shape: Any, precision: str) -> tuple[str, str, Any]:
        return "", f"net {name}, {precision}", lambda: run_net(net, shape, args.device, precision)

    # Every impl once, then the nets, then further cases: what time cuts off is what matters least.
    jobs = [case_job(case, impl) for turn, case, impl in planned if turn == 0]
    jobs += [net_job(*one) for one in nets]
    jobs += [case_job(case, impl) for turn, case, impl in planned if turn > 0]
    failures, done = 0, 0
    for _, text, job in jobs:
        if time.monotonic() > end:
            break
        failures += not passes(text, job)
        done += 1
    families = {name for name, _, _ in jobs[:done] if name}
    missing = {impl.name for impls in backend.IMPLS.values() for impl in impls} - families
    ran = sum(not name for name, _, _ in jobs[:done])
    print(f"impls: {', '.join(sorted(families))}")
    print(
        f"{done - ran} of {len(planned)} cases, {ran} of {len(nets)} nets, {failures} failures; "
        f"impls not run: {', '.join(sorted(missing)) or 'none'}"
    )
    sys.exit(bool(failures or missing or ran < len(nets)))


def the_backend(device: str) -> Any:
    if device == "cpu":
        from gpucnn.backends.cpu import CpuBackend

        return CpuBackend()
    import cupy

    from gpucnn.backends.cuda import cupy_driver
    from gpucnn.backends.cuda.backend import CudaBackend

    cupy.cuda.set_allocator(None)
    return CudaBackend(cupy_driver.CupyDriver(0))


def every_case(backend: Any, most: int) -> Iterator[tuple[int, Case, Any]]:
    """(turn, case, impl): the smallest cases with something to do, for each impl and dtype."""
    for kind, impls in backend.IMPLS.items():
        for impl in impls:
            for dtype in ("float32", "float16"):
                fitting = []
                for case in CASES.get(kind, ()):
                    case = halved(case) if dtype == "float16" else case
                    if any(s is not None and s.dtype == dtype for s in case.specs) and impl.supports(case.op, *case.specs):
                        size = min(s.size for s in case.op.infer(*case.specs))
                        fitting += [(size < FEWEST_ELEMENTS, size, len(fitting), case)] if size else []
                yield from ((turn, case, impl) for turn, (*_, case) in enumerate(sorted(fitting)[:most]))


def passes(what: str, run: Any) -> bool:
    print(what, end=": ", flush=True)
    begin = time.monotonic()
    try:
        run()
    except Exception as error:  # the sanitizer wants to see the rest too
        print(f"FAILED: {type(error).__name__}: {error}"[:1000], flush=True)
        return False
    print(f"{time.monotonic() - begin:.1f} s", flush=True)
    return True


def run_case(case: Case, impl: Any, backend: Any) -> None:
    harness = Harness(case, impl, backend, "slice")
    assert_close(case.op, harness.run(), harness.arrays)


# Odd sizes, so that every tile has a ragged edge; channels by 16, 8, 4, 2 and 1 bytes.
NETS = {
    "stem": (lambda: nn.Sequential(nn.Conv2d(3, 17, 7, 2, 3), nn.BatchNorm2d(17), nn.ReLU(), nn.MaxPool2d(3, 2, 1)), (3, 3, 37, 29)),
    "wide": (lambda: nn.Sequential(nn.Conv2d(64, 72, 3, padding=1), nn.ReLU(), nn.Conv2d(72, 130, 1)), (2, 64, 9, 11)),
    "depthwise": (lambda: nn.Sequential(nn.Conv2d(24, 24, 3, 2, 1, groups=24), nn.ReLU6(), nn.Conv2d(24, 10, 1)), (3, 24, 15, 13)),
    "groups": (lambda: nn.Sequential(nn.Conv2d(12, 18, 3, padding=2, dilation=2, groups=3), nn.AvgPool2d(2)), (2, 12, 11, 9)),
    "head": (lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(33, 21), nn.Softmax(1)), (5, 33, 7, 5)),
}


def precisions(device: str) -> tuple[str, ...]:
    return ("float32", "float16") if device == "cuda" else ("float32",)


def run_net(make: Any, shape: tuple[int, ...], device: str, precision: str) -> None:
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    with gpucnn.compile(make(), shape, device=device, precision=precision) as model:
        y = model(x)
    assert np.isfinite(y.astype(np.float32)).all(), "the result is not finite"


if __name__ == "__main__":
    main()
