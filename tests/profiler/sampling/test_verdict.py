"""A point's row, made of its sessions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.models import Block, ViTSpec
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan, Point
from vitprof.profiler.sampling.correction import corrected_sessions
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.sampler import SessionSamples
from vitprof.profiler.sampling.timed_run import Sample
from vitprof.profiler.sampling.verdict import judged, point_row, session_row
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Row, Setting

Measure = Callable[..., LatencyTable]


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


# --- a block in a network, and in a model ---------------------------------------------------------


@pytest.fixture
def measure(out: Path, toy_setting: Setting, quick: Callable[..., Protocol]) -> Measure:
    def run(plan: Plan, backend: Any, **others: Any) -> LatencyTable:
        arguments = {"protocol": quick(), "clock": backend.clock} | others
        return measure_table(plan, Target(backend, toy_setting), out, **arguments)

    return run


@pytest.fixture
def additive(new_backend: Callable[..., Any], run_of: Any) -> Any:
    """A runtime where every weight takes a microsecond, and a run as such 0.25 ms."""
    return new_backend(runs_of=lambda artifact, _: [run_of(0.25 + artifact["params"] / 1e3)])


MODEL = ViTSpec.uniform(16, 3, 1, 32, resolution=8, patch=4, in_channels=1, classes=10, name="m")


def test_in_a_network_a_block_costs_exactly_what_each_repeat_adds(
    measure: Measure, additive: Any
) -> None:
    table = measure(Plan.of_blocks(MODEL.blocks(), "in_network"), additive)
    assert len(table.rows) == 4
    for row in table.rows:
        share = row.subject.params / 1e3
        alone = row.subject.op in ("patch_embed", "classifier")
        assert row.context == ("alone" if alone else "in_network")
        assert row.latency_ms == pytest.approx(share + 0.25 * alone, rel=1e-9)
        assert row.session_ms == pytest.approx((row.latency_ms,) * 3, rel=1e-9)
        assert row.verdict == "stable"


def test_in_its_model_a_block_costs_exactly_what_the_model_gains_without_it(
    measure: Measure, additive: Any
) -> None:
    table = measure(Plan.in_model(MODEL), additive)
    assert [row.context for row in table.rows] == [
        "alone",
        "in_model",
        "in_model",
        "alone",
        "in_model",
    ]
    for row in table.block_rows[1:3]:
        assert row.latency_ms == pytest.approx(row.subject.params / 1e3, rel=1e-9)
        assert row.verdict == "stable"
    assert table.model_rows[0].latency_ms == pytest.approx(0.25 + MODEL.params / 1e3, rel=1e-9)
    whole_and_without = 3
    assert len(additive.built) == 2 + whole_and_without + 1


def test_a_difference_is_corrected_for_drift_as_a_whole(
    measure: Measure, additive: Any, quick: Callable[..., Protocol]
) -> None:
    """The machine is a fifth slower in the second of three passes."""
    advance = additive.clock.advance
    layers = [block for block in MODEL.blocks() if block.op in ("attention", "mlp")]

    def at_speed(ms: float, *others: Any) -> None:
        loaded = len(additive.opened) - 1
        advance(ms * (1.25 if 4 < loaded <= 8 else 1.0), *others)

    additive.clock.advance = at_speed
    protocol = quick(correct_drift=True, reference_sessions=1)
    table = measure(Plan.of_blocks(layers, "in_network"), additive, protocol=protocol)
    for row in table.rows:
        share = row.subject.params / 1e3
        assert sorted(row.session_ms) == pytest.approx([share, share, 1.25 * share], rel=1e-6)
        assert corrected_sessions(row, min(row.reference_ms)) == pytest.approx([share] * 3)
        assert row.verdict == "stable"


@pytest.mark.parametrize("ms", [lambda n: 2.0, lambda n: 5.0 - n / 1e4], ids=["equal", "negative"])
def test_a_difference_that_is_not_above_0_is_a_failed_row_with_words(
    ms: Callable[[int], float],
    measure: Measure,
    new_backend: Callable[..., Any],
    run_of: Any,
    mlp: Callable[..., Block],
    out: Path,
) -> None:
    backend = new_backend(runs_of=lambda artifact, _: [run_of(ms(artifact["params"]))])
    measure(Plan.of_blocks([mlp()], "in_network"), backend)
    row = LatencyTable.read_csv(out).rows[0]
    assert row.verdict == "failed"
    assert math.isnan(row.latency_ms)
    for words in ("with and without it", "smaller than the noise", "context alone"):
        assert words in row.error
    assert "\n" not in row.error


def test_percentiles_of_a_difference_below_0_are_left_empty(
    mlp: Callable[..., Block], quick: Callable[..., Protocol], out: Path, setting: Setting
) -> None:
    """The medians differ by the block, the slow tail of the short chain by more than that."""
    point = Point(mlp(), "in_network")
    long, short = (part.subject for part in point.parts)
    samples = {
        long: SessionSamples([Sample(ms, ms, 0) for ms in (9.0, 10.0, 10.0, 10.0, 11.0)]),
        short: SessionSamples([Sample(ms, ms, 0) for ms in (1.0, 2.0, 2.0, 2.0, 50.0)]),
    }
    session = session_row(point, samples)
    assert session.latency_ms == 2.0
    assert session.min_ms == 2.0
    assert math.isnan(session.p90_ms)
    assert math.isnan(session.p99_ms)
    row = point_row(point, [session, session], quick(), 0.01)
    assert row.low_ms < row.latency_ms < row.high_ms
    LatencyTable([row], setting).to_csv(out)
    assert math.isnan(LatencyTable.read_csv(out).rows[0].p99_ms)


def test_a_part_that_fails_fails_the_point_with_its_reason(
    measure: Measure, additive: Any, mlp: Callable[..., Block]
) -> None:
    block = mlp()
    additive.load_fault = lambda artifact: (
        "out of memory" if artifact["params"] == 5 * block.params else ""
    )
    row = measure(Plan.of_blocks([block], "in_network"), additive).rows[0]
    assert (row.verdict, row.error) == ("failed", "out of memory")


# --- verdicts -------------------------------------------------------------------------------------


def test_a_loud_machine_does_not_make_a_point_unstable_whose_sessions_agree(
    mlp: Callable[..., Block], row_of: Callable[..., Row], quick: Callable[..., Protocol]
) -> None:
    row = row_of(mlp(), 8.0, session_ms=(10.8, 12.0, 14.4), reference_ms=(2.7, 3.0, 3.6))
    row = judged(row, quick(), shared_sd=0.01, speed_ms=2.0)
    assert row.latency_ms == pytest.approx(8.0)
    assert row.verdict == "stable"
    assert judged(row, quick(), shared_sd=0.01).verdict == "unstable", "without the reference"


def test_every_cause_is_named(
    mlp: Callable[..., Block], row_of: Callable[..., Row], quick: Callable[..., Protocol]
) -> None:
    row = row_of(mlp(), 8.0, session_ms=(4.0, 8.0, 16.0), samples=0, set_aside=5)
    error = judged(row, quick(), shared_sd=0.01).error
    for words in ("its 3 sessions differ by 300 %", "each of its 5 runs was disturbed"):
        assert words in error
    assert error.count("; ") == 1


def test_one_session_is_not_said_to_differ(
    mlp: Callable[..., Block], row_of: Callable[..., Row], quick: Callable[..., Protocol]
) -> None:
    row = judged(row_of(mlp(), 8.0, session_ms=(8.0,)), quick(), shared_sd=0.11)
    assert row.verdict == "unstable"
    assert "it has one session, and sessions here differ by 11.0 %: measure" in row.error


def test_an_assumed_spread_is_called_so(
    mlp: Callable[..., Block], row_of: Callable[..., Row], quick: Callable[..., Protocol]
) -> None:
    strict = replace(quick(), unstable_above=0.01)
    row = judged(row_of(mlp(), 8.0, session_ms=(8.0,)), strict, shared_sd=None)
    assert "one session, and sessions are assumed to differ by 1.5 %" in row.error


@pytest.mark.parametrize(("samples", "verdict"), [(0, "unstable"), (1, "stable")])
def test_a_point_of_which_each_run_was_disturbed_is_unstable(
    samples: int,
    verdict: str,
    mlp: Callable[..., Block],
    row_of: Callable[..., Row],
    quick: Callable[..., Protocol],
) -> None:
    row = row_of(mlp(), 8.0, samples=samples, set_aside=30)
    assert judged(row, quick(), shared_sd=0.01).verdict == verdict
