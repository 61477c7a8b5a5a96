"""Further sessions go where predictions gain most, and end where they should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.errors import UserError
from vitprof.models import Block, create_spec
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan, Point
from vitprof.profiler.sampling.extra_sessions import cost_ms, expected_error, extra_points
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.target import Target
from vitprof.spaces.registry import slabs_class
from vitprof.tables import LatencyTable, Row, Setting

POINTS = [Point(Block.of("mlp", embed=8, mlp=8 * n, tokens=4)) for n in range(1, 7)]
PROTOCOL = Protocol(group=2, expected_error=0.01, extra_share=0.5)


def rows(sd: float = 0.05, sessions: int = 3, ms: float = 1.0) -> dict[object, Row]:
    half = 1.959964 * sd * ms
    return {
        point.key: Row(
            point.subject,
            latency_ms=ms,
            low_ms=ms - half,
            high_ms=ms + half,
            session_ms=(ms,) * sessions,
        )
        for point in POINTS
    }


def test_the_expected_error_is_the_square_sum_of_what_rows_add() -> None:
    influence = {POINTS[0].key: 0.25, POINTS[1].key: 0.09}
    assert expected_error(rows(0.05), influence) == pytest.approx(0.05 * (0.25 + 0.09) ** 0.5)
    failed = {key: replace(row, verdict="failed") for key, row in rows().items()}
    assert expected_error(failed, influence) == 0.0


def test_the_points_come_first_on_which_predictions_lean_most() -> None:
    influence = {point.key: 0.1 * n for n, point in enumerate(POINTS)}
    extra = extra_points(POINTS, rows(), influence, PROTOCOL, False)
    assert extra.points == [POINTS[5], POINTS[4]]
    wide = rows()
    wide[POINTS[1].key] = replace(wide[POINTS[1].key], low_ms=0.2, high_ms=1.8)
    assert extra_points(POINTS, wide, influence, PROTOCOL, False).points[0] == POINTS[1]
    slow = rows()
    slow[POINTS[5].key] = replace(rows(ms=1000.0)[POINTS[5].key])
    assert POINTS[5] not in extra_points(POINTS, slow, influence, PROTOCOL, False).points
    unused = extra_points(POINTS, rows(), {POINTS[2].key: 1.0}, PROTOCOL, False)
    assert unused.points == [POINTS[2]], "on the others nothing leans"


def test_it_ends_where_predictions_are_sure_enough() -> None:
    influence = dict.fromkeys((point.key for point in POINTS), 1 / 36)
    assert extra_points(POINTS, rows(0.02), influence, PROTOCOL, False).points == ()
    assert extra_points(POINTS, rows(0.03), influence, PROTOCOL, False).points


@pytest.mark.parametrize(("sessions", "goes_on"), [(3, True), (4, True), (5, False), (9, False)])
def test_it_ends_where_further_sessions_have_cost_their_share(sessions: int, goes_on: bool) -> None:
    influence = dict.fromkeys((point.key for point in POINTS), 1.0)
    now = rows(sessions=sessions)
    assert bool(extra_points(POINTS, now, influence, PROTOCOL, False).points) is goes_on
    assert extra_points(POINTS, now, influence, PROTOCOL, True).points, "time is given"


def test_a_stated_expected_error_is_worth_more_sessions() -> None:
    influence = dict.fromkeys((point.key for point in POINTS), 1 / 36)
    had = rows(0.05, sessions=6)  # twice the planned ones: more than the default share
    assert not extra_points(POINTS, had, influence, PROTOCOL, False).points
    assert extra_points(POINTS, had, influence, PROTOCOL.until(0.001), False).points
    assert not extra_points(POINTS, had, influence, PROTOCOL.until(0.9), False).points
    with pytest.raises(UserError, match="expected_error"):
        PROTOCOL.until(0.0)


def test_a_session_costs_its_runs_and_its_loading() -> None:
    small, large = (
        Row(Block.of("mlp", embed=8, mlp=mlp, tokens=4), latency_ms=1.0) for mlp in (8, 80_000)
    )
    assert cost_ms(large, PROTOCOL) > cost_ms(small, PROTOCOL) > 20


# --- with a machine -------------------------------------------------------------------------------


@pytest.fixture
def plan() -> Plan:
    space = slabs_class("vit").create(create_spec("vit-micro-8"))
    models = space.calibration_models(4, 0)
    plan = Plan.of_blocks(space.blocks(), models=models)
    return replace(plan, representatives=models)


@pytest.fixture
def measure(
    plan: Plan, new_backend: Callable[..., Any], quick: Callable[..., Protocol], run_of: Any
) -> Callable[..., LatencyTable | None]:
    """Measure on a machine whose sessions differ; Ctrl-C after so many loads."""

    def run(out: Path, loads: float = float("inf")) -> LatencyTable | None:
        opened = 0

        def runs(artifact: dict[str, int], rng: Any) -> list[Any]:
            nonlocal opened
            opened += 1
            if opened > loads:
                raise KeyboardInterrupt
            return [run_of((1 + artifact["params"] / 1e6) * rng.uniform(0.9, 1.1))]

        backend = new_backend(runs_of=runs)
        protocol = quick(sessions=2, model_sessions=2, extra_share=0.5, group=6)
        target = Target(backend, Setting("toy", "scripted"))
        try:
            return measure_table(plan, target, out, protocol=protocol, clock=backend.clock)
        except KeyboardInterrupt:
            return None

    return run


@pytest.mark.long
def test_an_interrupted_run_ends_with_as_many_sessions_as_another(
    measure: Callable[..., LatencyTable | None], tmp_path: Path
) -> None:
    whole = measure(tmp_path / "whole.csv")
    assert whole is not None
    assert not whole.header.resumed
    allowed = 1.5 * 2 * len(whole.rows)
    assert 2 * len(whole.rows) < sum(row.sessions for row in whole.rows)
    broken = None
    for _ in range(60):
        broken = measure(tmp_path / "broken.csv", loads=7)
        if broken is not None:
            break
    assert broken is not None
    assert broken.header.resumed
    for table in (whole, broken):
        costs = sum(max(row.sessions - 2, 0) for row in table.rows)
        # The last pass may go beyond by a group; costs differ a little by point.
        assert costs <= 0.5 * 2 * len(table.rows) + 12
        assert sum(row.sessions for row in table.rows) <= allowed + 12
