"""The clocks that samples are read from. Tests script them; nothing else reads the time."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
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

    def others(self) -> int:
        """Return the CPU time in ns that everybody else has used, averaged over the cores."""
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

    def others(self) -> int:
        busy = _busy_ns()
        # Sandboxes tell a busy time of 0, or one that lags behind this process's own.
        return 0 if busy is None else max(busy - self.cpu(), 0) // (os.cpu_count() or 1)


# What /proc/stat counts as idle: idle and iowait. "steal" is a neighbour on the host: not idle.
_IDLE_FIELDS = (3, 4)
# guest and guest_nice are already within user and nice.
_FIELDS = 8


def _busy_ns(stat: Path = Path("/proc/stat")) -> int | None:
    """Return the CPU time of all cores together that was not idle, None where it is not told."""
    try:
        fields = stat.read_text().splitlines()[0].split()[1 : _FIELDS + 1]
        ticks = sum(int(f) for i, f in enumerate(fields) if i not in _IDLE_FIELDS)
        return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
