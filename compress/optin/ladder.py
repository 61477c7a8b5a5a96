"""The widths that a structure can have, and the units that stay at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...models.structures.structure import Structure


@dataclass(frozen=True)
class Ladder:
    """A structure's widths, the least first, and what the best units of each score together.

    order: all units, best first. At every width the best units stay: no others score more at the
    same cost.
    """

    name: str
    order: Tensor
    widths: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, structure: Structure, scores: Tensor, size: int, floor: int) -> Ladder:
        """Return the widths from `floor` on in groups of `size` units, of which one stays."""
        order = torch.argsort(scores, descending=True, stable=True)
        ends = np.append(np.arange(size, structure.units, size), structure.units)
        fixed = max(-(-floor // size), 1)
        widths = ends[fixed - 1 :] if fixed <= len(ends) else ends[-1:]
        sums = np.cumsum(scores[order].double().numpy())
        return cls(structure.name, order, widths, sums[widths - 1])

    def staying(self, step: int) -> Tensor:
        """Return the units that stay at the width of this number, in the model's order."""
        return self.order[: int(self.widths[step])].sort().values
