"""Options of commands that read images or texts, and of where PyTorch computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from ...training.data.kept_where import MOST_WORKERS, Keep, OnDamaged

F = TypeVar("F", bound=Callable[..., Any])

data_option = click.option(
    "--data",
    required=True,
    help="digits; a folder or zip of class folders, tar shards, a data set of Hugging Face on "
    "disk, or a folder with train and test (or val) of these; or an .npz with images and labels. "
    "Of a BERT: a file of texts with GLUE's columns (.tsv, .csv or "
    ".jsonl), or a folder with train and dev files.",
)
resolution_option = click.option(
    "--resolution",
    type=click.IntRange(1, 4096),
    help="Scale images to this many pixels a side (default: the model's).",
)
sequence_length_option = click.option(
    "--sequence-length",
    type=click.IntRange(1),
    help="For BERT: cut or pad texts to this many tokens (default: the model's, 128 for a "
    "Hugging Face folder).",
)
train_device_option = click.option(
    "--train-device",
    default="auto",
    show_default=True,
    help="Where to compute: cpu, cuda, cuda:1; auto takes a GPU if there is one.",
)


def loading_options(function: F) -> F:
    """Add --keep, --workers and --on-damaged: how images are read."""
    decorated: Any = function
    for option in (
        click.option(
            "--on-damaged",
            default="refuse",
            show_default=True,
            type=click.Choice(get_args(OnDamaged)),
            help="If an image cannot be read: end with an error, or skip and count it (only with "
            "images on disk).",
        ),
        click.option(
            "--workers",
            type=click.IntRange(0, MOST_WORKERS),
            help="Processes that read images from disk (default: one less than the cores, at "
            "most 8).",
        ),
        click.option(
            "--keep",
            default="auto",
            show_default=True,
            type=click.Choice(get_args(Keep)),
            help="Keep images in memory, or read them from disk when needed. auto: in memory up "
            "to 4 GiB.",
        ),
    ):
        decorated = option(decorated)
    return decorated
