"""`vitprof train`: a model's weights, from images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...notes import note
from ..options.completed import complete_model
from ..options.data import (
    data_option,
    loading_options,
    resolution_option,
    train_device_option,
)
from ..options.download import download_option
from ..options.log import log_option, log_result
from ..options.table_and_setting import check_picture
from ..options.teacher import teacher_options
from ..options.train import (
    FIELDS,
    fresh_option,
    fused_attention_option,
    given_training,
    recipe_options,
    training_options,
)
from ..output import json_option, print_json, say


@click.command(
    epilog="Example: vitprof train --model vit-micro-8 --data digits --out digits  |  "
    "torchrun --nproc-per-node 4 -m vitprof train --model deit-tiny --data photos.zip --out deit"
)
@click.option(
    "--model",
    required=True,
    shell_complete=complete_model,
    help="A name, a spec's JSON file, or a folder with a model.",
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights to start from.")
@click.option(
    "--init",
    type=click.Choice(["default", "mimetic"]),
    default="default",
    show_default=True,
    help="Initial weights where there are none yet; mimetic resembles a trained ViT, which helps "
    "on few images (Trockman & Kolter 2023).",
)
@data_option
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@loading_options
@training_options(epochs=20, learning_rate=1e-3)
@recipe_options()
@train_device_option
@fused_attention_option
@teacher_options
@click.option(
    "--test-every",
    type=float,
    metavar="EPOCHS",
    help="Test the model every so many epochs, e.g. 0.5; the accuracy is shown and kept in "
    "history.csv (default: at the end only).",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw loss and accuracy over the epochs (png, svg or pdf).",
)
@fresh_option
@download_option
@log_option
@json_option
def train(as_json: bool, plot: Path | None, **given: Any) -> int:
    """Train a model, from scratch or from a checkpoint, and report its accuracy.

    After an interruption the same command continues.
    """
    from ...verbs.train import train as verb

    if plot is not None:
        check_picture(plot)
    own = {name: value for name, value in given.items() if name not in FIELDS}
    own["recipe"] = own["recipe"] or "small"
    found = verb(**own, **given_training(given), progress=not as_json)
    if found.accuracy is None:  # not the first process of torchrun
        return 0
    if as_json:
        print_json(found.report())
    else:
        tested = found.accuracy
        say(f"{tested.in_words()} of {tested.images} test images; written: {found.path}")
    if plot is not None:
        found.plot(plot)
        note(f"picture: {plot}")
    log_result(found)
    return 0
