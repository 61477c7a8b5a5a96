"""The simulated machine: a clock that runs of a known cost move on, at the speed of the moment."""

from __future__ import annotations

import math
import random

from .weather import Weather


class Machine:
    """A `Clock` that passes only while something runs on it."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self.weather = weather
        self.rng = random.Random(seed)
        self.now_s = 100.0
        self.cpu_s = 1.0
        self.switches = 0
        self._started_s = self.now_s
        self._slowdown = self._draw()
        self._until_s = self.now_s + self._dwell()
        self._spell_from_s = self.now_s + self._wait(weather.spells_per_s)
        self._spell_until_s = self._spell_from_s
        self._work_to_preemption_s = self._wait(weather.preemptions_per_s)

    def wall(self) -> int:
        return round(self.now_s * 1e9)

    def cpu(self) -> int:
        return round(self.cpu_s * 1e9)

    def preemptions(self) -> int:
        return self.switches

    def run(self, ms: float, exponent: float) -> None:
        """Run what takes `ms` undisturbed, and slowdown**exponent times as long otherwise."""
        left_s = ms / 1e3
        while True:
            self._turn_the_weather()
            pace = self._factor() ** exponent
            change_s = min(self._until_s, self._next_edge_of_a_spell())
            if self.now_s + left_s * pace <= change_s:
                self._compute(left_s * pace)
                return
            done_s = max(change_s - self.now_s, 0.0)
            self._compute(done_s)
            left_s -= done_s / pace
            self.now_s = max(self.now_s, change_s)

    def idle(self, seconds: float) -> None:
        """Let time pass in which nothing runs."""
        self.now_s += seconds

    def _compute(self, seconds: float) -> None:
        self.now_s += seconds
        self.cpu_s += seconds
        self._work_to_preemption_s -= seconds
        while self._work_to_preemption_s < 0:
            self._work_to_preemption_s += self._wait(self.weather.preemptions_per_s)
            self.now_s += self.rng.uniform(0.001, 0.008)
            self.switches += 1

    def _factor(self) -> float:
        weather, passed_s = self.weather, self.now_s - self._started_s
        slow = weather.drift * math.sin(2 * math.pi * passed_s / weather.drift_s)
        slow += weather.ramp * (1 - math.exp(-passed_s / weather.ramp_s))
        in_spell = self._spell_from_s <= self.now_s < self._spell_until_s
        return self._slowdown * math.exp(slow) * (weather.spell if in_spell else 1.0)

    def _turn_the_weather(self) -> None:
        while self.now_s >= self._until_s:
            self._until_s += self._dwell()
            self._slowdown = self._draw()
        while self.now_s >= self._next_edge_of_a_spell():
            if self._spell_from_s < self._spell_until_s:
                self._spell_from_s = self._spell_until_s + self._wait(self.weather.spells_per_s)
                self._spell_until_s = self._spell_from_s
            else:
                self._spell_until_s = self._spell_from_s + self.rng.uniform(0.05, 0.3)

    def _next_edge_of_a_spell(self) -> float:
        """Return when the spell ends, or the next one begins."""
        return self._spell_until_s

    def _draw(self) -> float:
        return self.rng.choices(self.weather.slowdowns, self.weather.weights)[0]

    def _dwell(self) -> float:
        shortest, longest = self.weather.dwell_s
        return math.exp(self.rng.uniform(math.log(shortest), math.log(longest)))

    def _wait(self, per_s: float) -> float:
        return self.rng.expovariate(per_s) if per_s else math.inf
