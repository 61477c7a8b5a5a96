"""Options of how a model is trained, each a parameter of its own, named as in `TrainingPlan`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...training.plan import AUGMENTS, AUTOCASTS
from .renamed import RenamedOption

F = TypeVar("F", bound=Callable[..., Any])

fused_attention_option = click.option(
    "--fused-attention",
    is_flag=True,
    help="Train with PyTorch's fused attention (flash where it has it); vitprof bench-attention "
    "says whether it pays.",
)

fresh_option = click.option(
    "--fresh", is_flag=True, help="Begin anew where --out holds a run, in place of going on."
)


def training_options(epochs: float, learning_rate: float) -> Callable[[F], F]:
    """Add --epochs, --batch, --learning-rate and the others, with these defaults."""

    def add(function: F) -> F:
        decorated: Any = function
        for option in (
            click.option("--seed", default=0, show_default=True, help="Seed of everything drawn."),
            click.option(
                "--autocast",
                cls=RenamedOption,
                old=["--precision"],
                default="auto",
                show_default=True,
                type=click.Choice(AUTOCASTS),
                help="bf16 is autocast; auto takes it where the device computes in it.",
            ),
            click.option(
                "--augment",
                default="light",
                show_default=True,
                type=click.Choice(AUGMENTS),
                help="light: crop, flip, label smoothing; deit adds mixup, cutmix and erasing.",
            ),
            click.option(
                "--weight-decay",
                default=0.05,
                show_default=True,
                type=click.FloatRange(0),
                help="AdamW's.",
            ),
            click.option(
                "--learning-rate",
                default=learning_rate,
                show_default=True,
                type=click.FloatRange(0, min_open=True),
                help="AdamW's, at its peak; then down a cosine.",
            ),
            click.option(
                "--batch",
                default=128,
                show_default=True,
                type=click.IntRange(1, 65536),
                help="Images a step, over all processes.",
            ),
            click.option(
                "--epochs",
                default=epochs,
                show_default=True,
                type=click.FloatRange(0),
                help="How often every image is seen.",
            ),
        ):
            decorated = option(decorated)
        return decorated

    return add
