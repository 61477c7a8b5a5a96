"""`vitprof transfer`: a table for a new device from few measured points and tables of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UserError
from ..options.artifacts import artifacts_option
from ..options.table_and_setting import (
    check_picture,
    given_options,
    given_settings,
    setting_options,
)
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.transferred import print_models, print_transfer

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting


@click.command(
    epilog="Example: vitprof transfer --from ort.csv,openvino.csv --backend torch --probe 10 "
    "--time 20s --out torch.csv  |  vitprof transfer --from ort.csv --probes phone-probes.csv "
    "--out phone.csv  |  vitprof transfer --models phones.csv --unit us --target 's10|1large|float'"
)
@click.option(
    "--from",
    "sources",
    default="",
    help="Tables of other devices or settings, separated by commas.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    help="Timings of whole models (CSV) with one column per phone. Predicts all models for a "
    "phone on which few were timed; with --from also its table of blocks.",
)
@click.option("--unit", help="Unit of --models, if the file does not say: us, ms or s.")
@click.option("--target", help="The column of --models to be predicted, e.g. 's10|1large|float'.")
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
    help="Points measured elsewhere: a table (vitprof measure --bundle); with --models a CSV of "
    "model,latency_ms.",
)
@click.option("--family", help="Cover this family: also measure ops that no source has.")
@click.option("--out", type=click.Path(path_type=Path), help="The new table.")
@click.option("--time", help="Stop adding sessions after this time, e.g. 20s or 2m.")
@click.option(
    "--sessions",
    default=3,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Fresh sessions per probe.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the random models for which probes are chosen.",
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Measure the probes again, and overwrite a measured table at --out.",
)
@artifacts_option
@click.option("--plot", type=click.Path(path_type=Path), help="Draw a picture (.png, .svg, .pdf).")
@wait_option
@json_option
def transfer(
    sources: str,
    models: Path | None,
    unit: str | None,
    target: str | None,
    wanted: PartialSetting,
    probe: int,
    probes: Path | None,
    family: str | None,
    out: Path | None,
    time: str | None,
    sessions: int,
    seed: int,
    fresh: bool,
    artifacts: Path | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Make a table for a new device from few measured points and the tables of others.

    Every point of the sources gets a row: measured, or predicted with a 95 % interval
    ("transferred"). Measured points are kept in OUT.probes.csv, and the same command continues from
    there.
    """
    from ...verbs.transfer import transfer as transfer_table

    if plot is not None:
        check_picture(plot)
    tables = [name.strip() for name in sources.split(",") if name.strip()]
    if models is not None:
        return _of_models(models, unit, target, tables, wanted, probe, probes, out, plot, as_json)
    alone = given_options({"unit", "target"})
    if alone:
        raise UserError(f"{', '.join(alone)} go with --models; give both, or remove them.")
    if not tables or out is None:
        raise UserError("--from TABLES and --out FILE are needed: what to transfer, and where to.")
    found = transfer_table(
        tables,
        out=out,
        probe=probe,
        probes=probes,
        family=family,
        **given_settings(wanted),
        sessions=sessions,
        time=time,
        seed=seed,
        fresh=fresh,
        artifacts=artifacts,
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


def _of_models(
    models: Path,
    unit: str | None,
    target: str | None,
    tables: list[str],
    wanted: PartialSetting,
    probe: int,
    probes: Path | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Tell whole models on a phone, and with `tables` its blocks."""
    from ...verbs.transfer_models import transfer_models

    beside = given_options({"family", "time", "sessions", "fresh", "seed", "artifacts"})
    if beside:
        raise UserError(f"{', '.join(beside)} say how to measure; with --models nothing is.")
    names = ("device", "backend", "dtype", "threads", "batch")
    given = {name: value for name, value in given_settings(wanted).items() if name in names}
    found = transfer_models(
        models,
        unit=unit,
        target=target,
        probes=probes,
        probe=probe,
        sources=tables,
        out=out,
        **given,
    )
    if plot is not None and found.models:
        found.plot(plot)
        note(f"picture: {plot}")
    if as_json:
        print_json(found.report())
    else:
        print_models(found, out)
    return int(found.blocks is not None and found.blocks.is_doubtful)
