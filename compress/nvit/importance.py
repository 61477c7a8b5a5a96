"""How much each unit of a model matters to the loss.

A score is read off weights and gradients that training has anyway; larger matters more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...models.structures.structure import Structure, WeightSlice

Score = Literal["hessian", "taylor", "magnitude", "random"]
SCORES: tuple[Score, ...] = ("hessian", "taylor", "magnitude", "random")
# The share of the past in the running average over batches (that of NViT's own runs), and how many
# batches are remembered: what was before counts a thousandth.
MOMENTUM = 0.9
MOST_BATCHES = 64


@dataclass
class Importance:
    """The running average of the score of each unit, by structure; `of[name]` has one a unit.

    hessian: (Σ w·∂L/∂w)² over all weights of the unit (Yang et al. 2023, eq. 6); taylor: Σ
    (w·∂L/∂w)² (Molchanov et al. 2019, eq. 8); magnitude: Σ w², no gradient; random: drawn once.
    Units that push the loss the same way matter more together than each by itself, so the sums of
    the latest batches are kept (`sums[name]`, batches x units): eq. 6 of any group follows.
    """

    score: Score = "hessian"
    seed: int = 0
    of: dict[str, Tensor] = field(default_factory=dict)
    sums: dict[str, Tensor] = field(default_factory=dict)

    def observe(self, structures: Sequence[Structure], model: nn.Module) -> None:
        """Take one batch's gradients into the average; raises UserError for one that is NaN."""
        for name, now in self._now(structures, model).items():
            before = self.of.get(name)
            if self.score == "hessian":
                kept = self.sums.get(name, now[None][:0])
                self.sums[name] = torch.cat([kept, now[None]])[-MOST_BATCHES:]
                self.of[name] = _average(self.sums[name] ** 2)
            elif before is not None and self.score == "taylor":
                self.of[name] = MOMENTUM * before + (1 - MOMENTUM) * now
            else:
                self.of[name] = now

    def of_group(self, name: str, units: Tensor) -> float:
        """Return the score of these units of a structure together, as one group of weights."""
        if self.score == "hessian":
            return float(_average(self.sums[name][:, units].sum(dim=1, keepdim=True) ** 2))
        return float(self.of[name][units].sum())

    def _now(self, structures: Sequence[Structure], model: nn.Module) -> dict[str, Tensor]:
        if self.score == "random":
            return {s.name: self._drawn(s) for s in structures if s.name not in self.of}
        sums = _Sums(self.score, dict(model.named_parameters()))
        return {structure.name: sums.of_units(structure) for structure in structures}

    def _drawn(self, structure: Structure) -> Tensor:
        # From the structure's own name, so that it is the same in every model.
        seed = hash_of(f"{self.seed} {structure.name}")
        return torch.rand(structure.units, generator=torch.Generator().manual_seed(seed))

    def keep(self, left: Mapping[str, Tensor]) -> None:
        """Leave these units' scores, as the model has only these."""
        for name, units in left.items():
            if name in self.of:
                self.of[name] = self.of[name][units]
            if name in self.sums:
                self.sums[name] = self.sums[name][:, units]

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Return what a later process needs to go on."""
        return {"of": dict(self.of), "sums": dict(self.sums)}

    def restore(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        self.of, self.sums = dict(state["of"]), dict(state["sums"])


def _average(values: Tensor) -> Tensor:
    """Return the running average over rows, the latest one last; the first starts it."""
    count = len(values)
    weights = (1 - MOMENTUM) * MOMENTUM ** torch.arange(count - 1, -1, -1, dtype=torch.float32)
    weights[0] = MOMENTUM ** (count - 1)
    return weights @ values


class _Sums:
    """Sums over the weights of a unit; each weight's are taken once along an axis."""

    def __init__(self, score: Score, parameters: Mapping[str, nn.Parameter]) -> None:
        self.score = score
        self.parameters = parameters
        self._products: dict[str, Tensor] = {}
        self._along: dict[tuple[str, int], Tensor] = {}

    def of_units(self, structure: Structure) -> Tensor:
        total = torch.zeros(structure.units)
        for part in structure.parts:
            if part.weight not in self.parameters:  # a batch norm's statistics
                continue
            along = self._sums_along(part)
            total = total + along[part.index].sum(dim=1)
        return total

    def _sums_along(self, part: WeightSlice) -> Tensor:
        """Return the sum over all other axes at every index of the part's axis."""
        key = (part.weight, part.axis)
        if key not in self._along:
            products = self._product(part.weight)
            others = [axis for axis in range(products.ndim) if axis != part.axis]
            summed = products.sum(dim=others) if others else products
            self._along[key] = summed.detach().float().cpu()
        return self._along[key]

    def _product(self, name: str) -> Tensor:
        if name not in self._products:
            weight = self.parameters[name]
            with torch.no_grad():
                if self.score == "magnitude":
                    product = weight.float() ** 2
                else:
                    if weight.grad is None:
                        raise UserError(
                            f"the weight '{name}' has no gradient; the loss has to reach it."
                        )
                    product = weight.float() * weight.grad.float()
                    product = product if self.score == "hessian" else product**2
            self._products[name] = product
        return self._products[name]


def hash_of(text: str) -> int:
    """Return a number below 2^63 that is the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
