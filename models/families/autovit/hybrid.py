"""The op `mobilevit`: transformer layers within convolutions (Mehta & Rastegari 2021, figure 1b).

Kong et al. 2025, section 3.2, take this block for AutoViT's transformer stages.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....errors import UserError
from ...block import Block
from ...modules import initial
from ...modules.attention import Attention
from ...modules.residual import residual
from .conv import ConvNormAct, activation_of, check_convolution
from .unfold import fold, unfold

# MobileViT's own.
NORM_EPS = 1e-5


class HybridMlp(nn.Module):
    """Two linear layers with an activation between; (sequences, tokens, embed) in and out."""

    def __init__(self, embed: int, mlp: int, activation: nn.Module) -> None:
        super().__init__()
        self.fc1 = initial.linear(embed, mlp)
        self.act = activation
        self.fc2 = initial.linear(mlp, embed)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class HybridLayer(nn.Module):
    """Pre-norm attention, then pre-norm MLP; (sequences, tokens, embed) in and out."""

    def __init__(self, attention: Attention, mlp: HybridMlp, embed: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed, eps=NORM_EPS)
        self.attn = attention
        self.norm2 = nn.LayerNorm(embed, eps=NORM_EPS)
        self.mlp = mlp

    def forward(self, x: Tensor) -> Tensor:
        return residual(residual(x, self.norm1, self.attn), self.norm2, self.mlp)


class HybridBlock(nn.Module):
    """k×k and 1×1 convolution, unfold, layers and norm, fold, 1×1, concatenate, k×k.

    (batch, in_channels, R, R) in and out. Only the first 1×1 convolution, into the layers' width,
    has neither batch norm nor activation.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        channels, embed, kernel = block["in_channels"], block["embed"], block["kernel"]
        act = activation_of(block)
        self.patch = block["patch"]
        self.local = ConvNormAct(channels, channels, kernel, act)
        self.widen = nn.Conv2d(channels, embed, 1, bias=False)
        self.layers = nn.Sequential(
            *[
                HybridLayer(
                    Attention(embed, block["heads"], block["qk"], block["v"]),
                    HybridMlp(embed, block["mlp"], act),
                    embed,
                )
                for _ in range(block["depth"])
            ]
        )
        self.norm = nn.LayerNorm(embed, eps=NORM_EPS)
        self.narrow = ConvNormAct(embed, channels, 1, act)
        self.fuse = ConvNormAct(2 * channels, channels, kernel, act)

    @classmethod
    def of(cls, block: Block) -> HybridBlock:
        """Return the module of a block of op `mobilevit`.

        Raises UserError for an even kernel, one larger than the map, and a patch that does not
        divide the map.
        """
        check_convolution(block, block["resolution"])
        if block["resolution"] % block["patch"]:
            raise UserError(
                f"patch={block['patch']} of op 'mobilevit' does not divide its map of resolution="
                f"{block['resolution']}; change one of the two."
            )
        return cls(block)

    def forward(self, x: Tensor) -> Tensor:
        sequences = unfold(self.widen(self.local(x)), self.patch)
        result = fold(self.norm(self.layers(sequences)), self.patch, x.shape[-1])
        return self.fuse(torch.cat([x, self.narrow(result)], dim=1))
