"""Which random models a table is validated on: of a search space, or of a family."""

from __future__ import annotations

import random
from collections.abc import Callable

from ...errors import UserError
from ...models import Spec
from ...profiler.spaces_of_table import spaces_of_table
from ...spaces.registry import find_search_space, search_space_from_dict
from ...spaces.space import SearchSpace
from ...tables import LatencyTable

# Makes a random model of a given name.
Draw = Callable[[random.Random, str], Spec]


def draw_for(
    table: LatencyTable, family: str | None = None, space: str | SearchSpace | None = None
) -> Draw:
    """Return what draws a model: of `space`, of `family`, or of what the table was measured for.

    Raises UserError where it is not clear which.
    """
    if family is not None and space is not None:
        raise UserError("`space` has a family of its own; remove `family`.")
    searched = None if family is not None else _search_space_of(table, space)
    if searched is not None:
        return searched.random_spec
    chosen, *others = spaces_of_table(table, family)
    if others:
        names = ", ".join(each.name for each in (chosen, *others))
        raise UserError(
            f"{table.source} holds several families ({names}); say which to validate: `family` "
            f"{chosen.name}."
        )
    return lambda rng, name: chosen.sample(rng, name=name)


def _search_space_of(table: LatencyTable, space: str | SearchSpace | None) -> SearchSpace | None:
    """Return the search space that is named, or the one a table was measured for; None for neither.

    Raises UserError for a name that is none, and a table whose header says something else there.
    """
    if space is not None:
        return find_search_space(space) if isinstance(space, str) else space
    record = table.header.search_space
    if record is None:
        return None
    return search_space_from_dict(record, f"the search space in the header of {table.source}")
