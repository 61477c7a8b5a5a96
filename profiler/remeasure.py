"""Measuring whole models on this machine, as the table that predicts them was."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import UserError
from ..models import Spec
from ..notes import note
from ..progress import OnProgress, no_progress
from ..tables import LatencyTable, Row
from .measure import ModelRows, rows_of_models, with_threads
from .plan import Point
from .sampling.clock import Clock, SystemClock
from .sampling.exponents import exponents_of
from .sampling.group_by_group import GroupByGroup
from .sampling.progress_in_seconds import ProgressInSeconds
from .sampling.protocol import protocol_of_rounds
from .sampling.rounds import Rounds
from .sampling.session_costs import SessionCosts
from .target import Target, open_target_of
from .workshop import Workshop

# Sessions that every model gets, and further ones while its interval's half-width is beyond WITHIN.
SESSIONS, EXTRA_SESSIONS, WITHIN = 5, 10, 0.015
# Milliseconds that 10^9 MACs take on one core of a server CPU, for models no table predicts.
MS_PER_GMAC = 20.0


def measure_like(
    table: LatencyTable,
    specs: Sequence[Spec],
    target: Target,
    on_progress: OnProgress = no_progress,
    time_s: float | None = None,
    clock: Clock | None = None,
    beside: Spec | None = None,
) -> ModelRows:
    """Return the models measured on the table's target, brought to the table's speed.

    In rounds, each of one fresh session a model: SESSIONS of them, then more of the models whose
    interval is still wide. After `time_s` no further session begins, but for each model's first.

    beside: the one of `specs` that the others are to be compared with. Then it has a session in
    every round that another one has, and all go on while its own interval is wide: so the ratio of
    two latencies is of sessions that were interleaved.
    """
    protocol = protocol_of_rounds(SESSIONS + EXTRA_SESSIONS)
    one = GroupByGroup(
        target,
        with_threads(protocol, target.setting.threads),
        references=table.references,
        clock=clock or SystemClock(),
        speed_ms=table.header.reference_ms(),
    )
    points = [Point(spec, "in_model") for spec in dict.fromkeys(specs)]
    believed = exponents_of(table.model_rows)

    def measured() -> ModelRows:
        return rows_of_models(
            specs,
            [one.journal],
            protocol,
            references=table.references,
            speed_ms=one.speed_ms,
            exponents=believed,
        )

    def lacking(points: Sequence[Point]) -> Sequence[Point]:
        if in_rounds.complete < SESSIONS:
            return points
        wide = {row.key for row in measured().rows if _half_width(row) > WITHIN}
        due = [point for point in points if point.key in wide]
        if beside is None or not due:
            return due
        if any(point.subject == beside for point in due):
            return points
        return [point for point in points if point in due or point.subject == beside]

    def on_group(share: float) -> None:
        shown.tell(share, f"round {in_rounds.complete + 1}, {len(points)} models")

    in_rounds = Rounds(
        [one],
        points,
        SessionCosts({point: _expected_ms(table, point) for point in points}, protocol.sampling),
        most=SESSIONS + EXTRA_SESSIONS,
        fewest=1,
        time_s=time_s,
        expected=SESSIONS + 1,
        enough=lambda reached: len(reached) == len(points),
        lacking=lacking,
        on_group=on_group,
    )
    shown = ProgressInSeconds(on_progress, "measuring", in_rounds.estimated_s)
    with Workshop(target) as workshop:
        if in_rounds.run(workshop) == "interrupted":
            raise KeyboardInterrupt
    shown.finish(f"{in_rounds.complete} rounds, {len(points)} models")
    return measured()


def _half_width(row: Row) -> float:
    return 0.0 if row.verdict == "failed" else (row.high_ms - row.low_ms) / 2 / row.latency_ms


def _expected_ms(table: LatencyTable, point: Point) -> float:
    assert isinstance(point.subject, Spec)
    try:
        return table.predict(point.subject, extrapolate=True).ms
    except UserError:
        return MS_PER_GMAC * point.subject.macs / 1e9


def verified_ms(
    table: LatencyTable,
    specs: Sequence[Spec],
    purpose: str,
    on_progress: OnProgress = no_progress,
    wait: float | None = math.inf,
    time_s: float | None = None,
    beside: Spec | None = None,
) -> tuple[list[float], bool]:
    """Return the milliseconds of each model, as the table measures, and whether all are stable.

    As it ends long work, it waits for the device where another process (which is told `purpose`)
    has it; `wait` as in `open_target`, `time_s` and `beside` as in `measure_like`. Raises UserError
    on another machine than the table's.
    """
    with open_target_of(table, purpose, wait=wait) as target:
        rows = measure_like(table, specs, target, on_progress, time_s, beside=beside).rows
    for row in rows:
        if row.verdict != "stable":
            note(f"{row.verdict}: {row.name}: {row.error}")
    return [row.latency_ms for row in rows], all(row.verdict == "stable" for row in rows)
