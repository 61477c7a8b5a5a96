"""Measuring a table into its file, and whole models without one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..models import Spec
from ..progress import OnProgress, no_progress
from ..tables import LatencyTable, Row, Setting
from ..tables.calibration.calibrate import calibrated
from .journal import Journal, MemoryJournal
from .place.environment import fingerprint, observed
from .plan import Plan, Point, Subject
from .sampling.clock import Clock, SystemClock
from .sampling.drift import Drift, corrected_sessions, drifts
from .sampling.passes import Passes
from .sampling.protocol import Protocol
from .sampling.reference import NO_REFERENCES, References, choose_references
from .sampling.statistics import PRIOR_SESSION_SD, pooled_session_sd
from .sampling.verdict import judged
from .target import Target
from .workshop import Artifacts, Workshop


def measure_table(
    plan: Plan,
    target: Target,
    out: str | Path,
    *,
    protocol: Protocol | None = None,
    fresh: bool = False,
    budget_s: float | None = None,
    on_progress: OnProgress = no_progress,
    clock: Clock | None = None,
    artifacts: Artifacts | None = None,
) -> LatencyTable:
    """Measure the plan's points into the CSV at `out`, or go on where that file stops.

    Returns the finished table, calibrated where the plan has whole models. Raises UserError before
    anything is written when `out` holds a table measured otherwise. A point that cannot be
    compiled or run becomes a failed row. With `artifacts` (a bundle's) nothing is compiled, and the
    header says what built them.
    """
    setting = target.setting
    protocol = with_threads(protocol or Protocol(), setting.threads)
    header = header_of(plan, setting, protocol, fingerprint(target), observed())
    if artifacts is not None:
        if protocol.correct_drift:
            chosen = choose_references(plan, setting.batch)
            header |= chosen.with_block(artifacts.reference).to_header()
        header["built"] = dict(artifacts.built)
    journal = Journal.open(out, header, setting, fresh)
    passes = Passes(
        target,
        protocol,
        references=References.from_header(journal.header),
        budget_s=budget_s,
        clock=clock or SystemClock(),
        on_progress=on_progress,
    )
    started = time.perf_counter()
    with journal, Workshop(target, artifacts) as workshop:
        passes.run(plan.points, journal, workshop)
        seconds = {
            "total": time.perf_counter() - started,
            "build": workshop.build_s,
            "load": workshop.load_s,
            "warmup": passes.spent.warmup_s,
            "timed": passes.spent.timed_s,
        }
    table = finished_table(plan, setting, protocol, journal, seconds)
    table.to_csv(out)
    return table


@dataclass(frozen=True)
class ModelRows:
    """Whole models as measured: a row a spec, in their order, and the speed of the machine."""

    rows: list[Row]
    drift: Drift | None


def measure_models(
    specs: Sequence[Spec],
    target: Target,
    *,
    protocol: Protocol | None = None,
    reference: Subject | None = None,
    typical_ms: float | None = None,
    on_progress: OnProgress = no_progress,
    clock: Clock | None = None,
    workshop: Workshop | None = None,
) -> ModelRows:
    """Measure whole models, interleaved, without a file; one row a spec, in their order.

    With a `reference` their medians are brought to the speed at which it takes `typical_ms`
    (by default what it typically took meanwhile). An open `workshop` keeps what was compiled.
    """
    protocol = with_threads(protocol or Protocol(), target.setting.threads)
    points = [Point(spec, "in_model") for spec in dict.fromkeys(specs)]
    journal = MemoryJournal()
    passes = Passes(
        target,
        protocol,
        references=References(models=reference),
        clock=clock or SystemClock(),
        on_progress=on_progress,
        typical_ms=typical_ms,
    )
    if workshop is not None:
        passes.run(points, journal, workshop)
    else:
        with Workshop(target) as own:
            passes.run(points, journal, own)
    sharp = _sharpened(journal, protocol, passes.references, typical_ms)
    rows = [sharp.rows[Point(spec, "in_model").key] for spec in specs]
    return ModelRows(rows, sharp.drifts.get(reference))


def header_of(
    plan: Plan,
    setting: Setting,
    protocol: Protocol,
    environment: Mapping[str, Any],
    seen: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a journal says before its first row: `seen` is `environment.observed()`."""
    references = choose_references(plan, setting.batch) if protocol.correct_drift else NO_REFERENCES
    return {
        "setting": setting.as_dict(),
        "environment": dict(environment),
        "protocol": protocol.as_dict(),
        "observed": dict(seen),
        "vitprof": __version__,
        **references.to_header(),
        **({"search_space": dict(plan.search_space)} if plan.search_space else {}),
    }


def typical_of_models(header: Mapping[str, Any]) -> float | None:
    """Return what the whole models' reference typically took in a table; None where unknown."""
    drift = header.get("model_drift", header.get("drift"))
    typical = drift.get("typical_ms") if isinstance(drift, dict) else None
    known = isinstance(typical, (int, float)) and not isinstance(typical, bool) and typical > 0
    return float(typical) if known else None  # type: ignore[arg-type]


def with_threads(protocol: Protocol, threads: int) -> Protocol:
    """Return the protocol that judges samples by the threads they are run with."""
    return replace(protocol, sampling=replace(protocol.sampling, threads=threads))


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


@dataclass(frozen=True)
class _Sharpened:
    """The rows as judged in the end; by reference, its drift and the rows' shared spread."""

    rows: dict[object, Row]
    drifts: dict[Subject | None, Drift]
    spreads: dict[Subject | None, float]


def _sharpened(
    journal: MemoryJournal,
    protocol: Protocol,
    references: References,
    typical_ms: float | None = None,
) -> _Sharpened:
    """Judge every row again, now that the run's drift and common spread are known."""
    drift_of = drifts(journal.done.values(), references)

    def typical(row: Row) -> float | None:
        drift = drift_of.get(references.of(row.subject))
        return typical_ms or (drift.typical_ms if drift else None)

    sessions: dict[Subject | None, list[Sequence[float]]] = {}
    for row in journal.done.values():
        if row.verdict != "failed":
            alike = sessions.setdefault(references.of(row.subject), [])
            alike.append(corrected_sessions(row, typical(row)))
    spreads = {reference: pooled_session_sd(alike) for reference, alike in sessions.items()}
    rows: dict[object, Row] = {
        key: row
        if row.verdict == "failed"
        else judged(row, protocol, spreads[references.of(row.subject)], typical(row))
        for key, row in journal.done.items()
    }
    return _Sharpened(rows, drift_of, spreads)


def finished_table(
    plan: Plan,
    setting: Setting,
    protocol: Protocol,
    journal: Journal,
    seconds: Mapping[str, float],
    more: Mapping[str, Any] | None = None,
) -> LatencyTable:
    """Order the rows by the plan, sharpen their intervals, fit the line through whole models.

    Every point of the plan is done. `more` are further entries of the header.
    """
    references = References.from_header(journal.header)
    sharp = _sharpened(journal, protocol, references)
    rows = dict(sharp.rows)
    ordered = [rows.pop(point.key) for point in plan.points]
    earlier = journal.previous.get("seconds")
    before = earlier if isinstance(earlier, dict) else {}
    header: dict[str, Any] = {
        "observed": journal.header["observed"],
        "vitprof": __version__,
        **references.to_header(),
        **_of_kind(sharp, references.blocks),
        **(
            {f"model_{name}": said for name, said in _of_kind(sharp, references.models).items()}
            if references.models != references.blocks
            else {}
        ),
        "seconds": {k: round(v + _number(before.get(k)), 2) for k, v in seconds.items()},
        **{n: journal.previous[n] for n in ("fleet", "search_space") if n in journal.previous},
        **{n: journal.header[n] for n in ("built", "search_space") if n in journal.header},
        **(more or {}),
    }
    table = LatencyTable(
        [*ordered, *rows.values()],
        setting,
        journal.header["environment"],
        journal.header["protocol"],
        source=str(journal.path),
        other=header,
    )
    return calibrated(table)


def _of_kind(sharp: _Sharpened, reference: Subject | None) -> dict[str, Any]:
    """Return the header's words on what one reference showed."""
    drift = sharp.drifts.get(reference)
    spread = sharp.spreads.get(reference, PRIOR_SESSION_SD)
    return {"drift": drift.as_dict() if drift else None, "session_sd": round(spread, 5)}
