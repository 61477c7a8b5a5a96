"""Measuring a few things of different kinds side by side: anything that can be opened and run.

A table's points share one Setting. Here fp32 stands beside int8, or one runtime beside another; as
they are run in turns, what the machine does meanwhile hits all alike, and ratios can be trusted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from ..backends import Executable
from .sampling.clock import Clock, SystemClock
from .sampling.opening_order import opening_orders
from .sampling.sampler import sample_group
from .sampling.sampling_plan import SamplingPlan
from .sampling.statistics import latency_interval

# A run of a whole model is long, and its weights are driven out of the caches by the others'.
PLAN = SamplingPlan(warmup_runs=2, warmup_ms=20.0, timed_ms=400.0, min_runs=9, max_runs=40)
# An even number: every order of opening is followed by its opposite.
SESSIONS = 6


@dataclass(frozen=True)
class Timing:
    """What one of them took: the median of its sessions' medians with its 95 % interval, in ms.

    cpu_ms: processor time of a run, over all threads. disturbed: nothing but disturbed samples.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    cpu_ms: float
    sessions: int
    samples: int
    disturbed: bool

    @property
    def cpu_percent(self) -> float:
        """Of one core, while it runs: 100 is one core kept busy."""
        return 100 * self.cpu_ms / self.latency_ms


def measure_side_by_side(
    opened: Mapping[str, Callable[[], Executable]],
    threads: int = 1,
    sessions: int = SESSIONS,
    plan: SamplingPlan = PLAN,
    clock: Clock | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    seed: int = 0,
) -> dict[str, Timing]:
    """Return what each takes; `opened` gives a fresh session of it every time it is called.

    threads: the most that any of them uses. Raises BackendError where one cannot be run.
    """
    clock = clock or SystemClock()
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    plan = replace(plan, threads=threads)
    wall: dict[str, list[float]] = {name: [] for name in opened}
    cpu: dict[str, list[float]] = {name: [] for name in opened}
    count = dict.fromkeys(opened, 0)
    calm = dict.fromkeys(opened, False)
    orders = opening_orders(list(opened), rng)
    for nth, order in enumerate(islice(orders, sessions)):
        with ExitStack() as stack:
            group = {name: stack.enter_context(opened[name]()) for name in order}
            for name, samples in sample_group(group, plan, clock, rng).items():
                used = samples.kept or samples.all
                calm[name] |= bool(samples.kept)
                count[name] += len(used)
                wall[name].append(float(np.median([sample.wall_ms for sample in used])))
                cpu[name].append(float(np.median([sample.cpu_ms for sample in used])))
        if on_progress is not None:
            on_progress(nth + 1, sessions)
    return {
        name: Timing(
            *latency_interval(wall[name]),
            float(np.median(cpu[name])),
            sessions,
            count[name],
            not calm[name],
        )
        for name in opened
    }
