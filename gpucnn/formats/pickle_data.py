"""Reads a pickle as data: no code that the file names is looked up, imported or called.

A pickle is a program for a small stack machine. Python's own ``pickle`` runs all of it, and guards put around it were
broken more than once. This machine knows only the opcodes that build numbers, text, lists, tuples and dicts, plus a
table of names given by the caller; any other opcode and any other name is an error that names it.

What a pickle builds may share its parts, so that a few bytes make a tree with 2⁶⁰ leaves: nothing here hashes, compares
or prints a value from the file unless it is known to be a number or text.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

__all__ = ["MAX_PICKLE_BYTES", "PickleError", "read_pickle"]

MAX_PICKLE_BYTES = 16 << 20
"""Longest pickle read. Tensors are stored outside it: the state dict of 1000 layers takes about 0.3 MB."""

_MARK = object()


class PickleError(ValueError):
    """A pickle is broken, or asks for something that is not data."""


class _Function:
    """A function of ours that the pickle may call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


def read_pickle(
    stream: BytesIO,
    known: Mapping[str, Any],
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Read one pickle, and leave the stream just after it.

    Parameters
    ----------
    stream : BytesIO
    known : mapping of str to object
        What may be named, as ``"module.name"``, and what stands for it. The pickle may call what is callable.
    persistent : callable, optional
        Turns a persistent id, as ``torch.save`` writes for a storage, into a value.

    Returns
    -------
    object
        Made of None, bool, int, float, str, bytes, tuple, list, dict and what ``known`` and ``persistent`` give.

    Raises
    ------
    PickleError
    """
    try:
        return _run(stream, known, persistent)
    except PickleError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise PickleError(f"the pickle is truncated or broken ({error})") from error


def _run(stream: BytesIO, known: Mapping[str, Any], persistent: Callable[[Any], Any] | None) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def pop_to_mark() -> list[Any]:
        start = len(stack) - 1
        while stack[start] is not _MARK:  # an IndexError if there is none
            start -= 1
        items = stack[start + 1 :]
        del stack[start:]
        return items

    steps: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]] = pickletools.genops(stream)
    for opcode, arg, _ in steps:
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                stack.append(_MARK)
            case "POP":
                stack.pop()

            case "NONE":
                stack.append(None)
            case "NEWTRUE":
                stack.append(True)
            case "NEWFALSE":
                stack.append(False)
            case (
                "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT"
                | "BINUNICODE" | "SHORT_BINUNICODE" | "BINSTRING" | "SHORT_BINSTRING" | "BINBYTES" | "SHORT_BINBYTES"
            ):  # fmt: skip
                stack.append(arg)

            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                stack[-count:] = [tuple(_top(stack, count))]
            case "TUPLE":
                stack.append(tuple(pop_to_mark()))
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND":
                item = stack.pop()
                _expect(stack[-1], list).append(item)
            case "APPENDS":
                items = pop_to_mark()
                _expect(stack[-1], list).extend(items)
            case "EMPTY_DICT":
                stack.append({})
            case "SETITEM":
                pair = _top(stack, 2)
                del stack[-2:]
                _set_items(stack[-1], pair)
            case "SETITEMS":
                items = pop_to_mark()
                _set_items(stack[-1], items)

            case "BINPUT" | "LONG_BINPUT":
                memo[arg] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[arg])

            case "GLOBAL":
                stack.append(_look_up(arg.replace(" ", "."), known))
            case "STACK_GLOBAL":
                module, name = (_expect(part, str) for part in _top(stack, 2))
                stack[-2:] = [_look_up(f"{module}.{name}", known)]
            case "REDUCE":
                arguments = _expect(stack.pop(), tuple)
                stack.append(_expect(stack.pop(), _Function).function(*arguments))
            case "BUILD":
                # OrderedDict attributes, such as the `_metadata` of a state dict: nothing that a tensor needs.
                stack.pop()
                _expect(stack[-1], dict)
            case "BINPERSID":
                if persistent is None:
                    raise PickleError("the pickle refers to a storage where none can be")
                stack.append(persistent(stack.pop()))

            case name:
                raise PickleError(f"the pickle uses the opcode {name}, which no tensor needs")
    raise PickleError("the pickle has no end")


def _look_up(name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise PickleError(f"the file calls for {name[:100]!r}, which is not a tensor; gpucnn never runs what a file names")
    return _Function(known[name]) if callable(known[name]) else known[name]


def _top(stack: list[Any], count: int) -> list[Any]:
    if len(stack) < count:
        raise PickleError("the pickle is broken (stack underflow)")
    return stack[-count:]


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise PickleError(f"the pickle is broken (expected {kind.__name__.strip('_')}, found {type(value).__name__})")
    return value


def _set_items(target: Any, items: list[Any]) -> None:
    table = _expect(target, dict)
    if len(items) % 2:
        raise PickleError("the pickle is broken (a key without a value)")
    for key, value in zip(items[::2], items[1::2]):
        # Hashing a nest of shared tuples can take for ever, and no checkpoint has such keys.
        if not isinstance(key, str | int | float | bytes | None):
            raise PickleError(f"a dict has a {type(key).__name__} as key")
        table[key] = value
