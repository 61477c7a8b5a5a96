"""Options of `vitprof search`, each named as the verb's parameter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...search.algorithms.registry import ALGORITHMS
from ...search.choices import COSTS, OBJECTIVES, PROXIES, RANKS
from .renamed import RenamedOption
from .table_and_setting import with_options

F = TypeVar("F", bound=Callable[..., Any])

_LIMITS = (
    click.option(
        "--max-latency",
        multiple=True,
        help="Largest latency by the table: 10ms; with several --table one for each.",
    ),
    click.option("--max-params", help="Parameters: 1.8M."),
    click.option("--max-macs", help="Multiply-accumulates of an image: 300M."),
    click.option(
        "--max-memory", help="Largest memory for weights and the largest block, in fp32: 64MiB."
    ),
)
_ALGORITHM = (
    click.option(
        "--algorithm",
        default="coarse-to-fine",
        show_default=True,
        type=click.Choice(tuple(ALGORITHMS)),
        help="coarse-to-fine: many random models by the table, then evolution by accuracy (Kong "
        "et al. 2025). nsga2 looks for the whole Pareto front.",
    ),
    click.option(
        "--objective",
        default="accuracy",
        show_default=True,
        type=click.Choice(OBJECTIVES),
        help="The highest accuracy; the smallest latency + weight x cost; or accuracy against "
        "size.",
    ),
    click.option(
        "--cost",
        default="params",
        show_default=True,
        type=click.Choice(COSTS),
        help="C of --objective cost.",
    ),
    click.option(
        "--cost-weight",
        default=0.0,
        show_default=True,
        type=click.FloatRange(0),
        help="Milliseconds that a million of C is worth.",
    ),
    click.option(
        "--min-accuracy",
        cls=RenamedOption,
        old=["--min-top1"],
        default="0",
        show_default=True,
        help="Least accuracy for --objective cost: 0.8 or 80%.",
    ),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        type=click.IntRange(0),
        help="Seed of all random choices.",
    ),
    click.option(
        "--candidates",
        default=100_000,
        show_default=True,
        type=click.IntRange(1, 1_000_000_000),
        help="Models that the coarse stage draws.",
    ),
    click.option(
        "--rank",
        default="auto",
        show_default=True,
        type=click.Choice(("auto", *RANKS)),
        help="How the coarse stage ranks models within the limits. auto: by the proxy, or by how "
        "much of their tightest limit they use.",
    ),
    click.option(
        "--population",
        default=50,
        show_default=True,
        type=click.IntRange(1, 100_000),
        help="Models of a generation.",
    ),
    click.option(
        "--generations",
        default=20,
        show_default=True,
        type=click.IntRange(1, 100_000),
        help="Generations of the evolution.",
    ),
    click.option(
        "--parents",
        default=10,
        show_default=True,
        type=click.IntRange(1),
        help="Number of best models that have children.",
    ),
    click.option(
        "--depth-mutation",
        default=0.2,
        show_default=True,
        type=click.FloatRange(0, 1),
        help="Probability that depths change (P_d).",
    ),
    click.option(
        "--mutation",
        default=0.4,
        show_default=True,
        type=click.FloatRange(0, 1),
        help="Probability that a block changes (P_m).",
    ),
)
_JUDGE = (
    click.option(
        "--supernet",
        type=click.Path(path_type=Path),
        help="A folder that vitprof supernet wrote; models are judged with its weights.",
    ),
    click.option("--data", help="The images that the supernet was trained on."),
    click.option(
        "--images",
        type=click.IntRange(1),
        help="Judge by this many of the held-out images (default: all).",
    ),
    click.option(
        "--proxy",
        type=click.Choice(PROXIES),
        help="Without a supernet: the most MACs or parameters; no accuracy is measured.",
    ),
)
_RUN = (
    click.option(
        "--workers",
        default=1,
        show_default=True,
        type=click.IntRange(1, 1024),
        help="Evaluate this many subnets at a time, with Ray on this machine.",
    ),
    click.option("--ray", help="Evaluate on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT."),
    click.option("--verify", is_flag=True, help="Measure the winners on this machine."),
    click.option(
        "--winners",
        default=5,
        show_default=True,
        type=click.IntRange(1, 1000),
        help="How many models of the Pareto front --verify measures.",
    ),
)


def limit_options(function: F) -> F:
    """Add --max-latency and the other limits."""
    return with_options(function, _LIMITS)


def judge_options(function: F) -> F:
    """Add the options of by what models are judged."""
    return with_options(function, _JUDGE)


def algorithm_options(function: F) -> F:
    """Add the options of how to search."""
    return with_options(function, _ALGORITHM)


def run_options(function: F) -> F:
    """Add the options of where models are evaluated, and measured."""
    return with_options(function, _RUN)
