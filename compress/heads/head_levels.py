"""Heads taken out level by level, those with the least norm first; nothing is trained.

Efficient Vision Transformers: Once-Train Optimization, section III.D.1, with the group norm of
Fang et al. 2023 (DepGraph), section 3.3: a head's group is all that goes with it, the rows of Q, K
and V that make it and the columns of the projection that read it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...models.modules.spec_model import spec_of
from ...models.structures.structure import Structure
from ..cutting import keeping, prunable_of, smaller_model

# Called with a smaller model, which it may change.
Repair = Callable[[nn.Module], None]


def head_norms(model: nn.Module, relative: bool = True) -> dict[str, Tensor]:
    """Return the L2 norm of every head's group, by structure ("layers.3.heads"): one a head.

    relative: divided by the mean over the heads of its layer, so that layers whose weights are
    small as a whole do not lose all theirs (DepGraph's normalisation of a group).
    """
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    found = {}
    for structure in _heads(model):
        squares = torch.zeros(structure.units, dtype=torch.float64)
        for part in structure.parts:
            along = weights[part.weight].cpu().movedim(part.axis, 0)
            of_places = along.reshape(len(along), -1).square().sum(dim=1)
            squares += of_places[part.index].sum(dim=1)
        norms = squares.sqrt()
        found[structure.name] = norms / norms.mean() if relative else norms
    return found


@dataclass(frozen=True)
class Level:
    """A model after so many levels: `heads` by layer, and the norms that the last were chosen by.

    `gone` are the heads that this level took: (structure, place among those that were there).
    """

    number: int
    model: nn.Module
    heads: dict[str, int]
    gone: tuple[tuple[str, int], ...]
    norms: dict[str, Tensor]

    @property
    def heads_in_all(self) -> int:
        return sum(self.heads.values())


def levels(
    model: nn.Module, counts: list[int], relative: bool = True, repair: Repair | None = None
) -> Iterator[Level]:
    """Yield the model as it is, then after each level; the i-th takes counts[i] heads out.

    Every layer keeps a head at least. The model is left as it is. repair: called with the smaller
    model, which it may change (new last layers), before the next level looks at its norms. Raises
    UserError where there are not so many heads to take.
    """
    check_counts(model, counts)
    level = Level(0, model, _count(model), (), {})
    yield level
    for number, count in enumerate(counts, 1):
        norms = head_norms(level.model, relative)
        gone = least(norms, count)
        smaller = without(level.model, gone)
        if repair is not None:
            repair(smaller)
        level = Level(number, smaller, _count(smaller), tuple(gone), norms)
        yield level


def check_counts(model: nn.Module, counts: list[int]) -> None:
    """Raise UserError unless so many heads can go, one of each layer staying."""
    heads = _count(model)
    spare = sum(heads.values()) - len(heads)
    if not heads or spare < 1:
        spec = spec_of(model)
        raise UserError(f"{spec.name} has one head a layer at most: there is none to take out.")
    if sum(counts) > spare:
        raise UserError(
            f"{sum(counts)} heads are to go, but of {sum(heads.values())} in {len(heads)} layers "
            f"only {spare} can, for each layer keeps one; use fewer levels or heads a level."
        )


def even_counts(model: nn.Module, count: int) -> list[int]:
    """Return how many heads each of `count` levels takes, so that a fifth of the spare ones stay.

    As even as can be, the larger ones first. Raises UserError where there are fewer heads to take
    than levels.
    """
    heads = _count(model)
    spare = sum(heads.values()) - len(heads)
    if spare < count:
        raise UserError(
            f"{count} levels need as many heads to take out, and there are {spare} (each layer "
            "keeps one); use fewer `levels`."
        )
    going = max(round(0.8 * spare), count)
    return [going // count + (place < going % count) for place in range(count)]


def repair_by(images: Tensor, base: nn.Module) -> Repair:
    """Return what fits a smaller model's last layers to what `base` gives for images."""
    from ..optin.reconstruction import reconstruct

    return lambda smaller: reconstruct(smaller, base, images)


def _heads(model: nn.Module) -> list[Structure]:
    spec = spec_of(model)
    return [s for s in prunable_of(spec).structures(spec, True) if s.kind == "heads"]


def _count(model: nn.Module) -> dict[str, int]:
    return {structure.name: structure.units for structure in _heads(model)}


def least(
    norms: Mapping[str, Tensor], count: int | None = None, floors: Mapping[str, int] | None = None
) -> list[tuple[str, int]]:
    """Return the heads of least norm, all that can go where no count is given.

    floors: how many of each layer stay, one where it is not named.
    """
    # A layer's strongest heads stay, so they do not compete.
    competing = sorted(
        (float(of_layer[place]), name, place)
        for name, of_layer in norms.items()
        for place in of_layer.argsort(descending=True, stable=True)[
            (floors or {}).get(name, 1) :
        ].tolist()
    )
    return [(name, place) for _, name, place in competing[:count]]


def without(model: nn.Module, gone: Collection[tuple[str, int]]) -> nn.Module:
    """Return the model without these heads: (structure, place)."""
    staying = {
        structure.name: torch.tensor(
            [u for u in range(structure.units) if (structure.name, u) not in gone]
        )
        for structure in _heads(model)
    }
    return smaller_model(copy.deepcopy(model), keeping(model, staying)).eval()
