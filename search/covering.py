"""What to measure for a search space: the blocks of its models, and models drawn from it."""

from __future__ import annotations

from ..spaces.around_blocks import BlocksSpace
from ..spaces.measuring_spaces import space_class
from ..spaces.search_space import SearchSpace
from .costs import CostModel


def measuring_space(searched: SearchSpace) -> BlocksSpace:
    """Return the space whose table covers every model of a search space."""
    to_fit = space_class(searched.family).whole_models
    return BlocksSpace.around(CostModel(searched).blocks(), searched.random_spec, to_fit)
