"""--family and --space, and what --space and --search-space meant before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...notes import warn

F = TypeVar("F", bound=Callable[..., Any])


def space_option(help_text: str) -> Callable[[F], F]:
    """Add --space, a search space, and its old spelling --search-space: see `family_and_space`."""

    def decorate(function: F) -> F:
        hidden = click.option("--search-space", "old_space", hidden=True)
        return click.option("--space", help=help_text)(hidden(function))

    return decorate


def family_and_space(
    family: str | None, space: str | None, old_space: str | None
) -> tuple[str | None, str | None]:
    """Return --family and --space as they were meant.

    --space named a family before there was --family, and --search-space a search space.
    """
    from ...spaces.registry import families_with_spaces

    families = families_with_spaces()

    if space in families and family is None:
        warn(
            f"--space {space} is taken as --family {space}; --space is for search spaces now "
            "(vitprof space)."
        )
        family, space = space, None
    if old_space is None:
        return family, space
    if old_space not in families:  # of one that is called as a family, --space would be the family
        warn("--search-space is now called --space; the old name still works.")
    return family, space or old_space
