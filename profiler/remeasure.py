"""Measuring whole models on this machine, as the table that predicts them was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..notes import note
from ..progress import OnProgress, no_progress
from .measure import ModelRows, measure_models
from .target import Target, open_target_of

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable


def measure_like(
    table: LatencyTable,
    specs: Sequence[Spec],
    target: Target,
    on_progress: OnProgress = no_progress,
) -> ModelRows:
    """Return the models measured on the table's target, brought to the table's speed."""
    return measure_models(
        specs,
        target,
        references=table.references,
        speed_ms=table.header.reference_ms(),
        on_progress=on_progress,
    )


def verified_ms(
    table: LatencyTable,
    specs: Sequence[Spec],
    purpose: str,
    on_progress: OnProgress = no_progress,
    wait: float | None = math.inf,
) -> tuple[list[float], bool]:
    """Return the milliseconds of each model, as the table measures, and whether all are stable.

    As it ends long work, it waits for the device where another process (which is told `purpose`)
    has it; `wait` as in `open_target`. Raises UserError on another machine than the table's.
    """
    with open_target_of(table, purpose, wait=wait) as target:
        rows = measure_like(table, specs, target, on_progress).rows
    for row in rows:
        if row.verdict != "stable":
            note(f"{row.verdict}: {row.name}: {row.error}")
    return [row.latency_ms for row in rows], all(row.verdict == "stable" for row in rows)
