"""How models of a family are taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...errors import UserError
from ..families.registry import families_with, find_family
from ..spec import Spec
from .structure import Structure


@dataclass(frozen=True)
class ChannelSteps:
    """What the steps of a chain of convolutions (a model's `chain()`) are, by their places.

    layers: each step's layer, counted from 0, as a `Walk` has them; compared: whether what goes
    into the step is a layer's output; readers: the step that reads each structure's channels.
    """

    layers: list[int]
    compared: list[bool]
    readers: dict[str, int]


@dataclass(frozen=True)
class Prunable:
    """How a family of models is taken apart.

    `structures` lists those of a spec, with QK and V the same in every head of a layer if aligned;
    `with_units` gives the spec that has the widths named; `steps` are those of a model of
    convolutions, whose structures are their channels: it has no heads and no tokens.
    """

    structures: Callable[[Spec, bool], list[Structure]]
    with_units: Callable[[Spec, Mapping[str, int]], Spec]
    steps: Callable[[Spec], ChannelSteps] | None = None


def prunable_of(spec: Spec) -> Prunable:
    """Return how models of the spec's family are taken apart; UserError where none is known."""
    family = find_family(spec.family)
    if family.structures is None:
        raise UserError(
            f"{spec.name} is of the family '{spec.family}', whose structures pruning does not "
            f"know; it takes models of {' and '.join(families_with('structures'))}."
        )
    return Prunable(family.load("structures"), family.load("with_units"), family.load("steps"))
