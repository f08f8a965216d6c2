"""PTX text to the tree of :mod:`emulator.tree`; only the grammar that NVRTC emits.

Grammar: NVIDIA, Parallel Thread Execution ISA, chapter 4 (syntax) and 5 (state spaces).
"""

from __future__ import annotations

from collections.abc import Iterator

from .errors import UnsupportedPtxError
from .tokens import FILE, Sites, Token, tokenize
from .tree import (
    SIZES,
    Addr,
    Float,
    Function,
    Instruction,
    Int,
    Label,
    Not,
    Operand,
    Pair,
    Param,
    Reg,
    Special,
    Sym,
    Targets,
    Variable,
    Vec,
)

__all__ = ["Ptx"]


class Ptx:
    """A module of PTX. Bodies are read by :meth:`function`, so one kernel of many costs little."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.variables: dict[str, Variable] = {}
        self.sites = Sites()
        self._tokens = list(tokenize(text))
        self._bodies: dict[str, tuple[Function, int]] = {}
        for token in self._tokens:
            if token.kind == "line" and (match := FILE.match(token.text)):
                self.sites.files[match[1]] = match[2]
        self._read_module()

    @property
    def kernels(self) -> tuple[str, ...]:
        return tuple(name for name, (head, _) in self._bodies.items() if head.entry)

    def has_function(self, name: str) -> bool:
        return name in self._bodies

    def function(self, name: str) -> Function:
        """Head and body of one function."""
        head, at = self._bodies[name]
        if not head.body:
            _Body(self, head, _Reader(self.text, self._tokens, at)).read()
        return head

    def _read_module(self) -> None:
        reader = _Reader(self.text, self._tokens, 0)
        linkage = {".visible", ".weak", ".extern", ".common"}
        while reader.more():
            if reader.peek().kind == "line":
                reader.next()
                continue
            while reader.peek().text in linkage:
                reader.next()
            if reader.peek().text in (".entry", ".func"):
                head = reader.head()
                if reader.accept(";"):
                    continue
                self._bodies[head.name] = head, reader.at
                reader.skip_block()
            elif reader.peek().text in (".global", ".const", ".shared"):
                for variable in reader.variables():
                    self.variables[variable.name] = variable
            else:
                raise UnsupportedPtxError(f"PTX module: {reader.rest_of_line()}")


class _Reader:
    """A place in the tokens, and the small pieces of grammar that module and body share."""

    def __init__(self, text: str, tokens: list[Token], at: int) -> None:
        self.text, self.tokens, self.at = text, tokens, at

    def more(self) -> bool:
        return self.at < len(self.tokens)

    def peek(self, ahead: int = 0) -> Token:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else Token("end", "", len(self.text))

    def next(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def accept(self, text: str) -> bool:
        if self.peek().text == text:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise UnsupportedPtxError(f"PTX: expected {text!r} at {self.rest_of_line()}")

    def rest_of_line(self) -> str:
        start = self.peek().start
        return repr(self.text[start : self.text.find("\n", start)])

    def integer(self) -> int:
        return int(self.next().text.rstrip("U"), 0)

    def skip_block(self) -> None:
        depth = 0
        while True:
            text = self.next().text
            depth += (text == "{") - (text == "}")
            if depth == 0:
                return

    def params(self) -> tuple[Param, ...]:
        self.expect("(")
        found = []
        while not self.accept(")"):
            self.next()  # .param or .reg
            kind, pointer = "", False
            while self.peek().kind in ("dot", "int"):
                token = self.next()
                pointer |= token.text == ".ptr"
                if token.kind == "dot" and token.text[1:] in SIZES:
                    kind = token.text[1:]
            name, count = self.next().text, 1
            if self.accept("["):
                count = self.integer()
                self.expect("]")
            found.append(Param(name, kind, count, pointer))
            self.accept(",")
        return tuple(found)

    def head(self) -> Function:
        entry = self.next().text == ".entry"
        returns = self.params() if not entry and self.peek().text == "(" else ()
        name = self.next().text
        params = self.params() if self.peek().text == "(" else ()
        max_threads = 1024
        while self.peek().text not in ("{", ";"):
            directive = self.next().text
            if directive in (".maxntid", ".reqntid"):
                max_threads = self.integer()
                while self.accept(","):
                    max_threads *= self.integer()
        return Function(name, entry, params, returns, max_threads)

    def variables(self) -> Iterator[Variable]:
        space, align, kind = self.next().text[1:], 1, ""
        while self.peek().kind == "dot":
            directive = self.next().text
            if directive == ".align":
                align = self.integer()
            elif directive[1:] in SIZES:
                kind = directive[1:]
        while True:
            name, count, known = self.next().text, 1, True
            values: tuple[int | None, ...] = ()
            while self.accept("["):
                if self.accept("]"):
                    known = False
                else:
                    count *= self.integer()
                    self.expect("]")
            if self.accept("="):
                values = tuple(self.initialiser())
            yield Variable(name, space, kind, align, count if known else None, values)
            if self.accept(";"):
                return
            self.expect(",")

    def initialiser(self) -> Iterator[int | None]:
        depth = 0
        while True:
            token = self.next()
            depth += (token.text == "{") - (token.text == "}")
            if token.kind == "int":
                yield int(token.text.rstrip("U"), 0)
            elif token.kind == "float":
                yield int(token.text[2:], 16)
            elif token.kind == "word":
                yield None
            if depth == 0:
                return


class _Body:
    """Reads one function's body. Names of inner scopes (inline assembly) are renamed apart, so that the result is flat."""

    def __init__(self, module: Ptx, head: Function, reader: _Reader) -> None:
        self.module, self.head, self.reader = module, head, reader
        self.scopes: list[dict[str, Reg | str]] = []
        self.scope_count = 0
        self.site = 0

    def read(self) -> None:
        self.reader.expect("{")
        self.enter()
        while self.scopes:
            self.statement()

    def enter(self) -> None:
        """A new scope. Its labels are collected now, because a jump may come before its label."""
        self.scope_count += 1
        suffix = f"__{self.scope_count}" if self.scopes else ""
        labels: dict[str, Reg | str] = {}
        depth, ahead = 0, 0
        while depth >= 0:
            token = self.reader.peek(ahead)
            depth += (token.text == "{") - (token.text == "}")
            if depth == 0 and token.kind == "word" and self.reader.peek(ahead + 1).text == ":":
                labels[token.text] = token.text + suffix
            ahead += 1
        self.scopes.append(labels)

    def find(self, name: str) -> Reg | str | None:
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def statement(self) -> None:
        reader = self.reader
        token = reader.peek()
        if token.kind == "line":
            site = self.module.sites.number(reader.next().text)
            self.site = self.site if site is None else site
        elif token.text == "{":
            reader.next()
            self.enter()
        elif token.text == "}":
            reader.next()
            self.scopes.pop()
        elif token.text == ";":
            reader.next()
        elif token.kind == "dot":
            self.directive()
        elif token.kind == "word" and reader.peek(1).text == ":":
            reader.next()
            reader.next()
            self.label(str(self.find(token.text)))
        else:
            self.head.body.append(self.instruction())

    def label(self, name: str) -> None:
        reader = self.reader
        if reader.peek().text != ".branchtargets":
            self.head.body.append(Label(name))
            return
        reader.next()
        labels = []
        while not reader.accept(";"):
            labels.append(str(self.find(reader.next().text)))
            reader.accept(",")
        self.head.body.append(Targets(name, tuple(labels)))

    def directive(self) -> None:
        reader = self.reader
        match reader.peek().text:
            case ".reg":
                self.registers()
            case ".local" | ".shared" | ".param":
                for variable in reader.variables():
                    name = variable.name
                    if variable.space != "shared":  # call sequences use the names param0, retval0 again and again
                        name = f"{variable.name}__{self.scope_count}"
                        self.scopes[-1][variable.name] = name
                    self.head.arrays[name] = variable
            case ".pragma":
                while not reader.accept(";"):
                    reader.next()
            case _:
                raise UnsupportedPtxError(f"{self.head.name}: {reader.rest_of_line()}")

    def registers(self) -> None:
        reader = self.reader
        reader.next()
        kind = reader.next().text[1:]
        suffix = f"__{self.scope_count}" if len(self.scopes) > 1 else ""
        while True:
            name = reader.next().text
            names = [name]
            if reader.accept("<"):
                names = [f"{name}{i}" for i in range(reader.integer())]
                reader.expect(">")
            for each in names:
                register = Reg(each + suffix, kind)
                self.scopes[-1][each] = register
                self.head.registers.append(register)
            if reader.accept(";"):
                return
            reader.expect(",")

    def instruction(self) -> Instruction:
        reader = self.reader
        start = reader.peek().start
        guard, negated = None, False
        if reader.accept("@"):
            negated = reader.accept("!")
            found = self.find(reader.next().text)
            guard = found if isinstance(found, Reg) else None
        op, *mods = reader.next().text.split(".")
        operands = []
        while not reader.accept(";"):
            operands.append(self.operand())
            reader.accept(",")
        text = " ".join(self.text_between(start).split())
        return Instruction(op, tuple(mods), tuple(operands), guard, negated, self.site, text)

    def text_between(self, start: int) -> str:
        return self.module.text[start : self.reader.tokens[self.reader.at - 1].start]

    def operand(self) -> Operand:
        reader = self.reader
        token = reader.next()
        if token.text == "[":
            base = self.atom(reader.next())
            offset = reader.integer() if reader.accept("+") else 0
            reader.expect("]")
            if not isinstance(base, Reg | Sym | Int):
                raise UnsupportedPtxError(f"{self.head.name}: address of {base}")
            return Addr(base, offset)
        if token.text in "{(":
            items = []
            while reader.peek().text not in ("}", ")"):
                items.append(self.operand())
                reader.accept(",")
            reader.next()
            return Vec(tuple(items))
        if token.text == "!":
            return Not(self.operand())
        value = self.atom(token)
        return Pair(value, self.atom(reader.next())) if reader.accept("|") else value

    def atom(self, token: Token) -> Operand:
        if token.kind == "int":
            return Int(int(token.text.rstrip("U"), 0))
        if token.kind == "float":
            return Float(int(token.text[2:], 16), 4 * len(token.text[2:]))
        if token.kind != "word":
            raise UnsupportedPtxError(f"{self.head.name}: {token.text!r} as an operand, near {self.reader.rest_of_line()}")
        found = self.find(token.text)
        if isinstance(found, Reg):
            return found
        if found is None and (token.text.startswith("%") or token.text == "WARP_SZ"):
            return Special(token.text)
        return Sym(found or token.text)
