"""`profiler.remeasure` with a bar on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..profiler.remeasure import verified_ms
from ..profiler.target import target_of_table
from .output import progress_bar

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable


def check_here(table: LatencyTable) -> None:
    """Raise UserError where this is not the table's machine and runtime."""
    target_of_table(table)


def measured_like(
    table: LatencyTable,
    specs: Sequence[Spec],
    what: str,
    quiet: bool,
    wait: float | None = math.inf,
) -> tuple[list[float], bool]:
    """Return the milliseconds of each, brought to the table's speed, and whether all are stable."""
    with progress_bar(enabled=not quiet) as on_progress:
        return verified_ms(table, specs, what, on_progress, wait)
