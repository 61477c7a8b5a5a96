"""Timed runs: a group of executables is warmed up, then run in interleaved rounds.

Interleaving makes whatever the machine does meanwhile hit all points of the group alike. A sample
during which the kernel took the CPU away, or in which the wall clock ran far ahead of the CPU
clock, says how busy the machine was, not what the block costs: it is set aside and counted.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from ...backends import DeviceTimed
from .clock import Clock

Key = TypeVar("Key")


class Runnable(Protocol):
    """The part of `backends.Executable` that sampling needs."""

    def run(self) -> None: ...


# Share of all cores' time.
MOST_OTHER_WORK = 0.25


@dataclass(frozen=True)
class Sample:
    """One timed run: wall and CPU milliseconds, and involuntary context switches during it.

    `reference_ms` is the reference block's latest time before it, 0 without a reference.
    """

    wall_ms: float
    cpu_ms: float
    preemptions: int
    reference_ms: float = 0.0

    def disturbed(self, threads: int = 1) -> bool:
        """Tell whether the run waited for the machine rather than computed.

        Wall time 20 % (and 50 us) beyond CPU time means the run stood still. So does an involuntary
        switch, but for one that cost less than 2 % (and 20 us): a run of 100 ms outlives several.
        With several threads CPU time adds up over them and proves nothing, so there every switch
        counts.
        """
        if threads > 1:
            return self.preemptions > 0
        waited = self.wall_ms - self.cpu_ms
        if self.preemptions > 0:
            return waited > 0.02 * self.cpu_ms + 0.02
        return waited > 0.2 * self.cpu_ms + 0.05


@dataclass(frozen=True)
class SamplingPlan:
    """How long to sample one session of a point.

    After `warmup_runs` and at least `warmup_ms`, as many timed runs as fit `timed_ms`, but from
    `min_runs` to `max_runs`. Points take turns, and other points drive a point's weights out of
    the caches: at each turn it is run once untimed and then timed `runs_per_turn` times, for what
    is wanted is the latency of a model that runs again and again. `threads` decides which samples
    count as disturbed. The reference is read again after every `reference_every_ms` of other work;
    one that is short is read sooner and as often as fills `reading_ms`, for one run says little.
    """

    warmup_runs: int = 1
    warmup_ms: float = 5.0
    timed_ms: float = 60.0
    min_runs: int = 6
    max_runs: int = 16
    runs_per_turn: int = 2
    threads: int = 1
    reference_every_ms: float = 125.0
    reading_ms: float = 4.0

    def runs_for(self, run_ms: float) -> int:
        """Return how many timed runs a point gets whose run takes `run_ms`."""
        wanted = self.timed_ms / run_ms if run_ms > 0 else self.max_runs
        return int(min(max(wanted, self.min_runs), self.max_runs))


@dataclass
class SessionSamples:
    """The samples of one session of one point: kept for the statistics, or set aside."""

    kept: list[Sample] = field(default_factory=list)
    set_aside: list[Sample] = field(default_factory=list)

    def disturb_all(self) -> None:
        """Set every sample aside: no single one shows what disturbed them all."""
        self.set_aside, self.kept = self.all, []

    @property
    def all(self) -> list[Sample]:
        return self.kept + self.set_aside


@dataclass
class TimeSpent:
    """Seconds inside warm-up runs and timed runs."""

    warmup_s: float = 0.0
    timed_s: float = 0.0


def sample_group(
    group: Mapping[Key, Runnable],
    plan: SamplingPlan,
    clock: Clock,
    rng: random.Random,
    spent: TimeSpent | None = None,
    reference: Runnable | None = None,
    *,
    untimed: int = 1,
    keep_all: bool = False,
    on_round: Callable[[], None] = lambda: None,
) -> dict[Key, SessionSamples]:
    """Warm up and time every executable of `group`, interleaved in random order.

    In every round each point that still lacks runs has one turn. A sample set aside is made up
    for, up to as many again as were planned; a point whose samples are all disturbed keeps none.
    Where others used more than MOST_OTHER_WORK of the machine meanwhile, all are set aside: other
    cores' work slows caches, memory and clock, and no single sample shows it. `reference` is run in
    between, see `drift.py`; where running it fails, the samples go without.

    `untimed` runs begin each turn. With `keep_all` no sample is set aside, so that each point's nth
    is of the same round as the others' nth. `on_round` is called after every round.
    """
    spent = spent if spent is not None else TimeSpent()
    warm = {key: _warm_up(executable, plan, clock, spent) for key, executable in group.items()}
    wanted = {key: plan.runs_for(run_ms) for key, run_ms in warm.items()}
    results: dict[Key, SessionSamples] = {key: SessionSamples() for key in group}
    speedometer = Speedometer(reference, plan, clock, spent)
    started, others = clock.wall(), clock.others()
    with _no_garbage_collection():
        while True:
            lacking = [key for key in group if _lacks(results[key], wanted[key])]
            if not lacking:
                break
            rng.shuffle(lacking)
            for key in lacking:
                # The reference drives a short point's data out of the cache again, so it is read
                # before the untimed run; within a long point's turn its reading would grow old.
                long = warm[key] >= plan.reference_every_ms
                reference_ms = 0.0 if long else speedometer.read()
                for _ in range(untimed):
                    warming = _timed_run(group[key], clock)
                    spent.warmup_s += warming.wall_ms / 1e3
                    speedometer.worked(warming.wall_ms)
                for _ in range(plan.runs_per_turn):
                    if not _lacks(results[key], wanted[key]):
                        break
                    if long:
                        reference_ms = speedometer.read()
                    sample = replace(_timed_run(group[key], clock), reference_ms=reference_ms)
                    spent.timed_s += sample.wall_ms / 1e3
                    speedometer.worked(sample.wall_ms)
                    aside = not keep_all and sample.disturbed(plan.threads)
                    (results[key].set_aside if aside else results[key].kept).append(sample)
            on_round()
    if not keep_all and clock.others() - others > MOST_OTHER_WORK * (clock.wall() - started):
        for samples in results.values():
            samples.disturb_all()
    return results


class Speedometer:
    """Reads the reference when its last reading has grown old, and remembers it."""

    # The longer the work since the last reading, the more single runs a reading may take.
    MOST_RUNS = 3
    # Of a short reference, whose reading is of more runs, at most so many;
    MOST_SHORT_RUNS = 16
    # and it is read again after so many times what a reading takes, if that is sooner.
    READING_PERIOD = 7

    def __init__(
        self, reference: Runnable | None, plan: SamplingPlan, clock: Clock, spent: TimeSpent
    ) -> None:
        self.reference = reference
        self.plan = plan
        self.clock = clock
        self.spent = spent
        self.latest_ms = 0.0
        self.work_since_ms = 0.0

    def worked(self, ms: float) -> None:
        self.work_since_ms += ms

    def read(self) -> float:
        """Return the reference's time in ms, taken now if the last one is old; 0 without one."""
        every_ms = self.plan.reference_every_ms
        if self._fewest_runs > 1:
            every_ms = min(every_ms, self.READING_PERIOD * self._fewest_runs * self.latest_ms)
        old = self.latest_ms == 0.0 or self.work_since_ms >= every_ms
        if self.reference is not None and old:
            try:
                self.latest_ms = self._reading(self.reference)
            except RuntimeError:
                # Not worth losing the points for: they go on without a correction.
                self.reference, self.latest_ms = None, 0.0
            self.work_since_ms = 0.0
        return self.latest_ms

    @property
    def _fewest_runs(self) -> int:
        """Runs of the reference that fill a reading's time."""
        if self.latest_ms <= 0.0:
            return 1
        fill = math.ceil(self.plan.reading_ms / self.latest_ms)
        return min(max(fill, 1), self.MOST_SHORT_RUNS)

    def _reading(self, reference: Runnable) -> float:
        """Return the mean of some runs that nothing disturbed, or of all where all were.

        Of a short reference it is the median, of more runs.
        """
        # Warms its weights: other work has driven them out of the cache.
        first = _timed_run(reference, self.clock)
        self.latest_ms = self.latest_ms or first.wall_ms
        worth = int(self.work_since_ms / max(self.plan.reference_every_ms, 1e-9))
        wanted = max(min(max(worth, 1), self.MOST_RUNS), self._fewest_runs)
        samples: list[Sample] = []
        calm: list[Sample] = []
        while len(calm) < wanted and len(samples) < wanted + max(wanted // 4, 1):
            samples.append(_timed_run(reference, self.clock))
            self.spent.timed_s += samples[-1].wall_ms / 1e3
            if not samples[-1].disturbed(self.plan.threads):
                calm.append(samples[-1])
        times = [sample.wall_ms for sample in calm or samples]
        return statistics.fmean(times) if wanted <= self.MOST_RUNS else statistics.median(times)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep Python's collector from running inside a timed window."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _lacks(samples: SessionSamples, wanted: int) -> bool:
    return len(samples.kept) < wanted and len(samples.kept) + len(samples.set_aside) < 2 * wanted


def _warm_up(executable: Runnable, plan: SamplingPlan, clock: Clock, spent: TimeSpent) -> float:
    """Run until warm; return the milliseconds of the quickest run, 0 where none is wanted."""
    started = clock.wall()
    times: list[float] = []
    while len(times) < plan.warmup_runs or sum(times) < plan.warmup_ms:
        times.append(_timed_run(executable, clock).wall_ms)
        if len(times) >= 1000:  # a run too short for the clock would never fill warmup_ms
            break
    spent.warmup_s += (clock.wall() - started) / 1e9
    return min(times, default=0.0)


def _timed_run(executable: Runnable, clock: Clock) -> Sample:
    preemptions = clock.preemptions()
    cpu = clock.cpu()
    wall = clock.wall()
    executable.run()
    wall = clock.wall() - wall
    cpu = clock.cpu() - cpu
    preemptions = clock.preemptions() - preemptions
    if isinstance(executable, DeviceTimed):
        # The device's clock ran only while the device worked: what the host waited is not in it.
        ms = executable.device_ms()
        return Sample(ms, ms, preemptions)
    return Sample(wall / 1e6, cpu / 1e6, preemptions)


def groups_of(keys: Sequence[Key], size: int) -> list[list[Key]]:
    """Cut `keys` into groups of at most `size`, as even as they can be."""
    count = max(1, -(-len(keys) // size))
    return [list(keys[i::count]) for i in range(count)] if keys else []
