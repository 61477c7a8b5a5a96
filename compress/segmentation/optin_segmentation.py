"""OPTIN (Khaki et al. 2024) for segmentation: hidden neurons of the Swin inside a Mask2Former.

Of this task the paper prunes the hidden neurons alone (Table 9), scored by the trajectory through
the layers behind them plus the divergence of the logits (eq. 3). It does not say which logits of
Mask2Former those are: here they are each query's over the classes. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from ...errors import UserError
from ...models import SwinSpec
from ...models.families.swin.model import SwinTransformer
from ...models.structures.structure import Kind, Structure
from ...training.data.augment import normalised
from ...training.data.images import Normalisation
from ...training.data.segmentation_images import SegmentationImages
from ...training.saved_run import SavedRun
from ..budget import Budget
from ..cutting import keeping, prunable_of, smaller_model
from ..groups import Groups
from ..nvit.importance import Importance
from ..nvit.nvit import OnStep
from ..nvit.redistribution import Sensitivity
from ..optin.mask_search import MaskSearch
from ..optin.reconstruction import reconstruct
from ..optin.saved_scores import saved_scores
from ..optin.trajectory_score import Scoring
from ..targets import Target, check_reachable, floors_of
from .mask2former import backbone_of, with_backbone
from .walk import segmentation_walk

KINDS: tuple[Kind, ...] = ("mlp",)
NeuronScore = Literal["trajectory", "magnitude", "random"]
NEURON_SCORES: tuple[NeuronScore, ...] = ("trajectory", "magnitude", "random")
# Images that last layers are fitted to at once: of an early stage each has thousands of tokens.
TOGETHER = 8


@dataclass(frozen=True)
class SegmentationPlan:
    """How neurons are scored and chosen: see `OneShotPlan`, whose fields these are."""

    score: NeuronScore = "trajectory"
    scoring: Scoring = field(default_factory=Scoring)
    images: int = 32
    reconstruct: int = 64
    groups: Groups = field(default_factory=Groups)
    only: tuple[str, ...] = ()
    seed: int = 0

    def check_enough(self, images: SegmentationImages) -> None:
        """Raise UserError where there are fewer images than are to be looked at."""
        wanted = max(self.images, self.reconstruct)
        if wanted > len(images):
            raise UserError(
                f"{wanted} images are to be looked at, and '{images.folder}' has {len(images)} "
                "beside those kept for testing; take fewer."
            )


class SegmentationRun:
    """Pruning one Mask2Former to several targets: `score`, then `cut` for each of them.

    model: transformers'; spec: its backbone's, whose cost `budget` counts: the decoders' is in no
    table and does not change. images: those that are looked at. Raises UserError where a target is
    out of reach or there are too few images.
    """

    def __init__(
        self,
        model: Any,
        spec: SwinSpec,
        images: SegmentationImages,
        norm: Normalisation,
        targets: Sequence[Target],
        budget: Budget,
        plan: SegmentationPlan,
        saved: SavedRun,
    ) -> None:
        self.model, self.spec = model, spec
        self.swin = backbone_of(model, spec)
        self.images, self.norm = images, norm
        self.targets = sorted(targets, key=lambda target: -target.cost)
        self.budget, self.plan, self.saved = budget, plan, saved
        self.scores: dict[str, Tensor] = {}
        self.sensitivities: list[Sensitivity] = []
        self.floors = floors_of(spec, budget.table, plan.groups, plan.only, KINDS)
        check_reachable(spec, self.targets, budget, self.floors)
        plan.check_enough(images)

    def score(self, on_step: OnStep | None = None) -> None:
        """Score every hidden neuron that may go."""
        if self.plan.score != "trajectory":
            importance = Importance(self.plan.score, self.plan.seed)
            importance.observe(self._structures(), self.swin)
            self.scores = importance.of
            return
        images, scoring = self._images(self.plan.images), self.plan.scoring
        walk = segmentation_walk(
            self.model, self.swin, images, self.plan.only, scoring.trajectory.weight > 0
        )
        self.scores = saved_scores(
            walk, images, scoring, self.saved,
            None if on_step is None else lambda n, of: on_step("scoring", n, of, "neurons"),
        )  # fmt: skip

    def cut(self, target: Target) -> tuple[Any, SwinTransformer]:
        """Return the Mask2Former of the target, and its backbone: dense, last layers fitted."""
        swin = self._cut_backbone(target.cost)
        if self.plan.reconstruct:
            reconstruct(swin, self.swin, self._images(self.plan.reconstruct), TOGETHER)
        return with_backbone(self.model, swin), swin

    def _cut_backbone(self, cost: float) -> SwinTransformer:
        prunable = prunable_of(self.spec)
        search = MaskSearch.of(
            self._structures(),
            self.scores,
            self.plan.groups,
            lambda widths: prunable.with_units(self.spec, widths),
            self.budget.of,
            self.floors,
        )
        # There are no heads, whose every number would be tried: only none.
        staying = search.choose(cost, "heads")
        made: Any = smaller_model(self.swin, keeping(self.swin, staying))
        return made.eval()

    def _structures(self) -> list[Structure]:
        structures = prunable_of(self.spec).structures(self.spec, True)
        return [s for s in structures if s.name in self.floors]

    def _images(self, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.plan.seed)
        chosen = torch.randperm(len(self.images), generator=generator)[:count]
        pixels = self.images.take(chosen.tolist()).pixels(self.spec.resolution)
        return normalised(torch.from_numpy(pixels), self.norm).to(self.model.device)
