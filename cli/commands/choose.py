"""`vitprof choose`: of all that a once-trained model can be run as, the best under limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...search.deployments.choices import DTYPES
from ..options.choice import choice_limit_options, choice_options
from ..options.data import data_option, resolution_option
from ..options.deployment import deployment_options
from ..options.log import log_option, log_result
from ..options.renamed import RenamedOption
from ..options.train import fresh_option
from ..options.waiting import wait_option
from ..output import json_option, print_json


@click.command(
    epilog="Example: vitprof choose --model levels --model small --data digits --max-latency "
    "2ms --out chosen  |  vitprof choose --model levels --model small --data photos.zip "
    "--max-params 5.3M --algorithm random --out chosen  |  vitprof choose --model deit --model "
    "swin --data photos.zip --runtimes all --tokens 0,4 --max-latency 2ms --out chosen"
)
@click.option(
    "--model",
    "models",
    cls=RenamedOption,
    old=["--models", "--variants"],
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder that prune-heads wrote, or one with a model; with --runtimes also a "
    "supernet, or a folder of models; may be repeated.",
)
@click.option(
    "--dtype",
    "dtypes",
    cls=RenamedOption,
    old=["--dtypes", "--precisions"],
    default=",".join(DTYPES),
    show_default=True,
    help="Number formats to choose from.",
)
@click.option(
    "--threads", default="1", show_default=True, help="Numbers of threads to choose from, e.g. 1,2."
)
@data_option
@resolution_option
@click.option(
    "--judge-images",
    type=click.IntRange(1),
    help="Judge by this many of the test images (default: half); the winner is tested on the "
    "others.",
)
@choice_limit_options
@choice_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@log_option
@deployment_options
@fresh_option
@wait_option
@json_option
def choose(as_json: bool, of_space: dict[str, Any] | None, **given: Any) -> int:
    """Find the best variant within limits from few measurements, without training.

    Among the variants that keep every limit, the highest score = accuracy (%) - 0.1 x seconds for
    10,000 images - GB of memory. Measurements are kept: the same command, or one with other limits
    and the same --facts, continues from them.

    With --runtimes: the most accurate combination of model, tokens, resolution, number format,
    runtime and threads within the limits. A few are measured; the rest is predicted from them and
    from tables.
    """
    if of_space is not None:
        from ...verbs.choose_deployment import choose_deployment
        from ..reports.deployment import print_deployment

        chosen = choose_deployment(**of_space, progress=not as_json)
        if as_json:
            print_json(chosen.report())
        else:
            print_deployment(chosen)
        log_result(chosen)
        return int(chosen.is_doubtful)
    from ...verbs.choose import choose as verb
    from ..reports.chosen import print_choice

    found = verb(**given, progress=not as_json)
    if as_json:
        print_json(found.report())
    else:
        print_choice(found)
    log_result(found)
    return int(found.is_doubtful)
