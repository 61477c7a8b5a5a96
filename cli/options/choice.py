"""Options of `vitprof choose` that limit what is chosen, each named as the verb's parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_LIMITS = (
    click.option("--max-latency", help="Of one image, e.g. 3ms."),
    click.option("--max-memory", help="Peak resident set of the process, e.g. 100MiB."),
    click.option("--max-params", help="Parameters, e.g. 2M."),
    click.option("--max-macs", help="MACs of an image, e.g. 150M."),
    click.option("--max-cpu", help="Of one core, while it runs, e.g. 120%."),
    click.option("--min-accuracy", help="0.8, 80% or 80."),
)


def choice_limit_options(function: F) -> F:
    """Add --max-latency and the other limits."""
    for option in reversed(_LIMITS):
        function = option(function)
    return function
