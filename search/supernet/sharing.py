"""How much weights are shared in a supernet (Kong et al. 2025, eq. 1), counted from specs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from ...errors import UserError
from ...models import Block

if TYPE_CHECKING:
    from ...spaces.space import SearchSpace, Site

# A place with more choices is not counted.
MOST_COMBINATIONS = 200_000
# Dims that say where a block runs and not what it is.
_OF_THE_PLACE = ("resolution", "tokens")
Key = tuple[str, tuple[tuple[str, int], ...]]


@dataclass(frozen=True)
class Sharing:
    """The sharing of a space's candidate blocks.

    candidates: N, the different blocks of all layers; apart: weights of all of them, each kept by
    itself; stored: weights of the supernet, the largest of each layer; efficiency: eq. 1.
    """

    candidates: int
    apart: int
    stored: int
    efficiency: float

    @property
    def apart_over_stored(self) -> float:
        """How many times more weights there would be if each candidate block had its own."""
        return self.apart / self.stored

    def as_dict(self) -> dict[str, float]:
        return {
            "candidate_blocks": self.candidates,
            "efficiency": round(self.efficiency, 6),
            "weights_stored": self.stored,
            "weights_kept_apart": self.apart,
            "apart_over_stored": round(self.apart_over_stored, 3),
        }


def sharing(space: SearchSpace) -> Sharing | None:
    """Return the sharing of the space's supernet, None for one too large to be counted.

    Eq. 1 is E = 1/N · Σ w_shared / w_total,n over the N candidate blocks, w_shared being "the
    number of parameters inherited (shared) from the largest block". The paper leaves open what is
    counted there. Read literally, a candidate inherits all its weights from its layer's largest
    block (it is a slice of it), and E is 1 whenever every candidate fits into the stored block. So
    `apart_over_stored` is reported beside it: it grows with the number of blocks that share.
    A layer is a place of the model (`SearchSpace.sites`) and a block's position in it; blocks that
    differ only in the map they run on are one.
    """
    if not space.sites():
        return None
    layers: dict[tuple[str, int], list[int]] = {}
    for site in space.sites():
        candidates = _candidates(space, site)
        if candidates is None:
            return None
        for index, found in candidates.items():
            layers[site.name, index] = list(found.values())
    largest = {
        (name, index): block.params
        for name, blocks in space.blocks_by_site(space.supernet_spec()).items()
        for index, block in enumerate(_with_weights(blocks))
    }
    ratios = [
        min(params, largest[layer]) / params
        for layer, candidates in layers.items()
        for params in candidates
    ]
    return Sharing(
        candidates=len(ratios),
        apart=sum(sum(candidates) for candidates in layers.values()),
        stored=sum(largest.values()),
        efficiency=sum(ratios) / len(ratios),
    )


def _candidates(space: SearchSpace, site: Site) -> dict[int, dict[Key, int]] | None:
    """Return the weights of each different block, by its position in a site.

    None for too many choices.
    """
    positions = [space.index[gene] for gene in site.genes]
    choices = [range(int(space.sizes[position])) for position in positions]
    if prod(len(of_gene) for of_gene in choices) > MOST_COMBINATIONS:
        return None
    found: dict[int, dict[Key, int]] = {}
    for chosen in itertools.product(*choices):
        candidate = space.sizes - 1  # of everything else the most, so that the site is there
        candidate[positions] = chosen
        try:
            blocks = space.blocks_by_site(space.spec(candidate)).get(site.name, [])
        except UserError:  # choices that do not go together
            continue
        for index, block in enumerate(_with_weights(blocks)):
            found.setdefault(index, {})[_key(block)] = block.params
    return found


def _with_weights(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks but those that only merge tokens: not every model has these."""
    return [block for block in blocks if block.params]


def _key(block: Block) -> Key:
    """Return what makes a block another one, wherever it stands."""
    dims = {axis: value for axis, value in block.dims if axis not in _OF_THE_PLACE}
    return block.op, tuple(dims.items())
