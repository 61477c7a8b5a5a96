"""A stretch of a long run as it is kept: a few numbers, however many runs it holds."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from ..sampling.timed_run import Sample

# A run is cut into at most so many intervals, unless they became longer than LONGEST_S.
MOST_INTERVALS = 600
SHORTEST_S = 0.25
LONGEST_S = 10.0


@dataclass(frozen=True)
class Interval:
    """What the runs of one interval took, in ms, and what the sensors read at its end.

    `start_s` and `end_s` count from the first warm run. `set_aside` of the `runs` were interrupted
    by other work; the times are those of the others, or of all where all were interrupted. `mhz`,
    `celsius` and `joules` (spent within the interval) are None where the system does not tell.
    """

    start_s: float
    end_s: float
    runs: int
    set_aside: int
    median_ms: float
    min_ms: float
    p90_ms: float
    max_ms: float
    mhz: float | None = None
    celsius: float | None = None
    joules: float | None = None

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def interval_seconds(total_s: float) -> float:
    """Return how long each interval of a run of `total_s` is.

    Reading the sensors takes some time too, so no interval is shorter than SHORTEST_S. LONGEST_S
    bounds the runs that are in memory at a time, and is well within the time in which an energy
    counter wraps.
    """
    return min(max(total_s / MOST_INTERVALS, SHORTEST_S), LONGEST_S)


class OpenInterval:
    """The interval that runs are being added to."""

    def __init__(self, start_s: float) -> None:
        self.start_s = start_s
        self._kept = array("d")
        self._set_aside = array("d")

    @property
    def runs(self) -> int:
        return len(self._kept) + len(self._set_aside)

    def add(self, sample: Sample, threads: int) -> None:
        aside = sample.disturbed(threads)
        (self._set_aside if aside else self._kept).append(sample.wall_ms)

    def close(
        self, end_s: float, mhz: float | None, celsius: float | None, joules: float | None
    ) -> Interval:
        """Return what is kept of it; it has at least one run."""
        import numpy as np

        times = np.asarray(self._kept or self._set_aside)
        median, p90 = np.percentile(times, [50, 90])
        return Interval(
            self.start_s,
            end_s,
            self.runs,
            len(self._set_aside),
            float(median),
            float(times.min()),
            float(p90),
            float(times.max()),
            mhz,
            celsius,
            joules,
        )
