"""A Mask2Former that is pruned: its images and masks, and how far its maps of classes agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from ...models import Spec
from ...notes import note
from ...progress import OnProgress
from ...training.data.images import Normalisation
from ...training.data.kept_where import Loading
from ...training.data.segmentation_images import (
    find_segmentation_images,
    split_segmentation_images,
)
from ...training.model_folder import read_normalisation
from ...training.segmentation_scores import evaluate_segmentation
from ..run import TrainingContext
from ..subject import Subject
from .data import SegmentationData
from .mask2former import (
    PREPROCESSOR,
    backbone_spec,
    config_of,
    load_mask2former,
    with_backbone,
    write_mask2former,
)

# What transformers takes where a preprocessor says nothing (ImageNet's).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Segmenter(Subject):
    """The folder of a Mask2Former with a Swin inside, which is what is pruned."""

    kind = "mask2former"
    what = "a Mask2Former, of which hidden neurons of the backbone go"

    def __init__(self, folder: Path, resolution: int | None = None) -> None:
        self.folder = folder
        backbone = backbone_spec(folder, resolution)
        self.spec, self.side = backbone, backbone.resolution
        self.about = {"part": "backbone", "resolution": self.side}

    def read(
        self, data: str, loading: Loading, on_progress: OnProgress
    ) -> tuple[SegmentationData, Normalisation]:
        loading.refuse(self.what)
        images, tested = split_segmentation_images(find_segmentation_images(data))
        norm = read_normalisation(self.folder)
        if norm is None:
            note(
                f"{self.folder} does not say how images are normalised; it is done as for ImageNet."
            )
            norm = Normalisation(MEAN, STD)
        config = config_of(self.folder, PREPROCESSOR)
        zero_is_none = bool(config.get("do_reduce_labels", config.get("reduce_labels", False)))
        return SegmentationData(images, tested, zero_is_none), norm

    def load(self) -> nn.Module:
        note(
            f"{self.side} x {self.side} pixels; milliseconds, MACs and parameters are the "
            "backbone's: the decoders are in no table and stay as they are."
        )
        found: nn.Module = load_mask2former(self.folder)
        return found

    def whole(self, base: nn.Module, model: nn.Module) -> nn.Module:
        swin: Any = model
        found: nn.Module = with_backbone(base, swin)
        return found

    def test(
        self, models: Sequence[nn.Module], where: TrainingContext, on_progress: OnProgress
    ) -> list[dict[str, Any]]:
        data: Any = where.data
        assert where.norm is not None
        base, *others = evaluate_segmentation(
            models, data.test, self.side, where.norm, data.zero_is_none, on_progress
        )
        own = {"pixel_accuracy": base.pixel_accuracy, "miou": base.miou}
        return [own, *(asdict(other) for other in others)]

    def write(self, whole: nn.Module, spec: Spec, folder: Path, where: TrainingContext) -> None:
        swin: Any = spec
        write_mask2former(whole, swin, self.folder, folder)
