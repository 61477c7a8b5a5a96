"""A whole schedule of a way of pruning, as a paper ran it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..training.recipes import RECIPES

if TYPE_CHECKING:
    from ..models.structures.structure import Kind


@dataclass(frozen=True)
class MethodRecipe:
    """What is asked for where it is not given: targets, groups, the method's options, training.

    help: half a sentence; training: the name of the training's recipe; options: the method's own;
    rates: those of them that are learning rates, and go with the batch as the training's does;
    missing: by option, the message where it is not given.
    """

    help: str
    training: str
    target: str
    groups: Mapping[Kind, int]
    options: Mapping[str, Any]
    rates: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    def options_for(self, given: Mapping[str, Any], batch: int) -> dict[str, Any]:
        """Return the method's options: what is given, the recipe's for the others."""
        times = batch / RECIPES[self.training].batch
        own = {n: v * times if n in self.rates else v for n, v in self.options.items()}
        return {**own, **given}
