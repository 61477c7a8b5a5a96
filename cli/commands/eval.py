"""`vitprof eval`: how often a model is right."""

from __future__ import annotations

from typing import Any, get_args

import click

from ...training.data.part import Part
from ...training.data.view import INTERPOLATIONS
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
from ..output import json_option, note, print_json, say


@click.command(
    "eval",
    epilog="Example: vitprof eval --model digits --data digits  |  "
    "vitprof eval --model deit-tiny --checkpoint deit_tiny.pth --data photos",
)
@click.option(
    "--model",
    required=True,
    shell_complete=complete_model,
    help="A folder with a model, a name, or a spec's JSON file.",
)
@checkpoint_option
@data_option
@resolution_option
@click.option(
    "--crop-pct",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of a scaled image's side that is cropped (default: the model's, or 1).",
)
@click.option(
    "--interpolation",
    type=click.Choice(INTERPOLATIONS),
    help="How images are scaled (default: the model's, or bicubic).",
)
@click.option(
    "--part",
    default="auto",
    show_default=True,
    type=click.Choice(get_args(Part)),
    help="auto: the test (or val) part if there is one, otherwise all images. test: for images "
    "without parts, the fifth of every class that vitprof train keeps for testing.",
)
@sequence_length_option
@click.option(
    "--batch",
    default=256,
    show_default=True,
    type=click.IntRange(1, 65536),
    help="Images or texts at a time.",
)
@loading_options
@train_device_option
@download_option
@json_option
def eval_(as_json: bool, **given: Any) -> int:
    """Report top-1, top-3 and top-5 accuracy on test images, in fp32.

    Images are scaled, cropped and normalised as the model's configuration says. A BERT is tested on
    a whole file of texts, or on the dev file of a folder; for two classes F1 is reported too.
    """
    from ...verbs.evaluate import evaluate

    found = evaluate(**given, progress=not as_json)
    if as_json:
        print_json(found.report())
        return 0
    say(found.title)
    if found.norm is not None:
        note(f"normalised by mean {found.norm.mean}, std {found.norm.std}.")
    if found.view is not None and (found.view.crop_pct, found.view.mode) != (1, "crop"):
        note(f"images are {found.view.in_words()}.")
    return 0
