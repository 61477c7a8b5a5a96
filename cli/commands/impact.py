"""`vitprof impact`: how much accuracy each module of a model is worth, for the time it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options.checkpoint import checkpoint_option
from ..options.completed import complete_model
from ..options.data import data_option, resolution_option, train_device_option
from ..options.download import download_option
from ..options.table_and_setting import at_option, check_picture, check_writable
from ..output import json_option, note, print_json


@click.command(
    epilog="Example: vitprof impact --model digits --table lut.csv --data digits --plot impact.png"
)
@click.option(
    "--model",
    required=True,
    shell_complete=complete_model,
    help="A folder with a model, a name, or a spec's JSON file.",
)
@checkpoint_option
@click.option(
    "--table",
    default="lut.csv",
    show_default=True,
    type=click.Path(path_type=Path),
    help="A table that vitprof measure wrote.",
)
@at_option
@data_option
@click.option(
    "--images",
    type=click.IntRange(1),
    help="Test on this many random images of the test part (default: all).",
)
@click.option(
    "--calibration-images",
    default=512,
    show_default=True,
    type=click.IntRange(0),
    help="For batch norms: training images from which their statistics are computed again after "
    "a module is removed; 0 keeps them.",
)
@resolution_option
@click.option(
    "--batch",
    default=256,
    show_default=True,
    type=click.IntRange(2, 65536),
    help="Images at a time.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write all modules as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw them.")
@train_device_option
@download_option
@json_option
def impact(out: Path | None, plot: Path | None, as_json: bool, **given: Any) -> int:
    """Remove each module of a trained model in turn: points of accuracy lost per millisecond saved.

    Accuracy is top-1 on the test part of a dataset, in fp32. Latency is the table's prediction for
    the whole model. The module that is most worth removing comes first.
    """
    from ...tables.picture import save_picture
    from ...verbs.impact import impact as verb
    from ..reports.impact import print_impact

    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    found = verb(**given, progress=not as_json)
    if out:
        found.to_csv(out)
    if plot:
        save_picture(found.figure(), found.table.setting, plot)
    if as_json:
        print_json(found.report())
        return 0
    print_impact(found)
    for path in filter(None, (out, plot)):
        note(f"written: {path}")
    return 0
