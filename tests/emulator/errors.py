"""What the emulator raises.

::

    EmulatorError
    ├── UnavailableError     no NVRTC or no g++ on this machine, and which
    ├── CompileError         NVRTC or g++ refused the source; its log
    ├── UnsupportedPtxError  an instruction outside the emulator's table, with its text
    ├── LaunchError          what a GPU would refuse at the launch: grid, block, arguments, shared memory
    └── KernelError          what went wrong inside a kernel: block, thread, file and line
"""

from __future__ import annotations

__all__ = ["CompileError", "EmulatorError", "KernelError", "LaunchError", "UnavailableError", "UnsupportedPtxError"]


class EmulatorError(Exception):
    """Base of every error of the emulator."""


class UnavailableError(EmulatorError):
    """This machine lacks a tool that the emulator needs."""


class CompileError(EmulatorError):
    """A compiler refused the source."""


class UnsupportedPtxError(EmulatorError):
    """PTX that the emulator does not know."""


class LaunchError(EmulatorError):
    """A launch that a GPU would refuse."""


class KernelError(EmulatorError):
    """A kernel did something illegal while it ran."""
