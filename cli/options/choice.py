"""Options of `vitprof choose`: limits, score and algorithm, each named as the verb's parameter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...search.deployments.choices import ACCURACIES, ALGORITHMS
from .table_and_setting import with_options

F = TypeVar("F", bound=Callable[..., Any])

_LIMITS = (
    click.option("--max-latency", help="Largest latency of one image, e.g. 3ms."),
    click.option("--max-memory", help="Peak resident set of the process, e.g. 100MiB."),
    click.option("--max-params", help="Parameters, e.g. 2M."),
    click.option("--max-macs", help="MACs of an image, e.g. 150M."),
    click.option("--max-cpu", help="CPU use while it runs, in per cent of one core, e.g. 120%."),
    click.option("--min-accuracy", help="0.8, 80% or 80."),
)
_HOW = (
    click.option(
        "--accuracy",
        default="top3",
        show_default=True,
        type=click.Choice(ACCURACIES),
        help="Which accuracy counts.",
    ),
    click.option(
        "--latency-weight",
        default=0.1,
        show_default=True,
        type=click.FloatRange(0),
        help="Points for each second that 10,000 images take.",
    ),
    click.option(
        "--memory-weight",
        default=1.0,
        show_default=True,
        type=click.FloatRange(0),
        help="Points for each GB of memory.",
    ),
    click.option(
        "--algorithm",
        default="guided",
        show_default=True,
        type=click.Choice(tuple(ALGORITHMS)),
        help="guided predicts what is not measured yet; exhaustive measures everything.",
    ),
    click.option(
        "--evaluations",
        type=click.IntRange(1),
        help="Measure at most this many variants (default: 30 % of them).",
    ),
    click.option(
        "--sessions",
        default=5,
        show_default=True,
        type=click.IntRange(1, 99),
        help="Fresh sessions of each measurement.",
    ),
    click.option(
        "--facts",
        type=click.Path(path_type=Path),
        help="File that keeps measurements, also for other limits (default: in --out).",
    ),
    click.option(
        "--seed", default=0, show_default=True, help="Seed of random search and evolution."
    ),
)


def choice_limit_options(function: F) -> F:
    """Add --max-latency and the other limits."""
    return with_options(function, _LIMITS)


def choice_options(function: F) -> F:
    """Add the options of how to score and to choose."""
    return with_options(function, _HOW)
