"""A machine that is as slow, run after run, as a real one was that a trace was taken of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median

from .traces import read_trace


class TraceMachine:
    """A `Clock` on which the nth run takes what the trace's nth run took of its subject's median.

    It begins at a random run of the trace and goes on in its order, so that slow spells last as
    long as they did. `luck_sd`, `noise_sd` and `tail` are those of a session, as `Weather` has
    them: the noise of single runs is the trace's.
    """

    def __init__(self, runs: Sequence[tuple[float, float, int]], seed: int, luck_sd: float) -> None:
        self.rng = random.Random(seed)
        self.luck_sd = luck_sd
        self._runs = runs
        self._next = self.rng.randrange(len(runs))
        self._wall_ns = self._cpu_ns = 0
        self._switches = 0

    def wall(self) -> int:
        return self._wall_ns

    def cpu(self) -> int:
        return self._cpu_ns

    def preemptions(self) -> int:
        return self._switches

    def run(self, ms: float) -> None:
        """Run what takes `ms` where the trace's runs take their median."""
        wall, cpu, preemptions = self._runs[self._next]
        self._next = (self._next + 1) % len(self._runs)
        self._wall_ns += round(ms * 1e6 * wall)
        self._cpu_ns += round(ms * 1e6 * cpu)
        self._switches += preemptions


def factors_of(name: str) -> list[tuple[float, float, int]]:
    """Return a trace's runs in their order: wall and CPU time over the subject's median wall time.

    With the number of preemptions.
    """
    found = []
    for group in read_trace(name).groups:
        times: dict[object, list[int]] = {}
        for run in group:
            times.setdefault(run.subject, []).append(run.wall_ns)
        middle = {subject: median(walls) for subject, walls in times.items()}
        found += [
            (run.wall_ns / middle[run.subject], run.cpu_ns / middle[run.subject], run.preemptions)
            for run in group
        ]
    return found
