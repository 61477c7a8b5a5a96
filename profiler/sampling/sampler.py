"""Timed runs: a group of executables is warmed up, then run in interleaved rounds.

Interleaving makes disturbances of the machine hit all points of the group alike. A sample
during which the kernel took the CPU away, or in which the wall clock ran far ahead of the CPU
clock, says how busy the machine was, not what the block costs: it is set aside and counted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...backends import TimesManyRuns
from .clock import Clock
from .no_garbage_collection import no_garbage_collection
from .sampling_plan import SamplingPlan
from .speedometer import Speedometer
from .timed_run import Runnable, Sample, TimeSpent, timed_run

Key = TypeVar("Key")

# Of an executable that times many runs at each call, so many calls make a session.
CALLS_OF_MANY_RUNS = 3
# Reading the clocks costs half a microsecond of CPU time, 2 to 3 once a run has emptied the caches:
# 5 % of a run of 0.05 ms, which no thread of a runtime has used. Of longer runs 1.5 % at the most.
SHORTEST_RUN_MS = 0.2


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

    @property
    def cores(self) -> float | None:
        """How many cores the process kept busy: CPU seconds of all its threads over wall seconds.

        None where the device timed itself, and where runs are so short that reading the clocks
        would count as work.
        """
        used = [sample for sample in self.kept or self.all if not sample.by_device]
        wall_ms = sum(sample.wall_ms for sample in used)
        if not used or wall_ms < SHORTEST_RUN_MS * len(used):
            return None
        return sum(sample.cpu_ms for sample in used) / wall_ms


def sample_group(
    group: Mapping[Key, Runnable],
    plan: SamplingPlan,
    clock: Clock,
    rng: random.Random,
    spent: TimeSpent | None = None,
    reference: Runnable | None = None,
    *,
    readings: list[float] | None = None,
    untimed: int = 1,
    keep_all: bool = False,
    on_round: Callable[[], None] = lambda: None,
) -> dict[Key, SessionSamples]:
    """Warm up and time every executable of `group`, interleaved in random order.

    In every round each point that still lacks runs has one turn. A sample set aside is made up
    for, up to as many again as were planned; a point whose samples are all disturbed keeps none.
    `reference` is run in between and once more in the end, so that every sample lies between two of
    its readings (`speedometer.py`); where running it fails, the samples go without. What it read is
    added to `readings`, in ms.

    `untimed` runs begin each turn. With `keep_all` no sample is set aside, so that each point's nth
    is of the same round as the others' nth. `on_round` is called after every round.
    """
    spent = spent if spent is not None else TimeSpent()
    warm = {key: _warm_up(executable, plan, clock, spent) for key, executable in group.items()}
    wanted = {key: _runs_for(group[key], plan, run_ms) for key, run_ms in warm.items()}
    results: dict[Key, SessionSamples] = {key: SessionSamples() for key in group}
    speedometer = Speedometer(reference, plan, clock, spent)
    turn = 1 + untimed / plan.runs_per_turn
    work_ms = sum(turn * wanted[key] * run_ms for key, run_ms in warm.items())
    speedometer.every_ms = plan.every_ms(work_ms)
    with no_garbage_collection():
        while True:
            lacking = [key for key in group if _lacks(results[key], wanted[key])]
            if not lacking:
                break
            rng.shuffle(lacking)
            for key in lacking:
                # The reference drives a short point's data out of the cache again, so it is read
                # before the untimed run; within a long point's turn its reading would grow old.
                long = warm[key] >= speedometer.every_ms
                if not long:
                    speedometer.read()
                for _ in range(0 if isinstance(group[key], TimesManyRuns) else untimed):
                    warming = timed_run(group[key], clock)
                    spent.warmup_s += warming.wall_ms / 1e3
                    speedometer.worked(warming.wall_ms)
                for _ in range(plan.runs_per_turn):
                    if not _lacks(results[key], wanted[key]):
                        break
                    if long:
                        speedometer.read()
                    sample = timed_run(group[key], clock)
                    spent.timed_s += sample.wall_ms / 1e3
                    speedometer.worked(sample.wall_ms)
                    aside = not keep_all and sample.disturbed(plan.threads)
                    (results[key].set_aside if aside else results[key].kept).append(sample)
            on_round()
        speedometer.close()
    for samples in results.values():
        samples.kept = [speedometer.beside(sample) for sample in samples.kept]
        samples.set_aside = [speedometer.beside(sample) for sample in samples.set_aside]
    if readings is not None:
        readings += speedometer.readings
    return results


def _lacks(samples: SessionSamples, wanted: int) -> bool:
    return len(samples.kept) < wanted and len(samples.kept) + len(samples.set_aside) < 2 * wanted


def _runs_for(executable: Runnable, plan: SamplingPlan, run_ms: float) -> int:
    asked = plan.min_runs == plan.max_runs  # for just so many
    if isinstance(executable, TimesManyRuns) and not asked:
        return min(CALLS_OF_MANY_RUNS, plan.max_runs)
    return plan.runs_for(run_ms)


def _warm_up(executable: Runnable, plan: SamplingPlan, clock: Clock, spent: TimeSpent) -> float:
    """Run until warm; return the milliseconds of the quickest run, 0 where none is wanted."""
    if isinstance(executable, TimesManyRuns):  # warms up within each call
        return executable.device_ms()
    started = clock.wall()
    times: list[float] = []
    while len(times) < plan.warmup_runs or sum(times) < plan.warmup_ms:
        times.append(timed_run(executable, clock).wall_ms)
        if len(times) >= 1000:  # a run too short for the clock would never fill warmup_ms
            break
    spent.warmup_s += (clock.wall() - started) / 1e9
    return min(times, default=0.0)


def groups_of(keys: Sequence[Key], size: int) -> list[list[Key]]:
    """Cut `keys` into groups of at most `size`, as even as they can be."""
    count = max(1, -(-len(keys) // size))
    return [list(keys[i::count]) for i in range(count)] if keys else []
