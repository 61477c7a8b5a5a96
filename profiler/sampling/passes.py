"""Passes through a plan: every point gets a fresh session a pass, in random interleaved groups."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from ...backends import BackendError, Executable
from ...models import Spec
from ...notes import warn
from ...progress import OnProgress, no_progress
from ...tables import LatencyTable, Row
from ...tables.leaning import influences
from ...tables.references import NO_REFERENCES, Reference, References
from ...tables.row import READINGS
from ...tables.speed_histogram import SpeedHistogram
from ..gate import with_findings
from ..journal import MemoryJournal
from ..place.pinned import pinned
from ..plan import Point, Subject
from ..target import Target
from ..workshop import CannotBuildError, Workshop
from .clock import Clock, SystemClock
from .correction import readings_row
from .extra_sessions import extra_points, wanted_sessions
from .protocol import Protocol
from .reference import subject_of
from .sampler import SessionSamples, groups_of, sample_group
from .sampling_plan import SamplingPlan
from .sharpened import sharpened
from .statistics import PRIOR_SESSION_SD
from .timed_run import TimeSpent
from .verdict import failed_row, point_row, session_row


@dataclass
class Passes:
    """One run of measuring: what to use, and what it has cost so far.

    `references` tell the machine's speed (none: no drift correction). `speed_ms` is what each
    takes at the speed that rows are brought to; by default at that of the undisturbed machine.
    `budget_s` ends the run after so many seconds, though never within the first pass. With
    `representatives`, models that the table will be asked of, further sessions go where their
    predictions gain most; without, to what is unsure by itself.
    """

    target: Target
    protocol: Protocol
    references: References = NO_REFERENCES
    budget_s: float | None = None
    representatives: Sequence[Spec] = ()
    clock: Clock = field(default_factory=SystemClock)
    on_progress: OnProgress = no_progress
    spent: TimeSpent = field(default_factory=TimeSpent)
    speed_ms: Mapping[Reference | None, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.protocol.seed)  # noqa: S311 - an order, not a secret
        self._started = time.perf_counter()
        self._open: dict[Reference, Executable] = {}
        self._lost: Counter[object] = Counter()  # sessions that failed after others had not
        self._readings: dict[Reference, SpeedHistogram] = {}

    def run(self, points: Sequence[Point], journal: MemoryJournal, workshop: Workshop) -> None:
        """Give every point its sessions, then more to those whose interval is still wide."""
        for _ in self.steps(points, journal, workshop):
            pass

    def steps(
        self, points: Sequence[Point], journal: MemoryJournal, workshop: Workshop
    ) -> Iterator[None]:
        """Do the same, and pause after every group of points: its result is in the journal."""
        lacking = [point for point in points if lacks(journal, point, self._wanted(point))]
        for row in (row for rows in journal.partial.values() for row in rows):
            self._count_readings(row)
        self._finish_begun(points, journal)
        with self.opened(lacking, workshop):
            self._report(points, journal)
            for nth in range(1, max(map(self._wanted, points), default=0) + 1):
                if nth > 1 and self._over_budget():
                    break
                due = [p for p in points if nth <= self._wanted(p) and lacks(journal, p, nth)]
                yield from self._one_pass(points, due, journal, workshop)
            self._end_short(points, journal)
            narrow = self._narrow_predictions if self.representatives else self._narrow
            yield from narrow(points, journal, workshop)

    @contextmanager
    def opened(self, points: Sequence[Point], workshop: Workshop) -> Iterator[None]:
        """Keep a session of each reference of the points open inside the block."""
        try:
            for reference in dict.fromkeys(self.references.of(point.subject) for point in points):
                self._open_reference(reference, workshop)
            yield
        finally:
            for executable in self._open.values():
                executable.close()
            self._open.clear()

    def _finish_begun(self, points: Sequence[Point], journal: MemoryJournal) -> None:
        """Finish the points whose last session a killed run wrote down, and not what came of it.

        Otherwise that session would not count, and the point would get no further one.
        """
        for point in points:
            had = len(journal.partial.get(point.key, ()))
            done = journal.done.get(point.key)
            short = had >= self._wanted(point) if done is None else 0 < done.sessions < had
            if short and (done is None or done.verdict != "failed"):
                self._finish(point, journal)

    def _end_short(self, points: Sequence[Point], journal: MemoryJournal) -> None:
        """Finish the points that lack sessions because the time was over, and say how many."""
        cut_short = [point for point in points if point.key not in journal.done]
        lacking = sum(
            max(self._wanted(point) - len(journal.partial.get(point.key, ())), 0)
            for point in cut_short
        )
        for point in cut_short:
            self._finish(point, journal)
        if cut_short:
            stage, done, total, detail = progress(points, journal, self.protocol)
            over = f"{detail}, {total - lacking} of {total} sessions in the time given"
            self.on_progress(stage, done, total, over)

    def _open_reference(self, reference: Reference | None, workshop: Workshop) -> None:
        """Open several sessions of the reference and keep the one of the middling speed.

        Sessions of one model differ by 1-3 % by luck. Every correction of this run is a ratio to
        this one session, so an unlucky one would set the whole run off against another.
        """
        if reference is None:
            return
        candidates: list[Executable] = []
        try:
            for _ in range(self.protocol.reference_sessions):
                candidates.append(workshop.fresh_session(subject_of(reference)))
            plan = replace(self.protocol.sampling, min_runs=6, max_runs=6, warmup_ms=0.0)
            group = dict(enumerate(candidates))
            samples = sample_group(group, plan, self.clock, self._rng, self.spent)
            medians = {
                n: float(np.median([s.wall_ms for s in of_one.kept or of_one.all]))
                for n, of_one in samples.items()
            }
            middle = sorted(medians, key=lambda n: medians[n])[len(medians) // 2]
            self._open[reference] = candidates.pop(middle)
        except (CannotBuildError, BackendError) as error:
            name = reference.name if isinstance(reference, Spec) else str(reference)
            warn(
                f"warning: the reference {name} cannot be run here ({error}); latencies beside it "
                "are not corrected for the machine's speed."
            )
        finally:
            for executable in candidates:
                executable.close()

    def _narrow(
        self, points: Sequence[Point], journal: MemoryJournal, workshop: Workshop
    ) -> Iterator[None]:
        """Measure once more, up to the protocol's extra sessions, what is not yet sure enough."""
        while True:
            wide = [
                point
                for point in points
                if journal.partial.get(point.key) and self._is_wide(point, journal)
            ]
            if not wide or self._over_budget():
                return
            yield from self._one_pass(points, wide, journal, workshop)

    def _narrow_predictions(
        self, points: Sequence[Point], journal: MemoryJournal, workshop: Workshop
    ) -> Iterator[None]:
        """Measure once more what lowers the error of the representatives' predictions most."""
        influence: Mapping[object, float] | None = None
        while not self._over_budget():
            rows = sharpened(journal, self.protocol, self.speed_ms).rows
            if influence is None:
                table = LatencyTable(rows.values(), self.target.setting)
                influence = influences(table, self.representatives)
            extra = extra_points(
                [point for point in points if self._can_have_more(journal, rows.get(point.key))],
                rows,
                influence,
                self.protocol,
                within_budget=self.budget_s is not None,
            )
            if not extra.points:
                return
            yield from self._one_pass(points, extra.points, journal, workshop)

    def _can_have_more(self, journal: MemoryJournal, row: Row | None) -> bool:
        """Tell whether all sessions of a row are in this journal, and the last one did not fail.

        Of a row from a finished table they are not.
        """
        if row is None or self._lost[row.key]:
            return False
        return len(journal.partial.get(row.key, ())) == row.sessions

    def _is_wide(self, point: Point, journal: MemoryJournal) -> bool:
        """Tell whether a point should get another session, given those in the journal."""
        done = journal.done.get(point.key)
        if done is not None and done.verdict == "failed":
            return False
        had = len(journal.partial[point.key]) + self._lost[point.key]
        extra = had - self._wanted(point)
        row = self._row(point, journal)
        if isinstance(point.subject, Spec) and extra < self.protocol.model_extra_sessions:
            return (row.high_ms - row.low_ms) / 2 > self.protocol.model_within * row.latency_ms
        return extra < self.protocol.extra_sessions and row.verdict == "unstable"

    def _over_budget(self) -> bool:
        spent = time.perf_counter() - self._started
        return self.budget_s is not None and spent > self.budget_s

    def _one_pass(
        self,
        points: Sequence[Point],
        lacking: Sequence[Point],
        journal: MemoryJournal,
        workshop: Workshop,
    ) -> Iterator[None]:
        for nth, group in enumerate(self.shuffled_groups(lacking)):
            if nth and self._over_budget() and not any(lacks(journal, p, 1) for p in group):
                return
            self._measure_group(group, journal, workshop)
            self._report(points, journal)
            yield

    def groups(self, points: Iterable[Point], size: int) -> list[list[Point]]:
        """Return groups of at most `size` points that have one reference.

        Each group is spread over the order of the points.
        """
        return [group for alike in self._by_reference(points) for group in groups_of(alike, size)]

    def shuffled_groups(self, points: Sequence[Point]) -> list[list[Point]]:
        """Return groups of the protocol's size, of points in random order."""
        order = list(points)
        self._rng.shuffle(order)
        kernels = [point for point in order if point.is_kernel]
        others = [point for point in order if not point.is_kernel]
        groups = self.groups(others, self.protocol.group)
        groups += self.groups(kernels, self.protocol.kernel_group)
        self._rng.shuffle(groups)
        return groups

    def _by_reference(self, points: Iterable[Point]) -> list[list[Point]]:
        """Return the points apart by what tells their speed, which is read for a group at once."""
        apart: dict[Reference | None, list[Point]] = {}
        for point in points:
            apart.setdefault(self.references.of(point.subject), []).append(point)
        return list(apart.values())

    def _report(self, points: Sequence[Point], journal: MemoryJournal) -> None:
        self.on_progress(*progress(points, journal, self.protocol))

    def _wanted(self, point: Point) -> int:
        return wanted_sessions(point, self.protocol)

    def _measure_group(
        self, group: Sequence[Point], journal: MemoryJournal, workshop: Workshop
    ) -> None:
        """Give every point of the group one more session, and write down its result."""
        sessions: dict[Subject, Executable] = {}
        broken: dict[Subject, str] = {}
        try:
            for subject in dict.fromkeys(p.subject for point in group for p in point.parts):
                try:
                    sessions[subject] = workshop.fresh_session(subject)
                except CannotBuildError as error:
                    broken[subject] = str(error)
            self.target.backend.trouble()  # what was before does not matter
            reference = self.references.of(group[0].subject)
            readings: list[float] = []
            with pinned(self.target.setting.threads):
                plan = self.protocol.sampling_of(group[0].is_kernel)
                samples = self._sample(plan, sessions, broken, reference, readings)
            if reference is not None and readings:
                row = readings_row(reference, readings)
                journal.append_session(row)
                self._count_readings(row)
            if self.target.backend.trouble():
                # A throttled device is another device; the verdict counts such runs as disturbed.
                for of_one in samples.values():
                    of_one.disturb_all()
            findings = {
                subject: workshop.finding(subject, executable)
                for subject, executable in sessions.items()
                if subject not in broken
            }
            broken |= {one: found.wrong for one, found in findings.items() if found.wrong}
        finally:
            for executable in sessions.values():
                executable.close()
        for point in group:
            reasons = [broken[p.subject] for p in point.parts if p.subject in broken]
            row = failed_row(point, reasons[0]) if reasons else session_row(point, samples)
            if not reasons:
                row = with_findings(row, [findings[part.subject] for part in point.parts])
                workshop.warn_of(row)
            row = replace(row, reference=self.references.of(point.subject))
            if row.verdict == "failed":
                # Once measured, a point is not lost to a session that fails later.
                self._lost[point.key] += 1
                if point.key not in journal.done:
                    journal.append_point(row)
                continue
            journal.append_session(row)
            if len(journal.partial[point.key]) >= self._wanted(point):
                self._finish(point, journal)

    def _sample(
        self,
        plan: SamplingPlan,
        sessions: dict[Subject, Executable],
        broken: dict[Subject, str],
        reference: Reference | None,
        readings: list[float],
    ) -> dict[Subject, SessionSamples]:
        """Sample interleaved; where one breaks while running, one by one, to find out which."""
        clock, rng, spent = self.clock, self._rng, self.spent
        speed = self._open.get(reference) if reference is not None else None
        try:
            return sample_group(sessions, plan, clock, rng, spent, speed, readings=readings)
        except BackendError:
            samples: dict[Subject, SessionSamples] = {}
            for subject, executable in sessions.items():
                try:
                    alone = {subject: executable}
                    samples |= sample_group(
                        alone, plan, clock, rng, spent, speed, readings=readings
                    )
                except BackendError as error:
                    broken[subject] = str(error)
            return samples

    def _finish(self, point: Point, journal: MemoryJournal) -> None:
        """Write the point's row as it is known now; the end of the run sharpens its interval."""
        if journal.partial.get(point.key):
            journal.append_point(self._row(point, journal))

    def _row(self, point: Point, journal: MemoryJournal) -> Row:
        reference = self.references.of(point.subject)
        speed_ms = self.speed_ms.get(reference)
        seen = self._readings.get(reference) if reference is not None else None
        if speed_ms is None and seen:
            speed_ms = seen.undisturbed_ms
        sessions = journal.partial[point.key]
        row = point_row(point, sessions, self.protocol, PRIOR_SESSION_SD, speed_ms)
        return replace(row, reference=reference)

    def _count_readings(self, row: Row) -> None:
        if row.context == READINGS:
            counted = SpeedHistogram.of(row.session_ms)
            before = self._readings.get(row.subject, SpeedHistogram())
            self._readings[row.subject] = before + counted


def progress(
    points: Sequence[Point], journal: MemoryJournal, protocol: Protocol
) -> tuple[str, int, int, str]:
    """Return what `OnProgress` gets: sessions done and in all, and how many points are done."""
    wanted = {point.key: wanted_sessions(point, protocol) for point in points}
    sessions = sum(
        count if key in journal.done else min(count, len(journal.partial.get(key, ())))
        for key, count in wanted.items()
    )
    done = sum(key in journal.done for key in wanted)
    return "measuring", sessions, sum(wanted.values()), f"{done}/{len(wanted)} points"


def lacks(journal: MemoryJournal, point: Point, sessions: int) -> bool:
    """Tell whether a point is not done and has fewer than so many sessions."""
    return point.key not in journal.done and len(journal.partial.get(point.key, ())) < sessions
