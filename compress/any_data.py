"""The data of anything that is pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..training.inputs import AnyDataset

if TYPE_CHECKING:
    from .segmentation.data import SegmentationData

AnyData: TypeAlias = "AnyDataset | SegmentationData"
