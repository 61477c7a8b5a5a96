"""OPTIN (Khaki et al. 2024): heads and neurons, or a CNN's channels, scored once, chosen, cut out.

Nothing is trained. One scoring serves all targets.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...models import Spec, ViTSpec, create_model
from ...models.structures.structure import Structure
from ...training.saved_run import SavedRun
from ..budget import Budget
from ..cutting import keeping, prunable_of, smaller_model, with_fixed_scale
from ..groups import Groups
from ..merging.token_schedule import Schedule, with_merges
from ..merging.token_score import token_scores
from ..nvit.importance import Importance
from ..nvit.nvit import OnStep, Work
from ..nvit.redistribution import Sensitivity, sensitivities
from ..targets import Target, check_reachable, floors_of
from .channel_reconstruction import reconstruct_channels
from .mask_search import MaskSearch, Order
from .reconstruction import reconstruct
from .sample import Sample, check_enough
from .saved_scores import saved_scores
from .trajectory import logit_errors
from .trajectory_score import Scoring
from .walk import ONE_SHOT, walk_of

# What goes: heads and neurons, tokens, or all of them under one budget.
Parts = Literal["units", "tokens", "both"]
# Of the way down to a target in factors, the shares that units go where tokens go the rest.
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)

UnitScore = Literal["trajectory", "magnitude", "taylor", "random"]
UNIT_SCORES: tuple[UnitScore, ...] = ("trajectory", "magnitude", "taylor", "random")
# Training images that choose between models of several shares.
CHECKED = 512
# Halvings of a budget in another unit than the target's.
HALVINGS = 24


@dataclass(frozen=True)
class OneShotPlan:
    """How units are scored and chosen.

    images: how many training images score them; order: of the mask search; reconstruct: how many
    images last layers are fitted to (0: none); only: see `Pruner`.
    """

    score: UnitScore = "trajectory"
    scoring: Scoring = field(default_factory=Scoring)
    images: int = 32
    order: Order = "both"
    reconstruct: int = 512
    groups: Groups = field(default_factory=Groups)
    only: tuple[str, ...] = ()
    seed: int = 0
    parts: Parts = "units"
    schedule: Schedule | tuple[int, ...] = "trajectory"


class OptinRun:
    """Pruning one model to several targets: `score`, then `cut` for each of them.

    budget: what targets are in; ranking: what the search counts in. `saved` keeps scores, so that a
    run that was killed goes on. `remarks` are sentences for the user.
    """

    def __init__(
        self,
        model: nn.Module,
        work: Work,
        targets: Sequence[Target],
        budget: Budget,
        ranking: Budget,
        plan: OneShotPlan,
        saved: SavedRun,
    ) -> None:
        self.model = with_fixed_scale(model).to(work.device).eval()
        self.work, self.plan, self.saved = work, plan, saved
        self.sample = Sample(work, plan.seed)
        self.targets = sorted(targets, key=lambda target: -target.cost)
        self.budget, self.ranking = budget, ranking
        self.sensitivities: list[Sensitivity] = []
        self.scores: dict[str, Tensor] = {}
        self.of_patches: Tensor | None = None
        self.remarks: list[str] = []
        if plan.parts != "units":
            check_merges(self.spec)
        self.floors = floors_of(self.spec, budget.table, plan.groups, plan.only, ONE_SHOT)
        if plan.parts == "units":
            check_reachable(self.spec, self.targets, budget, self.floors)
        check_enough(work.data, max(plan.images, plan.reconstruct))

    @property
    def spec(self) -> Spec:
        """The unpruned model's."""
        return self.model.spec  # type: ignore[return-value]

    def score(self, on_step: OnStep | None = None) -> None:
        """Score every head and neuron that may go, and every patch."""
        if self.plan.parts != "tokens":
            self._score_units(on_step)
            self.sensitivities = sensitivities(
                self.spec, self.scores, Budget(self.budget.table), self.plan.groups.sizes,
                self.floors,
            )  # fmt: skip
        if self.plan.parts != "units" and self.plan.schedule == "trajectory":
            self.of_patches = token_scores(
                self.model,
                self.sample.images(self.plan.images),
                self.plan.scoring.trajectory,
                None if on_step is None else lambda n, of: on_step("patches", n, of, "patches"),
            )

    def _score_units(self, on_step: OnStep | None) -> None:
        if self.plan.score != "trajectory":
            self.scores = self._by_weights()
            return
        walk = walk_of(self.model, ONE_SHOT, self.plan.only)
        self.scores = saved_scores(
            walk, self.sample.inputs(self.plan.images), self.plan.scoring, self.saved,
            None if on_step is None else lambda n, of: on_step("scoring", n, of, "units"),
        )  # fmt: skip

    def cut(self, target: Target) -> nn.Module:
        """Return the model of the target: dense, smaller, its last layers fitted.

        Where units and tokens go, models with more of the one and of the other are made, and that
        one is taken whose logits are nearest to the unpruned model's.
        """
        if self.plan.parts == "units":
            return self._without_units(target.cost)
        full = float(self.budget.of([self.spec])[0])
        shares = SHARES if self.plan.parts == "both" else (0.0,)
        tried: list[tuple[float, nn.Module]] = []
        refusal: UserError | None = None
        for share in shares:
            try:
                model = self._merging(full * (target.cost / full) ** share, target.cost)
            except UserError as error:
                refusal = error
                continue
            tried.append((self._distance(model), model))
        if not tried:
            assert refusal is not None
            raise refusal
        best = min(tried, key=lambda pair: pair[0])[1]
        spec: Any = best.spec
        if not any(spec.merges):
            why = f" ({refusal})" if refusal is not None else ""
            self.remarks.append(f"{target.text}: no tokens are merged; units alone do better{why}")
        return best

    def _merging(self, of_units: float, cost: float) -> nn.Module:
        """Return the model with units at a cost of `of_units`, and tokens merged down to `cost`."""
        full = float(self.budget.of([self.spec])[0])
        model = self.model if of_units >= full else self._without_units(of_units)
        spec: Any = model.spec
        given = isinstance(self.plan.schedule, tuple)
        if not given and float(self.budget.of([spec])[0]) <= cost:
            return model
        merging = with_merges(
            spec, self.plan.schedule, cost, self.budget.of, self.of_patches, self._covers
        )
        made = create_model(merging).to(self.work.device).eval()
        made.load_state_dict(model.state_dict())
        return made

    def _covers(self, spec: Spec) -> bool:
        """Whether the table knows the model's latency, whatever the target is in."""
        try:
            self.budget.table.predict_many([spec])
        except UserError:
            return False
        return True

    def _distance(self, model: nn.Module) -> float:
        """Return how far the logits are from the unpruned model's, on images not scored on."""
        with torch.inference_mode():
            parts = self.sample.inputs(CHECKED, self.plan.images).split(128)
            errors = [len(x) * logit_errors(self.model(x), model(x)[None], 1.0)[0] for x in parts]
        return float(sum(errors)) / sum(len(x) for x in parts)

    def _without_units(self, cost: float) -> nn.Module:
        staying = self._staying(cost)
        result = keeping(self.model, staying)
        smaller = smaller_model(self.model, result).eval()
        if not self.plan.reconstruct:
            return smaller
        count = self.plan.reconstruct
        if prunable_of(self.spec).steps is not None:
            reconstruct_channels(smaller, self.model, self.sample.images(count), result.units)
        else:
            reconstruct(smaller, self.model, self.sample.inputs(count))
        return smaller

    def _all_structures(self) -> list[Structure]:
        return prunable_of(self.spec).structures(self.spec, True)

    def _staying(self, target: float) -> dict[str, Tensor]:
        """Return the units that stay, at a cost of at most `target` by the budget itself.

        Where the search counts in another unit, its budget is the largest that keeps the target.
        """
        search, prunable = self._search(), prunable_of(self.spec)
        if self.ranking.unit == self.budget.unit:
            return search.choose(target, self.plan.order)
        low, high = (
            float(self.ranking.of([spec])[0])
            for spec in (prunable.with_units(self.spec, self.floors), self.spec)
        )
        found = search.choose(low, self.plan.order)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            tried = search.choose(middle, self.plan.order)
            widths = {name: len(units) for name, units in tried.items()}
            if float(self.budget.of([prunable.with_units(self.spec, widths)])[0]) <= target:
                low, found = middle, tried
            else:
                high = middle
        return found

    def _search(self) -> MaskSearch:
        spec, prunable = self.spec, prunable_of(self.spec)
        structures = [s for s in self._all_structures() if s.name in self.scores]
        return MaskSearch.of(
            structures,
            self.scores,
            self.plan.groups,
            lambda widths: prunable.with_units(spec, widths),
            self.ranking.of,
            self.floors,
        )

    def _by_weights(self) -> dict[str, Tensor]:
        """Return magnitude, Taylor or random scores; Taylor's take gradients, but no step."""
        score = self.plan.score
        assert score != "trajectory"
        importance = Importance(score, self.plan.seed)
        model = copy.deepcopy(self.model)
        if score == "taylor":
            images, targets = self.sample.labelled(self.plan.images)
            self.work.objective(model, images, targets).backward()
        structures = [s for s in self._all_structures() if s.name in self.floors]
        importance.observe(structures, model)
        return importance.of


def check_merges(spec: Spec) -> None:
    """Raise UserError for a model that has no patches to merge layer by layer."""
    if not isinstance(spec, ViTSpec):
        raise UserError(f"{spec.name} is no plain ViT, whose patches could be merged.")
