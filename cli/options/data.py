"""Options of commands that read images or texts, and of where PyTorch computes."""

from __future__ import annotations

import click

data_option = click.option(
    "--data",
    required=True,
    help="digits; a folder or zip of class folders, or a folder with train and test of these; or "
    "an .npz with images and labels. Of a BERT: a file of texts with GLUE's columns (.tsv, .csv or "
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
    help="Of a BERT: cut texts to this many tokens, or fill them up (default: the model's, 128 of "
    "a Hugging Face folder).",
)
train_device_option = click.option(
    "--train-device",
    default="auto",
    show_default=True,
    help="Where to compute: cpu, cuda, cuda:1; auto takes a GPU where there is one.",
)
