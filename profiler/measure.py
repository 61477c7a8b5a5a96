"""Measuring a table into its file, and whole models without one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..backends import Backend, BackendOptions
from ..models import Spec
from ..tables import LatencyTable, Row, Setting
from ..tables.calibrate import calibrated
from .clock import Clock, SystemClock
from .drift import Drift
from .environment import fingerprint, observed
from .journal import Journal, MemoryJournal
from .passes import OnProgress, Passes, shared_spread
from .plan import Plan, Point, Subject
from .protocol import Protocol
from .reference import choose_reference, reference_of, reference_to_json
from .verdict import judged
from .workshop import Artifacts, Workshop


def measure_table(
    plan: Plan,
    backend: Backend,
    setting: Setting,
    out: str | Path,
    *,
    protocol: Protocol | None = None,
    fresh: bool = False,
    budget_s: float | None = None,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
    options: BackendOptions | None = None,
    artifacts: Artifacts | None = None,
) -> LatencyTable:
    """Measure the plan's points into the CSV at `out`, or go on where that file stops.

    Returns the finished table, calibrated where the plan has whole models. Raises UserError before
    anything is written when `out` holds a table measured otherwise. A point that cannot be
    compiled or run becomes a failed row. With `artifacts` (a bundle's) nothing is compiled, and the
    header says what built them.
    """
    protocol = with_threads(protocol or Protocol(), setting.threads)
    options = options or options_of(setting)
    header = header_of(plan, setting, protocol, fingerprint(backend, options), observed())
    if artifacts is not None:
        reference = artifacts.reference if protocol.correct_drift else None
        header["reference"] = reference_to_json(reference)
        header["built"] = dict(artifacts.built)
    journal = Journal.open(out, header, setting, fresh)
    passes = Passes(
        backend,
        options,
        setting,
        protocol,
        reference=reference_of(journal.header),
        budget_s=budget_s,
        clock=clock or SystemClock(),
        on_progress=on_progress,
    )
    started = time.perf_counter()
    with journal, Workshop(backend, options, setting.batch, artifacts) as workshop:
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
    backend: Backend,
    setting: Setting,
    options: BackendOptions,
    *,
    protocol: Protocol | None = None,
    reference: Subject | None = None,
    typical_ms: float | None = None,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
    workshop: Workshop | None = None,
) -> ModelRows:
    """Measure whole models, interleaved, without a file; one row a spec, in their order.

    With a `reference` their medians are brought to the speed at which it takes `typical_ms`
    (by default what it typically took meanwhile). An open `workshop` keeps what was compiled.
    """
    protocol = with_threads(protocol or Protocol(), setting.threads)
    points = [Point(spec, "in_model") for spec in dict.fromkeys(specs)]
    journal = MemoryJournal()
    passes = Passes(
        backend,
        options,
        setting,
        protocol,
        reference=reference,
        clock=clock or SystemClock(),
        on_progress=on_progress,
        typical_ms=typical_ms,
    )
    if workshop is not None:
        passes.run(points, journal, workshop)
    else:
        with Workshop(backend, options, setting.batch) as own:
            passes.run(points, journal, own)
    rows, drift, _ = _sharpened(journal, protocol, typical_ms)
    return ModelRows([rows[Point(spec, "in_model").key] for spec in specs], drift)


def header_of(
    plan: Plan,
    setting: Setting,
    protocol: Protocol,
    environment: Mapping[str, Any],
    seen: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a journal says before its first row: `seen` is `environment.observed()`."""
    reference = choose_reference(plan, setting.batch) if protocol.correct_drift else None
    return {
        "setting": setting.as_dict(),
        "environment": dict(environment),
        "protocol": protocol.as_dict(),
        "observed": dict(seen),
        "vitprof": __version__,
        "reference": reference_to_json(reference),
    }


def options_of(setting: Setting) -> BackendOptions:
    """Return the backend's part of a setting."""
    options = BackendOptions(
        setting.threads,
        setting.dtype,
        sparsity=setting.sparsity,
        cache=setting.cache,
        graph=setting.graph,
    )
    return replace(options, provider=setting.provider) if setting.provider else options


def typical_of(header: Mapping[str, Any]) -> float | None:
    """Return what the reference typically took when a table was measured; None where unknown."""
    drift = header.get("drift")
    typical = drift.get("typical_ms") if isinstance(drift, dict) else None
    known = isinstance(typical, (int, float)) and not isinstance(typical, bool) and typical > 0
    return float(typical) if known else None  # type: ignore[arg-type]


def with_threads(protocol: Protocol, threads: int) -> Protocol:
    """Return the protocol that judges samples by the threads they are run with."""
    return replace(protocol, sampling=replace(protocol.sampling, threads=threads))


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _sharpened(
    journal: MemoryJournal, protocol: Protocol, typical_ms: float | None = None
) -> tuple[dict[object, Row], Drift | None, float]:
    """Judge every row again, now that the run's drift and common spread are known."""
    rows = journal.done
    drift = Drift.over([ms for row in rows.values() for ms in row.reference_ms])
    typical = typical_ms or (drift.typical_ms if drift else None)
    good = [row for row in rows.values() if row.verdict != "failed"]
    spread = shared_spread(good, typical)
    sharpened = {
        key: row if row.verdict == "failed" else judged(row, protocol, spread, typical)
        for key, row in rows.items()
    }
    return sharpened, drift, spread


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
    rows, drift, spread = _sharpened(journal, protocol)
    ordered = [rows.pop(point.key) for point in plan.points]
    earlier = journal.previous.get("seconds")
    before = earlier if isinstance(earlier, dict) else {}
    header: dict[str, Any] = {
        "observed": journal.header["observed"],
        "vitprof": __version__,
        "reference": journal.header["reference"],
        "drift": drift.as_dict() if drift else None,
        "session_sd": round(spread, 5),
        "seconds": {k: round(v + _number(before.get(k)), 2) for k, v in seconds.items()},
        **{name: journal.previous[name] for name in ("fleet",) if name in journal.previous},
        **{name: journal.header[name] for name in ("built",) if name in journal.header},
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
