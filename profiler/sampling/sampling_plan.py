"""How long one session of a point is sampled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplingPlan:
    """How long to sample one session of a point.

    After `warmup_runs` and at least `warmup_ms`, as many timed runs as fit `timed_ms`, but from
    `min_runs` to `max_runs`. Points take turns, and other points drive a point's weights out of
    the caches: at each turn it is run once untimed and then timed `runs_per_turn` times, for what
    is wanted is the latency of a model that runs again and again. `threads` decides which samples
    count as disturbed. The reference is read again after every `reference_every_ms` of other work,
    and sooner where a group is so quick that it would be read fewer than `readings` times: spells
    of a tenth of a second hit one reading in several. One that is short is read sooner too and as
    often as fills `reading_ms`, for one run says little.
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
    readings: int = 0

    def every_ms(self, work_ms: float) -> float:
        """Return after how much work the reference is read, of a group of `work_ms` in all."""
        if not self.readings:
            return self.reference_every_ms
        return min(self.reference_every_ms, work_ms / self.readings)

    def runs_for(self, run_ms: float) -> int:
        """Return how many timed runs a point gets whose run takes `run_ms`."""
        wanted = self.timed_ms / run_ms if run_ms > 0 else self.max_runs
        return int(min(max(wanted, self.min_runs), self.max_runs))
