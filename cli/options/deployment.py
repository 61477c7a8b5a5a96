"""`vitprof choose --runtimes`: options of the whole deployment space."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...errors import UserError
from ...tables.speed import SPEEDS
from .runtimes import environments_of
from .table_and_setting import given_options, with_options

F = TypeVar("F", bound=Callable[..., Any])

# By parameter: what goes with --runtimes only, what goes without only, and what both have.
OF_SPACE = (
    "environments",
    "tables",
    "tokens",
    "resolutions",
    "batches",
    "subnets",
    "at",
    "percentile",
    "max_size",
    "max_energy",
    "measurements",
)
OF_LADDERS = (
    "resolution",
    "max_params",
    "max_macs",
    "max_cpu",
    "latency_weight",
    "memory_weight",
    "algorithm",
    "evaluations",
    "fresh",
)
OF_BOTH = (
    "models",
    "data",
    "out",
    "dtypes",
    "threads",
    "max_latency",
    "max_memory",
    "min_accuracy",
    "accuracy",
    "judge_images",
    "sessions",
    "facts",
    "seed",
)
_OPTIONS = (
    click.option(
        "--runtimes",
        metavar="all|NAME,NAME",
        help="Choose among all installed runtimes, or those named, and trained models of any "
        "family: the most accurate deployment within the limits.",
    ),
    click.option(
        "--environment",
        "environments",
        multiple=True,
        callback=environments_of,
        metavar="NAME=PYTHON",
        help="With --runtimes: the Python in which a runtime is installed, if it is another one.",
    ),
    click.option(
        "--table",
        "tables",
        multiple=True,
        type=click.Path(path_type=Path),
        help="With --runtimes: a table of this machine, one for each runtime, number format, "
        "threads and batch; may be repeated.",
    ),
    click.option(
        "--tokens", default="0", help="With --runtimes: tokens that each layer merges, e.g. 0,2,4."
    ),
    click.option(
        "--resolutions", default="", help="With --runtimes: image side in pixels, e.g. 24,32."
    ),
    click.option("--batches", default="1", help="With --runtimes: images a run, e.g. 1,8."),
    click.option(
        "--subnets",
        default=16,
        type=click.IntRange(1),
        help="With --runtimes: subnets of a supernet that are candidates (default: 16).",
    ),
    click.option(
        "--at",
        default="typical",
        type=click.Choice(SPEEDS),
        help="With --runtimes: state latencies at this speed of the machine (default: typical).",
    ),
    click.option(
        "--percentile",
        default="median",
        type=click.Choice(("median", "p99")),
        help="With --runtimes: what --max-latency limits (default: median).",
    ),
    click.option(
        "--max-size", help="With --runtimes: largest size of the files on disk, e.g. 10MiB."
    ),
    click.option(
        "--max-energy", type=float, help="With --runtimes: largest energy of one image, in mJ."
    ),
    click.option(
        "--measurements",
        type=click.IntRange(1),
        help="With --runtimes: measure at most this many deployments (default: 5 % of them).",
    ),
)


def deployment_options(function: F) -> F:
    """Add --runtimes and its options; the function gets `of_space`, a dict, or None without it."""

    @functools.wraps(function)
    def with_space(*args: Any, runtimes: str | None, **given: Any) -> Any:
        wrong = given_options(OF_LADDERS if runtimes is not None else OF_SPACE)
        if wrong:
            names = " and ".join(f"`{name}`" for name in sorted(wrong))
            raise UserError(
                f"{names} cannot be given beside `runtimes`; remove one."
                if runtimes is not None
                else f"{names} goes with `runtimes`; give both, or remove it."
            )
        of_space = {name: given.pop(name) for name in OF_SPACE}
        if runtimes is None:
            return function(*args, of_space=None, **given)
        # What both have is the space's own default unless it is given.
        both = {name: given[name] for name in OF_BOTH if given_options({name})}
        as_json = given["as_json"]
        return function(*args, of_space={**both, **of_space, "runtimes": runtimes}, as_json=as_json)

    return with_options(with_space, _OPTIONS)  # type: ignore[return-value]
