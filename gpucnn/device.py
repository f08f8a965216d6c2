"""Which devices there are, which can be used, and why the others cannot."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .backends.cuda import probe
from .errors import DeviceError
from .settings import settings

if TYPE_CHECKING:
    from .backends.base import Backend

__all__ = ["Choice", "Device", "choose_device", "devices", "open_gpu"]

_INSTEAD = "device='auto' settles for the CPU"


@dataclass(frozen=True)
class Device:
    """Something a model can, or could, run on.

    Attributes
    ----------
    name : str
        As ``device=`` takes it: ``"cpu"``, ``"cuda:0"``.
    description : str
    usable : bool
    reason : str
        Why it cannot be used, and what mends that; empty where it can.
    """

    name: str
    description: str
    usable: bool
    reason: str


@dataclass(frozen=True)
class Choice:
    """The device taken for a request, and why that one."""

    name: str
    reason: str


def devices() -> list[Device]:
    """Find all devices, the CPU first.

    Returns
    -------
    list of Device
        Each with ``name`` (as ``device=`` takes it), ``description``, ``usable``, and the ``reason`` why not and what mends that.

    Examples
    --------
    >>> devices()[0].name
    'cpu'
    """
    used, there = settings().threads, os.cpu_count() or 1
    cores = f"{used} of {there} cores" if used != there else f"{there} core{'s' if there > 1 else ''}"
    found = [Device("cpu", f"{platform.machine()}, {cores}", True, "")]
    gpus, version, why = probe.find_gpus()
    cupys = probe.installed_cupys() if gpus else {}
    problem = (probe.cupy_problem(version, cupys) or probe.toolkit_problem(version, cupys)) if gpus else ""
    for gpu in gpus:
        major, minor = gpu.capability
        text = f"{gpu.name}, sm_{major}{minor}, {gpu.memory / 2**30:.0f} GiB, driver for CUDA {probe.driver_cuda(version)}"
        old = f"sm_{major}{minor}: needs ≥ sm_75" if gpu.capability < probe.LEAST_CAPABILITY else ""
        reason = old or problem
        found.append(Device(f"cuda:{gpu.index}", text, not reason, reason))
    if not gpus:
        found.append(Device("cuda", "no GPU", False, why))
    return found


def choose_device(request: str) -> Choice:
    """Return the device for ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:i"``.

    Raises
    ------
    DeviceError
        The request is none of these, or names a GPU that cannot be used: only ``"auto"`` may settle for the CPU.
    """
    if not isinstance(request, str):
        raise DeviceError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:<index>', got {request!r}")
    if request == "cpu":
        return Choice("cpu", "asked for")
    known = devices()
    if request == "auto":
        gpus = [d for d in known if d.name.startswith("cuda:")]
        if not gpus:
            return Choice("cpu", known[-1].reason)
        usable = [d for d in gpus if d.usable]
        if usable:
            return Choice(usable[0].name, usable[0].description)
        return Choice("cpu", f"{gpus[0].description} was seen but not used: {gpus[0].reason}")
    if request == "cuda" or (request.startswith("cuda:") and request[5:].isdigit()):
        wanted = [d for d in known if d.name == (request if ":" in request else "cuda:0")]
        if not wanted:
            others = ", ".join(d.name for d in known if d.name.startswith("cuda:")) or f"none ({known[-1].reason})"
            raise DeviceError(f"device {request!r} cannot be used: there is no such GPU; GPUs here: {others}. {_INSTEAD}")
        if wanted[0].usable:
            return Choice(wanted[0].name, wanted[0].description)
        raise DeviceError(f"device {request!r} ({wanted[0].description}) cannot be used: {wanted[0].reason}. {_INSTEAD}")
    raise DeviceError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:<index>', got {request!r}")


def open_gpu(name: str) -> Backend:
    """Return a backend on the GPU ``"cuda:<index>"``: a stream, kernels and memory of its own.

    Raises
    ------
    DeviceError
        It cannot be started after all.
    """
    from .backends.cuda.backend import CudaBackend
    from .backends.cuda.cupy_driver import CupyDriver

    return CudaBackend(CupyDriver(int(name.removeprefix("cuda:"))))
