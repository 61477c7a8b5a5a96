"""From an image to a sequence of tokens (Liu et al. 2021, section 3.1)."""

from __future__ import annotations

from torch import Tensor, nn

from ....errors import UserError
from ...block import Block
from ...modules.patch_embed import PatchEmbed
from .spec import DEFAULT_NORM_EPS


class SwinEmbed(PatchEmbed):
    """The op `swin_embed`: each patch projected, then a layer norm; no positions are added.

    (batch, in_channels, R, R) → (batch, (R/patch)², embed).
    """

    def __init__(self, in_channels: int, embed: int, patch: int) -> None:
        super().__init__(in_channels, embed, patch)
        self.norm = nn.LayerNorm(embed, eps=DEFAULT_NORM_EPS)

    @classmethod
    def of(cls, block: Block) -> SwinEmbed:
        """Return the module of `block` with initial weights.

        Raises UserError for a kernel that does not divide the resolution.
        """
        if block["resolution"] % block["kernel"]:
            raise UserError(
                f"kernel={block['kernel']} does not divide resolution={block['resolution']}, so "
                "the patches would not cover the image; change one of them."
            )
        return cls(block["in_channels"], block["embed"], block["kernel"])

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(super().forward(images))
