"""Options of commands that measure models side by side on this CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def side_by_side_options(batch_option: str = "--batch") -> Callable[[F], F]:
    """Add --batch (or what it is called instead), --threads, --test-images and --sessions."""

    def add(function: F) -> F:
        decorated: Any = function
        for option in (
            click.option(
                "--sessions",
                default=5,
                show_default=True,
                type=click.IntRange(1, 99),
                help="Fresh sessions of each measurement.",
            ),
            click.option(
                "--test-images",
                type=click.IntRange(1),
                help="Test on this many of the test images (default: all).",
            ),
            click.option(
                "--threads",
                default=1,
                show_default=True,
                type=click.IntRange(1, 1024),
                help="The runtime's threads.",
            ),
            click.option(
                batch_option,
                default=1,
                show_default=True,
                type=click.IntRange(1, 4096),
                help="Images per measured run.",
            ),
        ):
            decorated = option(decorated)
        return decorated

    return add
