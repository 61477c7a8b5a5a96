"""How fast the machine is just now: a reference that is run again and again.

A shared machine's speed wanders by tens of per cent within seconds, and most of that hits every
block alike. Each timed run lies between two readings of the reference. What the reference took at
that moment is read from the straight line, in time and ln(ms), between the two.
"""

from __future__ import annotations

import bisect
import math
import statistics
from dataclasses import replace

from ...backends import TimesManyRuns
from .clock import Clock
from .sampling_plan import SamplingPlan
from .timed_run import Runnable, Sample, TimeSpent, timed_run


class Speedometer:
    """Reads the reference when its last reading has grown old, and remembers all readings."""

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
        self.every_ms = plan.reference_every_ms
        self.latest_ms = 0.0
        self.work_since_ms = 0.0
        self.readings: list[float] = []
        self._middles_ns: list[int] = []

    def worked(self, ms: float) -> None:
        self.work_since_ms += ms

    def read(self) -> float:
        """Return the reference's time in ms, taken now if the last one is old; 0 without one."""
        every_ms = self.every_ms
        if self._fewest_runs > 1:
            every_ms = min(every_ms, self.READING_PERIOD * self._fewest_runs * self.latest_ms)
        if self.latest_ms == 0.0 or self.work_since_ms >= every_ms:
            self._read_now()
        return self.latest_ms

    def close(self) -> None:
        """Read once more, so that the last samples lie between two readings as well."""
        if self.work_since_ms > 0.0 and self.latest_ms > 0.0:
            self._read_now()

    def beside(self, sample: Sample) -> Sample:
        """Return the sample with what the reference took at its moment; all 0 without one."""
        after = bisect.bisect_left(self._middles_ns, sample.middle_ns)
        if after == 0:
            return sample
        before_ms = self.readings[after - 1]
        if after == len(self.readings):
            # The reference broke: what was read last holds a while and then no longer.
            return replace(sample, reference_ms=0.0 if self.reference is None else before_ms)
        start, end = self._middles_ns[after - 1], self._middles_ns[after]
        if end <= start:  # a clock that went back
            return replace(sample, reference_ms=before_ms)
        change = math.log(self.readings[after] / before_ms)
        ms = before_ms * math.exp(change * (sample.middle_ns - start) / (end - start))
        return replace(sample, reference_ms=ms, reading_gap=abs(change))

    def _read_now(self) -> None:
        if self.reference is None:
            return
        try:
            self._reading(self.reference)
        except RuntimeError:
            # Not worth losing the points for: they go on without a correction.
            self.reference, self.latest_ms = None, 0.0
        self.work_since_ms = 0.0

    @property
    def _fewest_runs(self) -> int:
        """Runs of the reference that fill a reading's time."""
        if self.latest_ms <= 0.0 or isinstance(self.reference, TimesManyRuns):
            return 1
        fill = math.ceil(self.plan.reading_ms / self.latest_ms)
        return min(max(fill, 1), self.MOST_SHORT_RUNS)

    def _reading(self, reference: Runnable) -> None:
        """Take the mean of some runs that nothing disturbed, or else the least disturbed one.

        Of a short reference it is the median, of more runs.
        """
        if isinstance(reference, TimesManyRuns):
            wanted = 1
        else:
            # Warms its weights: other work has driven them out of the cache.
            first = timed_run(reference, self.clock)
            self.latest_ms = self.latest_ms or first.wall_ms
            worth = int(self.work_since_ms / max(self.every_ms, 1e-9))
            wanted = max(min(max(worth, 1), self.MOST_RUNS), self._fewest_runs)
        samples: list[Sample] = []
        calm: list[Sample] = []
        while len(calm) < wanted and len(samples) < wanted + max(wanted // 4, 1):
            samples.append(timed_run(reference, self.clock))
            self.spent.timed_s += samples[-1].wall_ms / 1e3
            if not samples[-1].disturbed(self.plan.threads):
                calm.append(samples[-1])
        least = min(samples, key=lambda sample: sample.wall_ms - sample.cpu_ms)
        times = [sample.wall_ms for sample in calm or [least]]
        few = wanted <= self.MOST_RUNS
        self.latest_ms = statistics.fmean(times) if few else statistics.median(times)
        self.readings.append(self.latest_ms)
        self._middles_ns.append((samples[0].middle_ns + samples[-1].middle_ns) // 2)
