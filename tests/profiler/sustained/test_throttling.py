"""When a run became slower for good: found within a tolerance, and never where it did not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.profiler.sustained.throttling import (
    FEWEST_INTERVALS,
    LEAST_RISE,
    WINDOW,
    find_throttling,
    rolling_median,
)

seeds = st.integers(0, 2**32 - 1)


def noisy(levels: np.ndarray, noise: float, seed: int) -> np.ndarray:
    return levels * np.exp(noise * np.random.default_rng(seed).standard_normal(len(levels)))


@given(
    count=st.integers(60, 600),
    at=st.floats(0.15, 0.7),
    ramp=st.floats(0, 0.15),
    rise=st.floats(0.12, 1.0),
    noise=st.floats(0, 0.02),
    seed=seeds,
)
def test_the_beginning_is_found_within_a_window_and_what_noise_hides(
    count: int, at: float, ramp: float, rise: float, noise: float, seed: int
) -> None:
    begins, lasts = int(at * count), int(ramp * count)
    shape = np.clip((np.arange(count) - begins) / max(lasts, 1e-9), 0, 1)
    found = find_throttling(noisy(20 * (1 + rise * shape), noise, seed))
    assert found is not None
    # The ramp is within the noise for as long as it takes to rise by so much.
    hidden = 2 * noise * lasts / rise
    assert -WINDOW <= found.begins_at - begins <= 1.5 * WINDOW + hidden
    assert found.fast_ms == pytest.approx(20, rel=0.01 + noise)
    assert found.rise == pytest.approx(rise, rel=0.15, abs=2 * noise)


@given(count=st.integers(1, 600), noise=st.floats(0, 0.15), seed=seeds)
def test_a_steady_machine_does_not_throttle_however_noisy(
    count: int, noise: float, seed: int
) -> None:
    assert find_throttling(noisy(np.full(count, 20.0), noise, seed)) is None


@given(count=st.integers(60, 600), drift=st.floats(-0.025, 0.025), seed=seeds)
def test_a_drift_of_less_than_the_least_rise_is_none(count: int, drift: float, seed: int) -> None:
    levels = 20 * (1 + drift * np.linspace(0, 1, count))
    assert abs(drift) < LEAST_RISE
    assert find_throttling(noisy(levels, 0.003, seed)) is None


@given(count=st.integers(60, 600), at=st.floats(0.1, 0.9), fall=st.floats(0.05, 0.6), seed=seeds)
def test_a_machine_that_becomes_faster_does_not_throttle(
    count: int, at: float, fall: float, seed: int
) -> None:
    levels = np.where(np.arange(count) < at * count, 20.0, 20 * (1 - fall))
    assert find_throttling(noisy(levels, 0.01, seed)) is None


@given(count=st.integers(100, 600), start=st.floats(0.1, 0.5), seed=seeds)
def test_a_slow_stretch_that_ends_is_none(count: int, start: float, seed: int) -> None:
    """Other work for a third of the time, and at the end as fast as at first."""
    place = np.arange(count) / count
    levels = np.where((place >= start) & (place < start + 0.33), 30.0, 20.0)
    assert find_throttling(noisy(levels, 0.01, seed)) is None


def wandering(seed: int, count: int, dwell: int) -> np.ndarray:
    """A restless machine: fast and 1.5 times slower by turns, exponential dwelling times."""
    rng = np.random.default_rng(seed)
    levels: list[float] = []
    while len(levels) < count:
        state = (20.0, 30.0)[int(rng.integers(2))]
        levels += [state] * max(1, round(rng.exponential(dwell)))
    return noisy(np.array(levels[:count]), 0.01, seed)


def test_a_machine_whose_speed_wanders_is_hardly_ever_taken_for_a_throttled_one() -> None:
    """Ten minutes in intervals of a second; the states last 10 s on average."""
    found = [find_throttling(wandering(seed, 600, 10)) for seed in range(200)]
    assert sum(one is not None for one in found) <= 2


def test_turbo_that_ends_after_28_of_600_seconds_is_found() -> None:
    levels = np.where(np.arange(600) < 28, 20.0, 26.0)
    found = find_throttling(noisy(levels, 0.01, 1))
    assert found is not None
    assert abs(found.begins_at - 28) <= 3
    assert found.settled


def test_a_run_that_still_rises_at_its_end_is_not_settled() -> None:
    levels = 20 * (1 + 0.5 * np.clip((np.arange(300) - 60) / 240, 0, 1))
    found = find_throttling(levels)
    assert found is not None
    assert not found.settled
    assert 60 - WINDOW <= found.begins_at <= 60 + WINDOW


def test_a_few_intervals_say_nothing() -> None:
    levels = np.repeat([20.0, 30.0], FEWEST_INTERVALS // 2)
    assert find_throttling(levels[1:]) is None
    assert find_throttling(levels) is not None
    assert find_throttling([]) is None


@given(st.lists(st.floats(1, 100), min_size=1, max_size=50))
def test_a_rolling_median_is_the_median_of_the_values_around(values: list[float]) -> None:
    smooth = rolling_median(np.array(values), 5)
    for place, found in enumerate(smooth):
        around = [values[min(max(place + by, 0), len(values) - 1)] for by in range(-2, 3)]
        assert found == np.median(around)
