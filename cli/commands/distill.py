"""`vitprof distill`: a small model that learns from a large one, and what that gains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options.data import (
    data_option,
    loading_options,
    resolution_option,
    train_device_option,
)
from ..options.download import download_option
from ..options.side_by_side import side_by_side_options
from ..options.train import fresh_option, fused_attention_option, training_options
from ..options.waiting import wait_option
from ..output import json_option
from ..reports.facts_table import print_deployed
from ..reports.loader import print_loader


@click.command(
    epilog="Example: vitprof distill --teacher digits --student vit-micro-8 --data digits --out "
    "small  |  vitprof distill --teacher vit-b --preset vit-b-deit-ti --data photos --out tiny"
)
@click.option(
    "--teacher",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder of a trained model.",
)
@click.option("--student", help="A name, a spec's JSON file, or a folder with a model.")
@click.option(
    "--preset", help="vit-b-deit-ti: a ViT-B teaches a DeiT-Ti with a distillation token."
)
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="The student's weights to start from."
)
@data_option
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--weight",
    type=click.FloatRange(0),
    help="Weight of T² KL(teacher || student); the cross entropy with the labels weighs 1. "
    "[default: 1]",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    help="Temperature T, which softens both distributions. [default: 3]",
)
@click.option(
    "--distill",
    type=click.Choice(("soft", "hard")),
    help="Use AutoViT's losses instead: the teacher's distribution at T (soft), or its top class "
    "(hard), with --alpha instead of --weight.",
)
@click.option(
    "--alpha",
    type=float,
    help="With --distill: weight of T² KL (soft), or of the cross entropy with the teacher's top "
    "class (hard). The labels weigh 1 - alpha. [default: 0.1 for soft, 0.5 for hard]",
)
@loading_options
@training_options(epochs=20, learning_rate=1e-3)
@train_device_option
@fused_attention_option
@side_by_side_options("--run-batch")
@fresh_option
@download_option
@wait_option
@json_option
def distill(as_json: bool, **given: Any) -> int:
    """Train a small model on labels and on the outputs of a large one; measure both side by side.

    The loss is CE(label) + weight · T² · KL(teacher || student), or one of AutoViT's by --distill.
    After an interruption the same command continues.
    """
    from ...verbs.distill import distill as verb

    found = verb(**given, progress=not as_json)
    if not found.facts:  # not the first process of torchrun
        return 0
    teacher, student = found.facts
    gain = (
        f"the student has {_times_smaller(found.smaller)} parameters and takes "
        f"{student.latency_ms / teacher.latency_ms:.2f} x the time."
    )
    code = print_deployed(found, as_json, remarks=[gain])
    if not as_json:
        print_loader(found.loader, found.out)
    return code


def _times_smaller(ratio: float) -> str:
    return f"{ratio:.1f} x fewer" if ratio >= 1 else f"{1 / ratio:.1f} x the"
