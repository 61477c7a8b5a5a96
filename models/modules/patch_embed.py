"""From an image to a sequence of tokens (Dosovitskiy et al. 2020, equation 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..block import Block
from ..checks import check_whole_number
from . import initial


class PatchEmbed(nn.Module):
    """Project each patch: (batch, in_channels, R, R) → (batch, patches, embed)."""

    def __init__(self, in_channels: int, embed: int, patch: int) -> None:
        super().__init__()
        self.proj = initial.patch_convolution(in_channels, embed, patch)

    def forward(self, images: Tensor) -> Tensor:
        grid = self.proj(images)
        batch, embed, rows, columns = grid.shape
        return grid.reshape(batch, embed, rows * columns).transpose(1, 2)


def embed_patches(
    images: Tensor,
    patch_embed: nn.Module,
    cls_token: Tensor,
    dist_token: Tensor | None,
    pos_embed: Tensor,
) -> Tensor:
    """Return [class; distillation; patches] + positions, (batch, tokens, embed).

    images: (batch, in_channels, resolution, resolution); a token is (1, 1, embed), the positions
    are (1, tokens, embed).
    """
    patches = patch_embed(images)
    prefix = cls_token if dist_token is None else torch.cat([cls_token, dist_token], dim=1)
    # Broadcast by adding zeros: an exporter folds this to a constant, but writes eight nodes for
    # `expand`.
    prefix = prefix + prefix.new_zeros(images.shape[0], 1, 1)
    return torch.cat([prefix, patches], dim=1) + pos_embed


class PatchEmbedBlock(nn.Module):
    """The op `patch_embed` alone: (batch, in_channels, R, R) → (batch, tokens, embed)."""

    def __init__(
        self,
        patch_embed: PatchEmbed,
        cls_token: nn.Parameter,
        dist_token: nn.Parameter | None,
        pos_embed: nn.Parameter,
    ) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.cls_token = cls_token
        self.dist_token = dist_token
        self.pos_embed = pos_embed

    @classmethod
    def of(cls, block: Block) -> PatchEmbedBlock:
        """Return the module of `block` with initial weights.

        Raises UserError for a prefix above 2 and a kernel larger than the image.
        """
        check_whole_number("prefix", block["prefix"], 1, 2)
        check_whole_number("kernel", block["kernel"], 1, block["resolution"])
        embed = block["embed"]
        patches = (block["resolution"] // block["kernel"]) ** 2
        return cls(
            PatchEmbed(block["in_channels"], embed, block["kernel"]),
            initial.tokens(1, embed),
            initial.tokens(1, embed) if block["prefix"] == 2 else None,
            initial.tokens(patches + block["prefix"], embed),
        )

    def forward(self, images: Tensor) -> Tensor:
        return embed_patches(
            images, self.patch_embed, self.cls_token, self.dist_token, self.pos_embed
        )
