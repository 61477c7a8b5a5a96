"""VGG with batch norms as data (Simonyan & Zisserman 2015, table 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ....errors import UserError
from ...block import Block
from ...checks import check_whole_number, shown
from ...spec import Spec
from ..vit.spec import LARGEST_HEADS, LARGEST_RESOLUTION, LARGEST_WIDTH


@dataclass(frozen=True, kw_only=True)
class VggSpec(Spec):
    """Stages of 3 x 3 convolutions with batch norm and ReLU, each halved in side at its end.

    stages: the output channels of each stage's convolutions; hidden: widths of the dense layers
    before the classifier; pooled: side of the map that these see (7 for ImageNet, 1 for CIFAR);
    resolution, in_channels, classes: as of a ViTSpec. Raises UserError for a value out of range.
    """

    family: ClassVar[str] = "vgg"

    stages: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...] = (4096, 4096)
    pooled: int = 7
    resolution: int = 224
    in_channels: int = 3
    classes: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("stages", "hidden"):
            if not isinstance(getattr(self, name), tuple | list):
                raise UserError(f"{name}={shown(getattr(self, name))} must be a list.")
        if not all(isinstance(stage, tuple | list) and stage for stage in self.stages):
            raise UserError(f"stages={shown(self.stages)} must be lists of output channels.")
        object.__setattr__(self, "stages", tuple(tuple(stage) for stage in self.stages))
        object.__setattr__(self, "hidden", tuple(self.hidden))
        for width in (*self.channels, *self.hidden):
            check_whole_number("a width", width, 1, LARGEST_WIDTH)
        check_whole_number("the number of stages", len(self.stages), 1, 16)
        check_whole_number("resolution", self.resolution, 1, LARGEST_RESOLUTION)
        check_whole_number("in_channels", self.in_channels, 1, LARGEST_HEADS)
        check_whole_number("classes", self.classes, 1, LARGEST_WIDTH)
        check_whole_number("pooled", self.pooled, 1, self.resolution)
        if self.resolution % 2 ** len(self.stages):
            raise UserError(
                f"resolution={self.resolution} cannot be halved {len(self.stages)} times; use a "
                f"multiple of {2 ** len(self.stages)}."
            )
        if self.last_side % self.pooled:
            raise UserError(
                f"the last map has a side of {self.last_side}, which is not a multiple of "
                f"pooled={self.pooled}."
            )

    @property
    def channels(self) -> tuple[int, ...]:
        """Output channels of all convolutions, in their order."""
        return tuple(width for stage in self.stages for width in stage)

    @property
    def last_side(self) -> int:
        """Side of the map after all stages."""
        return self.resolution // 2 ** len(self.stages)

    def blocks(self) -> list[Block]:
        """Return convolutions, average pooling, dense layers and classifier."""
        found = []
        before, side = self.in_channels, self.resolution
        for stage in self.stages:
            for place, width in enumerate(stage):
                pool = 2 if place == len(stage) - 1 else 1
                dims = {"in_channels": before, "out_channels": width, "resolution": side}
                found.append(Block.of("conv_norm_relu", **dims, pool=pool))
                before = width
            side //= 2
        found.append(
            Block.of("average_pool", in_channels=before, resolution=side, pooled=self.pooled)
        )
        before *= self.pooled**2
        for width in self.hidden:
            found.append(Block.of("dense_relu", in_channels=before, out_channels=width))
            before = width
        return [*found, Block.of("dense_classifier", in_channels=before, classes=self.classes)]
