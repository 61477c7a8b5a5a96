"""How long sessions will take, before and while they are run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..plan import Point
from .sampling_plan import SamplingPlan

# Seconds to compile a model, and to load it, on one core of a server CPU: what every model costs,
# and what each of its weights adds. While models are run, what they take corrects these.
BUILD_S, BUILD_S_PER_WEIGHT = 0.8, 2e-8
LOAD_S, LOAD_S_PER_WEIGHT = 0.1, 1.2e-8
# Readings of the reference add so much to the runs of a model.
READINGS = 1.2


@dataclass
class SessionCosts:
    """Seconds that each point costs; `run_ms` is what one run of it is expected to take."""

    run_ms: Mapping[Point, float]
    sampling: SamplingPlan
    # Of groups that were only run, and of those that were compiled first: what they took, and what
    # was estimated.
    _ran: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _built: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def build_s(self, points: Collection[Point]) -> float:
        """Return the estimated seconds to compile the points."""
        return sum(BUILD_S + BUILD_S_PER_WEIGHT * point.subject.params for point in points)

    def sessions_s(self, points: Collection[Point]) -> float:
        """Return the estimated seconds of one session of each point."""
        return sum(map(self._session_s, points))

    def whole_s(self, points: Collection[Point], sessions: int) -> float:
        """Return the estimated seconds of so many sessions of each point, compiling included."""
        return self.build_s(points) + sessions * self.sessions_s(points)

    def _session_s(self, point: Point) -> float:
        plan, ms = self.sampling, self.run_ms[point]
        timed = plan.runs_for(ms)
        untimed = plan.warmup_runs + -(-timed // plan.runs_per_turn)
        loading = LOAD_S + LOAD_S_PER_WEIGHT * point.subject.params
        return loading + READINGS * (timed + untimed) * ms / 1e3

    def took(self, seconds: float, group: Sequence[Point], built: Collection[Point] = ()) -> None:
        """Note what one session of a group took, of which `built` were compiled first."""
        noted = self._built if built else self._ran
        noted[0] += seconds
        noted[1] += self.sessions_s(group) + self.build_s(built)

    @property
    def scale(self) -> float:
        """How many times as long as estimated it takes, by the groups so far."""
        for seconds, estimated in (self._ran, self._built):
            if estimated > 0:
                return seconds / estimated
        return 1.0
