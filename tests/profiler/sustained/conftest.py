"""A model whose runs take what a function of the time says, and sensors of that kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from vitprof.closing import Closing
from vitprof.profiler.sustained.sensors import Sensors, Untold


class TimedModel(Closing):
    """Takes `ms_at(seconds since it was made)` each time; `called` comes before every run."""

    def __init__(
        self, clock: Any, ms_at: Callable[[float], float], called: Callable[[], None]
    ) -> None:
        self.clock = clock
        self.began = clock.wall()
        self.ms_at = ms_at
        self.called = called
        self.count = 0

    def run(self) -> None:
        self.called()
        self.count += 1
        self.clock.advance(self.ms_at((self.clock.wall() - self.began) / 1e9))

    def outputs(self) -> list[Any]:
        return []

    def close(self) -> None:
        pass


@dataclass
class TimedGauge:
    """Says what a function of the clock's seconds returns."""

    clock: Any
    value_at: Callable[[float], float | None]
    source: str = "a script"
    began: int = field(init=False)
    asked: int = 0

    def __post_init__(self) -> None:
        self.began = self.clock.wall()

    def read(self) -> float | None:
        self.asked += 1
        return self.value_at((self.clock.wall() - self.began) / 1e9)


@pytest.fixture
def model(clock: Any) -> Callable[..., TimedModel]:
    """Return a model on the scripted clock: model(lambda s: 10 + s)."""

    def make(
        ms_at: Callable[[float], float], called: Callable[[], None] = lambda: None
    ) -> TimedModel:
        return TimedModel(clock, ms_at, called)

    return make


@pytest.fixture
def gauge(clock: Any) -> Callable[..., TimedGauge]:
    return lambda value_at: TimedGauge(clock, value_at)


@pytest.fixture(scope="session")
def untold() -> Sensors:
    """Sensors of a system that tells nothing."""
    nothing = Untold("nobody tells")
    return Sensors(nothing, nothing, nothing, nothing)
