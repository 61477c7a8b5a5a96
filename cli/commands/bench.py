"""`vitprof bench`: measure whole models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..options.completed import complete_model
from ..options.download import download_option
from ..options.log import log_option, log_result
from ..options.shapes import shape_option
from ..options.table_and_setting import given_options, given_settings, setting_options
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.bench_table import check_table, print_bench, write_table
from ..reports.sustained import check_places, show_sustained

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting


@click.command(
    epilog="Example: vitprof bench --model deit-tiny  |  "
    "vitprof bench --model deit-tiny --model efficientvit-m0 --protocol efficientvit --out t.md"
    "  |  vitprof bench --model deit-tiny --sustained 10m --out hot"
)
@click.option(
    "--model",
    "models",
    required=True,
    multiple=True,
    shell_complete=complete_model,
    help="A name (vitprof models), a spec's JSON file, a folder, an ONNX file or another foreign "
    "model (docs/foreign.md); may be repeated.",
)
@shape_option
@setting_options
@click.option(
    "--protocol",
    help="Settings of a paper: efficientvit (batch 16, one thread), optin (100 + 300 runs), "
    "efficient-vit (5 + 50), latency (batch 1). Options that you give override them.",
)
@click.option(
    "--sustained",
    help="Run one model without pause for this time (10m, 90s): latency over time, with clock, "
    "temperature and energy if the system reports them, and when throttling begins.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write a table: .csv or .md; with --sustained a folder of report, series and picture.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="With --sustained: draw latency over time (png, svg or pdf).",
)
@click.option(
    "--sessions",
    default=3,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Fresh sessions; the median of their medians is reported.",
)
@click.option(
    "--runs",
    default=20,
    show_default=True,
    type=click.IntRange(1, 100000),
    help="Timed runs per session.",
)
@click.option(
    "--warmup",
    default=3,
    show_default=True,
    type=click.IntRange(0, 100000),
    help="Untimed runs per session.",
)
@click.option(
    "--reference",
    is_flag=True,
    help="Run a fixed MLP in between, so that vitprof gate --base-result can compare with a "
    "later measurement on this machine.",
)
@download_option
@wait_option
@log_option
@json_option
def bench(
    wanted: PartialSetting,
    models: tuple[str, ...],
    shapes: Mapping[str, tuple[int, ...]] | None,
    protocol: str | None,
    sustained: str | None,
    out: Path | None,
    plot: Path | None,
    sessions: int,
    runs: int,
    warmup: int,
    reference: bool,
    download: bool,
    as_json: bool,
) -> int:
    """Measure whole models on this machine: latency and images per second.

    Several models are run in turns, so that their ratios can be trusted. With --sustained one model
    runs without pause; Ctrl-C ends it early and reports what was measured.
    """
    from ...verbs.bench import bench as bench_models

    asked = {"sessions": sessions, "runs": runs, "warmup": warmup, "reference": reference}
    given: Any = {name: value for name, value in asked.items() if given_options({name})}
    given |= given_settings(wanted) | {"protocol": protocol, "progress": not as_json}
    given |= {"download": download, "shapes": shapes}
    if sustained is not None:
        check_places(out, plot)
        found = bench_models(models, sustained=sustained, **given)
        code = show_sustained(found, out, plot, as_json)
        log_result(found)
        return code
    if plot:
        raise UserError("`plot` draws latency over time: give `sustained` with it, or leave it.")
    if out:
        check_table(out)
    result = bench_models(models, **given)
    if out:
        write_table(out, result.models, f"{result.setting.device} ({result.setting.backend})")
    if as_json:
        print_json(result.report())
    else:
        print_bench(result)
    for one in result.failed:
        note(f"failed: {one.model} cannot be run here: {one.error}.")
    for row, spec in zip(result.rows, result.specs, strict=True):
        if row.verdict != "stable":
            note(f"{row.verdict}: {spec.name}: {row.error}")
    log_result(result)
    return int(bool(result.failed) or any(row.verdict != "stable" for row in result.rows))
