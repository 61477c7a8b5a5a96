"""`vitprof.published_variants`: a paper's ablation table, on a table's device."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UserError
from ..notes import warn
from ..progress import ProgressOption, shown_progress
from ..quantities import Quantity, seconds
from .given_table import table_of
from .inputs import Path, spec_of

if TYPE_CHECKING:
    from ..tables import LatencyTable
    from ..tables.ablations.published import PublishedVariants
    from ..tables.speed import Speed


def published_variants(
    table: Path | LatencyTable = "lut.csv",
    *,
    family: str = "efficientvit",
    at: Speed | str | None = None,
    measure: bool = False,
    time: Quantity | None = None,
    extrapolate: bool = False,
    progress: ProgressOption = False,
) -> PublishedVariants:
    """Predict or measure every row of the ablation table of a family's paper.

    EfficientViT's is Table 6 of Liu et al. 2023, eleven models around EfficientViT-M4. Speeds are
    relative to the first row, as machines differ.

    Args:
        table: A table, or its file.
        family: Family of the paper.
        at: State latencies at this speed of the table's machine: "undisturbed", "typical" or "p90"
            (default: the one that the table is stated at).
        measure: Measure the rows too, interleaved, on the table's machine.
        time: With `measure`: after so many seconds ("5m") no further session begins.
        extrapolate: Answer outside the measured range too.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Returns:
        The rows with MACs, parameters, ms, speed, and the paper's speed and accuracy.

    Raises:
        UserError: A family without a known ablation table, a table that does not cover the model,
            or, with `measure`, another machine than the table's.

    Example:
        >>> import vitprof
        >>> found = vitprof.published_variants("ev.csv")  # doctest: +SKIP
        >>> found.to_frame()[["ablation", "speed", "paper_speed"]]  # doctest: +SKIP
    """
    from ..models.published_ablations import published_table
    from ..tables.ablations.published import predicted_table

    if time is not None and not measure:
        raise UserError("`time` limits measuring; add `measure`.")
    published = published_table(family)
    asked = table_of(table, at)
    found = predicted_table(asked, published, spec_of(published.model), extrapolate)
    if not measure:
        return found
    return _measured(asked, found, None if time is None else seconds(time), progress)


def _measured(
    table: LatencyTable, found: PublishedVariants, time_s: float | None, progress: ProgressOption
) -> PublishedVariants:
    from ..profiler.remeasure import measure_like
    from ..profiler.target import open_target_of

    specs = [line.spec for line in found.lines]
    with (
        open_target_of(table, f"measuring models as {table.source} was") as target,
        shown_progress(progress) as on_progress,
    ):
        rows = measure_like(table, specs, target, on_progress, time_s).rows
    unstable = [row for row in rows if row.verdict != "stable"]
    for row in unstable:
        warn(f"{row.verdict}: {row.name}: {row.error}")
    lines = [
        replace(line, measured_ms=row.latency_ms)
        for line, row in zip(found.lines, rows, strict=True)
    ]
    return replace(found, lines=lines, unstable=tuple(row.name for row in unstable))
