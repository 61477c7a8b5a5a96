"""Options of a teacher: which one, and how its answers count beside the labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def teacher_options(function: F) -> F:
    """Add --teacher and --teacher-cache, --distill, --alpha and --tau (Kong et al. 2025)."""
    decorated: Any = function
    for option in (
        click.option(
            "--teacher-cache",
            type=click.Path(path_type=Path, file_okay=False),
            help="With --teacher and --augment none: a folder that keeps its outputs, so that it "
            "runs once for each image.",
        ),
        click.option(
            "--tau", type=float, help="With --distill soft: the temperature. [default: 3]"
        ),
        click.option(
            "--alpha",
            type=float,
            help="With --teacher: weight of the cross entropy with its top class (hard), or of "
            "tau² KL(teacher || model) (soft). The labels weigh 1 - alpha. "
            "[default: 0.5 for hard, 0.1 for soft]",
        ),
        click.option(
            "--distill",
            type=click.Choice(("soft", "hard")),
            help="With --teacher: learn its distribution (soft) or its top class (hard). "
            "[default: hard]",
        ),
        click.option(
            "--teacher",
            metavar="MODEL",
            help="A model whose outputs are learned in addition to the labels: a folder, an id "
            "of Hugging Face, "
            "an .onnx file, timm:NAME@FILE or torchvision:NAME@FILE.",
        ),
    ):
        decorated = option(decorated)
    return decorated
