"""Dense layers."""

from __future__ import annotations

from gpucnn.ops import RELU6, Activation, Epilogue, Linear, Op

from .base import Case, Draw
from .conv import ALL, CURVES, HARD, RELU, SILU


def linear(
    id: str,
    x: tuple[int, ...],
    out: int,
    *,
    bias: bool = True,
    residual: bool = False,
    pre: Activation | None = None,
    post: Activation | None = None,
    dtype: str = "float32",
    fill: str = "normal",
) -> Case:
    draws = [Draw(x, dtype, fill), Draw((out, x[-1]), dtype), Draw((out,), dtype) if bias else None]
    if residual:
        draws.append(Draw((*x[:-1], out), dtype))
    return Case(id, Linear(Epilogue(pre, post)), tuple(draws), (0, 3) if residual else (0,))


def _scores(id: str, x: tuple[int, ...], out: int) -> Case:
    """The last layer of a 16-bit net: bias and result are float32."""
    draws = (Draw(x, "float16"), Draw((out, x[-1]), "float16"), Draw((out,)))
    return Case(id, Linear(Epilogue(RELU6), "float32"), draws)


_LINEAR = (
    linear("one by one", (1, 1), 1),
    linear("batch 0", (0, 5), 3),
    linear("batch 7", (7, 5), 3, bias=False),
    linear("batch 64", (64, 33), 17, **ALL),
    linear("1000 in", (4, 1000), 3),
    linear("1000 out", (1, 3), 1000, pre=RELU),
    linear("no features", (3, 0), 2),
    linear("rank 1", (5,), 3, pre=RELU),
    linear("rank 3", (2, 3, 5), 4, **ALL),
    linear("rank 4", (2, 3, 4, 5), 4, pre=HARD),
    linear("residual", (3, 7), 5, residual=True),
    linear("residual, then relu", (3, 7), 5, residual=True, post=RELU),
    linear("NaN and Inf", (7, 5), 3, fill="special"),
    linear("float64", (3, 7), 5, dtype="float64", **ALL),
    linear("batch 65", (65, 24), 10, pre=RELU6),
    linear("float16", (3, 7), 5, dtype="float16", **ALL),
    *(linear(name, (5, 7), 9, residual=True, pre=act, post=SILU) for name, act in CURVES.items()),
    *(linear(f"residual, then {name}", (5, 7), 9, residual=True, post=act) for name, act in CURVES.items()),
    _scores("float16 to float32", (5, 24), 10),
    _scores("float16 to float32, batch 0", (0, 24), 10),
)

CASES: dict[type[Op], tuple[Case, ...]] = {Linear: _LINEAR}
