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

from ..errors import GpucnnError

__all__ = ["MAX_PICKLE_BYTES", "PickleError", "UnknownNameError", "Unread", "read_pickle"]

MAX_PICKLE_BYTES = 16 << 20
"""Longest pickle read. Tensors are stored outside it: the state dict of 1000 layers takes about 0.3 MB."""

_MOST_STEPS = 2_000_000
"""Opcodes run, of which a tensor takes 25; each may make an object of 60 bytes, and takes a microsecond."""

_MARK = object()


class PickleError(GpucnnError):
    """A pickle is broken, or asks for something that is not data."""


class UnknownNameError(PickleError):
    """A pickle names something that is not known.

    Attributes
    ----------
    name : str
    first : bool
        Whether it is the first name in the pickle: then all of it is an object of that kind.
    """

    def __init__(self, name: str, first: bool) -> None:
        super().__init__(f"the file calls for {name[:100]!r}, which is not a tensor; gpucnn never runs what a file names")
        self.name, self.first = name, first


class Unread:
    """Stands for a harmless object that is no weight, such as the arguments of a training run: nothing of it is made.

    Attributes
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self.name = name


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
        What may be named, as ``"module.name"``, and what stands for it. The pickle may call what is callable, with any number of
        arguments of any kind. What an `Unread` makes is that again.
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
    stack = _Stack()
    memo: dict[int, Any] = {}
    names = 0
    for opcode, arg in _opcodes(stream):
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                stack.push(_MARK)
            case "POP":
                stack.pop()

            case "NONE":
                stack.push(None)
            case "NEWTRUE":
                stack.push(True)
            case "NEWFALSE":
                stack.push(False)
            case (
                "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT"
                | "BINUNICODE" | "SHORT_BINUNICODE" | "BINSTRING" | "SHORT_BINSTRING" | "BINBYTES" | "SHORT_BINBYTES"
            ):  # fmt: skip
                stack.push(arg)

            case "EMPTY_TUPLE":
                stack.push(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.push(tuple(stack.pop_many(int(opcode[-1]))))
            case "TUPLE":
                stack.push(tuple(stack.pop_to_mark()))
            case "EMPTY_LIST":
                stack.push([])
            case "APPEND":
                item = stack.pop()
                _extend(stack.top(), [item])
            case "APPENDS":
                items = stack.pop_to_mark()
                _extend(stack.top(), items)
            case "EMPTY_DICT":
                stack.push({})
            case "SETITEM":
                pair = stack.pop_many(2)
                _set_items(stack.top(), pair)
            case "SETITEMS":
                items = stack.pop_to_mark()
                _set_items(stack.top(), items)

            case "BINPUT" | "LONG_BINPUT":
                memo[arg] = stack.top()
            case "MEMOIZE":
                memo[len(memo)] = stack.top()
            case "BINGET" | "LONG_BINGET":
                if arg not in memo:
                    raise PickleError(f"the pickle is broken (it remembers nothing under {arg})")
                stack.push(memo[arg])

            case "GLOBAL":
                stack.push(_look_up(arg.replace(" ", "."), known, not names))
                names += 1
            case "STACK_GLOBAL":
                module, name = (_expect(part, str) for part in stack.pop_many(2))
                stack.push(_look_up(f"{module}.{name}", known, not names))
                names += 1
            case "REDUCE" | "NEWOBJ":
                arguments = _expect(stack.pop(), tuple)
                made_by = stack.pop()
                if not isinstance(made_by, Unread):
                    if opcode == "NEWOBJ":
                        raise PickleError("the pickle makes an object of a class, which no tensor is")
                    made_by = _expect(made_by, _Function).function(*arguments)
                stack.push(made_by)
            case "BUILD":
                # OrderedDict attributes, such as the `_metadata` of a state dict: nothing that a tensor needs.
                stack.pop()
                if not isinstance(stack.top(), Unread):
                    _expect(stack.top(), dict)
            case "BINPERSID":
                if persistent is None:
                    raise PickleError("the pickle refers to a storage where none can be")
                stack.push(persistent(stack.pop()))

            case name:
                raise PickleError(f"the pickle uses the opcode {name}, which no tensor needs")
    raise PickleError("the pickle is truncated (it has no end)")


def _opcodes(stream: BytesIO) -> Iterator[tuple[str, Any]]:
    """Names and arguments of the opcodes, as Python's own disassembler finds them; it neither looks up nor runs anything."""
    steps = pickletools.genops(stream)
    for _ in range(_MOST_STEPS):
        try:
            opcode, arg, _ = next(steps)
        except StopIteration:
            return
        except ValueError as error:  # the disassembler's own word
            raise PickleError(f"the pickle is truncated or broken ({error})") from None
        yield opcode.name, arg
    raise PickleError(f"the pickle has more than {_MOST_STEPS} opcodes, which no weights need")


class _Stack:
    """What the machine works on; asking for more than there is, is the pickle's fault."""

    def __init__(self) -> None:
        self._items: list[Any] = []

    def push(self, item: Any) -> None:
        self._items.append(item)

    def top(self) -> Any:
        if not self._items:
            raise PickleError("the pickle is broken (stack underflow)")
        return self._items[-1]

    def pop(self) -> Any:
        self.top()
        return self._items.pop()

    def pop_many(self, count: int) -> list[Any]:
        if len(self._items) < count:
            raise PickleError("the pickle is broken (stack underflow)")
        items = self._items[-count:]
        del self._items[-count:]
        return items

    def pop_to_mark(self) -> list[Any]:
        for start in range(len(self._items) - 1, -1, -1):
            if self._items[start] is _MARK:
                items = self._items[start + 1 :]
                del self._items[start:]
                return items
        raise PickleError("the pickle is broken (no mark)")


def _look_up(name: str, known: Mapping[str, Any], first: bool) -> Any:
    if name not in known:
        raise UnknownNameError(name, first)
    return _Function(known[name]) if callable(known[name]) else known[name]


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise PickleError(f"the pickle is broken (expected {kind.__name__.strip('_')}, found {type(value).__name__})")
    return value


def _extend(target: Any, items: list[Any]) -> None:
    if not isinstance(target, Unread):
        _expect(target, list).extend(items)


def _set_items(target: Any, items: list[Any]) -> None:
    if isinstance(target, Unread):
        return
    table = _expect(target, dict)
    if len(items) % 2:
        raise PickleError("the pickle is broken (a key without a value)")
    for key, value in zip(items[::2], items[1::2]):
        # No checkpoint has other keys; hashing a nest of shared tuples can take for ever, and large numbers can be chosen to collide.
        if not isinstance(key, str | int | bytes | None) or (isinstance(key, int) and abs(key) >> 60):
            raise PickleError(f"a dict has a {type(key).__name__} as key" + (" beyond 60 bits" if isinstance(key, int) else ""))
        table[key] = value
