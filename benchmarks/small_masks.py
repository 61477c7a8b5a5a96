"""Small models whose every mask can be looked at: what the search for masks is checked against.

A case has three layers of four heads and 64 neurons, scores, and what every width of every
structure costs:

- equal: every head costs the same, and so does every neuron;
- unequal: each layer has its own cost of a head and of a neuron, up to eight times another's, as
  the stages of a Swin have;
- staircase: costs fall only with every second head and every 16th neuron, by another step in each
  layer, as a runtime's do that works in tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from vitprof.compress.groups import Groups
from vitprof.compress.optin.mask_search import MaskSearch
from vitprof.models import Spec, ViTSpec
from vitprof.models.families.vit.structures import vit_structures, vit_with_units

CostKind = Literal["equal", "unequal", "staircase"]
KINDS: tuple[CostKind, ...] = get_args(CostKind)
LAYERS, HEADS, NEURONS, GROUP = 3, 4, 64, 8
SPEC = ViTSpec.uniform(
    16, LAYERS, HEADS, mlp=NEURONS, qk=4, v=4, resolution=8, patch=4, classes=3, name="small"
)
GROUPS = Groups({"embed": 1, "heads": 1, "qk": 1, "v": 1, "mlp": GROUP})
STRUCTURES = [s for s in vit_structures(SPEC) if s.kind in ("heads", "mlp")]
# A step of a staircase, in units.
TILE = {"heads": 2, "mlp": 16}


@dataclass(frozen=True)
class SmallMasks:
    """One case. costs: by structure, what 0, 1, ... of its units cost."""

    scores: Mapping[str, torch.Tensor]
    costs: Mapping[str, np.ndarray]
    budget: float

    @classmethod
    def drawn(cls, kind: CostKind, seed: int) -> SmallMasks:
        rng = np.random.default_rng([KINDS.index(kind), seed])
        scores, costs = {}, {}
        # A head costs as much as some tens of neurons, and scores about as much.
        of_head, of_neuron = rng.uniform(8, 32), 1.0
        for structure in STRUCTURES:
            is_head = structure.kind == "heads"
            drawn = rng.exponential(16.0 if is_head else 1.0, structure.units)
            scores[structure.name] = torch.tensor(drawn, dtype=torch.float32)
            each = of_head if is_head else of_neuron
            each *= 1.0 if kind == "equal" else 2.0 ** rng.uniform(0, 3)
            units = np.arange(structure.units + 1)
            if kind == "staircase":
                tile = TILE[structure.kind]
                units = -(-units // tile) * tile
            costs[structure.name] = each * units
        full, least = (
            sum(cost[size] for cost, size in zip(costs.values(), sizes, strict=True))
            for sizes in ([s.units for s in STRUCTURES], [1, GROUP] * LAYERS)
        )
        return cls(scores, costs, float(least + rng.uniform(0.2, 0.9) * (full - least)))

    def cost_of(self, specs: Sequence[Spec]) -> np.ndarray:
        """Return what specs with other numbers of heads and neurons cost."""
        return np.array(
            [
                sum(
                    self.costs[f"layers.{n}.heads"][layer.heads]
                    + self.costs[f"layers.{n}.mlp"][layer.mlp]
                    for n, layer in enumerate(spec.layers)
                )
                for spec in specs
            ]
        )

    def search(self) -> MaskSearch:
        return MaskSearch.of(
            STRUCTURES, self.scores, GROUPS, lambda w: vit_with_units(SPEC, w), self.cost_of
        )

    def total(self, staying: Mapping[str, torch.Tensor]) -> float:
        """Return the score of the units that stay."""
        return sum(
            float(self.scores[name][units].double().sum()) for name, units in staying.items()
        )

    @cached_property
    def best(self) -> float:
        """The highest score of all masks within the budget, by looking at every one.

        Of a structure with so many units the best ones score most, and cost the same as any others:
        so a mask a number of groups is looked at, in every structure, and no more are needed.
        """
        scores, costs = np.zeros(1), np.zeros(1)
        for structure in STRUCTURES:
            size = GROUPS.sizes[structure.kind]
            widths = np.arange(size, structure.units + 1, size)
            sums = self.scores[structure.name].double().sort(descending=True).values.cumsum(0)
            scores = (scores[:, None] + sums.numpy()[widths - 1]).ravel()
            costs = (costs[:, None] + self.costs[structure.name][widths]).ravel()
        return float(scores[costs <= self.budget].max())
