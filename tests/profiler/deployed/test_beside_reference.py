"""Ratios to a reference, on a scripted clock."""

from __future__ import annotations

import pytest
from vitprof.closing import Closing
from vitprof.profiler.deployed.beside_reference import REFERENCE, timed_beside

from ..conftest import ScriptedClock


class Scripted(Closing):
    """Takes the times of a list in turn, over and over, all of them scaled by the machine."""

    def __init__(self, clock: ScriptedClock, times: list[float], slowness: float) -> None:
        self.clock, self.times, self.slowness, self.nth = clock, times, slowness, 0

    def run(self) -> None:
        ms = self.slowness * self.times[self.nth % len(self.times)]
        self.nth += 1
        self.clock.advance(ms, ms, 0)

    def close(self) -> None:
        pass


def opening(clock: ScriptedClock, times: list[float], slowness: list[float]):
    left = list(slowness)
    return lambda: Scripted(clock, times, left.pop(0))


def test_what_slows_both_leaves_the_ratio() -> None:
    clock = ScriptedClock()
    slowness = [1.0, 2.0, 1.5]
    found = timed_beside(
        {
            "a": opening(clock, [6.0], slowness),
            "b": opening(clock, [1.0], slowness),
            REFERENCE: opening(clock, [2.0], slowness),
        },
        1,
        3,
        clock=clock,
    )
    assert set(found) == {"a", "b"}
    assert found["a"].ratio == pytest.approx(3.0)
    assert found["b"].ratio == pytest.approx(0.5)
    assert found["a"].low < 3.0 < found["a"].high
    assert found["a"].tail == pytest.approx(1.0)
    assert found["a"].reference_ms == pytest.approx((2.0, 4.0, 3.0))
    assert not found["a"].disturbed


def test_a_slow_run_in_ten_is_the_tail() -> None:
    clock = ScriptedClock()
    found = timed_beside(
        {
            "a": opening(clock, [2.0] * 9 + [5.0], [1.0]),
            REFERENCE: opening(clock, [2.0], [1.0]),
        },
        1,
        1,
        clock=clock,
    )
    assert found["a"].ratio == pytest.approx(1.0)
    assert found["a"].tail == pytest.approx(2.5)


@pytest.mark.parametrize("seed", range(4))
def test_a_session_that_is_slower_because_it_was_opened_first_changes_no_ratio(seed: int) -> None:
    clock = ScriptedClock()
    opened = 0

    def open_one() -> Scripted:
        nonlocal opened
        opened += 1
        return Scripted(clock, [1.0], 1.1 if opened % 2 else 1.0)

    found = timed_beside({"a": open_one, REFERENCE: open_one}, 1, 2, clock=clock, seed=seed)
    assert found["a"].ratio == pytest.approx(1.0, rel=0.01)
