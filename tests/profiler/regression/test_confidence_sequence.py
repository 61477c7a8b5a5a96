"""The interval that may be looked at after every session."""

from __future__ import annotations

import math

import numpy as np
import pytest
from vitprof.profiler.regression.confidence_sequence import (
    BETS,
    ERROR,
    STAKE,
    bounds_of_centre,
    fewest_values,
)

CENTRE = 0.03


def wealth(values: np.ndarray, centre: float) -> float:
    """The definition, product by product."""
    return float(np.mean([np.prod(1 + STAKE * np.tanh(bet * (values - centre))) for bet in BETS]))


def test_bounds_are_where_the_bets_have_won_enough() -> None:
    values = np.random.default_rng(1).normal(CENTRE, 0.02, 25)
    low, high = bounds_of_centre(values.tolist())
    assert low < CENTRE < high
    assert wealth(values, low) == pytest.approx(1 / ERROR, rel=1e-6)
    assert wealth(-values, -high) == pytest.approx(1 / ERROR, rel=1e-6)


def test_too_few_values_bound_nothing() -> None:
    fewest = fewest_values()
    assert (1 + STAKE) ** (fewest - 1) < 1 / ERROR <= (1 + STAKE) ** fewest
    assert bounds_of_centre([]) == (-math.inf, math.inf)
    assert bounds_of_centre([0.0] * (fewest - 1)) == (-math.inf, math.inf)
    low, high = bounds_of_centre([0.01] * fewest)
    assert -0.3 < low < 0.01 < high < 0.32


def test_bounds_shift_and_turn_with_the_values() -> None:
    values = np.random.default_rng(2).normal(0.0, 0.03, 15)
    low, high = bounds_of_centre(values.tolist())
    shifted = bounds_of_centre((values + 0.2).tolist())
    assert shifted == pytest.approx((low + 0.2, high + 0.2), abs=1e-9)
    assert bounds_of_centre((-values).tolist()) == pytest.approx((-high, -low), abs=1e-9)


def test_one_wild_value_does_not_move_the_bounds_far() -> None:
    values = np.random.default_rng(3).normal(0.0, 0.01, 20).tolist()
    low, high = bounds_of_centre(values)
    with_wild = bounds_of_centre([*values, 5.0])
    assert with_wild[0] == pytest.approx(low, abs=0.01)
    assert with_wild[1] == pytest.approx(high, abs=0.01)


def noises(rng: np.random.Generator, count: int, length: int) -> dict[str, np.ndarray]:
    """Symmetric noises of other shapes; the last is one whose spread depends on what was before."""
    normal = rng.normal(0.0, 0.02, (count, length))
    spread = np.ones((count, length))
    for i in range(1, length):
        spread[:, i] = np.where(np.abs(normal[:, i - 1]) > 0.02, 4.0, 0.3)
    return {
        "normal": normal,
        "heavy tails": 0.01 * rng.standard_t(1.5, (count, length)),
        "two signs": rng.choice([-0.02, 0.02], (count, length)),
        "changing spread": normal * spread,
    }


@pytest.mark.parametrize("shape", ["normal", "heavy tails", "two signs", "changing spread"])
def test_the_centre_is_left_out_no_more_often_than_promised_at_any_look(shape: str) -> None:
    count, length = 2000, 40
    values = CENTRE + noises(np.random.default_rng(4), count, length)[shape]
    # The centre is left out where the bets on it have ever won: the same as asking every bound.
    bets = np.array(BETS)[:, None, None]
    for sign in (1, -1):
        ever = np.mean(
            np.cumprod(1 + STAKE * np.tanh(sign * bets * (values - CENTRE)), axis=2), axis=0
        )
        missed = float(np.mean(ever.max(axis=1) >= 1 / ERROR))
        # 2.5 % promised; 3 standard deviations of 2,000 draws are 1 %.
        assert missed <= ERROR + 0.01


def test_sessions_that_agree_decide_with_few() -> None:
    values = np.random.default_rng(5).normal(0.0, 0.005, 7).tolist()
    low, high = bounds_of_centre(values)
    assert -0.05 < low < 0.0 < high < 0.05
