"""PoolFormer as torch modules: one for each op, and the whole model as their chain."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from vitprof.models import Block
from vitprof.models.modules.spec_model import SpecModel

from .spec import PoolFormerSpec


class PoolFormerBlock(nn.Module):
    def __init__(self, embed: int, mlp: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(1, embed), nn.GroupNorm(1, embed)
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.mlp = nn.Sequential(nn.Conv2d(embed, mlp, 1), nn.GELU(), nn.Conv2d(mlp, embed, 1))
        self.scale1 = nn.Parameter(torch.full((embed, 1, 1), 0.1))
        self.scale2 = nn.Parameter(torch.full((embed, 1, 1), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.scale1 * (self.pool(normed) - normed)
        return x + self.scale2 * self.mlp(self.norm2(x))


class Head(nn.Module):
    def __init__(self, embed: int, classes: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.GroupNorm(1, embed), nn.Linear(embed, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(x).mean((2, 3)))


def embed_of(block: Block) -> nn.Module:
    kernel, stride = block["kernel"], block["stride"]
    padding = (kernel - stride + 1) // 2
    return nn.Conv2d(block["in_channels"], block["embed"], kernel, stride, padding)


BLOCKS = {
    "overlapping_embed": embed_of,
    "poolformer_block": lambda block: PoolFormerBlock(block["embed"], block["mlp"]),
    "poolformer_head": lambda block: Head(block["embed"], block["classes"]),
}


class PoolFormer(SpecModel):
    def __init__(self, spec: PoolFormerSpec) -> None:
        super().__init__(spec)
        self.blocks = nn.Sequential(*(BLOCKS[block.op](block) for block in spec.blocks()))

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(images)

    def chain(self) -> list[nn.Module]:
        return list(self.blocks)
