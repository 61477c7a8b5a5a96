"""`vitprof measure`: plan -> compile -> sample -> table."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ...errors import UnfinishedError, UserError
from ..options.measure import MeasureOptions, measure_options
from ..options.plan import PLAN_NAMES, MakePlan, plan_options
from ..options.table_and_setting import given_options, given_settings, setting_options
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.measured import print_measured

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting


@click.command(
    epilog="Example: vitprof measure --device cpu --family vit --out lut.csv  |  "
    "vitprof measure --model vit-tiny-32 --out small.csv"
)
@setting_options
@plan_options
@measure_options
@wait_option
@json_option
def measure(
    wanted: PartialSetting, make_plan: MakePlan, how: MeasureOptions, seed: int, as_json: bool
) -> int:
    """Measure a latency table of this machine, or with --ray of a fleet's machines.

    After an interruption (Ctrl-C, a crash, a full disk) the same command continues where it
    stopped. The last line gives the expected error of predictions.
    """
    from ...verbs.measure import measure as measure_table

    given = given_options({*PLAN_NAMES, "old_space", "ray"})
    if how.bundle is not None and given:
        raise UserError(
            f"--bundle {how.bundle} has its own points and is measured on this machine; take "
            f"{', '.join(given)} away, or build another bundle."
        )
    try:
        table = measure_table(
            None if how.bundle is not None else make_plan(),
            **given_settings(wanted),
            **asdict(how),
            seed=seed,
            progress=not as_json,
        )
    except UnfinishedError as lost:
        if as_json:
            print_json({"table": str(how.out), "points": lost.done, "missing": lost.missing})
        note(f"vitprof: {lost}")
        return 1
    print_measured(table, how.out, as_json)
    return int(table.is_doubtful)
