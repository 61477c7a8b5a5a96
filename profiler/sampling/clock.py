"""The clocks that samples are read from. Tests script them; nothing else reads the time."""

from __future__ import annotations

import resource
import time
from typing import Protocol


class Clock(Protocol):
    """What the sampler asks: all in nanoseconds but for the count."""

    def wall(self) -> int:
        """Return monotonic wall time in ns."""
        ...

    def cpu(self) -> int:
        """Return the CPU time in ns that this process has used, all threads."""
        ...

    def preemptions(self) -> int:
        """Return how often the kernel took the CPU from this process against its will."""
        ...


class SystemClock:
    """The machine's own clocks.

    CPU time is the process's, because a runtime may compute on threads of its own.
    """

    def wall(self) -> int:
        return time.perf_counter_ns()

    def cpu(self) -> int:
        return time.process_time_ns()

    def preemptions(self) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
