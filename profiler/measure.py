"""Measuring a table into its file, and whole models without one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..backends import HasTiles
from ..errors import UserError
from ..models import Spec
from ..progress import OnProgress, no_progress
from ..tables import LatencyTable, Row, Setting
from ..tables.calibration.calibrate import calibrated
from ..tables.header import TableHeader
from ..tables.references import Drift, Readings, Reference, References
from ..tables.speed import Speed
from .compiled_ahead import compiled_ahead
from .journal import Journal, MemoryJournal
from .known_speed import compared, put_on_file
from .place.environment import fingerprint, observed
from .plan import Plan, Point
from .runtime_kernels import rules_of
from .sampling.clock import Clock, SystemClock
from .sampling.passes import Passes, lacks
from .sampling.protocol import Protocol
from .sampling.reference import choose_references
from .sampling.sharpened import Sharpened, sharpened
from .sampling.statistics import PRIOR_SESSION_SD
from .sampling.verdict import point_row
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
    jobs: int = 1,
) -> LatencyTable:
    """Measure the plan's points into the CSV at `out`, or go on where that file stops.

    Returns the finished table, calibrated where the plan has whole models. Raises UserError before
    anything is written when `out` holds a table measured otherwise. A point that cannot be
    compiled or run becomes a failed row. With `artifacts` (a bundle's) nothing is compiled, and the
    header says what built them. More than one of `jobs` compile at once, before anything is
    measured.
    """
    setting = target.setting
    protocol = with_threads(protocol or Protocol(), setting.threads)
    header = header_of(plan, setting, protocol, fingerprint(target), _observed(plan, target))
    if artifacts is not None:
        references = header.references
        if protocol.correct_drift and references is not None:
            references = references.with_block(artifacts.reference)
        header = replace(header, references=references, built=dict(artifacts.built))
    journal = Journal.open(out, header, fresh, plan.axes)
    passes = Passes(
        target,
        protocol,
        references=journal.references,
        budget_s=budget_s,
        clock=clock or SystemClock(),
        on_progress=on_progress,
        representatives=plan.representatives,
    )
    started = time.perf_counter()
    lacking = [] if artifacts else [one for one in plan.points if lacks(journal, one, 1)]
    subjects = [part.subject for point in lacking for part in point.parts]
    with (
        journal,
        compiled_ahead(subjects, target, jobs, on_progress=on_progress) as place,
        Workshop(place, artifacts) as workshop,
    ):
        compiling_s = time.perf_counter() - started
        try:
            passes.run(plan.points, journal, workshop)
        except UserError:
            journal.forget_beginning()
            raise
        seconds = {
            "total": time.perf_counter() - started,
            "build": compiling_s + workshop.build_s,
            "load": workshop.load_s,
            "warmup": passes.spent.warmup_s,
            "timed": passes.spent.timed_s,
        }
    # What an earlier run finished is on file already; one that was killed may have measured all.
    measured = bool(passes.spent.timed_s) or journal.went_on
    table = finished_table(
        plan, protocol, journal, seconds, on_file=measured, unchanged=not measured
    )
    table.to_csv(out)
    if measured:
        put_on_file(table.header.readings, table.header.environment, table.header.setting)
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
    references: References | None = None,
    speed_ms: Mapping[Reference | None, float] | None = None,
    on_progress: OnProgress = no_progress,
    clock: Clock | None = None,
    workshop: Workshop | None = None,
) -> ModelRows:
    """Measure whole models, interleaved, without a file; one row a spec, in their order.

    With `references` their medians are brought to the speed at which each takes its `speed_ms` (by
    default the undisturbed machine's). An open `workshop` keeps what was compiled.
    """
    protocol = with_threads(protocol or Protocol(), target.setting.threads)
    points = [Point(spec, "in_model") for spec in dict.fromkeys(specs)]
    journal = MemoryJournal()
    passes = Passes(
        target,
        protocol,
        references=references or References(),
        clock=clock or SystemClock(),
        on_progress=on_progress,
        speed_ms=speed_ms or {},
    )
    if workshop is not None:
        passes.run(points, journal, workshop)
    else:
        with Workshop(target) as own:
            passes.run(points, journal, own)
    sharp = sharpened(journal, protocol, passes.speed_ms)
    rows = [sharp.rows[Point(spec, "in_model").key] for spec in specs]
    return ModelRows(rows, sharp.drifts.get(passes.references.models))


def rows_of_models(
    specs: Sequence[Spec],
    journals: Sequence[MemoryJournal],
    protocol: Protocol,
    *,
    references: References,
    speed_ms: Mapping[Reference | None, float],
    exponents: Mapping[str, float] | None = None,
) -> ModelRows:
    """Return models from all their sessions in several journals; each spec has one at least.

    `speed_ms` is what each reference takes at the speed that they are brought to, `exponents` what
    is believed of how they follow it, by kind. A model that failed keeps its failed row.
    """
    joined = MemoryJournal()
    for journal in journals:
        for row in (row for rows in journal.partial.values() for row in rows):
            joined.append_session(row)
    for spec in dict.fromkeys(specs):
        point = Point(spec, "in_model")
        if sessions := joined.partial.get(point.key):
            row = point_row(point, sessions, protocol, PRIOR_SESSION_SD)
            joined.append_point(replace(row, reference=references.of(spec)))
        else:
            joined.append_point(next(j.done[point.key] for j in journals if point.key in j.done))
    sharp = sharpened(joined, protocol, speed_ms, exponents=exponents)
    rows = [sharp.rows[Point(spec, "in_model").key] for spec in specs]
    return ModelRows(rows, sharp.drifts.get(references.models))


def header_of(
    plan: Plan,
    setting: Setting,
    protocol: Protocol,
    environment: Mapping[str, Any],
    seen: Mapping[str, Any],
) -> TableHeader:
    """Return what a journal says before its first row: `seen` is `environment.observed()`."""
    references = References()
    if protocol.correct_drift:
        chosen = choose_references(plan, setting.batch)
        specs = [point.subject for point in plan.points if isinstance(point.subject, Spec)]
        own = dict.fromkeys((spec.family for spec in specs), chosen.models)
        references = replace(chosen, families=own)
    return TableHeader(
        setting,
        dict(environment),
        protocol.as_dict(),
        observed=dict(seen),
        vitprof=__version__,
        references=references,
        search_space=dict(plan.search_space) if plan.search_space else None,
    )


def _observed(plan: Plan, target: Target) -> dict[str, Any]:
    """Return what was seen of the machine; with kernels, how the runtime fuses a graph."""
    found = observed()
    if isinstance(target.backend, HasTiles):
        found["tile"] = target.backend.tile_width
    if not any(point.is_kernel for point in plan.points):
        return found
    rules = rules_of(target.backend, target.options)
    found |= {"channels_per_block": rules.channels_per_block}
    return found if rules.fusion == "onnxruntime" else found | {"fusion": rules.fusion}


def with_threads(protocol: Protocol, threads: int) -> Protocol:
    """Return the protocol that judges samples by the threads they are run with."""
    return replace(
        protocol,
        sampling=replace(protocol.sampling, threads=threads),
        kernel_sampling=replace(protocol.kernel_sampling, threads=threads),
    )


def _stated_at(drift: Iterable[Drift]) -> Speed:
    """Return the speed that rows are at: a table of an older vitprof lacks the fast readings."""
    return "undisturbed" if all(one.undisturbed_ms is not None for one in drift) else "typical"


def _beside_earlier_runs(
    readings: dict[Reference | None, Readings],
    sharp: Sharpened,
    protocol: Protocol,
    journal: Journal,
) -> tuple[dict[Reference | None, Readings], Sharpened]:
    """Return readings and rows at the known undisturbed speed, where this run never had it."""
    header = journal.header
    found = compared(readings, header.environment, header.setting)
    if not found.speed_ms:
        return dict(found.readings), sharp
    sharp = sharpened(journal, protocol, found.speed_ms, header.readings)
    spread = {reference: sharp.readings(reference).session_sd for reference in readings}
    return {
        reference: replace(showed, session_sd=spread[reference])
        for reference, showed in found.readings.items()
    }, sharp


def finished_table(
    plan: Plan,
    protocol: Protocol,
    journal: Journal,
    seconds: Mapping[str, float],
    fleet: Sequence[Mapping[str, Any]] | None = None,
    on_file: bool = False,
    unchanged: bool = False,
) -> LatencyTable:
    """Order the rows by the plan, sharpen their intervals, fit the line through whole models.

    Every point of the plan is done. `seconds` are this run's, and `fleet` is what each node did.
    `on_file` compares the machine's speed with that of its earlier runs.
    `unchanged` says that nothing was measured: rows stay at the speed that the header states.
    """
    header, references = journal.header, journal.references
    stated = header.reference_ms("undisturbed") if unchanged else {}
    sharp = sharpened(journal, protocol, stated, header.readings)
    every = dict.fromkeys([references.blocks, references.models, *sharp.drifts, *sharp.spreads])
    readings = {reference: sharp.readings(reference) for reference in every}
    if unchanged:
        readings |= {one: showed for one, showed in header.readings.items() if showed != Readings()}
    if on_file:
        readings, sharp = _beside_earlier_runs(readings, sharp, protocol, journal)
    rows = dict(sharp.rows)
    ordered = [rows.pop(point.key) for point in plan.points]
    before = header.seconds or {}
    header = replace(
        header,
        # The rows name other references of single families.
        references=References(references.blocks, references.models),
        readings=readings,
        seconds={kind: round(s + before.get(kind, 0.0), 2) for kind, s in seconds.items()},
        fleet=header.fleet if fleet is None else tuple(fleet),
        resumed=header.resumed or journal.went_on,
        stated_at=_stated_at(sharp.drifts.values()),
    )
    return calibrated(LatencyTable([*ordered, *rows.values()], header, source=str(journal.path)))
