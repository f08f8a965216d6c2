"""Sums of products over named indices."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from string import ascii_letters
from typing import Any, ClassVar

from ..errors import ShapeError
from ..spec import Array, Spec, shape_text
from .base import Layout, Op, Validation
from .matmul import require_one_number_type, summed_in

__all__ = ["Einsum"]

_DOTS = "..."


def _term(equation: str, text: str) -> str:
    """Check one term: letters, and at most one ellipsis."""
    letters = text.replace(_DOTS, "", 1)
    odd = next((c for c in letters if c not in ascii_letters), None)
    if odd is not None:
        hint = "at most one ellipsis of three dots a term" if odd == "." else "letters, '...', ',' and one '->'"
        raise ShapeError(f"einsum: the equation may hold {hint}, got {odd!r} in {equation!r}")
    return text


def _parsed(equation: Any) -> tuple[tuple[str, ...], str | None]:
    """Terms of the operands, and of the result where it is written down."""
    if not isinstance(equation, str):
        raise ShapeError(f"einsum: the equation must be a string such as 'ij,jk->ik', got {equation!r}")
    left, *right = "".join(equation.split()).split("->")
    if len(right) > 1:
        raise ShapeError(f"einsum: the equation may hold one '->', got {len(right)} in {equation!r}")
    terms = tuple(_term(equation, text) for text in left.split(","))
    if not right:
        return terms, None
    if "," in right[0]:
        raise ShapeError(f"einsum: there is one result, so no ',' behind '->', got {equation!r}")
    result, known = _term(equation, right[0]), set("".join(terms))
    for letter in result.replace(_DOTS, ""):
        if letter not in known:
            raise ShapeError(f"einsum: index {letter!r} of the result is not in any operand of {equation!r}")
        if result.count(letter) > 1:
            raise ShapeError(f"einsum: index {letter!r} is twice in the result of {equation!r}")
    return terms, result


@dataclass(frozen=True)
class Explicit:
    """An equation with everything written out: letters for ellipses, and the result.

    Attributes
    ----------
    terms : tuple of str
        One letter an axis of each operand.
    result : str
    sizes : dict of str to int
        Of every index.
    """

    terms: tuple[str, ...]
    result: str
    sizes: dict[str, int]

    @property
    def equation(self) -> str:
        """As ``einsum`` takes it."""
        return f"{','.join(self.terms)}->{self.result}"


@dataclass(frozen=True)
class Products:
    """How an equation of two operands is a stack of matrix products: the indices by where they are.

    Attributes
    ----------
    first : str
        The result's first index. It may be the batch, so it is never a row or a column of a product, whoever has it.
    shared, left, right, summed : str
        On both operands and the result; on the first operand and the result; on the second and the result; on both operands alone.
    """

    first: str
    shared: str
    left: str
    right: str
    summed: str


@dataclass(frozen=True)
class Einsum(Op):
    """The product of operands whose axes are named by letters, summed over every letter that the result does not name.

    Parameters
    ----------
    equation : str
        ``"ij,jk->ik"``. A letter twice in one operand takes its diagonal. ``...`` stands for axes without a name, which broadcast; where
        the result has none, they are summed over. Without ``->`` the result has those, then the letters that occur once, sorted.
        Sizes of a letter must agree, or be 1. Spaces mean nothing.

    Notes
    -----
    PyTorch ``einsum``, NumPy ``einsum``, ONNX ``Einsum``. (NumPy refuses ellipses that the result lacks.)
    """

    equation: str
    layout: ClassVar[Layout] = "logical"
    validation: ClassVar[Validation] = "loose"

    def __post_init__(self) -> None:
        _parsed(self.equation)

    def explicit(self, *shapes: tuple[int, ...]) -> Explicit:
        """The equation for operands of these shapes; raises where they do not fit."""
        terms, result = _parsed(self.equation)
        if len(terms) != len(shapes):
            raise ShapeError(f"einsum: {self.equation!r} is for {len(terms)} operands, got {len(shapes)}")
        named = [term.replace(_DOTS, "") for term in terms]
        extra = []  # axes that an ellipsis stands for
        for i, (term, letters, shape) in enumerate(zip(terms, named, shapes)):
            rest = len(shape) - len(letters)
            if rest < 0 or (rest and _DOTS not in term):
                least = "at least " if _DOTS in term else ""
                raise self._wrong(f"{term!r} names {least}{len(letters)} axes, operand {i} has {len(shape)}", shapes)
            extra.append(rest)
        free = [letter for letter in ascii_letters if letter not in self.equation]
        most = max((n for n, term in zip(extra, terms) if _DOTS in term), default=0)
        if most > len(free):
            raise self._wrong(f"there are {len(ascii_letters)} letters, too few for all axes", shapes)
        dots = "".join(free[:most])
        full = tuple(term.replace(_DOTS, dots[most - n :]) for term, n in zip(terms, extra))
        if result is None:
            every = "".join(named)
            result = (_DOTS if most else "") + "".join(sorted(c for c in set(every) if every.count(c) == 1))
        return Explicit(full, result.replace(_DOTS, dots), self._sizes(full, shapes))

    def _sizes(self, terms: tuple[str, ...], shapes: tuple[tuple[int, ...], ...]) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for i, (term, shape) in enumerate(zip(terms, shapes)):
            own: dict[str, int] = {}
            for letter, size in zip(term, shape):
                if own.setdefault(letter, size) != size:
                    raise self._wrong(f"index {letter!r} is twice on operand {i}, with {own[letter]} and with {size} elements", shapes)
            for letter, size in own.items():
                known = sizes.get(letter, 1)
                if known not in (1, size) and size != 1:
                    what = f"index {letter!r}" if letter in self.equation else "an axis of '...'"
                    raise self._wrong(f"{what} has {size} elements in operand {i}, and {known} before", shapes)
                sizes[letter] = size if known == 1 else known
        return sizes

    def _wrong(self, message: str, shapes: tuple[tuple[int, ...], ...]) -> ShapeError:
        return ShapeError(f"einsum: {message} ({self.equation!r}, operands {', '.join(map(shape_text, shapes))})")

    def infer(self, *specs: Spec) -> tuple[Spec, ...]:
        """The sizes of the result's indices."""
        found = self.explicit(*(s.shape for s in specs))
        require_one_number_type("einsum", **{f"operands[{i}]": s for i, s in enumerate(specs)})
        return (Spec(tuple(found.sizes[c] for c in found.result), specs[0].dtype),)

    def reference(self, xp: Any, *arrays: Array) -> tuple[Array, ...]:
        """One call with the equation written out and all sizes equal, in the accumulator type."""
        found, wide = self.explicit(*(a.shape for a in arrays)), summed_in(arrays[0].dtype)
        same = [xp.broadcast_to(a.astype(wide), tuple(found.sizes[c] for c in t)) for a, t in zip(arrays, found.terms)]
        return (xp.asarray(xp.einsum(found.equation, *same)).astype(arrays[0].dtype),)

    def products(self, *shapes: tuple[int, ...]) -> Products | None:
        """The equation as a stack of matrix products; None where it is more than that.

        It is more with other than two operands, a diagonal, an index of one operand that is summed over, a result without axes, or a size
        of 1 that stretches, unless that is the first index's.

        Examples
        --------
        >>> Einsum("nhqd,nhkd->nhqk").products((2, 8, 9, 4), (2, 8, 7, 4))
        Products(first='n', shared='h', left='q', right='k', summed='d')
        """
        found = self.explicit(*shapes)
        if len(shapes) != 2 or not found.result or any(len(set(term)) != len(term) for term in found.terms):
            return None
        (x, y), first, rest = found.terms, found.result[0], found.result[1:]
        if any((c in x) != (c in y) and c not in found.result for c in found.sizes):
            return None
        if any(found.sizes[c] != n for t, s in zip(found.terms, shapes) for c, n in zip(t, s) if c != first):
            return None
        shared, left, right = (
            "".join(c for c in rest if (c in x, c in y) == where) for where in ((True, True), (True, False), (False, True))
        )
        return Products(first, shared, left, right, "".join(c for c in x if c not in found.result))

    def terms_of_a_sum(self, *shapes: tuple[int, ...]) -> int:
        """Products that one element of the result adds up."""
        found = self.explicit(*shapes)
        return prod(size for letter, size in found.sizes.items() if letter not in found.result)

    def flops(self, *specs: Spec) -> int:
        """A multiply-add, counted as two, per operand behind the first and combination of all indices."""
        found = self.explicit(*(s.shape for s in specs))
        return 2 * max(1, len(specs) - 1) * prod(found.sizes.values())

    def keeps_batch(self, batched: tuple[bool, ...], *specs: Spec) -> bool:
        """Where the result's first index is axis 0, and only that, of every operand that is batched, and no axis of the others."""
        found = self.explicit(*(s.shape for s in specs))
        if not found.result or not any(batched):
            return False
        first = found.result[0]
        for b, term, spec in zip(batched, found.terms, specs):
            if b and (term[:1] != first or term.count(first) != 1):
                return False
            if not b and any(c == first and n != 1 for c, n in zip(term, spec.shape)):
                return False
        return True
