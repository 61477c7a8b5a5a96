"""Timing deployed files beside a reference, each in the process of its runtime.

What the machine does meanwhile hits the file and the reference alike, so their ratio is kept; the
reference's own times say how fast the machine was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from ...closing import Closing
from ..runtimes.child import Child
from ..sampling.clock import Clock, SystemClock
from ..sampling.opening_order import opening_orders
from ..sampling.sampler import sample_group
from ..sampling.statistics import latency_interval
from ..sampling.timed_run import OpenSession, Sample
from ..side_by_side import PLAN
from .deployed import Deployed
from .worker import fields_of

REFERENCE = "reference"
# The share of runs that are no slower than the figure of the tail.
TAIL = 0.99


@dataclass(frozen=True)
class Ratio:
    """A file's time over the reference's, with its 95 % interval; times are of one run.

    tail: its 99th percentile over its median; reference_ms: the reference's median of every
    session; disturbed: nothing but disturbed samples.
    """

    ratio: float
    low: float
    high: float
    tail: float
    reference_ms: tuple[float, ...]
    disturbed: bool


class WorkerSession(Closing):
    """A session of a file in a worker's process; `timed()` is one run by that process's clocks."""

    def __init__(self, worker: Child, file: Deployed) -> None:
        self._worker = worker
        self._number = worker.ask("open", file=fields_of(file))["session"]

    def run(self) -> None:
        self.timed()

    def timed(self) -> Sample:
        return Sample(**self._worker.ask("run", session=self._number))

    def close(self) -> None:
        if self._number:
            number, self._number = self._number, 0
            self._worker.ask("close", session=number)


def timed_beside(
    opened: Mapping[str, Callable[[], OpenSession]],
    threads: int,
    sessions: int,
    clock: Clock | None = None,
    on_session: Callable[[int, int], None] = lambda done, total: None,
    seed: int = 0,
) -> dict[str, Ratio]:
    """Return the ratio of each to the one called REFERENCE.

    `opened` gives a fresh session every time it is called; threads: the most that any of them
    uses. Raises BackendError where one cannot be run.
    """
    clock = clock or SystemClock()
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    plan = replace(PLAN, threads=threads)
    medians: dict[str, list[float]] = {name: [] for name in opened}
    over_median: dict[str, list[float]] = {name: [] for name in opened}
    calm = dict.fromkeys(opened, False)
    orders = opening_orders(list(opened), rng)
    for nth, order in enumerate(islice(orders, sessions)):
        with ExitStack() as stack:
            group = {name: stack.enter_context(opened[name]()) for name in order}
            for name, samples in sample_group(group, plan, clock, rng).items():
                used = samples.kept or samples.all
                calm[name] |= bool(samples.kept)
                median = float(np.median([sample.wall_ms for sample in used]))
                medians[name].append(median)
                # A tail is made of what disturbs, so nothing is set aside here.
                over_median[name] += [sample.wall_ms / median for sample in samples.all]
        on_session(nth + 1, sessions)
    beside = medians.pop(REFERENCE)
    found = {}
    for name, of_session in medians.items():
        ratios = [one / other for one, other in zip(of_session, beside, strict=True)]
        tail = max(float(np.quantile(over_median[name], TAIL)), 1.0)
        found[name] = Ratio(*latency_interval(ratios), tail, tuple(beside), not calm[name])
    return found
