"""Rounds over whole models: an answer early on, which every further round narrows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

from ..plan import Point
from ..workshop import Workshop
from .group_by_group import GroupByGroup
from .session_costs import SessionCosts

# Why no further round came: all were done, more would not have mattered, the time was over, Ctrl-C.
Stopped = Literal["rounds", "settled", "time", "interrupted"]
# With a limit of time the first round has at least so many groups, to be cut between two of them.
FIRST_GROUPS = 8


@dataclass
class Rounds:
    """In each round every point gets one fresh session, in interleaved groups.

    The nth round belongs to measurement n modulo their number: two measurements take turns, and so
    are independent without one being later than the other. There are `most` rounds at the most, and
    `fewest` even where `time_s` is over. Where these do not fit, the first round ends early: then
    `points` become those that it reached, which are spread over the order that they were given in;
    `enough` tells which are not too few. After `fewest` rounds, `lacking` says which points need
    another session. `on_group` is called after each group with
    the share of the work that is done, of `expected` rounds (all, by default).
    """

    measurements: Sequence[GroupByGroup]
    points: Sequence[Point]
    costs: SessionCosts
    most: int
    fewest: int = 2
    time_s: float | None = None
    expected: int | None = None
    enough: Callable[[Sequence[Point]], bool] = bool
    lacking: Callable[[Sequence[Point]], Sequence[Point]] = lambda points: points
    on_group: Callable[[float], None] = lambda share: None
    # What came of it.
    complete: int = 0
    seconds: float = 0.0
    estimated_s: float = field(init=False)
    _done_s: float = 0.0

    def __post_init__(self) -> None:
        self._clock = self.measurements[0].clock
        self._started = self._clock.wall()
        work_s = self._work_s()
        self.estimated_s = work_s if self.time_s is None else min(work_s, self.time_s)

    def run(self, workshop: Workshop) -> Stopped:
        """Measure; Ctrl-C ends it like a limit of time, but before `fewest` rounds it is raised."""
        self._started = self._clock.wall()
        try:
            with ExitStack() as stack:
                for measurement in self.measurements:
                    stack.enter_context(measurement.opened(self.points, workshop))
                return self._rounds(workshop)
        except KeyboardInterrupt:
            if self.complete < self.fewest:
                raise
            return "interrupted"
        finally:
            self.seconds = self._elapsed_s

    def _rounds(self, workshop: Workshop) -> Stopped:
        for nth in range(self.most):
            due = self.points if nth < self.fewest else self.lacking(self.points)
            due = [point for point in due if not self._has_failed(point)]
            if not due:
                return "settled"
            measurement = self.measurements[nth % len(self.measurements)]
            if nth == 0:
                self._first_round(measurement, workshop)
            elif not self._further_round(measurement, due, workshop):
                return "time"
            self.complete += 1
        return "rounds"

    def _first_round(self, measurement: GroupByGroup, workshop: Workshop) -> None:
        size = measurement.protocol.group
        if self.time_s is not None:
            size = min(size, max(-(-len(self.points) // FIRST_GROUPS), 3))
        reached: list[Point] = []
        for group in measurement.groups(self.points, size):
            if self.enough(reached) and not self._fits(reached, group):
                self.points = reached
                break
            self._measure(measurement, group, workshop, built=group)
            reached += group

    def _fits(self, reached: Sequence[Point], group: Sequence[Point]) -> bool:
        """Tell whether another group can have its first rounds too."""
        if self.time_s is None:
            return True
        both = [*reached, *group]
        others = (self.fewest - 1) * self.costs.sessions_s(both)
        of_group = self.costs.build_s(group) + self.costs.sessions_s(group)
        return self._elapsed_s + self.costs.scale * (of_group + others) <= self.time_s

    def _further_round(
        self, measurement: GroupByGroup, due: Sequence[Point], workshop: Workshop
    ) -> bool:
        """Return False where it did not come to its end."""
        for group in measurement.shuffled_groups(due):
            over_s = self._elapsed_s + self.costs.scale * self.costs.sessions_s(group)
            if self.complete >= self.fewest and self.time_s is not None and over_s > self.time_s:
                return False
            self._measure(measurement, group, workshop)
        return True

    def _has_failed(self, point: Point) -> bool:
        return any(measurement.has_failed(point) for measurement in self.measurements)

    def _measure(
        self,
        measurement: GroupByGroup,
        group: Sequence[Point],
        workshop: Workshop,
        built: Sequence[Point] = (),
    ) -> None:
        before_s = self._elapsed_s
        measurement.measure(group, workshop)
        self.costs.took(self._elapsed_s - before_s, group, built)
        self._done_s += self.costs.sessions_s(group) + self.costs.build_s(built)
        self.on_group(self._share)

    def _work_s(self) -> float:
        rounds = min(self.expected or self.most, self.most)
        return self.costs.whole_s(self.points, rounds)

    @property
    def _share(self) -> float:
        of_time = self._elapsed_s / self.time_s if self.time_s else 0.0
        return min(max(self._done_s / self._work_s(), of_time), 1.0)

    @property
    def _elapsed_s(self) -> float:
        return (self._clock.wall() - self._started) / 1e9
