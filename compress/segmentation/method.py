"""OPTIN for segmentation (Khaki et al. 2024, Table 9): hidden neurons of a Mask2Former's Swin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..methods import Method
from .options import SegmentationOptions

if TYPE_CHECKING:
    from ..any_data import AnyData
    from ..run import PrunedRun, PruningContext
    from ..subject import Subject

# Images that are looked at by default; each that is fitted to is a large one.
SCORED, FITTED = 32, 64


class SegmentationOptin(Method[SegmentationOptions]):
    name = "optin"
    help = "in one shot, without training (Khaki et al. 2024)"
    Options = SegmentationOptions
    scores = ("trajectory", "magnitude", "random")
    kinds = ("mlp",)
    weighs_cost = False

    def variant(self, subject: Subject) -> Method[Any]:
        return self

    def score(self, wanted: str | None) -> str:
        if wanted is not None and wanted not in self.scores:
            raise UserError(
                f"a Mask2Former has no `score` {wanted}; it has {', '.join(self.scores)}."
            )
        return super().score(wanted)

    def for_data(self, options: SegmentationOptions, data: AnyData) -> SegmentationOptions:
        images: Any = data.train
        if options.score_images is None:
            options = replace(options, score_images=min(SCORED, len(images)))
        if options.reconstruct is None:
            options = replace(options, reconstruct=min(FITTED, len(images)))
        wanted = max(options.score_images or 0, options.reconstruct or 0)
        if wanted > len(images):
            raise UserError(
                f"{wanted} images are needed, and '{images.folder}' has {len(images)} "
                "beside those kept for testing; use fewer."
            )
        return options

    def run(self, context: PruningContext, options: SegmentationOptions) -> PrunedRun:
        from ..run import PrunedRun
        from .optin_segmentation import SegmentationRun

        run = SegmentationRun(context, options)
        run.score()
        models = [run.cut(target) for target in context.goal.targets]
        return PrunedRun(run.model, models, remarks=run.remarks)


SEGMENTATION = SegmentationOptin()
