"""`vitprof search`: the best model of a space that keeps a latency on a table's device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options.data import train_device_option
from ..options.log import log_option, log_result
from ..options.search import algorithm_options, judge_options, limit_options, run_options
from ..options.table_and_setting import at_option
from ..options.train import fresh_option
from ..options.waiting import wait_option
from ..output import json_option, print_json


@click.command(
    epilog="Example: vitprof search --space autovit-xxs --table lut.csv --max-latency 10ms "
    "--proxy macs --out found  |  vitprof search --supernet supernet --data photos.zip --table "
    "lut.csv --max-latency 10ms --max-params 1.8M --out found --verify"
)
@click.option(
    "--space",
    help="A search space: a name, or a .toml or .json file (vitprof space). With --supernet: "
    "that of the supernet.",
)
@click.option(
    "--table",
    "tables",
    default=("lut.csv",),
    show_default=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="A table that vitprof measure wrote; may be repeated: the model has to be fast enough "
    "by each.",
)
@click.option(
    "--any-table",
    is_flag=True,
    help="The tables are alternatives (precisions, runtimes, devices): the model has to be fast "
    "enough by one of them.",
)
@at_option
@limit_options
@judge_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@algorithm_options
@run_options
@train_device_option
@fresh_option
@wait_option
@log_option
@json_option
def search(as_json: bool, **given: Any) -> int:
    """Find the best model of a search space that keeps every limit.

    Writes to --out: the model with its weights from the supernet, the Pareto front of all evaluated
    models as CSV and picture, and a log. After an interruption the same command continues.
    """
    from ...verbs.search_models import search_models
    from ..reports.searched import print_search

    found = search_models(**given, progress=not as_json)
    if as_json:
        print_json(found.report())
    else:
        print_search(found)
    log_result(found)
    return 0 if found.is_fine else 1
