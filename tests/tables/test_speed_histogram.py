"""Readings of a reference, counted in bins: quantiles, the fast mode, JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.tables.speed_histogram import SpeedHistogram

TIMES = st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=60)


@given(readings=TIMES, share=st.floats(0.01, 1.0))
def test_a_quantile_is_that_of_the_readings_to_the_width_of_a_bin(
    readings: list[float], share: float
) -> None:
    exact = float(np.quantile(readings, share, method="inverted_cdf"))
    assert SpeedHistogram.of(readings).quantile_ms(share) == pytest.approx(exact, rel=2.1e-3)


@given(first=TIMES, second=TIMES)
def test_histograms_add_up_in_any_order_and_survive_json(
    first: list[float], second: list[float]
) -> None:
    one, other, both = map(SpeedHistogram.of, (first, second, first + second))
    total = one + other
    assert total.total == both.total == len(first) + len(second)
    assert total.bins.keys() == both.bins.keys()
    assert total.undisturbed_ms == pytest.approx(both.undisturbed_ms)
    read = SpeedHistogram.from_json(json.loads(json.dumps(total.to_json())), "the header")
    assert read.undisturbed_ms == pytest.approx(total.undisturbed_ms, rel=1e-3)
    assert read.to_json() == total.to_json()
    assert read == total.rounded(), "what is computed before writing and after reading is equal"


def test_equal_readings_are_exact() -> None:
    histogram = SpeedHistogram.of([13.37] * 50)
    assert histogram.undisturbed_ms == pytest.approx(13.37, rel=1e-12)
    assert histogram.undisturbed_share == 1.0


@pytest.mark.parametrize("fast", [0.08, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("slowdown", [1.15, 1.5, 1.8])
def test_the_fast_mode_is_found_however_rare_it_is(fast: float, slowdown: float) -> None:
    """Two runs of one machine, busy for different shares of the time, agree on it."""
    rng = np.random.default_rng(7)
    slow = rng.random(4000) > fast
    readings = 13.4 * np.where(slow, slowdown, 1.0) * np.exp(rng.normal(0, 0.01, 4000))
    histogram = SpeedHistogram.of(readings)
    assert histogram.undisturbed_ms == pytest.approx(13.4, rel=0.012)
    assert histogram.undisturbed_share == pytest.approx(fast, abs=0.06)


def test_the_fast_mode_of_a_steady_machine_is_its_median() -> None:
    readings = 13.4 * np.exp(np.random.default_rng(1).normal(0, 0.01, 4000))
    assert SpeedHistogram.of(readings).undisturbed_ms == pytest.approx(13.4, rel=0.004)


def test_without_readings_there_is_none() -> None:
    assert not SpeedHistogram.of([0.0, -1.0])
    with pytest.raises(ValueError, match="without readings"):
        SpeedHistogram().quantile_ms(0.5)


GOOD = SpeedHistogram.of([1.0, 2.0]).to_json()


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        {},
        GOOD | {"ln_step": 0.1},
        GOOD | {"bins": [1]},
        GOOD | {"bins": {"x": [1, 1.0]}},
        GOOD | {"bins": {"99999999": [1, 1.0]}},
        GOOD | {"bins": {"0": 1}},
        GOOD | {"bins": {"0": [0, 1.0]}},
        GOOD | {"bins": {"0": [1.5, 1.0]}},
        GOOD | {"bins": {"0": [True, 1.0]}},
        GOOD | {"bins": {"0": [1, -1.0]}},
        GOOD | {"bins": {"0": [1, "1"]}},
        GOOD | {"bins": {"0": [1, 1.0, 1.0]}},
    ],
)
def test_a_damaged_one_is_refused(value: object) -> None:
    with pytest.raises(UserError, match="the header's readings"):
        SpeedHistogram.from_json(value, "the header's readings")
