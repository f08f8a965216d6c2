"""Products of matrices, and sums of products over named indices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gpucnn.ops import Einsum, MatMul, Op

from .base import Case, of


def _constant(case: Case) -> Case:
    """With everything but the first input a constant of the net."""
    return replace(case, id=f"{case.id}, constant", flows=(0,))


def matmul(id: str, x: tuple[int, ...], y: tuple[int, ...], **fields: Any) -> Case:
    return of(id, MatMul(), x, y, **fields)


def einsum(equation: str, *shapes: tuple[int, ...], note: str = "", **fields: Any) -> Case:
    return of(f"{equation} {note}".strip(), Einsum(equation), *shapes, **fields)


_MATMUL = (
    matmul("one by one", (1, 1), (1, 1)),
    matmul("matrices", (5, 3), (3, 4)),
    _constant(matmul("matrices", (5, 3), (3, 4))),
    _constant(matmul("batch 0", (0, 3), (3, 4))),
    _constant(matmul("batch 7", (7, 24), (24, 10))),
    _constant(matmul("batch 65", (65, 33), (33, 17))),
    matmul("1000 in", (4, 1000), (1000, 3)),
    matmul("1000 out", (2, 3), (3, 1000)),
    matmul("vectors", (7,), (7,)),
    matmul("vector and matrix", (3,), (3, 4)),
    matmul("matrix and vector", (5, 3), (3,)),
    _constant(matmul("matrix and vector", (5, 3), (3,))),
    matmul("stack and vector", (2, 5, 3), (3,)),
    matmul("vector and stack", (3,), (2, 3, 4)),
    matmul("stacks", (3, 5, 2), (3, 2, 4)),
    matmul("stacks, batch 0", (0, 5, 2), (0, 2, 4)),
    _constant(matmul("stack and matrix", (7, 5, 2), (2, 4))),
    matmul("matrix and stack", (5, 2), (3, 2, 4)),
    matmul("broadcast", (2, 1, 5, 2), (3, 2, 4)),
    _constant(matmul("broadcast", (3, 2, 5, 2), (1, 2, 2, 4))),
    matmul("attention", (2, 4, 9, 8), (2, 4, 8, 9)),
    matmul("no features", (3, 0), (0, 2)),
    matmul("NaN and Inf", (7, 5), (5, 3), fill="special"),
    matmul("stacks, NaN and Inf", (2, 3, 5), (2, 5, 4), fill="special"),
    matmul("float64", (3, 7), (7, 5), dtype="float64"),
    matmul("float16", (3, 7), (7, 5), dtype="float16"),
    matmul("float16 stacks", (2, 3, 7), (2, 7, 5), dtype="float16"),
    matmul("int32", (3, 7), (7, 5), dtype="int32"),
    matmul("uint8 stacks", (2, 3, 7), (2, 7, 5), dtype="uint8"),
)

_EINSUM = (
    einsum("ij,jk->ik", (5, 3), (3, 4)),
    einsum("ij,jk", (5, 3), (3, 4)),
    einsum("ij,kj->ki", (5, 3), (4, 3)),
    einsum("ij,jk->ik", (0, 3), (3, 4), note="batch 0"),
    _constant(einsum("nc,kc->nk", (7, 24), (10, 24))),
    _constant(einsum("nchw,kc->nkhw", (3, 4, 2, 5), (6, 4))),
    einsum("bhqd,bhkd->bhqk", (2, 3, 5, 4), (2, 3, 7, 4)),
    einsum("bhqk,bhkd->bqhd", (2, 3, 5, 7), (2, 3, 7, 4)),
    einsum("bij,bjk->bik", (3, 5, 2), (3, 2, 4)),
    einsum("bij , bjk -> kbi", (3, 5, 2), (3, 2, 4)),
    einsum("bij,bjk->kbi", (4, 4, 4), (4, 4, 4), note="sizes that tell nothing"),
    einsum("bk,ab", (3, 4), (5, 3)),
    einsum("i,j->ij", (4,), (5,)),
    einsum("i,i->", (1000,), (1000,)),
    einsum("i,i->i", (9,), (9,)),
    einsum("ij->ji", (3, 5)),
    einsum("ij->", (3, 5)),
    einsum("nij->n", (3, 4, 5)),
    einsum("ii", (4, 4)),
    einsum("nii->ni", (2, 4, 4)),
    einsum("iij,jk->ik", (3, 3, 2), (2, 5)),
    einsum("...ij,...jk->...ik", (2, 1, 5, 3), (4, 3, 6)),
    einsum("...i,oi->...o", (2, 3, 5), (4, 5)),
    einsum("b...i,...i->b...", (2, 3, 5), (3, 5)),
    einsum("...i->...", (2, 3, 5)),
    einsum("...i->i", (2, 3, 5), note="ellipsis summed"),
    einsum("i...,...", (3, 2), (2,), note="implicit"),
    einsum("BA,Ac", (2, 3), (3, 4), note="capitals before small letters"),
    einsum("ni,oij,nj->no", (4, 3), (2, 3, 5), (4, 5)),
    einsum("ij,jk->ik", (5, 1), (3, 4), note="size 1 stretched"),
    einsum("nij,njk->nik", (1, 5, 2), (3, 2, 4), note="batch of 1 stretched"),
    einsum("nij,jk->n", (2, 3, 4), (4, 5), note="lone indices summed"),
    einsum("nk,km->nm", (3, 1000), (1000, 2), note="1000 channels"),
    einsum("ij,jk->ik", (5, 0), (0, 4), note="no terms"),
    einsum("ij,jk->ik", (5, 7), (7, 4), note="NaN and Inf", fill="special"),
    einsum("ij,jk->ik", (5, 7), (7, 4), note="float64", dtype="float64"),
    einsum("nij,njk->nik", (2, 5, 7), (2, 7, 4), note="float16", dtype="float16"),
    einsum("ij,jk->ik", (5, 7), (7, 4), note="int32", dtype="int32"),
)

CASES: dict[type[Op], tuple[Case, ...]] = {MatMul: _MATMUL, Einsum: _EINSUM}
