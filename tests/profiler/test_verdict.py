"""A point's row, made of its sessions."""

from __future__ import annotations

from collections.abc import Callable

from vitprof.profiler.plan import Plan
from vitprof.profiler.protocol import Protocol
from vitprof.profiler.verdict import judged, point_row
from vitprof.tables import Row


def test_a_point_is_judged_by_all_its_sessions(
    widths: Callable[..., Plan], row_of: Callable[..., Row], quick: Callable[..., Protocol]
) -> None:
    point = widths(8).points[0]
    sessions = [
        row_of(point.subject, ms, min_ms=ms - 0.5, samples=10, set_aside=n, measured_at=f"t{n}")
        for n, ms in enumerate((2.0, 2.02, 1.98))
    ]
    row = point_row(point, sessions, quick(), shared_sd=0.01)
    assert row.latency_ms == 2.0
    assert row.session_ms == (2.0, 2.02, 1.98)
    assert row.min_ms == 1.48
    assert (row.samples, row.set_aside, row.measured_at) == (30, 3, "t2")
    assert row.verdict == "stable"
    wider = judged(row, quick(), shared_sd=0.2)
    assert wider.verdict == "unstable"
    assert wider.high_ms > row.high_ms
