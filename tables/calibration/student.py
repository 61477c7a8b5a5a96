"""Quantiles of Student's t without scipy, whose import takes longer than a whole prediction."""

from __future__ import annotations

import math
from functools import lru_cache

_SMALLEST = 1e-300
_MOST_TERMS = 10_000
# Of ln t; beyond, t squared is not a float.
_LARGEST_LOG = 350.0
_HALVINGS = 64


@lru_cache(maxsize=1024)
def student_quantile(probability: float, dof: float) -> float:
    """Return the t that a Student variable of `dof` stays below with this probability, above 0.5.

    Bisection on ln t; infinite where t squared is not a float.
    """
    low, high = -_LARGEST_LOG, _LARGEST_LOG
    if _upper_tail(math.exp(high), dof) > 1 - probability:
        return math.inf
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _upper_tail(math.exp(middle), dof) > 1 - probability:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def _upper_tail(t: float, dof: float) -> float:
    """P(T > t) = I_x(dof / 2, 1 / 2) / 2 with x = dof / (dof + t^2)."""
    x = dof / (dof + t * t)
    return _incomplete_beta(x, dof / 2, 0.5) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x)
    front -= math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp(front) * _continued_fraction(x, a, b) / a


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Evaluate it by the modified Lentz method."""
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_0(1 + term * d)
            c = _away_from_0(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return found


def _away_from_0(value: float) -> float:
    return value if abs(value) > _SMALLEST else _SMALLEST
