"""A search space, as the profiler sees it: blocks to measure, and models that are drawn from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from ..spaces.around_blocks import BlocksSpace
    from ..spaces.search_space import SearchSpace
    from ..tables import LatencyTable


def measuring_space(searched: SearchSpace) -> BlocksSpace:
    """Return the space whose table covers every model of a search space."""
    from ..search.costs import CostModel
    from ..spaces.around_blocks import BlocksSpace
    from ..spaces.measuring_spaces import space_class

    to_fit = space_class(searched.family).whole_models
    return BlocksSpace.around(CostModel(searched).blocks(), searched.random_spec, to_fit)


def search_space_of(table: LatencyTable, name_or_path: str | None = None) -> SearchSpace | None:
    """Return the search space that is named, or the one a table was measured for; None for neither.

    Raises UserError for a name that is none, and a table whose header says something else there.
    """
    from ..spaces.named_spaces import find_search_space, search_space_from_dict

    if name_or_path is not None:
        return find_search_space(name_or_path)
    said = table.other.get("search_space")
    if said is None:
        return None
    source = f"the search space in the header of {table.source}"
    if not isinstance(said, dict):
        raise UserError(f"{source} is not one; name it with --search-space.")
    return search_space_from_dict(said, source)
