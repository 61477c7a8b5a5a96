"""Plan -> compile -> sample -> row: measuring a table."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..backends import Backend, BackendError, BackendOptions, Executable
from ..models import Spec
from ..tables import LatencyTable, Row, Setting
from .clock import Clock, SystemClock
from .environment import fingerprint, observed
from .journal import Journal, MemoryJournal
from .plan import Plan, Point
from .protocol import Protocol
from .sampler import SessionSamples, TimeSpent, groups_of, sample_group
from .statistics import (
    PRIOR_SESSION_SD,
    latency_interval,
    pooled_session_sd,
    summarise_session,
)
from .workshop import CannotBuildError, Workshop

# Called with (sessions done, sessions in all, points done, points in all).
OnProgress = Callable[[int, int, int, int], None]


@dataclass(frozen=True)
class Measuring:
    """Everything that stays the same while one table is measured."""

    backend: Backend
    options: BackendOptions
    setting: Setting
    protocol: Protocol
    clock: Clock


def measure_table(
    plan: Plan,
    backend: Backend,
    setting: Setting,
    out: str | Path,
    *,
    protocol: Protocol | None = None,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
    options: BackendOptions | None = None,
) -> LatencyTable:
    """Measure the plan's points into the CSV at `out`, or go on where that file stops.

    Returns the finished table. Raises UserError before anything is written when `out` holds a
    table measured otherwise. A point that cannot be compiled or run becomes a failed row.
    """
    protocol = protocol or Protocol()
    options = options or BackendOptions(
        threads=setting.threads,
        dtype=setting.dtype,
        **({"provider": setting.provider} if setting.provider else {}),
    )
    measuring = Measuring(backend, options, setting, protocol, clock or SystemClock())
    header = {
        "setting": setting.as_dict(),
        "environment": fingerprint(backend, options),
        "protocol": protocol.as_dict(),
        "observed": observed(),
        "vitprof": __version__,
    }
    journal = Journal.open(out, header, setting, fresh)
    started = time.perf_counter()
    spent = TimeSpent()
    with journal, Workshop(backend, options, setting.batch) as workshop:
        _measure_points(plan, measuring, journal, workshop, spent, on_progress)
        seconds = {
            "total": time.perf_counter() - started,
            "build": workshop.build_s,
            "load": workshop.load_s,
            "warmup": spent.warmup_s,
            "timed": spent.timed_s,
        }
    table = _finished_table(plan, measuring, journal, seconds)
    table.to_csv(out)
    return table


def measure_models(
    specs: Sequence[Spec],
    backend: Backend,
    setting: Setting,
    options: BackendOptions,
    *,
    protocol: Protocol | None = None,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
) -> list[Row]:
    """Measure whole models, interleaved, without a file; one row a spec, in their order."""
    protocol = protocol or Protocol()
    measuring = Measuring(backend, options, setting, protocol, clock or SystemClock())
    plan = Plan([Point(spec, "in_model") for spec in dict.fromkeys(specs)])
    journal = MemoryJournal()
    with Workshop(backend, options, setting.batch) as workshop:
        _measure_points(plan, measuring, journal, workshop, TimeSpent(), on_progress)
    return [journal.done[Point(spec, "in_model").key] for spec in specs]


def _measure_points(
    plan: Plan,
    measuring: Measuring,
    journal: MemoryJournal,
    workshop: Workshop,
    spent: TimeSpent,
    on_progress: OnProgress | None,
) -> None:
    protocol = measuring.protocol
    rng = random.Random(protocol.seed)  # noqa: S311 - an order, not a secret
    total = len(plan.points) * protocol.sessions

    def report() -> None:
        if on_progress:
            done = [point for point in plan.points if point.key in journal.done]
            begun = sum(
                len(journal.partial.get(p.key, ()))
                for p in plan.points
                if p.key not in journal.done
            )
            on_progress(begun + len(done) * protocol.sessions, total, len(done), len(plan.points))

    report()
    for nth in range(1, protocol.sessions + 1):
        lacking = [
            point
            for point in plan.points
            if point.key not in journal.done and len(journal.partial.get(point.key, ())) < nth
        ]
        rng.shuffle(lacking)
        for group in groups_of(lacking, protocol.group):
            _measure_group(group, measuring, journal, workshop, spent, rng)
            report()


def _measure_group(
    group: Sequence[Point],
    measuring: Measuring,
    journal: MemoryJournal,
    workshop: Workshop,
    spent: TimeSpent,
    rng: random.Random,
) -> None:
    """Give every point of the group one more session, and write down what it said."""
    sessions: dict[Point, Executable] = {}
    try:
        for point in group:
            try:
                sessions[point] = workshop.fresh_session(point)
            except CannotBuildError as error:
                journal.append_point(_failed(point, str(error)))
        try:
            samples = sample_group(
                sessions, measuring.protocol.sampling, measuring.clock, rng, spent
            )
        except BackendError:
            samples = _sample_one_by_one(sessions, measuring, journal, spent, rng)
    finally:
        for executable in sessions.values():
            executable.close()
    for point, of_point in samples.items():
        journal.append_session(_session_row(point, of_point))
        partial = journal.partial[point.key]
        if len(partial) >= measuring.protocol.sessions:
            row = point_row(point, partial, measuring.protocol, PRIOR_SESSION_SD)
            journal.append_point(row)


def _sample_one_by_one(
    sessions: dict[Point, Executable],
    measuring: Measuring,
    journal: MemoryJournal,
    spent: TimeSpent,
    rng: random.Random,
) -> dict[Point, SessionSamples]:
    """One point of the group broke while running: find it, and sample the others without it."""
    samples: dict[Point, SessionSamples] = {}
    for point, executable in sessions.items():
        try:
            alone = {point: executable}
            samples |= sample_group(alone, measuring.protocol.sampling, measuring.clock, rng, spent)
        except BackendError as error:
            journal.append_point(_failed(point, " ".join(str(error).split())[:500]))
    return samples


def _failed(point: Point, reason: str) -> Row:
    return Row(point.subject, point.context, "failed", error=reason, measured_at=_now())


def _session_row(point: Point, samples: SessionSamples) -> Row:
    """Return one session as a row. A session disturbed throughout keeps all its samples."""
    kept = samples.kept or samples.all
    summary = summarise_session([sample.wall_ms for sample in kept], len(samples.set_aside))
    return Row(
        point.subject,
        point.context,
        "partial",
        latency_ms=summary.median_ms,
        low_ms=summary.p10_ms,
        high_ms=summary.p90_ms,
        min_ms=summary.min_ms,
        p10_ms=summary.p10_ms,
        p90_ms=summary.p90_ms,
        p99_ms=summary.p99_ms,
        session_ms=(summary.median_ms,),
        samples=summary.samples,
        set_aside=summary.set_aside,
        measured_at=_now(),
    )


def point_row(point: Point, sessions: Sequence[Row], protocol: Protocol, shared_sd: float) -> Row:
    """Return the row of a point from the rows of its sessions, see `statistics`."""
    medians = [row.latency_ms for row in sessions]
    row = Row(
        point.subject,
        point.context,
        min_ms=min(row.min_ms for row in sessions),
        p10_ms=float(np.median([row.p10_ms for row in sessions])),
        p90_ms=float(np.median([row.p90_ms for row in sessions])),
        p99_ms=float(np.median([row.p99_ms for row in sessions])),
        session_ms=tuple(medians),
        samples=sum(row.samples for row in sessions),
        set_aside=sum(row.set_aside for row in sessions),
        measured_at=sessions[-1].measured_at,
    )
    return judged(row, protocol, shared_sd)


def judged(row: Row, protocol: Protocol, shared_sd: float) -> Row:
    """Return the row with latency, interval and verdict from its sessions' medians."""
    medians = row.session_ms
    latency, low, high = latency_interval(medians, shared_sd)
    causes = []
    if (high - low) / 2 > protocol.unstable_above * latency:
        causes.append(
            f"its {len(medians)} sessions differ by {100 * (max(medians) / min(medians) - 1):.0f} %"
            ": measure it with more --sessions on a quiet machine"
        )
    if row.set_aside > row.samples:
        causes.append(
            f"{row.set_aside} of {row.set_aside + row.samples} runs were interrupted by other "
            "work: stop other programs and measure again"
        )
    return replace(
        row,
        verdict="unstable" if causes else "stable",
        latency_ms=latency,
        low_ms=low,
        high_ms=high,
        error="; ".join(causes),
    )


def _finished_table(
    plan: Plan, measuring: Measuring, journal: Journal, seconds: dict[str, float]
) -> LatencyTable:
    """Order the rows by the plan; intervals now know the spread that all points share."""
    rows = dict(journal.done)
    shared_sd = pooled_session_sd([row.session_ms for row in rows.values()])
    rows = {
        key: row if row.verdict == "failed" else judged(row, measuring.protocol, shared_sd)
        for key, row in rows.items()
    }
    ordered = [rows.pop(point.key) for point in plan.points]
    before = journal.previous.get("seconds", {})
    header: dict[str, Any] = {
        "observed": journal.header["observed"],
        "vitprof": __version__,
        "session_sd": round(shared_sd, 5),
        "seconds": {k: round(v + before.get(k, 0.0), 2) for k, v in seconds.items()},
    }
    return LatencyTable(
        [*ordered, *rows.values()],
        measuring.setting,
        journal.header["environment"],
        journal.header["protocol"],
        source=str(journal.path),
        other=header,
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
