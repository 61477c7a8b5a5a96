"""From an image to a sequence of tokens (Dosovitskiy et al. 2020, equation 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..block import Block
from ..checks import check_whole_number
from . import initial


class PatchEmbed(nn.Module):
    """Project each patch: (batch, in_channels, R, R) → (batch, patches, embed)."""

    def __init__(self, in_channels: int, embed: int, patch: int, bias: bool = True) -> None:
        super().__init__()
        self.proj = initial.patch_convolution(in_channels, embed, patch, bias)

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


def embed_with_prefix(
    images: Tensor,
    patch_embed: nn.Module,
    prefix: Sequence[Tensor | None],
    pos_embed: Tensor,
    norm_pre: nn.Module | None,
) -> Tensor:
    """Return [prefix; patches] + positions, normed where there is a norm, (batch, tokens, embed).

    Each of the prefix is (1, count, embed) or None. Where pos_embed has as many positions as there
    are patches, the prefix has none.
    """
    patches = patch_embed(images)
    tokens = [token for token in prefix if token is not None]
    if not tokens:
        x = patches + pos_embed
    else:
        front = torch.cat(tokens, dim=1)
        front = front + front.new_zeros(images.shape[0], 1, 1)
        if pos_embed.shape[1] == patches.shape[1]:
            x = torch.cat([front, patches + pos_embed], dim=1)
        else:
            x = torch.cat([front, patches], dim=1) + pos_embed
    return x if norm_pre is None else norm_pre(x)


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
    def of(cls, block: Block) -> PatchEmbedBlock | DetailedPatchEmbed:
        """Return the module of `block` with initial weights.

        The third token of a prefix and all behind it are registers. Raises UserError for a kernel
        larger than the image.
        """
        if block["prefix"] > 2:
            return DetailedPatchEmbed.of(block)
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


class DetailedPatchEmbed(nn.Module):
    """Patches with any prefix, and a norm behind: (batch, in_channels, R, R) → (batch, tokens, D).

    prefix: class token, distillation token and registers, each (1, count, embed) or None; where
    pos_embed has as many positions as there are patches, the prefix has none. norm_pre: a norm of
    the sequence, or None. The op `prefixless_patch_embed` alone too.
    """

    def __init__(
        self,
        patch_embed: PatchEmbed,
        prefix: Sequence[nn.Parameter | None],
        pos_embed: nn.Parameter,
        norm_pre: nn.LayerNorm | None = None,
    ) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.cls_token, self.dist_token, self.reg_token = prefix
        self.pos_embed = pos_embed
        self.norm_pre = norm_pre

    @classmethod
    def of(
        cls,
        block: Block,
        tokens: Sequence[int] | None = None,
        positions: bool = True,
        norm_eps: float | None = None,
    ) -> DetailedPatchEmbed:
        """Return the module of `block` with initial weights.

        tokens: how many class and distillation tokens and registers there are; positions: these
        have positions; norm_eps: the epsilon of a norm behind the embedding, None for no norm.
        """
        check_whole_number("kernel", block["kernel"], 1, block["resolution"])
        embed = block["embed"]
        prefix = dict(block.dims).get("prefix", 0)
        counts = tokens or (min(prefix, 1), 0, max(prefix - 1, 0))
        patches = (block["resolution"] // block["kernel"]) ** 2
        bias = norm_eps is None
        return cls(
            PatchEmbed(block["in_channels"], embed, block["kernel"], bias),
            [initial.tokens(count, embed) if count else None for count in counts],
            initial.tokens(patches + (prefix if positions else 0), embed),
            None if norm_eps is None else nn.LayerNorm(embed, eps=norm_eps),
        )

    def forward(self, images: Tensor) -> Tensor:
        tokens = (self.cls_token, self.dist_token, self.reg_token)
        return embed_with_prefix(images, self.patch_embed, tokens, self.pos_embed, self.norm_pre)
