"""Measuring whole models on this machine, as the table that predicts them was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..profiler.measure import measure_models, typical_of_models
from ..profiler.place.environment import check_same_machine
from ..profiler.sampling.reference import References
from .here import Wanted, measuring, open_device, warn_of_hazards
from .output import note, progress_bar

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable


def check_here(table: LatencyTable) -> None:
    """Raise UserError where this is not the table's machine and runtime."""
    backend, _, options = open_device(Wanted.like(table.setting))
    check_same_machine(table, backend, options)


def measured_like(
    table: LatencyTable, specs: Sequence[Spec], what: str, quiet: bool
) -> tuple[list[float], bool]:
    """Return the milliseconds of each, brought to the table's speed, and whether all are stable.

    `what` is the command, for others who want the device meanwhile. Raises UserError on another
    machine than the table's.
    """
    wanted = Wanted.like(table.setting)
    backend, here, options = open_device(wanted)
    check_same_machine(table, backend, options)
    warn_of_hazards(wanted)
    with measuring(wanted, what), progress_bar(enabled=not quiet) as on_progress:
        rows = measure_models(
            specs,
            backend,
            here,
            options,
            reference=References.from_header(table.other).models,
            typical_ms=typical_of_models(table.other),
            on_progress=on_progress,
        ).rows
    for row in rows:
        if row.verdict != "stable":
            note(f"{row.verdict}: {row.name}: {row.error}")
    return [row.latency_ms for row in rows], all(row.verdict == "stable" for row in rows)
