"""The options of OPTIN for segmentation."""

from __future__ import annotations

from dataclasses import dataclass

from ..methods import option
from ..optin.options import ScoreOptions


@dataclass(frozen=True)
class SegmentationOptions(ScoreOptions):
    """How neurons are scored and chosen; None: as many images as there are, up to 32 and 64."""

    score_images: int | None = option(
        None, "images that neurons are scored on", at_least=1, shown="up to 32"
    )
    reconstruct: int | None = option(
        None,
        "images to which last layers are fitted; 0: not fitted",
        at_least=0,
        shown="up to 64",
    )
