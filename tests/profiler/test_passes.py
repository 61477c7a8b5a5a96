"""Extra sessions, the reference and its failures, and the time a run may take."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.models import ViTSpec
from vitprof.profiler.measure import measure_models, measure_table, options_of
from vitprof.profiler.plan import Plan, Point
from vitprof.profiler.protocol import Protocol
from vitprof.tables import LatencyTable, Setting

Widths = Callable[..., Plan]
NewBackend = Callable[..., Any]
Quick = Callable[..., Protocol]


@pytest.fixture
def measure(out: Path, toy_setting: Setting) -> Callable[..., LatencyTable]:
    def run(plan: Plan, backend: Any, protocol: Protocol, **others: Any) -> LatencyTable:
        arguments = {"protocol": protocol, "clock": backend.clock} | others
        return measure_table(plan, backend, toy_setting, out, **arguments)

    return run


def test_only_what_is_unstable_gets_extra_sessions(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    moody = widths(16).points[0].subject

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(rng.uniform(1, 3) if artifact["params"] == moody.params else 1.0)]

    protocol = quick(sessions=3, extra_sessions=2)
    table = measure(widths(8, 16, 24, 32, 40), new_backend(runs_of=runs), protocol)
    assert [row.sessions for row in table.rows] == [3, 5, 3, 3, 3]
    assert [row.verdict for row in table.rows].count("unstable") == 1


def test_what_an_extra_session_steadies_gets_no_further_one(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    lengths = iter([1.0, 1.0, 1.25, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(next(lengths))]

    table = measure(widths(8), new_backend(runs_of=runs), quick(sessions=3, extra_sessions=6))
    assert 3 < table.rows[0].sessions < 9
    assert table.rows[0].verdict == "stable"


def test_a_wandering_speed_is_corrected_by_the_reference(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    """In each of three passes through six points the machine has another speed."""
    plan = widths(8, 16, 24, 32, 40, 48)

    def wandering(correct_drift: bool) -> LatencyTable:
        backend = new_backend(runs_of=lambda artifact, _: [run_of(artifact["params"] / 1e3)])
        advance = backend.clock.advance

        def at_speed(ms: float, *others: Any) -> None:
            loaded = len(backend.opened) - (3 if correct_drift else 0)
            advance(ms * (1.0, 1.2, 0.8)[max(loaded - 1, 0) // 6], *others)

        backend.clock.advance = at_speed
        return measure(plan, backend, quick(correct_drift=correct_drift), fresh=True)

    raw, corrected = wandering(correct_drift=False), wandering(correct_drift=True)
    assert {row.verdict for row in raw.rows} == {"unstable"}
    assert {row.verdict for row in corrected.rows} == {"stable"}
    for row, point in zip(corrected.rows, plan.points, strict=True):
        assert row.latency_ms == pytest.approx(point.subject.params / 1e3)
        assert sorted(row.session_ms) == pytest.approx([f * row.latency_ms for f in (0.8, 1, 1.2)])
        assert len(row.reference_ms) == 3
    assert all(row.reference_ms == () for row in raw.rows)
    assert corrected.other["reference"] == {"op": "mlp", "embed": 8, "mlp": 48, "tokens": 2}
    drift = corrected.other["drift"]
    assert drift["p10_ms"] < drift["typical_ms"] < drift["p90_ms"]
    assert raw.other["drift"] is None


@pytest.mark.parametrize("stage", ["build_fault", "load_fault", "run_fault"])
def test_a_reference_that_breaks_does_not_end_the_run(
    stage: str,
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
) -> None:
    """The reference is the largest block here; what cannot be measured is that one alone."""
    plan = widths(8, 16, 48)
    largest = plan.points[-1].subject.params
    fault = {stage: lambda artifact: "broken" if artifact["params"] == largest else ""}
    table = measure(plan, new_backend(**fault), quick(correct_drift=True))
    assert [row.verdict for row in table.rows] == ["stable", "stable", "failed"]


def test_a_plan_of_whole_models_alone_can_be_measured(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, quick: Quick
) -> None:
    spec = ViTSpec.uniform(8, 1, 1, resolution=4, patch=2, in_channels=1, classes=2, name="one")
    table = measure(Plan([Point(spec, "in_model")]), new_backend(), quick(correct_drift=True))
    assert [row.subject for row in table.rows] == [spec]


def test_over_its_budget_a_run_still_gives_every_point_a_session(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, quick: Quick
) -> None:
    table = measure(widths(8, 16, 24), new_backend(), quick(sessions=5), budget_s=0.0)
    assert [row.sessions for row in table.rows] == [1, 1, 1]


def test_models_are_brought_to_the_speed_of_the_reference(
    new_backend: NewBackend, toy_setting: Setting, quick: Quick, run_of: Any, widths: Widths
) -> None:
    spec = ViTSpec.uniform(8, 1, 1, resolution=4, patch=2, in_channels=1, classes=2, name="one")
    reference = widths(8).points[0].subject

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(2.0 if artifact["params"] == reference.params else 10.0)]

    backend = new_backend(runs_of=runs)
    measured = measure_models(
        [spec],
        backend,
        toy_setting,
        options_of(toy_setting),
        protocol=quick(),
        reference=reference,
        typical_ms=1.0,
        clock=backend.clock,
    )
    assert measured.rows[0].session_ms == (10.0,) * 3
    assert measured.rows[0].latency_ms == pytest.approx(5.0)
    assert measured.drift is not None
    assert measured.drift.typical_ms == 2.0
