"""`vitprof measure`: plan -> compile -> sample -> table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UnfinishedError, UserError
from ..options.plan import PLAN_NAMES, MakePlan, plan_options
from ..options.renamed import RenamedOption
from ..options.table_and_setting import given_options, given_settings, setting_options
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
@click.option("--out", default="lut.csv", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="Measure what vitprof build compiled, maybe elsewhere: its points under its setting.",
)
@click.option(
    "--trust",
    is_flag=True,
    help="Measure a bundle of TensorRT engines: they are programs, so only what you, or someone "
    "you trust, built.",
)
@click.option(
    "--time",
    cls=RenamedOption,
    old=["--budget"],
    help="Stop adding sessions after this time, e.g. 60s or 2m.",
)
@click.option(
    "--sessions",
    default=3,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Fresh sessions a point.",
)
@click.option("--fresh", is_flag=True, help="Start over: write over the table at --out.")
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Measure on the nodes of a Ray cluster that have "
    "the device: auto, HOST:PORT or ray://HOST:PORT.",
)
@json_option
def measure(
    wanted: PartialSetting,
    make_plan: MakePlan,
    out: Path,
    bundle: Path | None,
    trust: bool,
    time: str | None,
    sessions: int,
    seed: int,
    fresh: bool,
    ray: str | None,
    as_json: bool,
) -> int:
    """Measure a latency table of this machine, or with --ray of a fleet's machines.

    Interrupted (Ctrl-C, a crash, a full disk), the same command goes on where it stopped.
    """
    from ...verbs.measure import measure as measure_table

    given = given_options({*PLAN_NAMES, "old_space", "ray"})
    if bundle is not None and given:
        raise UserError(
            f"--bundle {bundle} has its own points and is measured on this machine; take "
            f"{', '.join(given)} away, or build another bundle."
        )
    try:
        table = measure_table(
            None if bundle is not None else make_plan(),
            **given_settings(wanted),
            out=out,
            sessions=sessions,
            time=time,
            seed=seed,
            fresh=fresh,
            bundle=bundle,
            trust=trust,
            ray=ray,
            progress=not as_json,
        )
    except UnfinishedError as lost:
        if as_json:
            print_json({"table": str(out), "points": lost.done, "missing": lost.missing})
        note(f"vitprof: {lost}")
        return 1
    return print_measured(table, out, as_json)
