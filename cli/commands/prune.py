"""`vitprof prune`: a smaller model that meets a latency on a table's device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...compress.methods import all_methods
from ..options.checkpoint import checkpoint_option
from ..options.completed import complete_model
from ..options.data import (
    data_option,
    loading_options,
    resolution_option,
    sequence_length_option,
    train_device_option,
)
from ..options.download import download_option
from ..options.log import log_option, log_result
from ..options.prune import (
    given_method_options,
    method_options,
    method_recipes,
    score_option,
    target_options,
)
from ..options.renamed import RenamedOption
from ..options.table_and_setting import at_option
from ..options.train import fresh_option, recipe_options, training_options
from ..options.waiting import wait_option
from ..output import json_option, print_json


@click.command(
    epilog="Example: vitprof prune --model my-vit --table lut.csv --target 0.54x,0.39x "
    "--data photos.zip --out pruned --verify"
)
@click.option(
    "--method",
    default="nvit",
    show_default=True,
    type=click.Choice([method.name for method in all_methods()]),
    help="; ".join(f"{each.name}: {each.help}" for each in all_methods()) + ".",
)
@click.option(
    "--model",
    required=True,
    shell_complete=complete_model,
    help="The folder of a trained model, or a name and --checkpoint.",
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
@target_options
@data_option
@resolution_option
@sequence_length_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@fresh_option
@click.option(
    "--verify",
    is_flag=True,
    help="Measure the results on this machine, in turns with the unpruned model.",
)
@click.option(
    "--require-device",
    cls=RenamedOption,
    old=["--device"],
    help="End with an error if the table is of another device.",
)
@click.option(
    "--require-batch",
    cls=RenamedOption,
    old=["--latency-batch"],
    type=int,
    help="End with an error if the table is of another batch.",
)
@score_option
@click.option(
    "--credit",
    cls=RenamedOption,
    old=["--budget"],
    default="latency",
    show_default=True,
    type=click.Choice(("latency", "macs", "params")),
    help="What a removed group saves: milliseconds by the table, MACs or parameters.",
)
@click.option(
    "--groups",
    help="Units that are removed together, e.g. heads=1,mlp=32 "
    "(default: embed=16,heads=2,qk=8,v=8,mlp=16; heads=1 below 6; of a VGG "
    "channels=16).",
)
@click.option(
    "--only",
    multiple=True,
    help="Prune only structures whose name begins with this, e.g. stages.2. of a Swin.",
)
@loading_options
@training_options(epochs=10, learning_rate=5e-4)
@recipe_options(**method_recipes())
@train_device_option
@method_options
@download_option
@wait_option
@log_option
@json_option
def prune(as_json: bool, **given: Any) -> int:
    """Make a trained model smaller until it meets a latency.

    Heads, widths and hidden neurons of all blocks compete, or the channels of a VGG. Those with the
    least importance for the milliseconds that they cost, by the table, are removed. After an
    interruption the same command continues.
    """
    from ...compress.methods import RESERVED, TRAINING
    from ...verbs.prune import prune as verb
    from ..reports.pruned import print_pruned

    own = {name: given[name] for name in RESERVED if name in given and name not in TRAINING}
    found = verb(**own, **given_method_options(given), progress=not as_json)
    if found.rank:
        return 0
    if as_json:
        print_json(found.report())
    else:
        print_pruned(found.report())
    log_result(found)
    return 0 if found.stable else 1
