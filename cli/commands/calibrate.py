"""`vitprof calibrate`: fit the line from blocks to whole models again."""

from __future__ import annotations

from pathlib import Path

import click

from ..options.renamed import RenamedOption
from ..options.table_and_setting import table_option
from ..options.waiting import wait_option
from ..output import json_option, note, print_json, say


@click.command(
    epilog="Example: vitprof calibrate --table lut.csv  |  "
    "vitprof calibrate --table lut.csv --whole-models 16 --seed 1"
)
@table_option
@click.option(
    "--whole-models",
    "models",
    cls=RenamedOption,
    old=["--models"],
    type=click.IntRange(3, 1000),
    help="Measure this many new whole models on this machine and fit on these (default: fit on "
    "those in the table).",
)
@click.option("--seed", default=1, show_default=True, help="Seed of the new models.")
@click.option(
    "--drop",
    is_flag=True,
    help="Remove the calibration, so that predictions are the sum of blocks.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: the table itself.")
@wait_option
@json_option
def calibrate(
    table_path: Path, models: int | None, seed: int, drop: bool, out: Path | None, as_json: bool
) -> int:
    """Fit the line from the sum of blocks to whole models, and store it in the table."""
    from ...tables.calibration.calibrate import in_words
    from ...tables.calibration.calibration import header_of_calibrations
    from ...verbs.calibrate import calibrate as calibrate_table

    place = out or table_path
    lines = calibrate_table(
        table_path, models=models, seed=seed, drop=drop, out=place, progress=not as_json
    ).calibrations
    if as_json:
        print_json({"table": str(place), "calibration": header_of_calibrations(lines)})
        return 0
    for family, line in lines.items():
        say(
            f"{place}: a whole {family} model is {in_words(line)}, fitted on {line.models} "
            f"models; held-out error {line.held_out_mape:.2%}."
        )
    if not lines:
        note(f"{place}: without calibration.")
    return 0
