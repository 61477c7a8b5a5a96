"""`vitprof.calibrate`: fit the line from blocks to whole models again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import UserError
from ..progress import ProgressOption, shown_progress

if TYPE_CHECKING:
    from .. import tables
    from .latency_table import LatencyTable


def calibrate(
    table: str | os.PathLike[str] | tables.LatencyTable = "lut.csv",
    *,
    models: int | None = None,
    seed: int = 1,
    drop: bool = False,
    out: str | os.PathLike[str] | None = None,
    progress: ProgressOption = False,
) -> LatencyTable:
    """Fit the line from the sum of blocks to whole models.

    Args:
        table: A table, or its file; a damaged line in it does not matter.
        models: Measure so many new whole models (3 to 1000) on this machine and fit on these;
            without it, fit on those that the table holds.
        seed: Of the new models.
        drop: Take the line out: predict the sum of blocks.
        out: Write the table there too (default: nowhere).
        progress: Show a bar on stderr, or call this function.

    Returns:
        The table with its new line, one a family, in `calibrations`.

    Raises:
        UserError: The table is unfinished, holds fewer than 3 whole models, or is of another
            machine than the one that is to measure new ones.

    Example:
        >>> import vitprof
        >>> table = vitprof.calibrate("lut.csv", models=16, out="lut.csv")  # doctest: +SKIP
        >>> table.calibration.held_out_mape  # doctest: +SKIP
        0.012
    """
    from ..tables.calibration.calibrate import calibrated
    from .latency_table import LatencyTable

    if isinstance(table, (str, os.PathLike)):
        lut = LatencyTable.read_csv(os.fspath(table), calibration=False)
    else:
        lut = LatencyTable.of(table)
    if lut.unfinished:
        raise UserError(f"{lut.source} is unfinished; finish measuring it first (vitprof measure).")
    if drop and models:
        raise UserError("`drop` and `models` exclude each other: remove one of them.")
    if drop:
        lut = lut.with_calibrations({})
    else:
        if models:
            lut = _with_new_models(lut, models, seed, progress)
        lut = calibrated(lut)
        if not lut.calibrations:
            raise UserError(
                f"{lut.source} holds fewer than 3 whole models; measure some: `models` 8."
            )
    if out is not None:
        lut.to_csv(out)
    return lut


def _with_new_models(
    table: LatencyTable, count: int, seed: int, progress: ProgressOption
) -> LatencyTable:
    """Return the table with its whole models replaced by newly measured ones."""
    from ..profiler.remeasure import measure_like
    from ..profiler.spaces_of_table import spaces_of_table
    from ..profiler.target import open_target_of

    specs = [
        spec for space in spaces_of_table(table) for spec in space.calibration_models(count, seed)
    ]
    what = f"vitprof calibrate --table {table.source}"
    with open_target_of(table, what) as target, shown_progress(progress) as on_progress:
        measured = measure_like(table, specs, target, on_progress)
    return table.with_rows([*table.block_rows, *measured.rows])
