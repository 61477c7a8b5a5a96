"""What a once-trained model can be deployed as: its smaller models, in precisions and threads.

Efficient Vision Transformers: Once-Train Optimization, section III.D.4: the space is what pruning,
distillation and quantization left behind. Nothing in it is trained any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import UserError
from ...models import Spec
from ...spaces.candidates import Candidates
from ...spaces.gene import Gene
from ..costs import Costs
from ..limit import Limit
from .ladder import Ladder


@dataclass(frozen=True)
class Deployment:
    """One way to run one of the models."""

    model: str
    ladder: str
    level: int
    precision: str
    threads: int
    spec: Spec

    @property
    def name(self) -> str:
        threads = "" if self.threads == 1 else f", {self.threads} threads"
        return f"{self.model}, {self.precision}{threads}"


@dataclass(frozen=True)
class DeploymentSpace(Candidates):
    """All models of the ladders in every precision, with every number of threads.

    Genes: "model" (numbered through the ladders), "precision" and "threads", by place from 1.
    """

    family = "variants"

    ladders: tuple[Ladder, ...] = ()
    precisions: tuple[str, ...] = ("fp32",)
    threads: tuple[int, ...] = (1,)
    _models: tuple[tuple[Ladder, int], ...] = field(default=(), repr=False)

    @classmethod
    def of(
        cls, ladders: Sequence[Ladder], precisions: Sequence[str], threads: Sequence[int]
    ) -> DeploymentSpace:
        """Return the space; raises UserError where something is named twice or nothing is."""
        models = tuple((ladder, level) for ladder in ladders for level in range(len(ladder.models)))
        names = [ladder.models[level] for ladder, level in models]
        for what, found in (("models", names), ("precisions", precisions), ("threads", threads)):
            if not found:
                raise UserError(f"there are no {what} to choose from.")
            if len(set(found)) < len(found):
                twice = next(one for one in found if list(found).count(one) > 1)
                raise UserError(f"of the {what} {twice} is named twice; name each once.")
        genes = tuple(
            Gene(name, tuple(range(1, count + 1)), name)
            for name, count in (
                ("model", len(models)),
                ("precision", len(precisions)),
                ("threads", len(threads)),
            )
        )
        return cls(
            "variants", genes, (), (), tuple(ladders), tuple(precisions), tuple(threads), models
        )

    @property
    def first(self) -> Deployment:
        """The first model in the first precision, which all others are measured beside."""
        return self.deployment(np.zeros(len(self.genes), dtype=np.int16))

    def deployment(self, candidate: np.ndarray) -> Deployment:
        """Return what a candidate stands for."""
        model, precision, threads = (int(choice) for choice in candidate)
        ladder, level = self._models[model]
        return Deployment(
            ladder.models[level],
            ladder.name,
            level,
            self.precisions[precision],
            self.threads[threads],
            ladder.specs[level],
        )

    def spec(self, candidate: np.ndarray, name: str = "subnet") -> Spec:
        """Return the model that a candidate runs."""
        return self.deployment(candidate).spec

    def to_dict(self) -> dict[str, Any]:
        return {
            "family": self.family,
            "ladders": {ladder.name: list(ladder.models) for ladder in self.ladders},
            "precisions": list(self.precisions),
            "threads": list(self.threads),
        }


class DeploymentCosts:
    """What is known before any is measured: parameters and MACs of the deployed models."""

    def __init__(self, space: DeploymentSpace) -> None:
        self._deployment = space.deployment

    def of(self, population: np.ndarray) -> Costs:
        """Return what n candidates cost; there are no milliseconds."""
        specs = [self._deployment(row).spec for row in population]
        return Costs(
            np.zeros((len(specs), 0)),
            np.array([spec.params for spec in specs], dtype=float),
            np.array([spec.macs for spec in specs], dtype=float),
        )

    def amounts(self, population: np.ndarray, limits: Sequence[Limit]) -> np.ndarray:
        """Return how much of each limited thing n candidates cost, n x limits."""
        found = self.of(population)
        return np.stack([found.amount(limit) for limit in limits], axis=1)
