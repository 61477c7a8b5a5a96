"""`vitprof calibrate`: fit the line from blocks to whole models again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UserError
from ..options.common import table_option
from ..output import json_option, note, print_json, progress_bar

if TYPE_CHECKING:
    from ...tables import LatencyTable


@click.command(
    epilog="Example: vitprof calibrate --table lut.csv  |  "
    "vitprof calibrate --table lut.csv --models 16 --seed 1"
)
@table_option
@click.option("--models", "count", type=click.IntRange(3, 1000),
              help="Measure so many new whole models on this machine and fit on these; without it, "
              "fit on those that the table holds.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Seed of the new models.")
@click.option("--drop", is_flag=True, help="Take the calibration out: predict the sum of blocks.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: the table itself.")
@json_option
def calibrate(
    table_path: Path, count: int | None, seed: int, drop: bool, out: Path | None, as_json: bool
) -> int:
    """Fit the line from the sum of blocks to whole models, and store it in the table."""
    from ...tables import LatencyTable
    from ...tables.calibration.calibrate import calibrated, in_words
    from ...tables.calibration.calibration import header_of_calibrations

    table = LatencyTable.read_csv(table_path, calibration=False)
    if table.unfinished:
        raise UserError(f"{table_path} is unfinished; finish measuring it first (vitprof measure).")
    if drop and count:
        raise UserError("--drop and --models exclude each other: take one of them away.")
    if drop:
        table = table.with_calibrations({})
    else:
        if count:
            table = _with_new_models(table, count, seed, as_json)
        table = calibrated(table)
        if not table.calibrations:
            raise UserError(
                f"{table_path} holds fewer than 3 whole models; measure some: vitprof calibrate "
                "--models 8."
            )
    table.to_csv(out or table_path)
    lines = table.calibrations
    if as_json:
        print_json({"table": str(out or table_path), "calibration": header_of_calibrations(lines)})
    for family, line in lines.items():
        if not as_json:
            click.echo(
                f"{out or table_path}: a whole {family} model is {in_words(line)}, fitted on "
                f"{line.models} models; held out, it errs by {line.held_out_mape:.2%}."
            )
    if not lines and not as_json:
        note(f"{out or table_path}: without calibration.")
    return 0


def _with_new_models(table: LatencyTable, count: int, seed: int, as_json: bool) -> LatencyTable:
    """Return the table with its whole models replaced by newly measured ones."""
    from ...profiler.remeasure import measure_like
    from ...profiler.spaces_of_table import spaces_of_table
    from ...profiler.target import open_target_of

    spaces = spaces_of_table(table)
    specs = [spec for space in spaces for spec in space.calibration_models(count, seed)]
    what = f"vitprof calibrate --table {table.source}"
    with (
        open_target_of(table, what) as target,
        progress_bar(enabled=not as_json) as on_progress,
    ):
        measured = measure_like(table, specs, target, on_progress)
    return table.with_rows([*table.block_rows, *measured.rows])
