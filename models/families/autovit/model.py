"""The whole AutoViT: the chain of its blocks."""

from __future__ import annotations

from torch import Tensor, nn

from ...modules.spec_model import SpecModel
from .blocks import BLOCKS
from .spec import AutoViTSpec


class AutoViT(SpecModel):
    """The model of an AutoViTSpec: images (batch, in_channels, R, R) → logits (batch, classes).

    Its weights are named `blocks.N.…`, N being the block's place in `spec.blocks()`.
    """

    spec: AutoViTSpec

    def __init__(self, spec: AutoViTSpec) -> None:
        super().__init__(spec)
        self.blocks = nn.Sequential(*[BLOCKS[block.op](block) for block in spec.blocks()])

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(images)

    def chain(self) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another is running the model.
        """
        return list(self.blocks)
