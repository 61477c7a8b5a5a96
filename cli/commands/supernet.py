"""`vitprof supernet`: one set of weights for all models of a space, from images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options.data import data_option, loading_options, train_device_option
from ..options.download import download_option
from ..options.teacher import teacher_options
from ..options.train import fresh_option, training_options
from ..output import json_option, print_json


@click.command(
    epilog="Example: vitprof supernet --space space.toml --data digits --out supernet  |  "
    "torchrun --nproc-per-node 4 -m vitprof supernet --space autovit-xxs --data photos --out net"
)
@click.option(
    "--space", required=True, help="A search space's name, or a .toml or .json file with one."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Weights of the largest model to start from.",
)
@data_option
@click.option(
    "--validation",
    type=click.IntRange(1),
    help="Training images to hold out, by which the search judges. [default: a tenth, "
    "10 a class at least]",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--sandwich",
    type=click.IntRange(0),
    metavar="N",
    help="Train the largest, the smallest and N random subnets in every step, instead of one "
    "random subnet.",
)
@click.option(
    "--distill-in-place",
    is_flag=True,
    help="With --sandwich: the others learn the outputs of the largest.",
)
@loading_options
@training_options(epochs=100, learning_rate=1e-3)
@train_device_option
@teacher_options
@click.option(
    "--part",
    metavar="K/N",
    help="Only part K of N of the space, from narrow to wide models; parts overlap.",
)
@fresh_option
@download_option
@json_option
def supernet(as_json: bool, **given: Any) -> int:
    """Train a supernet: one set of weights that all models of a space share.

    After an interruption the same command continues.
    """
    from ...verbs.supernet import supernet as verb
    from ..reports.supernet import print_supernet

    found = verb(**given, progress=not as_json)
    if not found.subnets:  # not the first process of torchrun
        return 0
    if as_json:
        print_json(found.report())
    else:
        print_supernet(found)
    return 0
