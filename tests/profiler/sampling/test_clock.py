"""The machine's own clocks."""

from __future__ import annotations

from vitprof.profiler.sampling.clock import SystemClock


def test_they_only_go_forward() -> None:
    now = SystemClock()
    reads = (now.wall, now.cpu, now.preemptions)
    before = [read() for read in reads]
    sum(range(100_000))
    after = [read() for read in reads]
    assert all(then <= later for then, later in zip(before, after, strict=True))
    assert after[0] > before[0]
