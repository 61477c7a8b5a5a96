"""Runs as they were logged, replayed through the real speedometer.

A log is of one group of `sample_group`: warm-up runs, then turns of an untimed and some timed runs,
with the reference in between, whose first run of each block is untimed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitprof.profiler.plan import Subject
from vitprof.profiler.sampling.sampler import SessionSamples
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.sampling.speedometer import Speedometer
from vitprof.profiler.sampling.timed_run import Sample, TimeSpent, timed_run


@dataclass(frozen=True)
class LoggedRun:
    """A run as a trace keeps it; `subject` is what was run, None the reference."""

    subject: Subject | None
    start_ns: int
    wall_ns: int
    cpu_ns: int
    preemptions: int


@dataclass(frozen=True)
class Replayed:
    """What a log says: each subject's samples, and the reference's readings in ms, in order.

    `before_ms` is, for each of a subject's samples, the reading before it.
    """

    samples: Mapping[Subject, list[Sample]]
    before_ms: Mapping[Subject, list[float]]
    readings: list[float]

    def session(self, subject: Subject, threads: int = 1) -> SessionSamples:
        """Return a subject's samples as the sampler sorts them."""
        session = SessionSamples()
        for sample in self.samples[subject]:
            (session.set_aside if sample.disturbed(threads) else session.kept).append(sample)
        return session


class _Replay:
    """Clock and executable in one: each run takes what was logged, when it was logged."""

    def __init__(self) -> None:
        self.due: list[LoggedRun] = []
        self._cpu_ns = self._switches = self._end_ns = 0
        self._ended = False

    def wall(self) -> int:
        if self._ended:
            self._ended = False
            return self._end_ns
        return self.due[0].start_ns

    def cpu(self) -> int:
        return self._cpu_ns

    def preemptions(self) -> int:
        return self._switches

    def run(self) -> None:
        # A reading may want one run more than was logged: it gets the last one again.
        run = self.due.pop(0) if len(self.due) > 1 else self.due[0]
        self._cpu_ns += run.cpu_ns
        self._switches += run.preemptions
        self._end_ns, self._ended = run.start_ns + run.wall_ns, True


def replayed(log: Sequence[LoggedRun], warmup_ms: float = 5.0, runs_per_turn: int = 2) -> Replayed:
    """Replay the log of one group, sampled with such a plan (a warm-up is one run at least)."""
    replay, warm, timed = _Replay(), _Warm(warmup_ms), _Timed(runs_per_turn)
    plan = SamplingPlan(reference_every_ms=1.0, reading_ms=0.0)
    meter = Speedometer(replay, plan, replay, TimeSpent())
    samples: dict[Subject, list[Sample]] = {}
    before: dict[Subject, list[float]] = {}
    for subject, block in itertools.groupby(log, lambda run: run.subject):
        runs = list(block)
        if subject is None:
            # As many runs as were calm, which the speedometer takes for so much work.
            calm = sum(not _sample(run).disturbed() for run in runs[1:])
            replay.due = runs
            meter.worked(max(calm, 1))
            meter.read()
            continue
        for run in runs:
            if warm.is_due(run) or not timed.is_due(subject):
                continue
            replay.due = [run]
            samples.setdefault(subject, []).append(timed_run(replay, replay))
            before.setdefault(subject, []).append(meter.latest_ms)
    beside = {subject: [meter.beside(one) for one in ones] for subject, ones in samples.items()}
    return Replayed(beside, before, meter.readings)


def _sample(run: LoggedRun) -> Sample:
    return Sample(run.wall_ns / 1e6, run.cpu_ns / 1e6, run.preemptions)


class _Warm:
    """Tells a subject's warm-up runs from others."""

    def __init__(self, warmup_ms: float) -> None:
        self._warmup_ms = warmup_ms
        self._done_ms: dict[Subject, float] = {}
        self._warm: set[Subject] = set()

    def is_due(self, run: LoggedRun) -> bool:
        assert run.subject is not None
        if run.subject in self._warm:
            return False
        done_ms = self._done_ms.get(run.subject, 0.0) + run.wall_ns / 1e6
        self._done_ms[run.subject] = done_ms
        if done_ms >= self._warmup_ms:
            self._warm.add(run.subject)
        return True


class _Timed:
    """Tells a turn's timed runs from the untimed one that begins it."""

    def __init__(self, runs_per_turn: int) -> None:
        self._turn = 1 + runs_per_turn
        self._seen: dict[Subject, int] = {}

    def is_due(self, subject: Subject) -> bool:
        seen = self._seen.get(subject, 0)
        self._seen[subject] = seen + 1
        return seen % self._turn > 0
