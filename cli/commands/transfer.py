"""`vitprof transfer`: a table for a new device from few measured points and tables of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.table_and_setting import check_picture, given_settings, setting_options
from ..output import json_option, note, print_json
from ..reports.transferred import print_transfer

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting


@click.command(
    epilog="Example: vitprof transfer --from ort.csv,openvino.csv --backend torch --probe 10 "
    "--time 20s --out torch.csv  |  vitprof transfer --from ort.csv --probes phone-probes.csv "
    "--out phone.csv"
)
@click.option(
    "--from",
    "sources",
    required=True,
    help="Tables of other devices or settings, separated by commas.",
)
@setting_options
@click.option(
    "--probe",
    default=10,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many points to measure on the new device.",
)
@click.option(
    "--probes",
    type=click.Path(path_type=Path),
    help="A table of points measured elsewhere (vitprof measure --bundle): nothing is measured "
    "here.",
)
@click.option("--family", help="Cover this family: ops that no source has are measured too.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The new table.")
@click.option("--time", help="Stop adding sessions after this time, e.g. 20s or 2m.")
@click.option(
    "--sessions",
    default=3,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Fresh sessions a probe.",
)
@click.option("--seed", default=0, show_default=True, help="Of the models probes are chosen for.")
@click.option(
    "--fresh", is_flag=True, help="Measure the probes anew; write over a measured table at --out."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw a picture (.png, .svg, .pdf).")
@json_option
def transfer(
    sources: str,
    wanted: PartialSetting,
    probe: int,
    probes: Path | None,
    family: str | None,
    out: Path,
    time: str | None,
    sessions: int,
    seed: int,
    fresh: bool,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Make a table for a new device from few measured points and the tables of others.

    Every point of the sources gets a row: measured, or told with a 95 % interval ("transferred").
    The measured points are kept in OUT.probes.csv: the same command goes on from there.
    """
    from ...verbs.transfer import transfer as transfer_table

    if plot is not None:
        check_picture(plot)
    found = transfer_table(
        [name.strip() for name in sources.split(",") if name.strip()],
        out=out,
        probe=probe,
        probes=probes,
        family=family,
        **given_settings(wanted),
        sessions=sessions,
        time=time,
        seed=seed,
        fresh=fresh,
        progress=not as_json,
    )
    if plot is not None:
        found.plot(plot)
        note(f"picture: {plot}")
    if as_json:
        print_json(found.report())
    else:
        print_transfer(found)
    return int(found.is_doubtful)
