"""`vitprof build`: plan -> compile -> bundle, to be measured on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.artifacts import jobs_option
from ..options.plan import MakePlan, plan_options
from ..options.table_and_setting import setting_options
from ..output import json_option, note, print_json, say

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting

_MOST_NOTES = 5


@click.command(
    epilog="Example: vitprof build --device t4 --out t4.zip  |  vitprof build --device iphone13 "
    "--points 40 --out iphone13.zip; then, there: vitprof measure --bundle t4.zip --trust "
    "--out t4.csv"
)
@setting_options
@plan_options
@click.option("--out", default="bundle.zip", show_default=True, type=click.Path(path_type=Path))
@jobs_option
@json_option
def build(
    wanted: PartialSetting, make_plan: MakePlan, seed: int, out: Path, jobs: int, as_json: bool
) -> int:
    """Compile everything that measuring a table of a device needs, into one file.

    It takes the options of vitprof measure, and needs the device's compiler, not the device.
    """
    from ...verbs.build import build as build_bundle

    plan, shown = make_plan(), not as_json
    built = build_bundle(plan, out=out, **wanted.as_dict(), jobs=jobs, progress=shown)
    if as_json:
        print_json(built.report())
    else:
        say(built.title)
        trust = " --trust" if built.is_programs else ""
        say(f"On that machine: vitprof measure --bundle {out.name}{trust} --out lut.csv")
    for name, reason in list(built.failed.items())[:_MOST_NOTES]:
        note(f"failed: {name}: {reason}")
    if len(built.failed) > _MOST_NOTES:
        note(f"... and {len(built.failed) - _MOST_NOTES} more points failed.")
    return 1 if built.failed else 0
