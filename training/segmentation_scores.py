"""How well maps of classes agree: pixel accuracy and mean intersection over union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..progress import OnProgress, no_progress
from .data.augment import normalised
from .data.images import Normalisation
from .data.segmentation_images import IGNORED, SegmentationImages


def semantic_map(class_logits: Tensor, mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Return each pixel's class: (batch, height, width), whole numbers.

    class_logits: batch x queries x (classes + 1), the last for no object; mask_logits: batch x
    queries x h x w. A pixel's score of a class is the sum over queries of the class's probability
    times that of the mask (Cheng et al. 2022; Cheng et al. 2021, MaskFormer, section 3.4).
    """
    classes = class_logits.softmax(dim=-1)[..., :-1]
    masks = F.interpolate(mask_logits, size=size, mode="bilinear", align_corners=False).sigmoid()
    return torch.einsum("bqc,bqhw->bchw", classes, masks).argmax(dim=1)


@dataclass
class Confusion:
    """Counts of pixels by the class they have (rows) and the class that was found (columns)."""

    classes: int
    counts: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.counts = torch.zeros(self.classes, self.classes, dtype=torch.int64)

    def add(self, wanted: Tensor, found: Tensor) -> None:
        """Count the pixels of two maps of one shape; where `wanted` is IGNORED they do not."""
        wanted, found = wanted.reshape(-1).cpu().long(), found.reshape(-1).cpu().long()
        counted = wanted != IGNORED
        places = wanted[counted] * self.classes + found[counted]
        counts = torch.bincount(places, minlength=self.classes**2)
        self.counts += counts.reshape(self.classes, self.classes)

    @property
    def accuracy(self) -> float | None:
        """Share of pixels whose class was found; None where none counts."""
        total = int(self.counts.sum())
        return float(self.counts.diagonal().sum()) / total if total else None

    @property
    def miou(self) -> float | None:
        """Mean over classes of |both| / |either|; classes that neither map has do not count."""
        both = self.counts.diagonal()
        either = self.counts.sum(dim=0) + self.counts.sum(dim=1) - both
        present = either > 0
        if not bool(present.any()):
            return None
        return float((both[present] / either[present]).mean())


@dataclass(frozen=True)
class SegmentationResult:
    """What a model's maps of the test images come to.

    agreement: with the first model's maps; against the masks only where there are some.
    """

    agreement_accuracy: float
    agreement_miou: float
    pixel_accuracy: float | None
    miou: float | None


def evaluate_segmentation(
    models: Sequence[nn.Module],
    images: SegmentationImages,
    resolution: int,
    norm: Normalisation,
    zero_is_none: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[SegmentationResult]:
    """Return a result for each of several Mask2Formers of the same classes, the first the base.

    All are run on the device where they are, one image at a time. zero_is_none: see
    `SegmentationImages.classes_of`. Raises UserError for an image or mask that cannot be used.
    """
    first: Any = models[0]
    classes: int = first.config.num_labels
    agreement, truth = ([Confusion(classes) for _ in models] for _ in range(2))
    for nth in range(len(images)):
        pixels = torch.from_numpy(images.take([nth]).pixels(resolution))
        batch = normalised(pixels, norm).to(first.device)
        maps = []
        with torch.inference_mode():
            for model in models:
                answer = model(batch)
                size = (resolution, resolution)
                maps.append(
                    semantic_map(answer.class_queries_logits, answer.masks_queries_logits, size)[0]
                )
        if images.masks:
            mask = torch.from_numpy(images.classes_of(nth, resolution, classes, zero_is_none))
            for confusion, found in zip(truth, maps, strict=True):
                confusion.add(mask, found)
        for confusion, found in zip(agreement, maps, strict=True):
            confusion.add(maps[0], found)
        on_progress("testing", nth + 1, len(images), "images")
    return [
        SegmentationResult(a.accuracy or 0.0, a.miou or 0.0, t.accuracy, t.miou)
        for a, t in zip(agreement, truth, strict=True)
    ]
