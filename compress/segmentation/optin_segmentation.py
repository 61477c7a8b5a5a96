"""OPTIN (Khaki et al. 2024) for segmentation: hidden neurons of the Swin inside a Mask2Former.

Of this task the paper prunes the hidden neurons alone (Table 9), scored by the trajectory through
the layers behind them plus the divergence of the logits (eq. 3). It does not say which logits of
Mask2Former those are: here they are each query's over the classes. Nothing is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...models import SwinSpec
from ...models.families.swin.model import SwinTransformer
from ...models.structures.structure import Structure
from ...training.data.augment import normalised
from ..cutting import keeping, prunable_of, smaller_model
from ..nvit.importance import Importance
from ..optin.mask_search import MaskSearch
from ..optin.reconstruction import reconstruct
from ..optin.saved_scores import saved_scores
from ..run import PruningContext
from ..targets import Target
from .data import SegmentationData
from .mask2former import backbone_of
from .walk import segmentation_walk

if TYPE_CHECKING:
    from .options import SegmentationOptions

# Images that last layers are fitted to at once: of an early stage each has thousands of tokens.
TOGETHER = 8


class SegmentationRun:
    """Pruning one Mask2Former to several targets: `score`, then `cut` for each of them.

    The context's model is transformers', its goal's spec that of the backbone, whose cost counts:
    the decoders' is in no table and does not change. options: as the data allow.
    """

    def __init__(self, context: PruningContext, options: SegmentationOptions) -> None:
        spec, data = context.spec, context.training.data
        assert isinstance(spec, SwinSpec)
        assert isinstance(data, SegmentationData)
        self.context, self.options, self.goal = context, options, context.goal
        self.model: Any = context.base
        self.spec, self.images = spec, data.train
        self.swin = backbone_of(self.model, spec)
        self.scores: dict[str, Tensor] = {}
        self.remarks: list[str] = []

    def score(self) -> None:
        """Score every hidden neuron that may go."""
        if self.context.score != "trajectory":
            score: Any = self.context.score
            importance = Importance(score, self.context.seed)
            importance.observe(self._structures(), self.swin)
            self.scores = importance.of
            return
        images, scoring = self._images(self.options.score_images), self.options.how()
        walk = segmentation_walk(
            self.model, self.swin, images, self.goal.only, scoring.trajectory.weight > 0
        )
        show = self.context.on_progress
        with self.options.workers() as ray:
            found = saved_scores(
                walk,
                images,
                scoring,
                self.context.saved,
                lambda n, of: show("scoring", n, of, "neurons"),
                ray,
            )
        self.scores, self.remarks = found.scores, found.remarks

    def cut(self, target: Target) -> SwinTransformer:
        """Return the backbone of the target: dense, last layers fitted."""
        swin = self._cut_backbone(target.cost)
        if self.options.reconstruct:
            reconstruct(swin, self.swin, self._images(self.options.reconstruct), TOGETHER)
        return swin

    def _cut_backbone(self, cost: float) -> SwinTransformer:
        prunable = prunable_of(self.spec)
        search = MaskSearch.of(
            self._structures(),
            self.scores,
            self.goal.groups,
            lambda widths: prunable.with_units(self.spec, widths),
            self.goal.budget.of,
            self.goal.floors,
        )
        made: Any = smaller_model(self.swin, keeping(self.swin, search.choose(cost)))
        return made.eval()

    def _structures(self) -> list[Structure]:
        structures = prunable_of(self.spec).structures(self.spec, True)
        return [s for s in structures if s.name in self.goal.floors]

    def _images(self, count: int | None) -> Tensor:
        generator = torch.Generator().manual_seed(self.context.seed)
        chosen = torch.randperm(len(self.images), generator=generator)[:count]
        pixels = self.images.take(chosen.tolist()).pixels(self.spec.resolution)
        norm = self.context.training.norm
        assert norm is not None
        return normalised(torch.from_numpy(pixels), norm).to(self.model.device)
