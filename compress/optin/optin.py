"""OPTIN (Khaki et al. 2024): heads and neurons, or a CNN's channels, scored once, chosen, cut out.

Nothing is trained. One scoring serves all targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...models import Spec, ViTSpec, create_model
from ...models.modules.spec_model import spec_of
from ...models.structures.structure import Structure
from ..budget import Budget
from ..cutting import keeping, prunable_of, smaller_model, with_fixed_scale
from ..merging.token_schedule import with_merges
from ..merging.token_score import token_scores
from ..nvit.redistribution import Sensitivity, sensitivities
from ..run import PruningContext
from ..targets import Target
from .channel_reconstruction import reconstruct_channels
from .channels import LOGITS_WEIGHT
from .mask_search import MaskSearch
from .reconstruction import reconstruct
from .sample import Sample
from .trajectory import logit_errors
from .unit_scores import scores_of_units

if TYPE_CHECKING:
    from .options import OptinOptions

# Of the way down to a target in factors, the shares that units go where tokens go the rest.
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
# Training images that choose between models of several shares.
CHECKED = 512
# Halvings of a budget in another unit than the target's.
HALVINGS = 24


class OptinRun:
    """Pruning one model to several targets: `score`, then `cut` for each of them.

    `remarks` are sentences for the user.
    """

    def __init__(self, context: PruningContext, options: OptinOptions) -> None:
        self.context, self.options, self.goal = context, options, context.goal
        self.model = with_fixed_scale(context.base).to(context.training.device).eval()
        self.convolutions = prunable_of(self.spec).steps is not None
        self.scoring = options.how(LOGITS_WEIGHT if self.convolutions else None)
        self.schedule = options.schedule_of(self.spec) if options.parts != "units" else None
        self.sample = Sample(context.training, context.seed)
        self.sensitivities: list[Sensitivity] = []
        self.scores: dict[str, Tensor] = {}
        self.of_patches: Tensor | None = None
        self.remarks: list[str] = []

    @property
    def spec(self) -> Spec:
        """The unpruned model's."""
        return self.model.spec  # type: ignore[return-value]

    def score(self) -> None:
        """Score every head and neuron that may go, and every patch."""
        parts, show = self.options.parts, self.context.on_progress
        if parts != "tokens":
            found = scores_of_units(
                self.model, self.context, self.options, self.scoring, self.sample
            )
            self.scores = found.scores
            self.remarks += found.remarks
            self.sensitivities = sensitivities(
                self.spec,
                self.scores,
                Budget(self.goal.budget.table),
                self.goal.groups.sizes,
                self.goal.floors,
            )
        if parts != "units" and self.schedule == "trajectory":
            self.of_patches = token_scores(
                self.model,
                self.sample.images(self.options.score_images),
                self.scoring.trajectory,
                lambda n, of: show("patches", n, of, "patches"),
            )

    def cut(self, target: Target) -> nn.Module:
        """Return the model of the target: dense, smaller, its last layers fitted.

        Where units and tokens go, models with more of the one and of the other are made, and that
        one is taken whose logits are nearest to the unpruned model's.
        """
        if self.options.parts == "units":
            return self._without_units(target.cost)
        full = self.goal.full
        shares = SHARES if self.options.parts == "both" else (0.0,)
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
        if not any(getattr(spec_of(best), "merges", ())):
            why = f" ({refusal})" if refusal is not None else ""
            self.remarks.append(f"{target.text}: no tokens are merged; units alone do better{why}")
        return best

    def _merging(self, of_units: float, cost: float) -> nn.Module:
        """Return the model with units at a cost of `of_units`, and tokens merged down to `cost`."""
        full = self.goal.full
        model = self.model if of_units >= full else self._without_units(of_units)
        spec = spec_of(model)
        assert self.schedule is not None
        assert isinstance(spec, ViTSpec)  # check_merges has seen to it
        given = isinstance(self.schedule, tuple)
        if not given and float(self.goal.budget.of([spec])[0]) <= cost:
            return model
        merging = with_merges(
            spec, self.schedule, cost, self.goal.budget.of, self.of_patches, self._covers
        )
        made = create_model(merging).to(self.context.training.device).eval()
        made.load_state_dict(model.state_dict())
        return made

    def _covers(self, spec: Spec) -> bool:
        """Whether the table knows the model's latency, for a target of any unit."""
        try:
            self.goal.budget.table.predict_many([spec])
        except UserError:
            return False
        return True

    def _distance(self, model: nn.Module) -> float:
        """Return how far the logits are from the unpruned model's, on images not scored on."""
        with torch.inference_mode():
            parts = self.sample.inputs(CHECKED, self.options.score_images).split(128)
            errors = [len(x) * logit_errors(self.model(x), model(x)[None], 1.0)[0] for x in parts]
        return float(sum(errors)) / sum(len(x) for x in parts)

    def _without_units(self, cost: float) -> nn.Module:
        staying = self._staying(cost)
        result = keeping(self.model, staying)
        smaller = smaller_model(self.model, result).eval()
        if not self.options.reconstruct:
            return smaller
        count = self.options.reconstruct
        if self.convolutions:
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
        ranking, order = self.context.ranking, self.options.order
        if ranking.unit == self.goal.budget.unit:
            return search.choose(target, order)
        low, high = (
            float(ranking.of([spec])[0])
            for spec in (prunable.with_units(self.spec, self.goal.floors), self.spec)
        )
        found = search.choose(low, order)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            tried = search.choose(middle, order)
            widths = {name: len(units) for name, units in tried.items()}
            if float(self.goal.budget.of([prunable.with_units(self.spec, widths)])[0]) <= target:
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
            self.goal.groups,
            lambda widths: prunable.with_units(spec, widths),
            self.context.ranking.of,
            self.goal.floors,
        )


def check_merges(spec: Spec) -> None:
    """Raise UserError for a model that has no patches to merge layer by layer."""
    if not isinstance(spec, ViTSpec):
        raise UserError(f"{spec.name} is not a plain ViT, whose patches could be merged.")
