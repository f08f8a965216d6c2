"""How much of the host's memory is free, asked before much of it is taken.

The system hands out more than it has, and kills whoever then writes to it: a plan that is too large must be refused before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import LimitError

__all__ = ["check_host_memory", "free_host_memory", "size_text"]

_WORTH_ASKING = 64 << 20  # bytes: what is free changes all the time by as much, and asking takes half a millisecond


def check_host_memory(nbytes: int, what: str, instead: str) -> None:
    """Raise where so much memory is not free; what is less than 64 MiB is let through unasked.

    Parameters
    ----------
    nbytes : int
    what : str
        Who needs it; begins the message.
    instead : str
        What to do about it.

    Raises
    ------
    LimitError

    Examples
    --------
    >>> check_host_memory(1 << 60, "the batch", "use a smaller one")
    Traceback (most recent call last):
    gpucnn.errors.LimitError: the batch: needs 1073741824.00 GiB, ... GiB of memory are free; use a smaller one
    """
    if nbytes < _WORTH_ASKING:
        return
    free = free_host_memory()
    if nbytes > free:
        raise LimitError(f"{what}: needs {size_text(nbytes)}, {size_text(free)} of memory are free; {instead}")


def free_host_memory() -> int:
    """Bytes that this process can still take: of the machine's, its control groups' and its address space, the least of them.

    `sys.maxsize` where the system does not say (only Linux does): it then has to refuse by itself.
    """
    return min((max(free, 0) for free in _free()), default=sys.maxsize)


def size_text(nbytes: int) -> str:
    """A size for people.

    Examples
    --------
    >>> size_text(3 << 29), size_text(5 << 20)
    ('1.50 GiB', '5.0 MiB')
    """
    return f"{nbytes / 2**30:.2f} GiB" if nbytes >= 1 << 30 else f"{nbytes / 2**20:.1f} MiB"


def _free() -> Iterator[int]:
    if sys.platform != "linux":
        return
    yield from _of_machine()
    yield from _of_control_groups()
    yield from _of_address_space()


def _of_machine() -> Iterator[int]:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) << 10


def _of_control_groups() -> Iterator[int]:
    """What the group of this process and those around it may still take: containers are bounded so."""
    for line in _lines(Path("/proc/self/cgroup")):  # "4:memory:/path" in version 1, "0::/path" in version 2
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, most, taken, cached = Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, most, taken, cached = (
                Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
            )  # fmt: skip
        else:
            continue
        group = root / path.strip("/")
        # Inside a container the path may be the host's, which does not exist here; the root then is the container's own.
        for folder in [g for g in (group, *group.parents) if g.is_relative_to(root)]:
            limit, used = _number(folder / most), _number(folder / taken)
            if limit is not None and used is not None:
                yield limit - used + _field(folder / "memory.stat", cached)


def _of_address_space() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # not every system has it
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        for line in _lines(Path("/proc/self/statm")):
            yield limit - int(line.split()[0]) * resource.getpagesize()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _number(path: Path) -> int | None:
    text = "".join(_lines(path)[:1]).strip()
    return int(text) if text.isdigit() else None  # "max" is no limit


def _field(path: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in _lines(path) if line.startswith(f"{name} ")), 0)
