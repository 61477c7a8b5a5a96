"""An interval that may be looked at after every session, and holds at all looks together.

The input are numbers x_1, x_2, …, each distributed symmetrically about the same centre m, given
those before it. Nothing else is assumed of them: each may have another spread, with tails as heavy
as they like. That is what a random order gives: where base and head are opened and run in an order
drawn again for every session, exchanging the two turns x - m into m - x and leaves its probability
as it is, no matter what the machine does meanwhile.

For a centre m and a bet λ > 0,

    W_n(m) = Π_i (1 + c tanh(λ (x_i - m))),   c = 0.9

is then a nonnegative martingale that starts at 1, for tanh is odd and above -1. So is the mean over
several λ. With c below 1 one wild value costs a factor of 10 at most, and not all that was won. By
Ville's inequality it ever reaches 1/α with a probability of α at most, so that

    { m : W_n(m) < 1/α }   for all n together

holds the true centre with a probability of 1 - α: a confidence sequence. W_n falls as m grows, so
the set is everything above a bound; bets with -λ give the bound from above.

- J. Ville, Étude critique de la notion de collectif, 1939 (the inequality).
- V. H. de la Peña, "A general class of exponential inequalities for martingales and ratios",
  Annals of Probability 27, 1999: exp(λx - λ²x²/2) for symmetric x. With c = 1 the factor above is
  exp(λx) / cosh(λx), which is never smaller, for cosh(z) <= exp(z²/2).
- A. Ramdas, J. Ruf, M. Larsson, W. Koolen, "Admissible anytime-valid sequential inference must rely
  on nonnegative martingales", 2020: tests of symmetry by 1 plus an odd function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# Chosen before any data: a bet does best where it is about (distance to the limit) / variance. For
# logarithms of ratios these cover sessions that differ by 0.3 % to 10 %.
BETS = (10.0, 30.0, 100.0, 300.0)
# The share of what was won that is bet at most.
STAKE = 0.9
# Each bound is wrong in at most so many of all uses: 95 % between the two.
ERROR = 0.025
_STEPS = 60


def bounds_of_centre(
    values: Sequence[float], error: float = ERROR, bets: Sequence[float] = BETS
) -> tuple[float, float]:
    """Return the bounds of the centre after these values; infinite while there are too few.

    Each bound is beyond the centre with a probability of at most `error` at any time, however often
    it is looked at.
    """
    x = np.asarray(values, dtype=float)
    return _lower(x, error, bets), -_lower(-x, error, bets)


def fewest_values(error: float = ERROR) -> int:
    """Return how many values a finite bound needs: each wins STAKE at most."""
    return math.ceil(-math.log(error) / math.log1p(STAKE))


def _lower(x: np.ndarray, error: float, bets: Sequence[float]) -> float:
    """Return the largest m at which the bets have won 1/error; -inf where they cannot."""
    won = -math.log(error)
    if len(x) * math.log1p(STAKE) < won:
        return -math.inf
    high, width = float(x.max()), 0.01
    low = high - width
    while _log_wealth(x - low, bets) < won:
        width *= 2
        low = high - width
        if width > 1e6:  # exactly as many values as it takes: the bound is out of sight
            return -math.inf
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _log_wealth(x - middle, bets) < won:
            high = middle
        else:
            low = middle
    return low


def _log_wealth(distances: np.ndarray, bets: Sequence[float]) -> float:
    """Return ln of the mean over all bets λ of Π (1 + STAKE tanh(λ d))."""
    each = [float(np.sum(np.log1p(STAKE * np.tanh(bet * distances)))) for bet in bets]
    most = max(each)
    return most + math.log(sum(math.exp(one - most) for one in each) / len(each))
