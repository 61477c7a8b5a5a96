"""The data of segmentation that pruning looks at."""

from __future__ import annotations

from dataclasses import dataclass

from ...training.data.segmentation_images import SegmentationImages


@dataclass(frozen=True)
class SegmentationData:
    """Images to look at and images to test on; zero_is_none: whether 0 is not a class in masks."""

    train: SegmentationImages
    test: SegmentationImages
    zero_is_none: bool
