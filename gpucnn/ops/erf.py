"""The error function in float64, which neither NumPy nor the oldest CuPy has."""

from __future__ import annotations

from typing import Any

from ..spec import Array

__all__ = ["erf"]

# Coefficients of W. J. Cody's rational Chebyshev approximations, Math. Comp. 23 (1969) 631-637, as in CALERF of SPECFUN (Netlib,
# public domain), the highest power first. Each is good to 18 digits in its range.
_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_MIDDLE = (
    (
        2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
        8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
    ),
    (
        1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
        3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
    ),
)  # fmt: skip
_LARGE = (
    (
        1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
_ROOT = 5.6418958354775628695e-1  # 1/√π
_ONE = 6.0  # from here on erf is 1 in float64


def erf(xp: Any, x: Array) -> Array:
    """``2/√π·∫₀ˣ exp(−t²) dt`` of a float64 array, to a few units in the last place; NaN stays NaN.

    Notes
    -----
    Cody's three ranges of ``y = |x|``: up to 0.46875 ``x·P(y²)/Q(y²)``; up to 4 ``1 − exp(−y²)·P(y)/Q(y)``; above
    ``1 − exp(−y²)/y·(1/√π − z·P(z)/Q(z))`` with ``z = 1/y²``. Every range is computed everywhere, on values moved into it.
    """
    y = xp.minimum(xp.abs(x), _ONE)
    small = xp.minimum(y, 0.46875)
    middle = xp.minimum(xp.maximum(y, 0.46875), 4.0)
    large = xp.maximum(y, 4.0)
    z = 1.0 / (large * large)
    found = xp.where(
        y <= 0.46875,
        small * _quotient(_SMALL, small * small),
        xp.where(
            y <= 4.0,
            1.0 - xp.exp(-middle * middle) * _quotient(_MIDDLE, middle),
            1.0 - xp.exp(-large * large) / large * (_ROOT - z * _quotient(_LARGE, z)),
        ),
    )
    return xp.copysign(found, x)


def _quotient(of: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    """Both polynomials by Horner's rule."""
    above, below = (_horner(coefficients, x) for coefficients in of)
    return above / below


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    total = coefficients[0] + 0.0 * x
    for c in coefficients[1:]:
        total = total * x + c
    return total
